// comet: Comet's layer: rows are fetched while tiles that have theirs are computed, results are reduced while they leave.
//
// Layer 0: the rows of an expert are ordered by source, the own ones first. A few blocks fetch the rows, tile by tile, from the
// GPUs where they are, and the blocks of the first GEMM poll until their tile is complete (paper, section 3: the shared
// tensor is cut along its rows, blocks are specialised). With whole=1 as the published code does it: every GPU pulls all token shards, its own first, then the next GPU's, on a stream of its own; two blocks stand
// for the copy engine. The rows of an expert are ordered by source in the same order, and a block of the first GEMM polls
// until the sources its tile needs have arrived. The host reads the loads in between and makes the list of tiles.
// Layer 1 is one persistent kernel: the columns are cut into `split` slices; blocks for communication wait until a slice
// is complete, add up a token's rows of this GPU and store the sum to the token's home; blocks of the GEMM do so for the
// last slice. What arrives from the GPUs is added at home.
//
//     router, count, share_routing, exchange_counts, plan, order, gather_index -> HOST
//     barrier, pull_rows | gemm1_rows -> barrier -> activate -> layer1 -> barrier -> reduce
//
//     simasm programs/moe/comet.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 0
.set NOT_HERE, 0xffffffff
.include "software.inc"
.include "barrier.inc"

// This GPU's \mine to its place in GPU %y's copy. Uses the block's part of %units.
.macro SHARE mine, copies
    ld.param.u64 %from, [\mine];
    ld.param.u64 %at, [\copies];
    mad.wide.u32 %at, %y, 8, %at;
    ld.global.u64 %to, [%at];
    add.u64 %to, %to, %mine;
    COPY_SEGMENT %from, %to, %units
.endm

// --- schedule --------------------------------------------------------------------------------------------------------
// Block (x, y) stores this GPU's route, numbers and prob to GPU y's copies; waits until all have.
.visible .entry share_routing(
    .param .u64 route, .param .u64 numbers, .param .u64 prob,
    .param .u64 all_route, .param .u64 all_numbers, .param .u64 all_prob,              // per GPU: u32, u32, f32 [ngpus][pairs]
    .param .u64 flags, .param .u64 flag, .param .u32 pairs, .param .u32 me)
{
    SIGNAL_STATE
    COPY_STATE
    .reg .b32 %y, %units, %me, %expected;
    .reg .b64 %from, %to, %at, %mine;
    ld.param.u32 %units, [pairs];
    ld.param.u32 %me, [me];
    mul.lo.u32 %me, %me, %units;
    mul.wide.u32 %mine, %me, 4;
    shr.u32 %units, %units, 2;
    mov.u32 %y, %ctaid.y;
    SHARE route, all_route
    SHARE numbers, all_numbers
    SHARE prob, all_prob
    ld.param.u64 %at, [flags];
    mad.wide.u32 %at, %y, 8, %at;
    ld.global.u64 %at, [%at];
    ARRIVE %at, 1
    mov.u32 %expected, %nctaid.y;
    ld.param.u64 %at, [flag];
    AWAIT %at, %expected
    ret;
}

