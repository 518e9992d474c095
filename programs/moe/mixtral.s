// mixtral: a mixture-of-experts layer as in Mixtral 8x7B, expert parallel over all GPUs, at tile level: gate, exchange of
// counts, dispatch, gated GEMM, GEMM, return and weighted sum. Every token goes to two experts, y = sum of p[e] * w2[e]
// (silu(gate of x) * up of x), p the softmax of the two logits. Experts are spread evenly over the GPUs.
//
// The GEMMs are persistent kernels of TMA, mbarriers and wgmma (wgmma.inc); rows go to peers and back by plain stores.
// Which experts a token goes to is given, as a router's trace would (`load`); the gate's logits decide the weights.
//
//     simasm programs/moe/mixtral.s --gpus 8                        small, with data, checked against NumPy
//     simasm programs/moe/mixtral.s --gpus 8 -D full=1              Mixtral's layer of 8192 tokens, its time only
//     simasm programs/moe/mixtral.s --gpus 8 -D full=1 -D data=1    the same with data; -D verify=1 to check it
//
// Expected: `y ~ gated_moe_layer` passes, or is skipped without data.

.version 8.3
.target sm_90a
.address_size 64
.include "wgmma.inc"
.include "signal.inc"

.set CHUNK, 512                        // bytes of a row that a warp moves at a time
.set WEIGHTS, 2                        // experts of a token

// Logits of 16 tokens for 8 experts with mma.sync, a quarter of the row per warp; then the softmax of the two chosen.
.visible .entry gate(.param .u64 x, .param .u64 wg, .param .u64 route, .param .u64 weights, .param .u32 row_bytes)
{
    .reg .pred %more, %last;
    .reg .b32 %t, %lane, %warp, %token, %row, %col, %row_bytes, %k, %end, %a<8>, %b<4>, %e0, %e1, %at, %sum;
    .reg .b64 %x, %y, %wg, %route, %weights;
    .reg .f32 %c<4>, %l0, %l1, %p;
    .shared .align 16 .f32 logits[512];    // warp, token, expert

    mov.u32 %t, %tid.x;
    and.b32 %lane, %t, 31;
    shr.u32 %warp, %t, 5;
    mov.u32 %token, %ctaid.x;
    shl.b32 %token, %token, 4;
    ld.param.u64 %x, [x];
    ld.param.u64 %wg, [wg];
    ld.param.u32 %row_bytes, [row_bytes];
    // A lane has 16 bytes of row lane / 4, at lane % 4: k in an order of its own, the same for both factors.
    shr.u32 %row, %lane, 2;
    and.b32 %col, %lane, 3;
    shl.b32 %col, %col, 4;
    shr.u32 %end, %row_bytes, 2;
    mad.lo.u32 %k, %end, %warp, %col;
    mad.lo.u32 %at, %row, %row_bytes, %k;
    cvt.u64.u32 %y, %at;
    add.u64 %wg, %wg, %y;
    mad.wide.u32 %x, %token, %row_bytes, %x;
    add.u64 %x, %x, %y;
    mul.wide.u32 %y, %row_bytes, 8;
    add.u64 %y, %x, %y;
    .rept 4, i
    mov.f32 %c\i, 0f00000000;
    .endr
next:
    ld.global.v4.b32 {%a0, %a1, %a2, %a3}, [%x];
    ld.global.v4.b32 {%a4, %a5, %a6, %a7}, [%y];
    ld.global.v4.b32 {%b0, %b1, %b2, %b3}, [%wg];
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
        {%c0, %c1, %c2, %c3}, {%a0, %a4, %a1, %a5}, {%b0, %b1}, {%c0, %c1, %c2, %c3};
    mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32
        {%c0, %c1, %c2, %c3}, {%a2, %a6, %a3, %a7}, {%b2, %b3}, {%c0, %c1, %c2, %c3};
    add.u64 %x, %x, 64;
    add.u64 %y, %y, 64;
    add.u64 %wg, %wg, 64;
    sub.u32 %end, %end, 64;
    setp.ne.u32 %more, %end, 0;
    @%more bra next;
    mov.u32 %sum, logits;
    shl.b32 %at, %t, 3;                    // logits[warp][row][2 (lane % 4)]
    shl.b32 %k, %warp, 8;
    add.u32 %at, %at, %k;
    add.u32 %at, %at, %sum;
    st.shared.v2.f32 [%at], {%c0, %c1};
    st.shared.v2.f32 [%at+256], {%c2, %c3};
    bar.sync 0;
    setp.ge.u32 %last, %t, 16;
    @%last ret;
    add.u32 %token, %token, %t;
    ld.param.u64 %route, [route];
    ld.param.u64 %weights, [weights];
    mad.wide.u32 %route, %token, 8, %route;
    mad.wide.u32 %weights, %token, 8, %weights;
    ld.global.v2.u32 {%e0, %e1}, [%route];
    shl.b32 %at, %t, 5;
    add.u32 %at, %at, %sum;
    mad.lo.u32 %e0, %e0, 4, %at;
    mad.lo.u32 %e1, %e1, 4, %at;
    ld.shared.f32 %l0, [%e0];
    ld.shared.f32 %l1, [%e1];
    .rept 3, i
    ld.shared.f32 %c0, [%e0+512*(\i+1)];
    ld.shared.f32 %c1, [%e1+512*(\i+1)];
    add.f32 %l0, %l0, %c0;
    add.f32 %l1, %l1, %c1;
    .endr
    sub.f32 %l0, %l0, %l1;                 // p0 = 1 / (1 + exp(l1 - l0))
    mul.f32 %l0, %l0, 0fbfb8aa3b;
    ex2.approx.f32 %l0, %l0;
    add.f32 %l0, %l0, 0f3f800000;
    rcp.approx.f32 %p, %l0;
    mov.f32 %l1, 0f3f800000;
    sub.f32 %l1, %l1, %p;
    st.global.v2.f32 [%weights], {%p, %l1};
    ret;
}

