// flashmoe: FlashMoE's layer: one persistent kernel in which blocks pass tasks to each other.
//
// Every block but one is a processor. They first send the rows, expert by expert: whoever stores the last row of an expert
// publishes how many there are, with a system fence and an exchange. The other block is the operating system: its threads
// spin on the flags of all (source, expert) packets and on those of all result tiles, and put a task into a queue for each
// tile they find ready. Processors take tickets and spin on the queue: a tile of the first GEMM, whose last one puts those
// of the second into the queue; a tile of the second, stored to the token's home with a flag of its own; a tile of results
// to be added to the output, element by element.
// Tickets stand for the scheduler's matching of tasks to idle processors. The router is a kernel of its own (FlashMoE has
// it in the same one).
//
//     router, flash
//
//     simasm programs/moe/flashmoe.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y32 ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.include "gemm.inc"
.include "router.inc"
.include "experts.inc"
.include "signal.inc"
.include "copy.inc"

// --- gate: route, and list every expert's tokens ---------------------------------------------------------------------
.macro LIST_PAIR
    @!%first_lane bra LISTED_\@;
    mad.wide.u32 %to, %best, 4, %counts;
    atom.relaxed.gpu.global.add.u32 %s0, [%to], 1;
    mad.lo.u32 %s0, %best, %tokens, %s0;
    mad.wide.u32 %to, %s0, 4, %lists;
    mad.lo.u32 %s1, %token, %topk, %slot;
    st.global.u32 [%to], %s1;
LISTED_\@:
    bar.warp.sync 0xffffffff;
.endm

.visible .entry router(
    .param .u64 x, .param .u64 gate, .param .u64 bias, .param .u64 choice, .param .u64 prob, .param .u64 route,
    .param .u64 counts, .param .u64 lists,           // u32 [experts], u32 [experts][tokens]: pairs of every expert
    .param .u32 hidden, .param .u32 experts, .param .u32 topk, .param .u32 tokens)
{
    ROUTER_STATE
    CHOICE_STATE
    .reg .b64 %counts, %lists;
    GATE_LOGITS
    ld.param.u64 %counts, [counts];
    ld.param.u64 %lists, [lists];
    ROUTE_TOKEN DONE, LIST_PAIR
DONE:
    ret;
}

// --- the kernel ------------------------------------------------------------------------------------------------------
// Words of `control`: the next ticket, the end of the queue, packets seen, tiles of the second GEMM expected and done,
// tiles of results expected and added.
.set HEAD, 0
.set TAIL, 4
.set SEEN, 8
.set EXPECTED, 12
.set COMPUTED, 16
.set RETURNING, 20
.set ADDED, 24
.set GEMM1_TASK, 0x40000000
.set GEMM2_TASK, 0x80000000
.set ADD_TASK, 0xc0000000
.set QUIT, 0xffffffff

// Put \n tasks \first, \first + 1, … into the queue. Uses %u0 to %u2, %at.
.macro PUSH first, n
    atom.relaxed.gpu.global.add.u32 %u0, [%control+TAIL], \n;
    mov.u32 %u1, \first;
    mov.u32 %u2, \n;
PUSH_\@:
    mad.wide.u32 %at, %u0, 4, %queue;
    st.release.gpu.global.u32 [%at], %u1;
    add.u32 %u0, %u0, 1;
    add.u32 %u1, %u1, 1;
    sub.u32 %u2, %u2, 1;
    setp.ne.u32 %over, %u2, 0;
    @%over bra PUSH_\@;
.endm

// Two bf16 of \word, weighted, to the output at %to + \offset.
.macro ADD_PAIR offset, word
    shl.b32 %u2, \word, 16;
    mov.b32 %v, %u2;
    mul.f32 %product, %v, %p;
    red.relaxed.gpu.global.add.f32 [%to+\offset], %product;
    and.b32 %u2, \word, 0xffff0000;
    mov.b32 %v, %u2;
    mul.f32 %product, %v, %p;
    red.relaxed.gpu.global.add.f32 [%to+\offset+4], %product;
.endm

