// Rows of 16-byte units to or from random rows of other GPUs: stores, loads and bulk stores of every SM. See README.md.
//
// Block b serves flow b mod `flows`, whose rows lie at target t<flow>; the blocks of a flow share its rows. All GPUs with load start
// together, block by block. With `rounds` round trips of a ping-pong, block 0 measures a flag instead, and the load
// goes round and round until that is done.
.version 9.0
.target sm_90a
.address_size 64

.include "common.inc"

.macro SETUP
    .reg .pred %idle, %here, %held, %end, %more, %first, %release;
    .reg .b32 %flows, %flow, %part, %parts, %gpu, %epoch, %members, %rounds, %rows, %row, %units, %unit, %step;
    .reg .b32 %lane, %warp, %warps, %bits, %width, %worker, %workers, %bytes, %base, %slot;
    .reg .b64 %table, %base_address, %address, %at, %to, %index, %stop, %target;
    .shared .align 8 .b8 targets[64];
    .shared .align 8 .b8 boards[64];
    MEASURE
    TABLE targets, t, 8
    TABLE boards, b, 8
    ld.param.u32 %gpu, [gpu];
    ld.param.u32 %epoch, [epoch];
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %flows, [flows];
    ld.param.u32 %rows, [rows];
    ld.param.u32 %units, [units];
    ld.param.u32 %bits, [lane_bits];
    ld.param.u64 %index, [index];
    mov.u32 %slot, boards;
    mad.lo.u32 %slot, %gpu, 8, %slot;
    ld.shared.u64 %stop, [%slot];
    setp.ne.u32 %held, %rounds, 0;
    mov.u32 %part, %block;
    mov.u32 %parts, %nctaid.x;
    @!%held bra LOAD;
    setp.eq.u32 %end, %block, 0;
    @%end bra MEASURE_FLAG;
    sub.u32 %part, %part, 1;
    sub.u32 %parts, %parts, 1;
LOAD:
    rem.u32 %flow, %part, %flows;
    div.u32 %part, %part, %flows;
    sub.u32 %parts, %parts, %flow;
    add.u32 %parts, %parts, %flows;
    sub.u32 %parts, %parts, 1;
    div.u32 %parts, %parts, %flows;
    mov.u32 %slot, targets;
    mad.lo.u32 %slot, %flow, 8, %slot;
    ld.shared.u64 %target, [%slot];
    shl.b32 %bytes, %units, 4;
.endm

// Thread i tells the same block of GPU i, if it has load, and waits for it.
.macro MEET
    ld.param.u32 %members, [members];
    shr.u32 %slot, %members, %thread;
    and.b32 %slot, %slot, 1;
    setp.ne.u32 %here, %slot, 0;
    setp.lt.and.u32 %here, %thread, 8, %here;
    @!%here bra MEETING_\@;
    mov.u32 %slot, boards;
    mad.lo.u32 %slot, %thread, 8, %slot;
    ld.shared.u64 %to, [%slot];
    shl.b32 %slot, %block, 3;
    add.u32 %base, %slot, %gpu;
    mad.wide.u32 %to, %base, 4, %to;
    add.u32 %base, %slot, %thread;
    mad.wide.u32 %at, %base, 4, %stop;
    st.relaxed.sys.global.u32 [%to], %epoch;
    AWAIT %at, %epoch, relaxed
MEETING_\@:
    bar.sync 0;
    add.u64 %stop, %stop, STOP;
    BEGIN
.endm

// Groups of 1 << lane_bits lanes take a row each: `row`, then every `workers`-th. `unit` of a lane: first of its row.
.macro GROUPS
    and.b32 %lane, %thread, 31;
    shr.u32 %warp, %thread, 5;
    mov.u32 %warps, %ntid.x;
    shr.u32 %warps, %warps, 5;
    mad.lo.u32 %worker, %part, %warps, %warp;
    mul.lo.u32 %workers, %parts, %warps;
    sub.u32 %width, 5, %bits;
    shl.b32 %worker, %worker, %width;
    shl.b32 %workers, %workers, %width;
    shr.u32 %slot, %lane, %bits;
    add.u32 %worker, %worker, %slot;
    mov.u32 %step, 1;
    shl.b32 %step, %step, %bits;
    sub.u32 %slot, %step, 1;
    and.b32 %lane, %lane, %slot;
    mov.u32 %row, %worker;
.endm

// The address of the next row, or \done. A held load starts again when it has no more rows, until it is stopped.
.macro NEXT_ROW done
CHECK_\@:
    @!%held bra TAKE_\@;
    ld.relaxed.gpu.global.u32 %word, [%stop];
    setp.eq.u32 %end, %word, %epoch;
    @%end bra \done;
TAKE_\@:
    setp.lt.u32 %more, %row, %rows;
    @%more bra ROW_\@;
    @!%held bra \done;
    mov.u32 %row, %worker;
    bra CHECK_\@;
ROW_\@:
    mad.wide.u32 %address, %row, 4, %index;
    ld.global.u32 %slot, [%address];
    mad.wide.u32 %address, %slot, %bytes, %target;
.endm

// All stores of the block are performed before its clock stops.
.macro LAND
    bar.sync 0;
    @%leader fence.acq_rel.sys;
    END out
    ret;
.endm

// One thread of two GPUs, each the other's `partner`, measures a flag between them; then the load of all GPUs ends. A GPU
// whose partner is none (255) has load only.
.macro FLAG_BESIDE_LOAD
MEASURE_FLAG:
    @!%leader ret;
    ld.param.u32 %slot, [partner];
    setp.ge.u32 %idle, %slot, 8;
    @%idle ret;
    ld.param.u32 %base, [release];
    setp.ne.u32 %release, %base, 0;
    setp.lt.u32 %first, %gpu, %slot;
    add.u64 %at, %stop, PING;
    mov.u32 %base, boards;
    mad.lo.u32 %slot, %slot, 8, %base;
    ld.shared.u64 %to, [%slot];
    add.u64 %to, %to, PING;
    sub.u32 %base, %epoch, 1;
    mul.lo.u32 %base, %base, %rounds;
    @%release bra RELEASE;
    PING_PONG %to, %at, %first, %rounds, %base, relaxed, relaxed
    bra MEASURED;