// One block: the number of every row among those of its expert, and how many rows each expert gets, told to all GPUs.
.visible .entry count(.param .u64 route, .param .u64 rank, .param .u64 counts_at, .param .u64 finished, .param .u64 told_at,
                      .param .u32 rows, .param .u32 me, .param .u32 gpus, .param .u32 experts)
{
    SIGNAL_STATE
    .reg .pred %more, %outside;
    .reg .b32 %t, %rows, %e, %r, %me, %gpus, %experts;
    .reg .b64 %route, %rank, %at, %to;
    .shared .u32 seen[64];

    mov.u32 %t, %tid.x;
    ld.param.u32 %rows, [rows];
    ld.param.u32 %experts, [experts];
    setp.lt.u32 %more, %t, 64;
    mov.u32 %e, seen;
    mad.lo.u32 %e, %t, 4, %e;
    @%more st.shared.u32 [%e], 0;
    bar.sync 0;
    ld.param.u64 %route, [route];
    ld.param.u64 %rank, [rank];
next:
    setp.ge.u32 %outside, %t, %rows;
    @%outside bra told;
    mad.wide.u32 %at, %t, 4, %route;
    ld.global.u32 %e, [%at];
    mov.u32 %r, seen;
    mad.lo.u32 %e, %e, 4, %r;
    atom.shared.add.u32 %r, [%e], 1;
    mad.wide.u32 %at, %t, 4, %rank;
    st.global.u32 [%at], %r;
    add.u32 %t, %t, 1024;
    bra next;
told:
    bar.sync 0;
    mov.u32 %t, %tid.x;
    ld.param.u32 %me, [me];
    ld.param.u32 %gpus, [gpus];
    mul.lo.u32 %rows, %gpus, %experts;
    setp.ge.u32 %outside, %t, %rows;       // thread: GPU to tell, expert
    @%outside bra all;
    rem.u32 %e, %t, %experts;
    div.u32 %t, %t, %experts;
    mov.u32 %r, seen;
    mad.lo.u32 %r, %e, 4, %r;
    ld.shared.u32 %r, [%r];
    ld.param.u64 %at, [counts_at];
    mad.wide.u32 %at, %t, 8, %at;
    ld.global.u64 %to, [%at];
    mad.lo.u32 %e, %me, %experts, %e;
    mad.wide.u32 %to, %e, 4, %to;
    st.global.u32 [%to], %r;
all:
    SIGNAL_ALL finished, told_at, gpus
    ret;
}