.visible .entry flash(
    .param .u64 x, .param .u64 xins, .param .u64 xin, .param .u64 mid, .param .u64 w1, .param .u64 w2,
    .param .u64 backs, .param .u64 back, .param .u64 prob, .param .u64 y,
    .param .u64 counts, .param .u64 lists, .param .u64 sent,
    .param .u64 arrivals, .param .u64 arrived,       // u32 [local][ngpus]: rows of the packet + 1
    .param .u64 returns, .param .u64 returned,       // u32 [experts][row tiles][column tiles]: 1
    .param .u64 control, .param .u64 queue, .param .u64 halves,
    .param .u32 hidden, .param .u32 ffn, .param .u32 tiles, .param .u32 experts, .param .u32 topk, .param .u32 tokens,
    .param .u32 me, .param .u32 ngpus)
{
    GEMM_STATE
    EXPERT_STATE
    SIGNAL_STATE
    COPY_STATE
    .reg .pred %over, %mine, %row<4>, %last, %all, %pending;
    .reg .b32 %processor, %processors, %which, %i, %chunks, %chunk, %made, %l, %owner, %number, %pair, %token, %task;
    .reg .b32 %experts, %topk, %tokens, %me, %ngpus, %local, %per_region, %rows, %bytes, %wide1, %wide2, %u<3>, %region;
    .reg .b32 %source, %item, %items, %type, %packet;
    .reg .b64 %x0, %xins, %xin, %backs, %back, %prob, %y0, %counts, %lists, %sent, %arrivals, %arrived, %returns, %returned;
    .reg .b64 %control, %queue, %halves, %at, %to;
    .reg .f32 %p, %v, %product;
    ld.param.u64 %x0, [x];
    ld.param.u64 %xins, [xins];
    ld.param.u64 %xin, [xin];
    ld.param.u64 %backs, [backs];
    ld.param.u64 %back, [back];
    ld.param.u64 %prob, [prob];
    ld.param.u64 %y0, [y];
    ld.param.u64 %counts, [counts];
    ld.param.u64 %lists, [lists];
    ld.param.u64 %sent, [sent];
    ld.param.u64 %arrivals, [arrivals];
    ld.param.u64 %arrived, [arrived];
    ld.param.u64 %returns, [returns];
    ld.param.u64 %returned, [returned];
    ld.param.u64 %control, [control];
    ld.param.u64 %queue, [queue];
    ld.param.u64 %halves, [halves];
    ld.param.u32 %hidden, [hidden];
    ld.param.u32 %ffn, [ffn];
    ld.param.u32 %tiles, [tiles];
    ld.param.u32 %experts, [experts];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %tokens, [tokens];
    ld.param.u32 %me, [me];
    ld.param.u32 %ngpus, [ngpus];
    div.u32 %local, %experts, %ngpus;
    div.u32 %per_region, %tiles, %ngpus;             // row tiles of a packet
    shl.b32 %rows, %per_region, 6;
    shl.b32 %bytes, %hidden, 1;
    shr.u32 %wide1, %ffn, 6;                         // column tiles of the two GEMMs
    shr.u32 %wide2, %hidden, 6;
    mov.u32 %t, %tid.x;
    setp.eq.u32 %leader, %t, 0;
    mov.u32 %processor, %ctaid.x;
    mov.u32 %processors, %nctaid.x;
    sub.u32 %processors, %processors, 1;
    setp.eq.u32 %over, %processor, %processors;
    @%over bra SYSTEM;

    // Dispatch: experts from the own ones on; chunks of 16 rows dealt to the processors.
    mov.u32 %k, 0;
EXPERT:
    mul.lo.u32 %which, %me, %local;
    add.u32 %which, %which, %k;
    rem.u32 %which, %which, %experts;
    div.u32 %owner, %which, %local;
    rem.u32 %l, %which, %local;
    mad.lo.u32 %packet, %l, %ngpus, %me;             // at the owner
    mad.wide.u32 %at, %which, 4, %counts;
    ld.global.u32 %n, [%at];
    add.u32 %chunks, %n, 15;
    shr.u32 %chunks, %chunks, 4;
    max.u32 %chunks, %chunks, 1;                     // an empty packet is told of as well
    add.u32 %chunk, %processor, %k;
    rem.u32 %chunk, %chunk, %processors;
    mov.u32 %made, 0;
CHUNK:
    setp.ge.u32 %over, %chunk, %chunks;
    @%over bra CHUNKED;
    mad.wide.u32 %at, %owner, 8, %xins;
    ld.global.u64 %to, [%at];
    shr.u32 %number, %t, 5;
    shl.b32 %number, %number, 2;
    mad.lo.u32 %number, %chunk, 16, %number;
    .rept 4, i
    setp.lt.u32 %row\i, %number, %n;
    mov.u32 %pair, 0;
    mad.lo.u32 %u0, %which, %tokens, %number;
    mad.wide.u32 %at, %u0, 4, %lists;
    @%row\i ld.global.u32 %pair, [%at];
    div.u32 %token, %pair, %topk;
    mad.wide.u32 %source\i, %token, %bytes, %x0;
    mad.lo.u32 %u0, %packet, %rows, %number;
    mad.wide.u32 %target\i, %u0, %bytes, %to;
    add.u32 %number, %number, 1;
    .endr
    COPY_ROWS %bytes
    add.u32 %made, %made, 1;
    add.u32 %chunk, %chunk, %processors;
    bra CHUNK;
CHUNKED:
    setp.eq.u32 %over, %made, 0;
    @%over bra PUBLISHED;
    bar.sync 0;
    @!%leader bra PUBLISHED;
    fence.acq_rel.sys;
    mad.wide.u32 %at, %which, 4, %sent;
    atom.acq_rel.gpu.global.add.u32 %u0, [%at], %made;
    add.u32 %u0, %u0, %made;
    setp.ne.u32 %over, %u0, %chunks;
    @%over bra PUBLISHED;
    mad.wide.u32 %at, %owner, 8, %arrivals;
    ld.global.u64 %at, [%at];
    mad.wide.u32 %at, %packet, 4, %at;
    add.u32 %u0, %n, 1;
    st.release.sys.global.u32 [%at], %u0;
PUBLISHED:
    add.u32 %k, %k, 1;
    setp.lt.u32 %over, %k, %experts;
    @%over bra EXPERT;

    // Tasks.
TICKET:
    bar.sync 0;
    @!%leader bra TOLD;
    atom.relaxed.gpu.global.add.u32 %u0, [%control+HEAD], 1;
    mad.wide.u32 %at, %u0, 4, %queue;
DOORBELL:
    ld.acquire.gpu.global.u32 %task, [%at];
    setp.eq.u32 %over, %task, 0;
    @%over bra DOORBELL;
    st.shared.u32 [slabs], %task;
TOLD:
    bar.sync 0;
    ld.shared.u32 %task, [slabs];
    bar.sync 0;
    setp.eq.u32 %over, %task, QUIT;
    @%over ret;
    shr.u32 %type, %task, 30;
    and.b32 %item, %task, 0x3fffffff;
    setp.eq.u32 %over, %type, 2;
    @%over bra SECOND;
    setp.eq.u32 %over, %type, 3;
    @%over bra ADD;

    div.u32 %y, %item, %wide1;
    mov.u32 %region, %y;
    rem.u32 %x, %item, %wide1;
    EXPERT_GEMM1 %xin, %bytes
    bar.sync 0;
    @!%leader bra TICKET;
    fence.acq_rel.gpu;
    mad.wide.u32 %at, %region, 4, %halves;
    atom.acq_rel.gpu.global.add.u32 %u0, [%at], 1;
    add.u32 %u0, %u0, 1;
    setp.ne.u32 %over, %u0, %wide1;
    @%over bra TICKET;
    mul.lo.u32 %item, %region, %wide2;
    add.u32 %item, %item, GEMM2_TASK;
    PUSH %item, %wide2
    bra TICKET;

SECOND:
    div.u32 %y, %item, %wide2;
    rem.u32 %x, %item, %wide2;
    mov.u32 %number, %x;                             // column tile
    div.u32 %region, %y, %per_region;
    rem.u32 %i, %y, %per_region;
    EXPERT_GEMM2
    TILE_TO_SHARED
    mad.wide.u32 %at, %region, 4, %arrived;
    ld.relaxed.gpu.global.u32 %n, [%at];
    sub.u32 %n, %n, 1;
    shl.b32 %u0, %i, 6;
    sub.u32 %n, %n, %u0;                             // rows of the tile that are some
    rem.u32 %source, %region, %ngpus;
    div.u32 %l, %region, %ngpus;
    mad.lo.u32 %which, %me, %local, %l;
    mad.wide.u32 %at, %source, 8, %backs;
    ld.global.u64 %to, [%at];
    mad.lo.u32 %u0, %which, %rows, %u0;
    mad.wide.u32 %to, %u0, %bytes, %to;
    mad.wide.u32 %to, %x, 2, %to;
    .rept 4, pass
    TILE_ROW \pass
    setp.lt.u32 %over, %row, %n;
    mad.wide.u32 %at, %row, %bytes, %to;
    cvt.u64.u32 %g0, %k;
    add.u64 %at, %at, %g0;
    @%over st.global.v4.b32 [%at], {%na0, %na1, %na2, %na3};
    .endr
    bar.sync 0;
    @!%leader bra TICKET;
    fence.acq_rel.sys;
    mad.wide.u32 %at, %source, 8, %returns;
    ld.global.u64 %at, [%at];
    mad.lo.u32 %u0, %which, %per_region, %i;
    mad.lo.u32 %u0, %u0, %wide2, %number;
    mad.wide.u32 %at, %u0, 4, %at;
    mov.u32 %u0, 1;
    st.relaxed.sys.global.u32 [%at], %u0;
    red.relaxed.gpu.global.add.u32 [%control+COMPUTED], 1;
    bra TICKET;

ADD:
    rem.u32 %x, %item, %wide2;                       // tile (expert, row tile, column tile): 512 units of 8 columns
    div.u32 %item, %item, %wide2;
    rem.u32 %i, %item, %per_region;
    div.u32 %which, %item, %per_region;
    mad.wide.u32 %at, %which, 4, %counts;
    ld.global.u32 %n, [%at];
    .rept 4, pass
    mad.lo.u32 %number, \pass, 128, %t;
    shr.u32 %u0, %number, 3;
    mad.lo.u32 %u0, %i, 64, %u0;                     // number of the expert's row
    and.b32 %u1, %number, 7;
    setp.ge.u32 %over, %u0, %n;
    @%over bra NONE_\pass;
    mad.lo.u32 %u2, %which, %tokens, %u0;
    mad.wide.u32 %at, %u2, 4, %lists;
    ld.global.u32 %pair, [%at];
    mad.wide.u32 %at, %pair, 4, %prob;
    ld.global.f32 %p, [%at];
    div.u32 %token, %pair, %topk;
    mad.lo.u32 %u2, %which, %rows, %u0;
    mad.wide.u32 %at, %u2, %bytes, %back;
    mad.lo.u32 %u1, %x, 8, %u1;                      // unit of the row
    mad.wide.u32 %at, %u1, 16, %at;
    ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%at];
    shl.b32 %u2, %bytes, 1;
    mad.wide.u32 %to, %token, %u2, %y0;
    mad.wide.u32 %to, %u1, 32, %to;
    ADD_PAIR 0, %w0
    ADD_PAIR 8, %w1
    ADD_PAIR 16, %w2
    ADD_PAIR 24, %w3
