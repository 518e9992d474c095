// ccfuser: CCFuser's layer: blocks of 64 rows are pulled by the thread blocks that multiply them, results are pushed.
//
// Counts are gathered, the host plans blocks of rows {expert, source, length} and pairs a local one with a remote one. In
// the first GEMM the thread blocks of a pair pull the remote rows, compute the local block, wait until all of the remote
// rows are there, compute those. In the second they compute the remote block first, push it to the token's home, and
// compute the local block while it travels. Barriers stand between the kernels; nothing else waits.
// Of the pair's columns the original gives all to one thread block of 256 threads and 512 columns at a time; here a thread
// block has the 64 columns that it has everywhere, and the first `pullers` of a pair's blocks pull the rows for all.
//
//     router, count, exchange_counts, plan -> HOST -> pair, permute, barrier -> gemm1_pull -> activate -> gemm2_push
//     -> barrier -> combine
//
//     simasm programs/moe/ccfuser.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 0
.include "software.inc"
.include "barrier.inc"

.set NONE, 0xffffffff

// One thread: pairs[i] = {tile, tile or NONE}: of local tiles (those of region expert * ngpus + me) and remote ones, first
// one of each, then the rest of the longer list two by two. made: their number.
.visible .entry pair(
    .param .u64 tiles, .param .u64 totals, .param .u64 near, .param .u64 far, .param .u64 pairs, .param .u64 made,
    .param .u32 per_region, .param .u32 ngpus, .param .u32 me)
{
    .reg .pred %more, %mine, %both;
    .reg .b32 %i, %n, %tile, %source, %near_count, %far_count, %per_region, %ngpus, %me, %a, %b, %taken, %left;
    .reg .b64 %tiles, %totals, %near, %far, %pairs, %made, %at;
    ld.param.u64 %tiles, [tiles];
    ld.param.u64 %totals, [totals];
    ld.param.u64 %near, [near];
    ld.param.u64 %far, [far];
    ld.param.u64 %pairs, [pairs];
    ld.param.u64 %made, [made];
    ld.param.u32 %per_region, [per_region];
    ld.param.u32 %ngpus, [ngpus];
    ld.param.u32 %me, [me];
    ld.global.u32 %n, [%totals];
    mov.u32 %i, 0;
    mov.u32 %near_count, 0;
    mov.u32 %far_count, 0;
    mov.u32 %taken, 0;
SPLIT:
    setp.ge.u32 %more, %i, %n;
    @%more bra SPLITTED;
    mad.wide.u32 %at, %i, 4, %tiles;
    ld.global.u32 %tile, [%at];
    div.u32 %source, %tile, %per_region;
    rem.u32 %source, %source, %ngpus;
    setp.eq.u32 %mine, %source, %me;
    @%mine bra NEAR;
    mad.wide.u32 %at, %far_count, 4, %far;
    st.global.u32 [%at], %tile;
    add.u32 %far_count, %far_count, 1;
    bra NEXT;
NEAR:
    mad.wide.u32 %at, %near_count, 4, %near;
    st.global.u32 [%at], %tile;
    add.u32 %near_count, %near_count, 1;
NEXT:
    add.u32 %i, %i, 1;
    bra SPLIT;
SPLITTED:
    min.u32 %left, %near_count, %far_count;          // local and remote
    mov.u32 %i, 0;
MIXED:
    setp.ge.u32 %more, %i, %left;
    @%more bra REST;
    mad.wide.u32 %at, %i, 4, %near;
    ld.global.u32 %a, [%at];
    mad.wide.u32 %at, %i, 4, %far;
    ld.global.u32 %b, [%at];
    st.global.v2.u32 [%pairs], {%a, %b};
    add.u64 %pairs, %pairs, 8;
    add.u32 %taken, %taken, 1;
    add.u32 %i, %i, 1;
    bra MIXED;
REST:
    setp.lt.u32 %both, %near_count, %far_count;
    selp.b64 %near, %far, %near, %both;
    max.u32 %near_count, %near_count, %far_count;
TWO:
    setp.ge.u32 %more, %i, %near_count;
    @%more bra DONE;
    mad.wide.u32 %at, %i, 4, %near;
    ld.global.u32 %a, [%at];
    mov.u32 %b, NONE;
    add.u32 %i, %i, 1;
    setp.lt.u32 %both, %i, %near_count;
    @%both ld.global.u32 %b, [%at+4];
    add.u32 %i, %i, 1;
    st.global.v2.u32 [%pairs], {%a, %b};
    add.u64 %pairs, %pairs, 8;
    add.u32 %taken, %taken, 1;
    bra TWO;
DONE:
    st.global.u32 [%made], %taken;
    ret;
}