// %sum = rows of expert \expert from the first \sources GPUs.
.macro ROWS_OF expert, sources
    mov.u32 %sum, 0;
    mad.wide.u32 %at, \expert, 4, %counts;
    mov.u32 %left, \sources;
sum\@:
    setp.eq.u32 %more, %left, 0;
    @%more bra summed\@;
    ld.global.u32 %n, [%at];
    add.u32 %sum, %sum, %n;
    mad.wide.u32 %at, %experts, 4, %at;
    sub.u32 %left, %left, 1;
    bra sum\@;
summed\@:
.endm

// A warp moves %row_bytes from %from to %to.
.macro MOVE_ROW
    mul.wide.u32 %at, %lane, 16;
    add.u64 %from, %from, %at;
    add.u64 %to, %to, %at;
    mov.u32 %left, %row_bytes;
move\@:
    ld.global.v4.b32 {%d0, %d1, %d2, %d3}, [%from];
    st.global.v4.b32 [%to], {%d0, %d1, %d2, %d3};
    add.u64 %from, %from, CHUNK;
    add.u64 %to, %to, CHUNK;
    sub.u32 %left, %left, CHUNK;
    setp.ne.u32 %more, %left, 0;
    @%more bra move\@;
.endm

.macro MOVE_STATE
    SIGNAL_STATE
    .reg .pred %more, %outside;
    .reg .b32 %t, %lane, %i, %step, %e, %n, %sum, %left, %row, %rows, %row_bytes, %experts, %local, %capacity, %peer_, %d<4>;
    .reg .b64 %at, %from, %to, %counts, %table;
.endm