NONE_\pass:
    .endr
    bar.sync 0;
    @!%leader bra TICKET;
    fence.acq_rel.gpu;
    red.relaxed.gpu.global.add.u32 [%control+ADDED], 1;
    bra TICKET;

    // The operating system: threads 32 to 127 look at packets and results in turn, thread 0 ends it all.
SYSTEM:
    setp.lt.u32 %over, %t, 32;
    @%over bra SUBSCRIBED;
    sub.u32 %region, %t, 32;
    sub.u32 %item, %t, 32;
    mul.lo.u32 %left, %local, %ngpus;                // packets
    mul.lo.u32 %items, %experts, %per_region;
    mul.lo.u32 %items, %items, %wide2;
LOOK:
    setp.ge.u32 %over, %region, %left;
    @%over bra RESULT;
    mad.wide.u32 %at, %region, 4, %arrived;
    ld.acquire.sys.global.u32 %n, [%at];
    setp.eq.u32 %over, %n, 0;
    @%over bra RESULT;
    add.u32 %n, %n, 62;                              // row tiles of n - 1 rows
    shr.u32 %n, %n, 6;
    mul.lo.u32 %which, %n, %wide2;
    red.relaxed.gpu.global.add.u32 [%control+EXPECTED], %which;
    mul.lo.u32 %n, %n, %wide1;
    setp.eq.u32 %over, %n, 0;
    @%over bra EMPTY;
    mul.lo.u32 %which, %region, %per_region;
    mul.lo.u32 %which, %which, %wide1;
    add.u32 %which, %which, GEMM1_TASK;
    PUSH %which, %n