.macro PAIR_STATE
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    .reg .pred %none, %absent, %far, %out;
    .reg .b32 %first, %second, %tile, %source, %region, %in_region, %got, %begin, %at_row, %i, %end, %bytes, %units, %me;
    .reg .b32 %ngpus, %local, %per_region, %column, %pullers, %w<4>;
    .reg .b64 %pairs, %plan, %sends, %xin, %pulled, %at, %from, %to, %rows_of;
    ld.param.u64 %pairs, [pairs];
    ld.param.u32 %hidden, [hidden];
    ld.param.u32 %ffn, [ffn];
    ld.param.u32 %tiles, [tiles];
    mov.u32 %t, %tid.x;
    mov.u32 %y, %ctaid.y;
    mad.wide.u32 %at, %y, 8, %pairs;
    ld.global.v2.u32 {%first, %second}, [%at];
    mov.u32 %column, %ctaid.x;
.endm

// Of tile %tile: %source, the number of its rows %got (at most 64), and where they begin in the source's send buffer
// (plan row \base, plus 64 for every tile of the region in front of it): %begin. %far: from another GPU.
.macro ABOUT_TILE
    ld.param.u64 %plan, [plan];
    ld.param.u32 %me, [me];
    ld.param.u32 %ngpus, [ngpus];
    ld.param.u32 %local, [local];
    div.u32 %per_region, %tiles, %ngpus;
    div.u32 %region, %tile, %per_region;
    rem.u32 %in_region, %tile, %per_region;
    shl.b32 %in_region, %in_region, 6;
    rem.u32 %source, %region, %ngpus;
    div.u32 %region, %region, %ngpus;
    mad.lo.u32 %i, %source, %local, %region;         // (source, expert) in the plan
    mul.lo.u32 %end, %local, %ngpus;                 // experts, the length of a row of the plan
    mad.lo.u32 %got, %end, PLAN_GOT, %i;
    mad.wide.u32 %at, %got, 4, %plan;
    ld.global.u32 %got, [%at];
    sub.u32 %got, %got, %in_region;
    min.u32 %got, %got, 64;
    mad.lo.u32 %begin, %end, PLAN_BACK, %i;
    mad.wide.u32 %at, %begin, 4, %plan;
    ld.global.u32 %begin, [%at];
    add.u32 %begin, %begin, %in_region;
    setp.ne.u32 %far, %source, %me;
.endm

// This block's share of the rows of tile %tile into xin, if they are on another GPU; then say so to the tile's other blocks.
.macro PULL_SHARE
    setp.ge.u32 %out, %column, %pullers;
    @%out bra HERE_\@;
    ABOUT_TILE
    @!%far bra HERE_\@;
    ld.param.u64 %sends, [sends];
    ld.param.u64 %xin, [xin];
    ld.param.u64 %pulled, [pulled];
    mad.wide.u32 %at, %source, 8, %sends;
    ld.global.u64 %from, [%at];
    mad.wide.u32 %from, %begin, %bytes, %from;
    shl.b32 %at_row, %tile, 6;
    mad.wide.u32 %to, %at_row, %bytes, %xin;
    mul.lo.u32 %end, %got, %units;                   // 16-byte units of the tile, dealt to the blocks
    mad.lo.u32 %i, %column, 128, %t;
    shl.b32 %at_row, %pullers, 7;