// Row i of the list (token i / 2) goes to the memory of its expert's GPU, behind the rows of GPUs before this one.
.visible .entry dispatch(.param .u64 x, .param .u64 route, .param .u64 rank, .param .u64 counts, .param .u64 told,
                         .param .u64 recv_at, .param .u64 origin_at, .param .u64 finished, .param .u64 sent_at,
                         .param .u32 rows, .param .u32 me, .param .u32 gpus, .param .u32 experts, .param .u32 local,
                         .param .u32 capacity, .param .u32 row_bytes)
{
    MOVE_STATE
    .shared .u32 first[64];

    WAIT_ALL told, gpus
    mov.u32 %t, %tid.x;
    and.b32 %lane, %t, 31;
    ld.param.u64 %counts, [counts];
    ld.param.u32 %experts, [experts];
    ld.param.u32 %row, [me];
    setp.ge.u32 %outside, %t, %experts;
    @%outside bra known;
    ROWS_OF %t, %row
    mov.u32 %e, first;
    mad.lo.u32 %e, %t, 4, %e;
    st.shared.u32 [%e], %sum;
known:
    bar.sync 0;
    ld.param.u32 %rows, [rows];
    ld.param.u32 %local, [local];
    ld.param.u32 %capacity, [capacity];
    ld.param.u32 %row_bytes, [row_bytes];
    shr.u32 %t, %t, 5;
    mov.u32 %i, %ctaid.x;
    mad.lo.u32 %i, %i, 8, %t;
    mov.u32 %step, %nctaid.x;
    shl.b32 %step, %step, 3;
next:
    setp.ge.u32 %outside, %i, %rows;
    @%outside bra sent;
    ld.param.u64 %table, [route];
    mad.wide.u32 %at, %i, 4, %table;
    ld.global.u32 %e, [%at];
    ld.param.u64 %table, [rank];
    mad.wide.u32 %at, %i, 4, %table;
    ld.global.u32 %row, [%at];
    mov.u32 %n, first;
    mad.lo.u32 %n, %e, 4, %n;
    ld.shared.u32 %n, [%n];
    add.u32 %row, %row, %n;
    setp.ge.u32 %more, %row, %capacity;
    @%more trap;                           // an expert gets more rows than there is room for
    div.u32 %peer_, %e, %local;
    rem.u32 %n, %e, %local;
    mad.lo.u32 %row, %n, %capacity, %row;
    ld.param.u64 %table, [origin_at];
    mad.wide.u32 %at, %peer_, 8, %table;
    ld.global.u64 %to, [%at];
    mad.wide.u32 %to, %row, 4, %to;
    ld.param.u32 %n, [me];
    mad.lo.u32 %n, %n, 0x1000000, %i;      // where the row comes from: GPU, number
    setp.eq.u32 %more, %lane, 0;
    @%more st.global.u32 [%to], %n;
    ld.param.u64 %table, [recv_at];
    mad.wide.u32 %at, %peer_, 8, %table;
    ld.global.u64 %to, [%at];
    mad.wide.u32 %to, %row, %row_bytes, %to;
    ld.param.u64 %from, [x];
    shr.u32 %n, %i, 1;
    mad.wide.u32 %from, %n, %row_bytes, %from;
    MOVE_ROW
    add.u32 %i, %i, %step;
    bra next;
sent:
    SIGNAL_ALL finished, sent_at, gpus
    ret;
}

// The rows of an expert's result go back to where its inputs came from.
.visible .entry give_back(.param .u64 y, .param .u64 origin, .param .u64 counts, .param .u64 back_at, .param .u64 finished,
                          .param .u64 done_at, .param .u32 first, .param .u32 gpus, .param .u32 experts, .param .u32 local,
                          .param .u32 capacity, .param .u32 row_bytes)
{
    MOVE_STATE

    mov.u32 %t, %tid.x;
    and.b32 %lane, %t, 31;
    shr.u32 %t, %t, 5;
    ld.param.u64 %counts, [counts];
    ld.param.u32 %experts, [experts];
    ld.param.u32 %local, [local];
    ld.param.u32 %capacity, [capacity];
    ld.param.u32 %row_bytes, [row_bytes];
    mov.u32 %step, %nctaid.x;
    shl.b32 %step, %step, 3;
    mov.u32 %e, 0;
expert:
    ld.param.u32 %row, [first];
    add.u32 %row, %row, %e;
    ld.param.u32 %rows, [gpus];
    ROWS_OF %row, %rows
    mov.u32 %rows, %sum;
    mov.u32 %i, %ctaid.x;
    mad.lo.u32 %i, %i, 8, %t;
next:
    setp.ge.u32 %outside, %i, %rows;
    @%outside bra through;
    mad.lo.u32 %row, %e, %capacity, %i;
    ld.param.u64 %table, [origin];
    mad.wide.u32 %at, %row, 4, %table;
    ld.global.u32 %n, [%at];
    shr.u32 %peer_, %n, 24;
    and.b32 %n, %n, 0xffffff;
    ld.param.u64 %table, [back_at];
    mad.wide.u32 %at, %peer_, 8, %table;
    ld.global.u64 %to, [%at];
    mad.wide.u32 %to, %n, %row_bytes, %to;
    ld.param.u64 %from, [y];
    mad.wide.u32 %from, %row, %row_bytes, %from;
    MOVE_ROW
    add.u32 %i, %i, %step;
    bra next;
through:
    add.u32 %e, %e, 1;
    setp.lt.u32 %more, %e, %local;
    @%more bra expert;
    SIGNAL_ALL finished, done_at, gpus
    ret;
}