EMPTY:
    fence.acq_rel.gpu;
    red.relaxed.gpu.global.add.u32 [%control+SEEN], 1;
    add.u32 %region, %region, 96;
RESULT:
    setp.ge.u32 %over, %item, %items;
    @%over bra LOOKED;
    div.u32 %number, %item, %wide2;
    rem.u32 %i, %number, %per_region;
    div.u32 %which, %number, %per_region;
    mad.wide.u32 %at, %which, 4, %counts;
    ld.global.u32 %n, [%at];
    shl.b32 %i, %i, 6;
    setp.ge.u32 %over, %i, %n;
    @%over bra NEXT;                                 // there is no such tile
    mad.wide.u32 %at, %item, 4, %returned;
    ld.acquire.sys.global.u32 %n, [%at];
    setp.eq.u32 %over, %n, 0;
    @%over bra LOOKED;
    red.relaxed.gpu.global.add.u32 [%control+RETURNING], 1;
    add.u32 %which, %item, ADD_TASK;
    mov.u32 %n, 1;
    PUSH %which, %n
NEXT:
    add.u32 %item, %item, 96;
LOOKED:
    setp.lt.u32 %pending, %region, %left;
    setp.lt.u32 %over, %item, %items;
    or.pred %pending, %pending, %over;
    @%pending bra LOOK;