// One block, tid is the expert: start[source][expert] with the own rows first, then those of the next GPU, and so on;
// list: the first tiles of all experts, then the second ones, …
.visible .entry order(
    .param .u64 table, .param .u64 load, .param .u64 start, .param .u64 list,
    .param .u32 experts, .param .u32 me, .param .u32 ngpus, .param .u32 rows)
{
    .reg .pred %outside, %more, %none;
    .reg .b32 %l, %j, %source, %n, %e, %sum, %local, %experts, %me, %ngpus, %rows, %tiles, %i, %left;
    .reg .b64 %table, %load, %start, %list, %at;
    ld.param.u64 %table, [table];
    ld.param.u64 %load, [load];
    ld.param.u64 %start, [start];
    ld.param.u64 %list, [list];
    ld.param.u32 %experts, [experts];
    ld.param.u32 %me, [me];
    ld.param.u32 %ngpus, [ngpus];
    ld.param.u32 %rows, [rows];
    div.u32 %local, %experts, %ngpus;
    shr.u32 %tiles, %rows, 6;
    mov.u32 %l, %tid.x;
    setp.ge.u32 %outside, %l, %local;
    @%outside bra STARTED;
    mul.lo.u32 %sum, %l, %rows;
    mad.lo.u32 %e, %me, %local, %l;
    mov.u32 %j, 0;
SOURCE:
    add.u32 %source, %me, %j;
    rem.u32 %source, %source, %ngpus;
    mad.lo.u32 %n, %source, %local, %l;
    mad.wide.u32 %at, %n, 4, %start;
    st.global.u32 [%at], %sum;
    mad.lo.u32 %n, %source, %experts, %e;
    mad.wide.u32 %at, %n, 4, %table;
    ld.global.u32 %n, [%at];
    add.u32 %sum, %sum, %n;
    add.u32 %j, %j, 1;
    setp.lt.u32 %more, %j, %ngpus;
    @%more bra SOURCE;
STARTED:
    setp.ne.u32 %outside, %l, 0;
    @%outside ret;
    mov.u32 %i, 0;
ROUND:
    mov.u32 %l, 0;
    mov.u32 %left, 0;
EXPERT:
    mad.wide.u32 %at, %l, 4, %load;
    ld.global.u32 %n, [%at];
    shl.b32 %j, %i, 6;
    setp.ge.u32 %none, %j, %n;
    @%none bra NEXT;
    mad.lo.u32 %n, %l, %tiles, %i;
    st.global.u32 [%list], %n;
    add.u64 %list, %list, 4;
    add.u32 %left, %left, 1;
NEXT:
    add.u32 %l, %l, 1;
    setp.lt.u32 %more, %l, %local;
    @%more bra EXPERT;
    add.u32 %i, %i, 1;
    setp.ne.u32 %more, %left, 0;
    @%more bra ROUND;
    ret;
}

// A thread per pair (token, slot) of all GPUs, my own first: index[row] = the pair whose row that is, row_of[pair] = row, if
// the expert is mine; mine: [number of, then] tokens that have a row here, once each, in about this order.
.visible .entry gather_index(
    .param .u64 all_route, .param .u64 all_numbers, .param .u64 start, .param .u64 index, .param .u64 row_of,
    .param .u64 mine, .param .u32 pairs, .param .u32 all, .param .u32 local, .param .u32 me, .param .u32 topk)
{
    .reg .pred %outside, %first, %same;
    .reg .b32 %i, %n, %cta, %pairs, %all, %local, %me, %e, %owner, %source, %row, %topk, %token;
    .reg .b64 %all_route, %all_numbers, %start, %index, %at, %mine;
    ld.param.u64 %all_route, [all_route];
    ld.param.u64 %all_numbers, [all_numbers];
    ld.param.u64 %start, [start];
    ld.param.u64 %index, [index];
    ld.param.u32 %pairs, [pairs];
    ld.param.u32 %all, [all];
    ld.param.u32 %local, [local];
    ld.param.u32 %me, [me];
    mov.u32 %i, %tid.x;
    mov.u32 %n, %ntid.x;
    mov.u32 %cta, %ctaid.x;
    mad.lo.u32 %i, %cta, %n, %i;
    setp.ge.u32 %outside, %i, %all;
    @%outside ret;
    mad.lo.u32 %i, %me, %pairs, %i;
    rem.u32 %i, %i, %all;
    mad.wide.u32 %at, %i, 4, %all_route;
    ld.global.u32 %e, [%at];
    div.u32 %owner, %e, %local;
    setp.ne.u32 %outside, %owner, %me;
    @%outside ret;
    rem.u32 %e, %e, %local;
    div.u32 %source, %i, %pairs;
    mad.lo.u32 %n, %source, %local, %e;
    mad.wide.u32 %at, %n, 4, %start;
    ld.global.u32 %row, [%at];
    mad.wide.u32 %at, %i, 4, %all_numbers;
    ld.global.u32 %n, [%at];
    add.u32 %row, %row, %n;
    mad.wide.u32 %at, %row, 4, %index;
    st.global.u32 [%at], %i;
    ld.param.u64 %at, [row_of];
    mad.wide.u32 %at, %i, 4, %at;
    st.global.u32 [%at], %row;
    ld.param.u64 %mine, [mine];
    ld.param.u32 %topk, [topk];
    div.u32 %token, %i, %topk;
    mul.lo.u32 %n, %token, %topk;
EARLIER:
    setp.ge.u32 %first, %n, %i;
    @%first bra FIRST;
    mad.wide.u32 %at, %n, 4, %all_route;
    ld.global.u32 %e, [%at];
    div.u32 %owner, %e, %local;
    setp.eq.u32 %same, %owner, %me;
    @%same ret;
    add.u32 %n, %n, 1;
    bra EARLIER;
FIRST:
    atom.relaxed.gpu.global.add.u32 %n, [%mine], 1;
    mad.wide.u32 %at, %n, 4, %mine;
    st.global.u32 [%at+4], %token;
    ret;
}

