// dysharp: a mixture-of-experts layer on DySHARP's hardware: multicast and reduction in the switch, by lists.
//
// Dispatch sends a token once, with the list of its experts: the switch makes a copy per GPU, the hubs find each
// expert's place for it (`dymultimem.st`). The address is algebraic, the token's number; where the row lies on a GPU is
// the AL table's business. Combine asks once for the sum over the experts: the hubs find the rows again and the switch
// adds the answers (`dymultimem.ld_reduce`). The weights of the sum travel with the row and are folded into the last
// GEMM.
//
//     dispatch  --dymultimem.st-->  gemm1  -->  gemm2  <--dymultimem.ld_reduce--  combine
//
// In between software barriers: the last block of a grid tells all GPUs, with a fence and an addition to a counter of
// each, and the next kernels spin on theirs. Experts know their load from counters that dispatch adds to.
//
//     simasm programs/moe/dysharp.s --gpus 8
//
// Expected: `y ~ moe_layer` passes. Compare the bytes on the links with programs/moe/moehub.s, say with -D topk=8.

.version 9.0
.target sm_90a, dymultimem
.address_size 64

.include "gemm.inc"
.include "router.inc"
.include "experts.inc"
.include "signal.inc"

// --- dispatch: route, then send each token once; 16 tokens per block, a warp each ------------------------------------
.visible .entry dispatch(
    .param .u64 x, .param .u64 gate, .param .u64 bias,
    .param .u64 route,                               // [tokens][topk]: the experts, for combine and the check
    .param .u64 rows,                                // multicast address of the experts' rows
    .param .u64 loads,                               // per GPU: where its experts' rows are counted, u32 [local]
    .param .u64 finished,                            // blocks of this grid that are done
    .param .u64 arrived,                             // per GPU: counter of GPUs that have dispatched
    .param .u32 hidden, .param .u32 experts, .param .u32 topk, .param .u32 tokens,
    .param .u32 first,                               // number of this GPU's first token in the whole machine
    .param .u32 local, .param .u32 row_size, .param .u32 ngpus)
{
    ROUTER_STATE
    SIGNAL_STATE
    .shared .align 16 .b8 target_lists[2048];        // u32 [16 warps][32]: experts of the warp's token
    .shared .align 16 .b8 columns[4096];             // [16 warps][32]: {expert, weight}, the row's extra column
    .reg .pred %any, %outside;
    .reg .b32 %topk, %slot, %id, %first, %offset, %local, %row_size, %list, %column, %gpu, %one, %w<4>;
    .reg .b64 %route, %rows, %loads, %row, %to, %from, %wide, %targets;
    GATE_LOGITS
    ld.param.u64 %route, [route];
    ld.param.u64 %rows, [rows];
    ld.param.u64 %loads, [loads];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %first, [first];
    ld.param.u32 %local, [local];
    ld.param.u32 %row_size, [row_size];
    mov.u32 %one, 1;
    mov.u32 %list, target_lists;
    mad.lo.u32 %list, %warp, 128, %list;
    cvt.u64.u32 %targets, %list;
    cvta.shared.u64 %targets, %targets;
    mov.u32 %column, columns;
    mad.lo.u32 %column, %warp, 256, %column;

    setp.ge.u32 %outside, %token, %tokens;
    @%outside bra DONE;
    TOKEN_SOFTMAX
    mov.u32 %slot, 0;
SLOT:
    TOKEN_BEST
    @!%first_lane bra CHOSEN;
    mad.lo.u32 %s0, %token, %topk, %slot;
    mad.wide.u32 %to, %s0, 4, %route;
    st.global.u32 [%to], %best;
    mad.lo.u32 %s0, %slot, 4, %list;
    st.shared.u32 [%s0], %best;
    mad.lo.u32 %s0, %slot, 8, %column;
    mov.b32 %s1, %p;
    st.shared.v2.b32 [%s0], {%best, %s1};
    div.u32 %gpu, %best, %local;                     // count the row where the expert is
    rem.u32 %s0, %best, %local;
    mad.wide.u32 %to, %gpu, 8, %loads;
    ld.global.u64 %to, [%to];
    mad.wide.u32 %to, %s0, 4, %to;
    red.relaxed.sys.global.add.u32 [%to], %one;
CHOSEN:
    bar.warp.sync 0xffffffff;
    add.u32 %slot, %slot, 1;
    setp.lt.u32 %more, %slot, %topk;
    @%more bra SLOT;

    // One copy of the row for all its experts, the extra column behind it.
    add.u32 %id, %first, %token;
    mad.wide.u32 %row, %id, %row_size, %rows;
    mad.wide.u32 %from, %token, %row_bytes, %x;
    shl.b32 %offset, %lane, 4;
COPY:
    cvt.u64.u32 %wide, %offset;
    add.u64 %to, %row, %wide;
    add.u64 %wide, %from, %wide;
    setp.lt.u32 %inside, %offset, %row_bytes;
    @%inside ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%wide];
    @%inside dymultimem.st.v4.b32 [%to], {%w0, %w1, %w2, %w3}, %topk, [%targets];
    add.u32 %offset, %offset, 512;
    vote.sync.any.pred %any, %inside, 0xffffffff;
    @%any bra COPY;
    shl.b32 %s0, %topk, 3;
    shl.b32 %offset, %lane, 4;
    setp.lt.u32 %inside, %offset, %s0;
    add.u32 %s0, %column, %offset;
    add.u32 %offset, %offset, %row_bytes;
    cvt.u64.u32 %wide, %offset;
    add.u64 %to, %row, %wide;
    @%inside ld.shared.v4.b32 {%w0, %w1, %w2, %w3}, [%s0];
    @%inside dymultimem.st.v4.b32 [%to], {%w0, %w1, %w2, %w3}, %topk, [%targets];