SUBSCRIBED:
    bar.sync 0;
    @!%leader ret;
    ld.relaxed.gpu.global.u32 %n, [%control+RETURNING];
    ld.relaxed.gpu.global.u32 %which, [%control+EXPECTED];
FINISH:
    ld.acquire.gpu.global.u32 %u0, [%control+ADDED];
    ld.acquire.gpu.global.u32 %u1, [%control+COMPUTED];
    setp.lt.u32 %over, %u0, %n;
    setp.lt.u32 %last, %u1, %which;
    or.pred %over, %over, %last;
    @%over bra FINISH;
    atom.relaxed.gpu.global.add.u32 %u0, [%control+TAIL], %processors;
    mov.u32 %u1, QUIT;
QUITTING:
    mad.wide.u32 %at, %u0, 4, %queue;
    st.release.gpu.global.u32 [%at], %u1;
    add.u32 %u0, %u0, 1;
    sub.u32 %processors, %processors, 1;
    setp.ne.u32 %over, %processors, 0;
    @%over bra QUITTING;
    ret;
}

.host main {
    .include "layer.inc"
    param resident = 3;        // blocks of the persistent kernel per SM, as many as fit
    let packet = round_up(here, tile);               // rows that a packet has room for
    let packets = local * ngpus;
    let per_packet = packet / tile;
    let blocks = sm.count * resident;
    let result_tiles = experts * per_packet * hidden / 64;
    let tasks = packets * per_packet * (ffn + hidden) / 64 + result_tiles + blocks;

    buffer counts : u32[experts] = zeros;
    buffer lists : u32[experts, here] = zeros;
    buffer sent : u32[experts] = zeros;
    buffer xin : bf16[packets * packet, hidden] = zeros;
    buffer xins : u64[ngpus] = addresses(xin);
    buffer mid : bf16[packets * packet, ffn] = zeros opaque(!values);
    buffer back : bf16[experts * packet, hidden] = zeros opaque(!values);
    buffer backs : u64[ngpus] = addresses(back);
    buffer arrived : u32[packets] = zeros;
    buffer arrivals : u64[ngpus] = addresses(arrived);
    buffer returned : u32[result_tiles] = zeros;
    buffer returns : u64[ngpus] = addresses(returned);
    buffer control : u32[8] = zeros;
    buffer queue : u32[tasks] = zeros;
    buffer halves : u32[packets * per_packet] = zeros;
    buffer y32 : f32[here, hidden] = zeros opaque(!values);

    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, counts, lists, hidden, experts, topk, here);
    launch flash on all grid(blocks) block(128) cooperative
        (x, xins, xin, mid, w1, w2, backs, back, prob, y32, counts, lists, sent, arrivals, arrived, returns, returned,
         control, queue, halves, hidden, ffn, ngpus * per_packet, experts, topk, here, gpu, ngpus);

    check y32 ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