// --- layer 0 ---------------------------------------------------------------------------------------------------------
.visible .entry copy_shard(.param .u64 x, .param .u64 shard, .param .u32 units)
{
    COPY_STATE
    .reg .b32 %units;
    .reg .b64 %from, %to;
    ld.param.u64 %from, [x];
    ld.param.u64 %to, [shard];
    ld.param.u32 %units, [units];
    COPY_SEGMENT %from, %to, %units
    ret;
}

// All shards, one after the other, own first; arrived[source] counts the blocks that have their part of it.
.visible .entry pull(
    .param .u64 shards, .param .u64 all_x, .param .u64 arrived, .param .u32 units, .param .u32 me, .param .u32 ngpus)
{
    COPY_STATE
    .reg .pred %leader, %more;
    .reg .b32 %j, %source, %units, %me, %ngpus, %n, %t;
    .reg .b64 %shards, %all_x, %arrived, %from, %to, %at;
    ld.param.u64 %shards, [shards];
    ld.param.u64 %all_x, [all_x];
    ld.param.u64 %arrived, [arrived];
    ld.param.u32 %units, [units];
    ld.param.u32 %me, [me];
    ld.param.u32 %ngpus, [ngpus];
    mov.u32 %t, %tid.x;
    setp.eq.u32 %leader, %t, 0;
    mov.u32 %j, 0;
SHARD:
    add.u32 %source, %me, %j;
    rem.u32 %source, %source, %ngpus;
    mad.wide.u32 %at, %source, 8, %shards;
    ld.global.u64 %from, [%at];
    mul.lo.u32 %n, %source, %units;
    mad.wide.u32 %to, %n, 16, %all_x;
    COPY_SEGMENT %from, %to, %units
    bar.sync 0;
    mad.wide.u32 %at, %source, 4, %arrived;
    @%leader fence.acq_rel.gpu;
    @%leader red.relaxed.gpu.global.add.u32 [%at], 1;
    add.u32 %j, %j, 1;
    setp.lt.u32 %more, %j, %ngpus;
    @%more bra SHARD;
    ret;
}

// The rows that the experts of this GPU need, tile by tile of the list; a tile per block of 16 warps at a time.
// there[i] is set when tile i of the list is complete.
.visible .entry pull_rows(
    .param .u64 shards, .param .u64 index, .param .u64 load, .param .u64 list, .param .u64 totals, .param .u64 xin,
    .param .u64 there, .param .u32 hidden, .param .u32 topk, .param .u32 here, .param .u32 tiles)
{
    COPY_STATE
    .reg .pred %row<4>, %leader, %over;
    .reg .b32 %t, %number, %blocks, %count, %tile, %expert, %rest, %r, %pair, %source, %bytes, %topk, %here, %tiles;
    .reg .b64 %shards, %index, %load, %list, %xin, %there, %at;
    ld.param.u64 %shards, [shards];
    ld.param.u64 %index, [index];
    ld.param.u64 %load, [load];
    ld.param.u64 %list, [list];
    ld.param.u64 %xin, [xin];
    ld.param.u64 %there, [there];
    ld.param.u64 %at, [totals];
    ld.global.u32 %count, [%at];
    ld.param.u32 %bytes, [hidden];
    shl.b32 %bytes, %bytes, 1;
    ld.param.u32 %topk, [topk];
    ld.param.u32 %here, [here];
    ld.param.u32 %tiles, [tiles];
    mov.u32 %t, %tid.x;
    setp.eq.u32 %leader, %t, 0;
    mov.u32 %number, %ctaid.x;
    mov.u32 %blocks, %nctaid.x;
TILE:
    setp.ge.u32 %over, %number, %count;
    @%over ret;
    mad.wide.u32 %at, %number, 4, %list;
    ld.global.u32 %tile, [%at];
    div.u32 %expert, %tile, %tiles;
    mad.wide.u32 %at, %expert, 4, %load;
    ld.global.u32 %rest, [%at];
    rem.u32 %r, %tile, %tiles;
    shl.b32 %r, %r, 6;
    sub.u32 %rest, %rest, %r;                        // rows of this tile and those after it
    shr.u32 %r, %t, 5;
    shl.b32 %r, %r, 2;                               // the warp's first row
    .rept 4, i
    setp.lt.u32 %row\i, %r, %rest;
    mad.lo.u32 %pair, %tile, 64, %r;
    mad.wide.u32 %target\i, %pair, %bytes, %xin;
    mad.wide.u32 %at, %pair, 4, %index;
    mov.u32 %pair, 0;
    @%row\i ld.global.u32 %pair, [%at];
    div.u32 %pair, %pair, %topk;
    div.u32 %source, %pair, %here;
    rem.u32 %pair, %pair, %here;
    mad.wide.u32 %at, %source, 8, %shards;
    ld.global.u64 %at, [%at];
    mad.wide.u32 %source\i, %pair, %bytes, %at;
    add.u32 %r, %r, 1;
    .endr
    COPY_ROWS %bytes
    bar.sync 0;
    mad.wide.u32 %at, %number, 4, %there;
    @%leader fence.acq_rel.gpu;
    @%leader red.relaxed.gpu.global.add.u32 [%at], 1;
    add.u32 %number, %number, %blocks;
    bra TILE;
}