RELEASE:
    PING_PONG %to, %at, %first, %rounds, %base, release, acquire
MEASURED:
    END out
    @!%first ret;
    mov.u32 %row, 0;
    mov.u32 %slot, boards;
STOP_NEXT:
    ld.shared.u64 %to, [%slot];
    add.u64 %to, %to, STOP;
    st.relaxed.sys.global.u32 [%to], %epoch;
    add.u32 %slot, %slot, 8;
    add.u32 %row, %row, 1;
    setp.lt.u32 %more, %row, 8;
    @%more bra STOP_NEXT;
    ret;
.endm

.macro KERNEL name
.visible .entry \name(
    .param .u64 t0, .param .u64 t1, .param .u64 t2, .param .u64 t3,
    .param .u64 t4, .param .u64 t5, .param .u64 t6, .param .u64 t7,  // rows of each flow
    .param .u64 b0, .param .u64 b1, .param .u64 b2, .param .u64 b3,
    .param .u64 b4, .param .u64 b5, .param .u64 b6, .param .u64 b7,  // the board of each GPU
    .param .u32 flows, .param .u64 index, .param .u32 rows,          // which row of the target is the i-th
    .param .u32 units, .param .u32 lane_bits,
    .param .u32 members, .param .u32 gpu, .param .u32 epoch,         // members: bit g is set if GPU g has load
    .param .u32 rounds, .param .u32 release, .param .u32 partner, .param .u64 out)
.endm

// Each unit says who wrote it: number of the row, unit, GPU.
KERNEL put
{
    SETUP
    GROUPS
    MEET
NEXT:
    NEXT_ROW DONE
    mov.u32 %unit, %lane;
UNIT:
    mad.wide.u32 %at, %unit, 16, %address;
    st.global.v4.b32 [%at], {%row, %unit, %gpu, %units};
    add.u32 %unit, %unit, %step;
    setp.lt.u32 %more, %unit, %units;
    @%more bra UNIT;
    add.u32 %row, %row, %workers;
    bra NEXT;
DONE:
    LAND
    FLAG_BESIDE_LOAD
}

// The sum of all units a thread loaded goes to `sums`, a word a thread.
.visible .entry get(
    .param .u64 t0, .param .u64 t1, .param .u64 t2, .param .u64 t3,
    .param .u64 t4, .param .u64 t5, .param .u64 t6, .param .u64 t7,
    .param .u64 b0, .param .u64 b1, .param .u64 b2, .param .u64 b3,
    .param .u64 b4, .param .u64 b5, .param .u64 b6, .param .u64 b7,
    .param .u32 flows, .param .u64 index, .param .u32 rows,
    .param .u32 units, .param .u32 lane_bits,
    .param .u32 members, .param .u32 gpu, .param .u32 epoch,
    .param .u32 rounds, .param .u32 release, .param .u32 partner, .param .u64 out, .param .u64 sums)
{
    .reg .b32 %a<4>, %sum, %threads;
    SETUP
    GROUPS
    mov.u32 %sum, 0;
    MEET
NEXT:
    NEXT_ROW DONE
    mov.u32 %unit, %lane;
UNIT:
    mad.wide.u32 %at, %unit, 16, %address;
    ld.relaxed.sys.global.v4.u32 {%a0, %a1, %a2, %a3}, [%at];
    xor.b32 %a0, %a0, %a1;
    xor.b32 %a2, %a2, %a3;
    add.u32 %sum, %sum, %a0;
    add.u32 %sum, %sum, %a2;
    add.u32 %unit, %unit, %step;
    setp.lt.u32 %more, %unit, %units;
    @%more bra UNIT;
    add.u32 %row, %row, %workers;
    bra NEXT;
DONE:
    ld.param.u64 %at, [sums];
    mov.u32 %threads, %ntid.x;
    mad.lo.u32 %slot, %block, %threads, %thread;
    mad.wide.u32 %at, %slot, 4, %at;
    st.global.u32 [%at], %sum;
    bar.sync 0;
    END out
    ret;
    FLAG_BESIDE_LOAD
}

// The first lane of every warp copies rows of at most 7168 bytes from shared memory; all rows are alike.
KERNEL bulk
{
    .shared .align 128 .b8 tile[7168];
    .reg .b32 %tile;
    SETUP
    mov.u32 %bits, 5;
    GROUPS
    mov.u32 %tile, tile;
    mov.u32 %unit, %thread;
FILL:
    mad.lo.u32 %slot, %unit, 16, %tile;
    setp.lt.u32 %more, %unit, 448;
    @%more st.shared.v4.b32 [%slot], {%unit, %gpu, %units, %flows};
    add.u32 %unit, %unit, 1024;
    @%more bra FILL;
    fence.proxy.async.shared::cta;
    MEET
    setp.ne.u32 %idle, %lane, 0;
    @%idle bra DONE;
NEXT:
    NEXT_ROW COPIED
    cp.async.bulk.global.shared::cta.bulk_group [%address], [%tile], %bytes;
    cp.async.bulk.commit_group;
    cp.async.bulk.wait_group.read 4;
    add.u32 %row, %row, %workers;
    bra NEXT;
COPIED:
    cp.async.bulk.wait_group 0;
DONE:
    LAND
    FLAG_BESIDE_LOAD
}