DONE:
    SIGNAL_ALL finished, arrived, ngpus
    ret;
}

// --- first GEMM: silu(rows * w1^T) -----------------------------------------------------------------------------------
.visible .entry gemm1(
    .param .u64 xin, .param .u64 w1, .param .u64 mid,
    .param .u64 load,                                // rows of this GPU's experts
    .param .u64 arrived,
    .param .u32 hidden, .param .u32 ffn, .param .u32 row_size, .param .u32 tiles, .param .u32 ngpus)
{
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    .reg .b32 %row_size;
    .reg .b64 %xin;
    WAIT_ALL arrived, ngpus
    LEAVE_IF_EMPTY EMPTY
    ld.param.u64 %xin, [xin];
    ld.param.u32 %row_size, [row_size];
    GRID_TILE
    EXPERT_GEMM1 %xin, %row_size
EMPTY:
    ret;
}

// --- second GEMM, weighted -------------------------------------------------------------------------------------------
// \lo and \hi times the weight of row \row of the warp's quarter.
.macro WEIGHTED row, lo, hi
    mul.f32 %c\lo, %c\lo, %weight\row;
    mul.f32 %c\hi, %c\hi, %weight\row;
.endm

.visible .entry gemm2(
    .param .u64 mid, .param .u64 w2, .param .u64 xin, .param .u64 result,
    .param .u64 load, .param .u64 finished, .param .u64 computed,
    .param .u32 hidden, .param .u32 ffn, .param .u32 row_size, .param .u32 tiles,
    .param .u32 topk, .param .u32 first_expert, .param .u32 ngpus)
{
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    .shared .align 16 .b8 row_weights[256];          // f32, of the tile's 64 rows
    .reg .pred %outside, %mine;
    .reg .b32 %row_size, %topk, %number, %rows_at;
    .reg .b64 %xin, %result, %column;
    .reg .f32 %weight<4>;
    ld.param.u64 %result, [result];
    ld.param.u32 %row_size, [row_size];
    LEAVE_IF_EMPTY SIGNAL
    GRID_TILE
    EXPERT_GEMM2

    // Weight of each row: the extra column lists all experts of the token, this one among them.
    ld.param.u64 %xin, [xin];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %number, [first_expert];
    add.u32 %number, %number, %expert;
    shl.b32 %stride, %hidden, 1;
    mov.u32 %rows_at, row_weights;
    mov.f32 %weight0, 0f00000000;
    setp.ge.u32 %outside, %t, 64;
    @%outside bra LISTED;
    add.u32 %n, %y, %t;
    mad.wide.u32 %column, %n, %row_size, %xin;
    cvt.u64.u32 %g0, %stride;
    add.u64 %column, %column, %g0;
ENTRY:
    ld.global.v2.b32 {%s0, %s1}, [%column];
    setp.eq.u32 %mine, %s0, %number;
    @%mine mov.b32 %weight0, %s1;
    add.u64 %column, %column, 8;
    sub.u32 %topk, %topk, 1;
    setp.ne.u32 %more, %topk, 0;
    @%more bra ENTRY;
    mad.lo.u32 %s0, %t, 4, %rows_at;
    st.shared.f32 [%s0], %weight0;
LISTED:
    bar.sync 0;
    shr.u32 %s0, %lane, 2;
    add.u32 %s0, %s0, %wm;
    mad.lo.u32 %s0, %s0, 4, %rows_at;
    ld.shared.f32 %weight0, [%s0];
    ld.shared.f32 %weight1, [%s0+32];
    ld.shared.f32 %weight2, [%s0+64];
    ld.shared.f32 %weight3, [%s0+96];
    WEIGHTED 0, 0, 1
    WEIGHTED 1, 2, 3
    WEIGHTED 0, 4, 5
    WEIGHTED 1, 6, 7
    WEIGHTED 0, 8, 9
    WEIGHTED 1, 10, 11
    WEIGHTED 0, 12, 13
    WEIGHTED 1, 14, 15
    WEIGHTED 2, 16, 17
    WEIGHTED 3, 18, 19
    WEIGHTED 2, 20, 21
    WEIGHTED 3, 22, 23
    WEIGHTED 2, 24, 25
    WEIGHTED 3, 26, 27
    WEIGHTED 2, 28, 29
    WEIGHTED 3, 30, 31
    TILE_TO_SHARED

    shl.b32 %x, %x, 1;                               // to result[row][columns of x], rows as far apart as in xin
    .rept 4, pass
    TILE_ROW \pass
    add.u32 %n, %y, %row;
    mad.wide.u32 %column, %n, %row_size, %result;
    add.u32 %k, %k, %x;
    cvt.u64.u32 %g0, %k;
    add.u64 %column, %column, %g0;
    st.global.v4.b32 [%column], {%na0, %na1, %na2, %na3};
    .endr
SIGNAL:
    SIGNAL_ALL finished, computed, ngpus
    ret;
}