UNIT_\@:
    setp.ge.u32 %out, %i, %end;
    @%out bra PULLED_\@;
    mad.wide.u32 %at, %i, 16, %from;
    ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%at];
    mad.wide.u32 %at, %i, 16, %to;
    st.global.v4.b32 [%at], {%w0, %w1, %w2, %w3};
    add.u32 %i, %i, %at_row;
    bra UNIT_\@;
PULLED_\@:
    bar.sync 0;
    setp.eq.u32 %leader, %t, 0;
    mad.wide.u32 %at, %tile, 4, %pulled;
    @%leader fence.acq_rel.gpu;
    @%leader red.relaxed.gpu.global.add.u32 [%at], 1;
HERE_\@:
.endm

// The tile's columns of the first GEMM; rows of this GPU are read where the permutation left them.
.macro COMPUTE_TILE
    ABOUT_TILE
    ld.param.u64 %rows_of, [xin];
    shl.b32 %n, %tile, 6;
    @%far bra REMOTE_\@;
    ld.param.u64 %sends, [sends];
    mad.wide.u32 %at, %me, 8, %sends;
    ld.global.u64 %rows_of, [%at];
    mov.u32 %n, %begin;
    bra READY_\@;
REMOTE_\@:
    ld.param.u64 %pulled, [pulled];
    ld.param.u32 %pullers, [pullers];
    mad.wide.u32 %at, %tile, 4, %pulled;
    AWAIT %at, %pullers
READY_\@:
    mov.u32 %y, %tile;
    shl.b32 %x, %column, 6;
    shl.b32 %stride, %hidden, 1;
    GEMM_THREADS
    sub.u32 %got, %got, 1;                           // rows behind the last one: the last one again
    min.u32 %s0, %row, %got;
    add.u32 %s0, %s0, %n;
    mad.wide.u32 %ga0, %s0, %stride, %g0;
    add.u64 %ga0, %ga0, %rows_of;
    add.u32 %s0, %row, 32;
    min.u32 %s0, %s0, %got;
    add.u32 %s0, %s0, %n;
    mad.wide.u32 %ga1, %s0, %stride, %g0;
    add.u64 %ga1, %ga1, %rows_of;
    WEIGHT_ROW w1, %ffn, %x, %stride
    GEMM_ROWS %gb0, %gb1, %b, %stride
    GEMM_SUMS %hidden
    ACTIVATION_TO_MID 0
.endm

.visible .entry gemm1_pull(
    .param .u64 pairs, .param .u64 plan, .param .u64 sends, .param .u64 xin, .param .u64 pulled,
    .param .u64 w1, .param .u64 mid,
    .param .u32 hidden, .param .u32 ffn, .param .u32 tiles, .param .u32 me, .param .u32 ngpus, .param .u32 local,
    .param .u32 pullers)
{
    PAIR_STATE
    ld.param.u32 %pullers, [pullers];
    shl.b32 %bytes, %hidden, 1;
    shr.u32 %units, %bytes, 4;
    setp.eq.u32 %absent, %second, NONE;
    mov.u32 %tile, %first;
    PULL_SHARE
    @%absent bra ONE;
    mov.u32 %tile, %second;
    PULL_SHARE
ONE:
    mov.u32 %tile, %first;
    COMPUTE_TILE
    setp.eq.u32 %absent, %second, NONE;
    @%absent ret;
    mov.u32 %tile, %second;
    COMPUTE_TILE
    ret;
}