.visible .entry gemm1_rows(
    .param .u64 xin, .param .u64 w1, .param .u64 mid, .param .u64 list, .param .u64 there,
    .param .u32 hidden, .param .u32 ffn, .param .u32 row_size, .param .u32 tiles)
{
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    .reg .b32 %row_size;
    .reg .b64 %xin, %at;
    ld.param.u64 %xin, [xin];
    ld.param.u32 %row_size, [row_size];
    LISTED_TILE list
    mov.u32 %n, %ctaid.y;
    ld.param.u64 %at, [there];
    mad.wide.u32 %at, %n, 4, %at;
    AWAIT %at, 1
    EXPERT_GEMM1 %xin, %row_size, 0
    ret;
}

// %ga\i = the address from which this thread copies row \row of the tile, but at most row %last
.macro GATHERED_ROW i, row
    min.u32 %s0, \row, %last;
    mad.wide.u32 %at, %s0, 4, %index;
    ld.global.u32 %s0, [%at];
    div.u32 %s0, %s0, %topk;
    mad.wide.u32 %ga\i, %s0, %stride, %g0;
    add.u64 %ga\i, %ga\i, %all_x;
.endm

.visible .entry gemm1_gather(
    .param .u64 all_x, .param .u64 index, .param .u64 load, .param .u64 arrived, .param .u64 w1, .param .u64 mid,
    .param .u64 list, .param .u32 hidden, .param .u32 ffn, .param .u32 tiles, .param .u32 topk, .param .u32 pairs,
    .param .u32 ngpus, .param .u32 pulls)
{
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    .reg .b32 %topk, %pairs, %ngpus, %pulls, %last, %source, %end;
    .reg .b64 %all_x, %index, %loads, %arrived, %at;
    ld.param.u64 %all_x, [all_x];
    ld.param.u64 %index, [index];
    ld.param.u64 %loads, [load];
    ld.param.u64 %arrived, [arrived];
    ld.param.u32 %hidden, [hidden];
    ld.param.u32 %ffn, [ffn];
    ld.param.u32 %tiles, [tiles];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %pairs, [pairs];
    ld.param.u32 %ngpus, [ngpus];
    ld.param.u32 %pulls, [pulls];
    LISTED_TILE list
    div.u32 %expert, %y, %tiles;
    rem.u32 %n, %y, %tiles;
    shl.b32 %n, %n, 6;
    mad.wide.u32 %at, %expert, 4, %loads;
    ld.global.u32 %last, [%at];
    sub.u32 %last, %last, %n;
    min.u32 %last, %last, 64;
    sub.u32 %last, %last, 1;                         // last row of the tile that is one
    shl.b32 %n, %y, 6;
    mad.wide.u32 %index, %n, 4, %index;

    ld.global.u32 %source, [%index];                 // from the source of the first row to that of the last
    div.u32 %source, %source, %pairs;
    mad.wide.u32 %at, %last, 4, %index;
    ld.global.u32 %end, [%at];
    div.u32 %end, %end, %pairs;
SOURCE:
    mad.wide.u32 %at, %source, 4, %arrived;
    AWAIT %at, %pulls
    setp.ne.u32 %more, %source, %end;
    add.u32 %source, %source, 1;
    rem.u32 %source, %source, %ngpus;
    @%more bra SOURCE;

    shl.b32 %x, %x, 6;
    shl.b32 %stride, %hidden, 1;
    GEMM_THREADS
    GATHERED_ROW 0, %row
    add.u32 %s1, %row, 32;
    GATHERED_ROW 1, %s1
    WEIGHT_ROW w1, %ffn, %x, %stride
    GEMM_ROWS %gb0, %gb1, %b, %stride
    GEMM_SUMS %hidden
    ACTIVATION_TO_MID 0
    ret;
}