// out = p0 * the first expert's row + p1 * the second's, a warp per token.
.visible .entry combine(.param .u64 back, .param .u64 weights, .param .u64 out, .param .u64 done, .param .u32 gpus,
                        .param .u32 tokens, .param .u32 row_bytes)
{
    MOVE_STATE
    .reg .b32 %h<4>, %lo, %hi;
    .reg .b64 %other;
    .reg .f32 %p0, %p1, %u0, %u1, %v0, %v1;

    WAIT_ALL done, gpus
    mov.u32 %t, %tid.x;
    and.b32 %lane, %t, 31;
    shr.u32 %t, %t, 5;
    mov.u32 %i, %ctaid.x;
    mad.lo.u32 %i, %i, 8, %t;
    ld.param.u32 %n, [tokens];
    setp.ge.u32 %outside, %i, %n;
    @%outside ret;
    ld.param.u32 %row_bytes, [row_bytes];
    ld.param.u64 %at, [weights];
    mad.wide.u32 %at, %i, 8, %at;
    ld.global.v2.f32 {%p0, %p1}, [%at];
    mul.wide.u32 %at, %lane, 16;
    ld.param.u64 %from, [back];
    add.u64 %from, %from, %at;
    ld.param.u64 %to, [out];
    add.u64 %to, %to, %at;
    mad.wide.u32 %to, %i, %row_bytes, %to;
    shl.b32 %i, %i, 1;
    mad.wide.u32 %from, %i, %row_bytes, %from;
    cvt.u64.u32 %other, %row_bytes;
    add.u64 %other, %other, %from;
    mov.u32 %left, %row_bytes;
next:
    ld.global.v4.b32 {%d0, %d1, %d2, %d3}, [%from];
    ld.global.v4.b32 {%h0, %h1, %h2, %h3}, [%other];
    .rept 4, j
    shl.b32 %lo, %d\j, 16;
    and.b32 %hi, %d\j, 0xffff0000;
    mov.b32 %u0, %lo;
    mov.b32 %u1, %hi;
    shl.b32 %lo, %h\j, 16;
    and.b32 %hi, %h\j, 0xffff0000;
    mov.b32 %v0, %lo;
    mov.b32 %v1, %hi;
    mul.f32 %u0, %u0, %p0;
    mul.f32 %u1, %u1, %p0;
    fma.rn.f32 %u0, %v0, %p1, %u0;
    fma.rn.f32 %u1, %v1, %p1, %u1;
    cvt.rn.bf16x2.f32 %d\j, %u1, %u0;
    .endr
    st.global.v4.b32 [%to], {%d0, %d1, %d2, %d3};
    add.u64 %from, %from, CHUNK;
    add.u64 %other, %other, CHUNK;
    add.u64 %to, %to, CHUNK;
    sub.u32 %left, %left, CHUNK;
    setp.ne.u32 %more, %left, 0;
    @%more bra next;
    ret;
}

.include "mixtral_experts.inc"

