// Bulk copies: latency and stages of one, bandwidth of the first lanes of warps, rows through shared memory. See README.md.
//
// Copies of `bytes` to or from chunks of a range: chunk i of all warps in turn or, if `scatter` is set, random ones.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

.extern .shared .align 128 .b8 tile[];

.macro AWAIT_PHASE barrier, parity
WAIT_\@:
    mbarrier.try_wait.parity.shared::cta.b64 %done, [\barrier], \parity;
    @!%done bra WAIT_\@;
.endm

.macro BULK
    .reg .b32 %bytes, %rounds, %chunks, %chunk, %slot, %bar, %tile, %i, %parity, %each, %scatter_bits;
    .reg .b64 %base, %at;
    .reg .pred %done, %scatter, %more, %idle, %early, %late_round;
    MEASURE
    PLACES
    ld.param.u64 %base, [base];
    ld.param.u32 %bytes, [bytes];
    ld.param.u32 %rounds, [rounds];
    mov.u32 %tile, tile;
.endm

.macro CHUNKS
    ld.param.u32 %chunks, [chunk_mask];
    ld.param.u32 %scatter_bits, [scatter];
    setp.ne.u32 %scatter, %scatter_bits, 0;
.endm

.macro NEXT_CHUNK
    mad.lo.u32 %chunk, %i, %warps, %w;
    @!%scatter bra PLAIN_\@;
    HASH %chunk, %t
PLAIN_\@:
    and.b32 %chunk, %chunk, %chunks;
    mad.wide.u32 %at, %chunk, %bytes, %base;
.endm

// `rounds` times: expect, copy, wait.
.visible .entry bulk_load_latency(.param .u64 base, .param .u32 bytes, .param .u32 rounds, .param .u64 out)
{
    .shared .align 8 .b64 barrier;
    BULK
    mov.u32 %bar, barrier;
    @%leader mbarrier.init.shared::cta.b64 [%bar], 1;
    fence.proxy.async;
    bar.sync 0;
    @!%leader ret;
    mov.u32 %i, 0;
    mov.u32 %parity, 0;
    BEGIN
ROUND:
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%bar], %bytes;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%tile], [%base], %bytes, [%bar];
    AWAIT_PHASE %bar, %parity
    xor.b32 %parity, %parity, 1;
    add.u32 %i, %i, 1;
    setp.lt.u32 %more, %i, %rounds;
    @%more bra ROUND;
    END out
    ret;
}

// `rounds` times: copy and commit; clock \stage is after the commit, the source is free, the copy is written.
.macro STORE_LATENCY name, stage
.visible .entry \name(.param .u64 base, .param .u32 bytes, .param .u32 rounds, .param .u64 out)
{
    .reg .b64 %from, %to, %total;
    BULK
    fence.proxy.async;
    bar.sync 0;
    @!%leader ret;
    mov.u32 %i, 0;
    mov.u64 %total, 0;
    BEGIN
ROUND:
    mov.u64 %from, %clock64;
    cp.async.bulk.global.shared::cta.bulk_group [%base], [%tile], %bytes;
    cp.async.bulk.commit_group;
    .if \stage == 1
    cp.async.bulk.wait_group.read 0;
    .elif \stage == 2
    cp.async.bulk.wait_group 0;
    .endif
    mov.u64 %to, %clock64;
    cp.async.bulk.wait_group 0;
    sub.u64 %to, %to, %from;
    add.u64 %total, %total, %to;
    add.u32 %i, %i, 1;
    setp.lt.u32 %more, %i, %rounds;
    @%more bra ROUND;
    END out
    add.u64 %cycle1, %cycle0, %total;
    @%leader st.global.u64 [%out+8], %cycle1;
    ret;
}
.endm

STORE_LATENCY bulk_store_issue, 0
STORE_LATENCY bulk_store_read_done, 1
STORE_LATENCY bulk_store_done, 2

// The first lane of each warp keeps eight loads in flight, each with its barrier and place in shared memory.
.visible .entry bulk_load(
    .param .u64 base, .param .u32 bytes, .param .u32 rounds, .param .u32 chunk_mask, .param .u32 scatter, .param .u64 out)
{
    .shared .align 8 .b64 barriers[256];
    BULK
    CHUNKS
    mov.u32 %bar, barriers;
    shr.u32 %slot, %thread, 5;
    mad.lo.u32 %bar, %slot, 64, %bar;
    mul.lo.u32 %each, %slot, 8;
    mad.lo.u32 %tile, %each, %bytes, %tile;
    setp.ne.u32 %idle, %lane, 0;
    .rept 8, i
    @!%idle mbarrier.init.shared::cta.b64 [%bar+8*\i], 1;
    .endr
    fence.proxy.async;
    bar.sync 0;
    @%idle bra DONE;
    BEGIN
    mov.u32 %i, 0;
    add.u32 %each, %rounds, 8;
ROUND:
    and.b32 %slot, %i, 7;
    mad.lo.u32 %parity, %slot, 8, %bar;
    setp.lt.u32 %early, %i, 8;
    @%early bra COPY;
    shr.u32 %chunk, %i, 3;
    add.u32 %chunk, %chunk, 1;
    and.b32 %chunk, %chunk, 1;
    AWAIT_PHASE %parity, %chunk
COPY:
    setp.ge.u32 %late_round, %i, %rounds;
    @%late_round bra COPIED;
    NEXT_CHUNK
    mad.lo.u32 %slot, %slot, %bytes, %tile;
    mbarrier.arrive.expect_tx.shared::cta.b64 _, [%parity], %bytes;
    cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%slot], [%at], %bytes, [%parity];
COPIED:
    add.u32 %i, %i, 1;
    setp.lt.u32 %more, %i, %each;
    @%more bra ROUND;
DONE:
    END_OF_STORES
}

// The first lane of each warp stores, or adds floats, eight groups of one copy in flight; all copies are alike.
.macro BULK_OUT name, copy
.visible .entry \name(
    .param .u64 base, .param .u32 bytes, .param .u32 rounds, .param .u32 chunk_mask, .param .u32 scatter, .param .u64 out)
{
    BULK
    CHUNKS
    mov.u32 %slot, 0;
    mad.lo.u32 %i, %thread, 4, %tile;
    mul.lo.u32 %each, %thread, 4;
    mov.u32 %chunk, %ntid.x;
    shl.b32 %chunk, %chunk, 2;
CLEAR:
    setp.lt.u32 %more, %each, %bytes;
    @%more st.shared.u32 [%i], %slot;
    add.u32 %i, %i, %chunk;
    add.u32 %each, %each, %chunk;
    @%more bra CLEAR;
    fence.proxy.async;
    bar.sync 0;
    setp.ne.u32 %idle, %lane, 0;
    BEGIN
    @%idle bra DONE;
    mov.u32 %i, 0;
ROUND:
    NEXT_CHUNK
    \copy [%at], [%tile], %bytes;
    cp.async.bulk.commit_group;
    cp.async.bulk.wait_group.read 7;
    add.u32 %i, %i, 1;
    setp.lt.u32 %more, %i, %rounds;
    @%more bra ROUND;
    cp.async.bulk.wait_group 0;
DONE:
    END_OF_STORES
}
.endm

BULK_OUT bulk_store, cp.async.bulk.global.shared::cta.bulk_group
BULK_OUT bulk_reduce, cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32