// --- combine: y = sum over the token's experts, added in the switch; a warp per token -------------------------------
.visible .entry combine(
    .param .u64 route, .param .u64 results, .param .u64 y, .param .u64 computed,
    .param .u32 hidden, .param .u32 topk, .param .u32 first, .param .u32 row_size, .param .u32 ngpus)
{
    SIGNAL_STATE
    .shared .align 16 .b8 target_lists[512];         // u32 [4 warps][32]
    .reg .pred %inside, %more;
    .reg .b32 %t, %lane, %warp, %cta, %token, %id, %topk, %row_size, %row_bytes, %offset, %list, %s0, %w<4>;
    .reg .b64 %route, %results, %y, %targets, %from, %to, %wide;
    WAIT_ALL computed, ngpus
    ld.param.u64 %route, [route];
    ld.param.u64 %results, [results];
    ld.param.u64 %y, [y];
    ld.param.u32 %row_bytes, [hidden];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %id, [first];
    ld.param.u32 %row_size, [row_size];
    shl.b32 %row_bytes, %row_bytes, 1;
    mov.u32 %t, %tid.x;
    mov.u32 %cta, %ctaid.x;
    and.b32 %lane, %t, 31;
    shr.u32 %warp, %t, 5;
    mad.lo.u32 %token, %cta, 4, %warp;
    mov.u32 %list, target_lists;
    mad.lo.u32 %list, %warp, 128, %list;

    mul.lo.u32 %s0, %token, %topk;                   // the token's experts, a lane each
    add.u32 %s0, %s0, %lane;
    mad.wide.u32 %route, %s0, 4, %route;
    setp.lt.u32 %inside, %lane, %topk;
    @%inside ld.global.u32 %s0, [%route];
    mad.lo.u32 %offset, %lane, 4, %list;
    @%inside st.shared.u32 [%offset], %s0;
    bar.warp.sync 0xffffffff;
    cvt.u64.u32 %targets, %list;
    cvta.shared.u64 %targets, %targets;

    add.u32 %id, %id, %token;
    mad.wide.u32 %results, %id, %row_size, %results;
    mad.wide.u32 %y, %token, %row_bytes, %y;
    shl.b32 %offset, %lane, 4;
COLUMNS:
    setp.lt.u32 %inside, %offset, %row_bytes;
    @!%inside ret;
    cvt.u64.u32 %wide, %offset;
    add.u64 %from, %results, %wide;
    add.u64 %to, %y, %wide;
    dymultimem.ld_reduce.add.acc::f32.v4.bf16x2 {%w0, %w1, %w2, %w3}, [%from], %topk, [%targets];
    st.global.v4.b32 [%to], {%w0, %w1, %w2, %w3};
    add.u32 %offset, %offset, 512;
    bra COLUMNS;
}