// --- layer 1 ---------------------------------------------------------------------------------------------------------
.macro SEND_PARAMETERS
    ld.param.u64 %result, [result];
    ld.param.u64 %row_of, [row_of];
    ld.param.u64 %all_prob, [all_prob];
    ld.param.u64 %partials, [partials];
    ld.param.u32 %topk, [topk];
    ld.param.u64 %mine, [mine];
    ld.global.u32 %tokens, [%mine];
    ld.param.u32 %here, [here];
    ld.param.u32 %me, [me];
    shl.b32 %units, %width, 3;                       // 16-byte units of a slice
    shl.b32 %stride, %hidden, 1;
.endm

// A thread has four pieces of 16 bytes of tokens' slices in flight. Piece \i: %in\i, there is one; %found\i, a row of the
// token is here; sums %d\i_0 to %d\i_7.
.macro PIECE_STATE i
    .reg .pred %in\i, %here\i, %found\i;
    .reg .b32 %token\i, %pair\i, %where\i, %q\i\()_<4>;
    .reg .b64 %column\i;
    .reg .f32 %p\i, %d\i\()_<8>;
.endm

.macro PIECE i
    setp.lt.u32 %in\i, %unit, %end;
    div.u32 %pair\i, %unit, %units;
    mad.wide.u32 %at, %pair\i, 4, %mine;
    mov.u32 %token\i, 0;
    @%in\i ld.global.u32 %token\i, [%at+4];
    rem.u32 %column, %unit, %units;
    mad.lo.u32 %column, %slice, %units, %column;
    mul.wide.u32 %column\i, %column, 16;
    setp.ne.u32 %found\i, %topk, %topk;
    .rept 8, j
    mov.f32 %d\i\()_\j, 0f00000000;
    .endr
    add.u32 %unit, %unit, %step;
.endm

.macro PIECE_PLACE i
    mov.u32 %where\i, NOT_HERE;
    mad.wide.u32 %at, %pair\i, 4, %row_of;
    @%in\i ld.global.u32 %where\i, [%at];
.endm

.macro PIECE_LOAD i
    setp.ne.u32 %here\i, %where\i, NOT_HERE;
    or.pred %found\i, %found\i, %here\i;
    mad.wide.u32 %at, %pair\i, 4, %all_prob;
    @%here\i ld.global.f32 %p\i, [%at];
    mad.wide.u32 %at, %where\i, %stride, %result;
    add.u64 %at, %at, %column\i;
    @%here\i ld.global.v4.b32 {%q\i\()_0, %q\i\()_1, %q\i\()_2, %q\i\()_3}, [%at];
    add.u32 %pair\i, %pair\i, 1;
.endm

.macro PIECE_ADD i
    @!%here\i bra OTHER_\@;
    mov.f32 %p, %p\i;
    SCALED %d\i\()_0, %d\i\()_1, %q\i\()_0
    SCALED %d\i\()_2, %d\i\()_3, %q\i\()_1
    SCALED %d\i\()_4, %d\i\()_5, %q\i\()_2
    SCALED %d\i\()_6, %d\i\()_7, %q\i\()_3
OTHER_\@:
.endm

.macro PIECE_SEND i
    cvt.rn.bf16x2.f32 %q\i\()_0, %d\i\()_1, %d\i\()_0;
    cvt.rn.bf16x2.f32 %q\i\()_1, %d\i\()_3, %d\i\()_2;
    cvt.rn.bf16x2.f32 %q\i\()_2, %d\i\()_5, %d\i\()_4;
    cvt.rn.bf16x2.f32 %q\i\()_3, %d\i\()_7, %d\i\()_6;
    div.u32 %source, %token\i, %here;
    mad.wide.u32 %at, %source, 8, %partials;
    ld.global.u64 %at, [%at];
    rem.u32 %source, %token\i, %here;
    mad.lo.u32 %source, %me, %here, %source;
    mad.wide.u32 %at, %source, %stride, %at;
    add.u64 %at, %at, %column\i;
    @%found\i st.global.v4.b32 [%at], {%q\i\()_0, %q\i\()_1, %q\i\()_2, %q\i\()_3};
.endm