// The tile's columns of the second GEMM, to the rows of the send layout at the token's home.
.macro PUSH_TILE
    mov.u32 %y, %tile;
    mov.u32 %x, %column;
    EXPERT_GEMM2
    TILE_TO_SHARED
    ABOUT_TILE
    ld.param.u64 %sends, [backs];
    mad.wide.u32 %at, %source, 8, %sends;
    ld.global.u64 %to, [%at];
    shl.b32 %stride, %hidden, 1;
    mad.wide.u32 %to, %begin, %stride, %to;
    mad.wide.u32 %to, %x, 2, %to;
    .rept 4, pass
    TILE_ROW \pass
    setp.lt.u32 %out, %row, %got;
    mad.wide.u32 %at, %row, %stride, %to;
    cvt.u64.u32 %g0, %k;
    add.u64 %at, %at, %g0;
    @%out st.global.v4.b32 [%at], {%na0, %na1, %na2, %na3};
    .endr
    bar.sync 0;
.endm

.visible .entry gemm2_push(
    .param .u64 pairs, .param .u64 plan, .param .u64 backs, .param .u64 mid, .param .u64 w2,
    .param .u32 hidden, .param .u32 ffn, .param .u32 tiles, .param .u32 me, .param .u32 ngpus, .param .u32 local)
{
    PAIR_STATE
    setp.eq.u32 %absent, %second, NONE;
    @%absent bra ONE;
    mov.u32 %tile, %second;                          // the remote block first
    PUSH_TILE
ONE:
    mov.u32 %tile, %first;
    PUSH_TILE
    ret;
}

.host main {
    .include "layer.inc"
    param framework = 20;      // empty kernels, for those of PyTorch in gate and bookkeeping (assumed: a third of Megatron's)
    param pullers = 4;         // blocks that pull a tile's rows; they must fit on the GPU together
    let groups = ngpus;        // a region per expert and source
    .include "schedule_host.inc"
    buffer sends : u64[ngpus] = addresses(send);
    buffer backs : u64[ngpus] = addresses(back);
    buffer near : u32[regions * rows / tile] = zeros;
    buffer far : u32[regions * rows / tile] = zeros;
    buffer paired : u32[regions * rows / tile, 2] = zeros;
    buffer made : u32[1] = zeros;
    buffer pulled : u32[regions * rows / tile] = zeros;
    let per_expert = groups * rows / tile;

    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, hidden, experts, topk, here);
    for i in 0..framework {
        launch framework on all grid(1) block(128) ();
    }
    launch count on all grid(ceil_div(pairs, 256)) block(256) (route, counts, numbers, pairs);
    busy host.collective_call_ns;
    launch exchange_counts on all grid(1) block(64) (counts, tables, all_flags, flags, experts, gpu, ngpus);
    launch plan on all grid(1) block(256) (table, plan, loads, tiles, totals, experts, gpu, ngpus, groups, rows);
    launch pair on all grid(1) block(1) (tiles, totals, near, far, paired, made, rows / tile, ngpus, gpu);
    each gpu g {
        fetch made@g;
        fetch totals@g;
    }
    launch permute on all grid(ceil_div(pairs, 32)) block(256)
        (x, route, numbers, plan + PLAN_SEND * line, send, place, hidden, topk, pairs);
    launch barrier_all on all grid(1) block(64) (all_flags, flags, 4, ngpus);
    each gpu g {
        let n = read(made@g, 0);
        if n > 0 {
            launch gemm1_pull on g grid(ffn / 64, n) block(128)
                (paired, plan, sends, xin, pulled, w1, mid, hidden, ffn, per_expert, g, ngpus, local,
                 min(pullers, ffn / 64));
            launch activate on g grid(ffn / 64, read(totals@g, 0)) block(128) (mid, tiles, ffn);
            launch gemm2_push on g grid(hidden / 64, n) block(128)
                (paired, plan, backs, mid, w2, hidden, ffn, per_expert, g, ngpus, local);
        }
    }
    launch barrier_all on all grid(1) block(64) (all_flags, flags, 8, ngpus);
    launch combine on all grid(here / 4) block(128) (back, place, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