.host main {
    param tokens = 128;        // of all GPUs together
    param hidden = 128;
    param ffn = 128;
    param experts = 16;        // of all GPUs together
    param topk = 2;
    param load = "uniform";    // of the experts: uniform, normal or power
    param capacity = tokens;   // rows an expert has room for

    require tokens % (4 * ngpus) == 0, "tokens must be a multiple of 4 per GPU";
    require experts % ngpus == 0 && experts % 16 == 0, "experts must be a multiple of 16 and of the number of GPUs";
    require topk <= min(experts, 32), "topk is at most 32 and the number of experts";
    require hidden % 128 == 0 && ffn % 64 == 0, "hidden must be a multiple of 128, ffn of 64";
    let here = tokens / ngpus;                       // tokens of a GPU
    let local = experts / ngpus;                     // experts of a GPU
    let tile = 64;
    let rows = round_up(capacity, tile);
    let tiles = rows / tile;                         // row tiles of an expert
    let row_size = hidden * 2 + round_up(8 * topk, 128);   // of a row with its extra column
    let room = rows * row_size;                      // bytes of an expert

    buffer x : bf16[here, hidden] = normal(0, 1);
    buffer gate : bf16[experts, hidden] = normal(0, 1 / sqrt(hidden)) same;
    buffer bias : f32[experts] = load_bias(load) same;
    buffer w1 : bf16[local, ffn, hidden] = normal(0, 1 / sqrt(hidden));
    buffer w2 : bf16[local, hidden, ffn] = normal(0, 1 / sqrt(ffn));
    buffer route : u32[here, topk] = zeros;
    buffer xin : u8[local * rows, row_size] = zeros;
    buffer mid : bf16[local * rows, ffn] = zeros;
    buffer result : u8[local * rows, row_size] = zeros;
    buffer loads : u32[local] = zeros;
    buffer all_loads : u64[ngpus] = addresses(loads);
    buffer arrived : u32[1] = zeros;
    buffer all_arrived : u64[ngpus] = addresses(arrived);
    buffer computed : u32[1] = zeros;
    buffer all_computed : u64[ngpus] = addresses(computed);
    buffer finished : u32[2] = zeros;
    buffer y : bf16[here, hidden] = zeros;

    dymulticast rows_of bsize row_size ntoken tokens stage 2 experts experts {
        for e in 0..experts {
            bind e gpu e / local at xin + (e % local) * room, result + (e % local) * room rows rows;
        }
    }

    launch dispatch on all grid(ceil_div(here, 16)) block(512) shared (256 * experts)
        (x, gate, bias, route, rows_of.stage(0), all_loads, finished, all_arrived,
         hidden, experts, topk, here, gpu * here, local, row_size, ngpus);
    launch gemm1 on all grid(ffn / 64, local * tiles) block(128)
        (xin, w1, mid, loads, arrived, hidden, ffn, row_size, tiles, ngpus);
    launch gemm2 on all grid(hidden / 64, local * tiles) block(128)
        (mid, w2, xin, result, loads, finished + 4, all_computed,
         hidden, ffn, row_size, tiles, topk, gpu * local, ngpus);
    launch combine on all grid(here / 4) block(128)
        (route, rows_of.stage(1), y, computed, hidden, topk, gpu * here, row_size, ngpus);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk) rtol 2e-2 atol 1e-2;
}