// Slice %slice of the sums of all tokens that have a row here, by \blocks blocks of which this is number \block: rows of this GPU, weighted, to
// partial[me][token] at the token's home.
.macro SEND_SLICE block, blocks
    mad.lo.u32 %unit, \block, 128, %t;
    shl.b32 %step, \blocks, 7;
    mul.lo.u32 %end, %tokens, %units;
UNIT_\@:
    setp.ge.u32 %over, %unit, %end;
    vote.sync.all.pred %over, %over, 0xffffffff;
    @%over bra SENT_\@;
    .rept 4, i
    PIECE \i
    .endr
    .rept 4, i
    mul.lo.u32 %pair\i, %token\i, %topk;
    .endr
    mov.u32 %slot, 0;
SLOT_\@:
    .rept 4, i
    PIECE_PLACE \i
    .endr
    .rept 4, i
    PIECE_LOAD \i
    .endr
    .rept 4, i
    PIECE_ADD \i
    .endr
    add.u32 %slot, %slot, 1;
    setp.lt.u32 %over, %slot, %topk;
    @%over bra SLOT_\@;
    .rept 4, i
    PIECE_SEND \i
    .endr
    bra UNIT_\@;
SENT_\@:
.endm

// The first `senders` blocks communicate, the others multiply.
.visible .entry layer1(
    .param .u64 mid, .param .u64 w2, .param .u64 result, .param .u64 list, .param .u64 done,
    .param .u64 mine, .param .u64 row_of, .param .u64 all_prob, .param .u64 partials,
    .param .u32 hidden, .param .u32 ffn, .param .u32 tiles, .param .u32 count, .param .u32 split, .param .u32 senders,
    .param .u32 topk, .param .u32 here, .param .u32 me)
{
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    .reg .pred %over, %sends;
    .reg .b32 %count_of_tiles, %split, %slice, %width, %senders, %workers, %number, %unit, %step, %end, %units;
    .reg .b32 %topk, %tokens, %here, %me, %column, %source, %slot;
    .reg .b64 %result, %list, %finished, %mine, %row_of, %all_prob, %partials, %at;
    .reg .f32 %p, %v;
    .rept 4, i
    PIECE_STATE \i
    .endr
    ld.param.u64 %list, [list];
    ld.param.u64 %finished, [done];
    ld.param.u32 %hidden, [hidden];
    ld.param.u32 %count_of_tiles, [count];
    ld.param.u32 %split, [split];
    ld.param.u32 %senders, [senders];
    mov.u32 %t, %tid.x;
    mov.u32 %number, %ctaid.x;
    mov.u32 %workers, %nctaid.x;
    sub.u32 %workers, %workers, %senders;
    shr.u32 %width, %hidden, 6;
    div.u32 %width, %width, %split;                  // tiles of a slice
    mov.u32 %slice, 0;
    setp.lt.u32 %sends, %number, %senders;
    @%sends bra SEND;

    sub.u32 %number, %number, %senders;
    mul.lo.u32 %count_of_tiles, %count_of_tiles, %width;
    mov.u32 %unit, %number;                          // tiles of all slices are dealt in turn
SLICE:
    mad.lo.u32 %end, %slice, %count_of_tiles, %count_of_tiles;
TILE:
    setp.ge.u32 %over, %unit, %end;
    @%over bra SLICED;
    mul.lo.u32 %n, %slice, %count_of_tiles;
    sub.u32 %n, %unit, %n;
    div.u32 %y, %n, %width;
    rem.u32 %x, %n, %width;
    mad.lo.u32 %x, %slice, %width, %x;
    mad.wide.u32 %at, %y, 4, %list;
    ld.global.u32 %y, [%at];
    EXPERT_GEMM2
    TILE_TO_SHARED
    ld.param.u64 %result, [result];
    shl.b32 %stride, %hidden, 1;
    STORE_TILE %result, %y, %stride
    add.u32 %unit, %unit, %workers;
    bra TILE;
SLICED:
    bar.sync 0;
    setp.eq.u32 %leader, %t, 0;
    mad.wide.u32 %at, %slice, 4, %finished;
    @%leader fence.acq_rel.gpu;
    @%leader red.relaxed.gpu.global.add.u32 [%at], 1;
    add.u32 %slice, %slice, 1;
    setp.lt.u32 %more, %slice, %split;
    @%more bra SLICE;
    sub.u32 %slice, %slice, 1;
    AWAIT %at, %workers
    SEND_PARAMETERS
    SEND_SLICE %number, %workers
    ret;

SEND:
    SEND_PARAMETERS
    sub.u32 %split, %split, 1;
SENDING:
    setp.ge.u32 %over, %slice, %split;
    @%over ret;
    mad.wide.u32 %at, %slice, 4, %finished;
    AWAIT %at, %workers
    SEND_SLICE %number, %senders
    add.u32 %slice, %slice, 1;
    bra SENDING;
}