.host main {
    param full = 0;                                          // 1: Mixtral 8x7B
    param verify = 1 - full;                                 // 1: compare with NumPy, which takes minutes at full size
    param data = 1 - full;                                   // 0: the time of the layer, without data
    param tokens = full ? 8192 : 256;                        // of all GPUs
    param hidden = full ? 4096 : 256;
    param ffn = full ? 14336 : 512;
    param experts = 8;
    param load = "uniform";
    param room = full ? 2.0 : 8.0;                           // rows an expert has room for, to those it gets on average
    let own = tokens / ngpus;
    let local = experts / ngpus;
    let capacity = round_up(int(room * tokens * 2 / experts), 256);
    let copies = min(sm.count, 128);
    require tokens % (16 * ngpus) == 0, "every GPU has a multiple of 16 tokens";
    require experts == 8 && experts % ngpus == 0, "eight experts are spread evenly over 1, 2, 4 or 8 GPUs";
    require hidden % 256 == 0 && ffn % 256 == 0, "hidden and ffn must be multiples of 256";

    buffer x : bf16[own, hidden] = normal(0, 1) opaque(!data);
    buffer wg : bf16[experts, hidden] = normal(0, 1 / sqrt(hidden)) same opaque(!data);
    buffer w13 : bf16[local * 2 * ffn, hidden] = normal(0, 1 / sqrt(hidden)) opaque(!data);
    buffer w2 : bf16[local * hidden, ffn] = normal(0, 1 / sqrt(ffn)) opaque(!data);
    buffer route : s32[own, 2] = routing(load, experts=experts);
    buffer weights : f32[own, 2] = zeros opaque(!data);
    buffer rank : u32[own, 2] = zeros;
    buffer counts : u32[ngpus, experts] = zeros;
    buffer recv : bf16[local * capacity, hidden] = zeros opaque(!data);
    buffer origin : u32[local * capacity] = zeros;
    buffer act : bf16[local * capacity, ffn] = zeros opaque(!data);
    buffer y : bf16[local * capacity, hidden] = zeros opaque(!data);
    buffer back : bf16[own, 2, hidden] = zeros opaque(!data);
    buffer out : bf16[own, hidden] = zeros opaque(!data);
    buffer told : u32[1] = zeros;
    buffer sent : u32[1] = zeros;
    buffer done : u32[1] = zeros;
    buffer finished : u32[3, 32] = zeros;
    buffer counts_at : u64[ngpus] = addresses(counts);
    buffer recv_at : u64[ngpus] = addresses(recv);
    buffer origin_at : u64[ngpus] = addresses(origin);
    buffer back_at : u64[ngpus] = addresses(back);
    buffer told_at : u64[ngpus] = addresses(told);
    buffer sent_at : u64[ngpus] = addresses(sent);
    buffer done_at : u64[ngpus] = addresses(done);
    tensormap map_recv over recv box(64, 128) swizzle 128 promotion 256;
    tensormap map_act over act box(64, 128) swizzle 128 promotion 256;
    tensormap to_act over act box(64, 64) swizzle 128;
    tensormap to_y over y box(64, 64) swizzle 128;
    tensormap map_w13 over w13 box(64, 128) swizzle 128 promotion 256;
    tensormap map_w2 over w2 box(64, 128) swizzle 128 promotion 256;

    launch gate on all grid(own / 16) block(128) (x, wg, route, weights, 2 * hidden);
    launch count on all grid(1) block(1024) (route, rank, counts_at, finished + 0, told_at, 2 * own, gpu, ngpus, experts);
    launch dispatch on all grid(copies) block(256) (x, route, rank, counts, told, recv_at, origin_at, finished + 128,
        sent_at, 2 * own, gpu, ngpus, experts, local, capacity, 2 * hidden);
    for e in 0..local {
        launch gated on all grid(sm.count / 2 * 2) block(384) cluster(2) shared TILE_SHARED
            (map_recv, map_w13, to_act, counts, sent, gpu * local + e, e * capacity, e * 2 * ffn, ffn, hidden, ngpus, experts);
        launch down on all grid(sm.count / 2 * 2) block(384) cluster(2) shared TILE_SHARED
            (map_act, map_w2, to_y, counts, sent, gpu * local + e, e * capacity, e * hidden, hidden, ffn, ngpus, experts);
    }
    launch give_back on all grid(copies) block(256) (y, origin, counts, back_at, finished + 256, done_at, gpu * local,
        ngpus, experts, local, capacity, 2 * hidden);
    launch combine on all grid(ceil_div(own, 8)) block(256) (back, weights, out, done, ngpus, own, 2 * hidden);
    if verify || !data {
        check out ~ gated_moe_layer(x, wg, w13, w2, route) rtol 2e-2 atol 2e-2;
    }
}