// y = sum of what the GPUs with an expert of the token sent; a warp per token.
.visible .entry reduce(
    .param .u64 partial, .param .u64 route, .param .u64 y,
    .param .u32 hidden, .param .u32 topk, .param .u32 here, .param .u32 local)
{
    .reg .pred %inside, %more, %leads;
    .reg .b32 %t, %lane, %token, %cta, %topk, %bytes, %here, %local, %offset, %slot, %gpu, %n, %s0, %w<4>;
    .reg .b32 %left, %owner, %owners;
    .reg .b64 %partial, %route, %y, %at, %wide, %to;
    .reg .f32 %p, %v, %c<8>;
    ld.param.u64 %partial, [partial];
    ld.param.u64 %route, [route];
    ld.param.u64 %y, [y];
    ld.param.u32 %bytes, [hidden];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %here, [here];
    ld.param.u32 %local, [local];
    shl.b32 %bytes, %bytes, 1;
    mov.f32 %p, 0f3F800000;
    mov.u32 %t, %tid.x;
    and.b32 %lane, %t, 31;
    shr.u32 %t, %t, 5;
    mov.u32 %cta, %ctaid.x;
    mad.lo.u32 %token, %cta, 4, %t;
    mad.wide.u32 %y, %token, %bytes, %y;
    mul.lo.u32 %n, %token, %topk;
    mad.wide.u32 %route, %n, 4, %route;
    // A lane knows the GPU of a slot; the first lane of those with the same GPU stands for its sum.
    setp.lt.u32 %inside, %lane, %topk;
    mad.wide.u32 %at, %lane, 4, %route;
    mov.u32 %owner, 0xffffffff;
    @%inside ld.global.u32 %owner, [%at];
    div.u32 %owner, %owner, %local;
    match.any.sync.b32 %n, %owner, 0xffffffff;
    brev.b32 %n, %n;
    clz.b32 %n, %n;
    setp.eq.and.u32 %leads, %n, %lane, %inside;
    vote.sync.ballot.b32 %owners, %leads, 0xffffffff;
    shl.b32 %offset, %lane, 4;
COLUMNS:
    setp.lt.u32 %inside, %offset, %bytes;
    cvt.u64.u32 %wide, %offset;
    .rept 8, i
    mov.f32 %c\i, 0f00000000;
    .endr
    mov.u32 %left, %owners;
SLOT:
    brev.b32 %slot, %left;
    clz.b32 %slot, %slot;
    shfl.sync.idx.b32 %gpu, %owner, %slot, 31, 0xffffffff;
    sub.u32 %n, %left, 1;
    and.b32 %left, %left, %n;
    mad.lo.u32 %n, %gpu, %here, %token;
    mad.wide.u32 %at, %n, %bytes, %partial;
    add.u64 %at, %at, %wide;
    @%inside ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%at];
    SCALED %c0, %c1, %w0
    SCALED %c2, %c3, %w1
    SCALED %c4, %c5, %w2
    SCALED %c6, %c7, %w3
    setp.ne.u32 %more, %left, 0;
    @%more bra SLOT;
    cvt.rn.bf16x2.f32 %w0, %c1, %c0;
    cvt.rn.bf16x2.f32 %w1, %c3, %c2;
    cvt.rn.bf16x2.f32 %w2, %c5, %c4;
    cvt.rn.bf16x2.f32 %w3, %c7, %c6;
    add.u64 %to, %y, %wide;
    @%inside st.global.v4.b32 [%to], {%w0, %w1, %w2, %w3};
    add.u32 %offset, %offset, 512;
    shl.b32 %n, %lane, 4;
    sub.u32 %n, %offset, %n;
    setp.lt.u32 %more, %n, %bytes;
    @%more bra COLUMNS;
    ret;
}

.host main {
    .include "layer.inc"
    param groups = 1;
    param framework = 15;      // empty kernels, up to the 33 of a layer (FlashMoE table 1)
    param whole = 0;           // 1: whole shards are gathered, as flux does; 0: rows that are needed, by blocks for communication
    param pulls = 2;           // blocks that stand for the copy engine
    param split = min(4, hidden / 64);         // slices of layer 1
    param resident = 4;        // blocks of the persistent kernel per SM
    param fetchers = max(1, sm.count * resident * 28 / 132);   // blocks of 16 warps that fetch rows
    param senders = max(1, sm.count * resident * 28 / 132);    // blocks that communicate: 28 of 132 (flux, H800, bf16)
    .include "schedule_host.inc"
    require hidden / 64 % split == 0, "split must divide the column tiles of hidden";
    buffer all_route : u32[ngpus, pairs] = zeros;
    buffer all_numbers : u32[ngpus, pairs] = zeros;
    buffer all_prob : f32[ngpus, pairs] = zeros;
    buffer routes : u64[ngpus] = addresses(all_route);
    buffer numberses : u64[ngpus] = addresses(all_numbers);
    buffer probs : u64[ngpus] = addresses(all_prob);
    buffer start : u32[experts] = zeros;
    buffer index : u32[local * rows] = zeros;
    buffer row_of : u32[ngpus, pairs] = full(NOT_HERE);
    buffer mine : u32[1 + tokens] = zeros;
    buffer shard : bf16[here, hidden] = zeros;       // the own tokens in the symmetric heap
    buffer shards : u64[ngpus] = addresses(shard);
    buffer all_x : bf16[tokens, hidden] = zeros;
    buffer arrived : u32[ngpus] = zeros;
    buffer there : u32[local * rows / tile] = zeros;
    buffer counted : u32[1] = zeros;
    buffer count_flags : u64[ngpus] = addresses(counted);
    buffer done : u32[split] = zeros;
    buffer partial : bf16[ngpus, here, hidden] = zeros opaque(!values);
    buffer partials : u64[ngpus] = addresses(partial);

    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, hidden, experts, topk, here);
    for i in 0..framework {
        launch framework on all grid(1) block(128) ();
    }
    launch copy_shard on all grid(max(1, sm.count / 4)) block(256) (x, shard, here * data / 16);
    launch barrier_all on all grid(1) block(64) (all_flags, flags, 8, ngpus);
    if whole {
        launch pull on all grid(pulls) block(512) stream 1 after(0) (shards, all_x, arrived, here * data / 16, gpu, ngpus);
    }
    launch count on all grid(ceil_div(pairs, 256)) block(256) (route, counts, numbers, pairs);
    launch share_routing on all grid(1, ngpus) block(256)
        (route, numbers, prob, routes, numberses, probs, all_flags, flags, pairs, gpu);
    launch exchange_counts on all grid(1) block(64) (counts, tables, count_flags, counted, experts, gpu, ngpus);
    launch plan on all grid(1) block(256) (table, plan, loads, tiles, totals, experts, gpu, ngpus, groups, rows);
    launch order on all grid(1) block(round_up(local, 32)) (table, loads, start, tiles, experts, gpu, ngpus, rows);
    launch gather_index on all grid(ceil_div(ngpus * pairs, 256)) block(256)
        (all_route, all_numbers, start, index, row_of, mine, pairs, ngpus * pairs, local, gpu, topk);
    if !whole {
        launch pull_rows on all grid(fetchers) block(512) stream 1 after(0)
            (shards, index, loads, tiles, totals, xin, there, hidden, topk, here, rows / tile);
    }
    each gpu g {
        fetch totals@g stream 0;
    }
    each gpu g {
        let n = read(totals@g, 0);
        if n > 0 && whole {
            launch gemm1_gather on g grid(ffn / 64, n) block(128)
                (all_x, index, loads, arrived, w1, mid, tiles, hidden, ffn, rows / tile, topk, pairs, ngpus, pulls);
        }
        if n > 0 && !whole {
            launch gemm1_rows on g grid(ffn / 64, n) block(128)
                (xin, w1, mid, tiles, there, hidden, ffn, data, rows / tile);
        }
    }
    launch barrier_all on all grid(1) block(64) after(1) (all_flags, flags, 12, ngpus);
    each gpu g {
        let n = read(totals@g, 0);
        if n > 0 {
            launch activate on g grid(ffn / 64, n) block(128) (mid, tiles, ffn);
        }
        launch layer1 on g grid(max(senders + 1, sm.count * resident)) block(128)
            (mid, w2, result, tiles, done, mine, row_of, all_prob, partials,
             hidden, ffn, rows / tile, n, split, senders, topk, here, g);
    }
    launch barrier_all on all grid(1) block(64) (all_flags, flags, 16, ngpus);
    launch reduce on all grid(here / 4) block(128) (partial, route, y, hidden, topk, here, local);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
