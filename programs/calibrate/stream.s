// Streams: all threads read, write or copy one range from its beginning on, several accesses of a thread in flight. See README.md.
//
// Bounds and the pragma keep ptxas from having fewer in flight to save registers, or more by unrolling.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

// Batch i of a thread lies at its place in the i-th part of the grid; `mask` bounds where these parts begin.
.macro STREAM bytes, in_flight
    .reg .b32 %rounds;
    .reg .b64 %base, %mask, %offset, %stride, %step, %at;
    MEASURE
    PLACES
    ACCESSES \in_flight
    ld.param.u64 %base, [base];
    ld.param.u64 %mask, [mask];
    ld.param.u32 %rounds, [first];
    mul.wide.u32 %stride, %threads, \bytes;
    mul.lo.u64 %step, %stride, \in_flight;
    cvt.u64.u32 %offset, %rounds;
    mul.lo.u64 %offset, %offset, %step;
    mad.wide.u32 %base, %t, \bytes, %base;
    ld.param.u32 %rounds, [rounds];
.endm

.macro BATCH
    and.b64 %at, %offset, %mask;
    add.u64 %at, %base, %at;
    add.u64 %offset, %offset, %step;
.endm

.macro AGAIN
    sub.u32 %rounds, %rounds, 1;
    setp.ne.u32 %more, %rounds, 0;
    @%more bra ROUND;
.endm

.macro READ name, bytes, in_flight
.visible .entry \name(.param .u64 base, .param .u64 mask, .param .u32 first, .param .u32 rounds, .param .u64 out)
.maxntid 1024, 1, 1
.minnctapersm 1
{
    STREAM \bytes, \in_flight
    bar.sync 0;
    BEGIN
ROUND:
    .pragma "nounroll";
    BATCH
    .rept \in_flight, i
    LD_\bytes %at, \i
    add.u64 %at, %at, %stride;
    .endr
    .rept \in_flight, i
    FOLD_\bytes \i
    .endr
    AGAIN
    END_OF_LOADS
}
.endm

.macro WRITE name, bytes, in_flight
.visible .entry \name(.param .u64 base, .param .u64 mask, .param .u32 first, .param .u32 rounds, .param .u64 out)
.maxntid 1024, 1, 1
.minnctapersm 1
{
    STREAM \bytes, \in_flight
    VALUES \in_flight
    bar.sync 0;
    BEGIN
ROUND:
    .pragma "nounroll";
    BATCH
    .rept \in_flight, i
    ST_\bytes %at, \i
    add.u64 %at, %at, %stride;
    .endr
    AGAIN
    END_OF_STORES
}
.endm

READ read_1, 1, 8
READ read_2, 2, 8
READ read_4, 4, 8
READ read_8, 8, 8
READ read_16, 16, 8
READ read_16_by_1, 16, 1
READ read_16_by_2, 16, 2
READ read_16_by_4, 16, 4
WRITE write_1, 1, 8
WRITE write_2, 2, 8
WRITE write_4, 4, 8
WRITE write_8, 8, 8
WRITE write_16, 16, 8
WRITE write_16_by_1, 16, 1
WRITE write_16_by_2, 16, 2
WRITE write_16_by_4, 16, 4

// From `base` to `to`.
.visible .entry copy(
    .param .u64 base, .param .u64 mask, .param .u32 first, .param .u32 rounds, .param .u64 to, .param .u64 out)
{
    .reg .b64 %to, %put;
    STREAM 16, 4
    ld.param.u64 %to, [to];
    mad.wide.u32 %to, %t, 16, %to;
    bar.sync 0;
    BEGIN
ROUND:
    and.b64 %put, %offset, %mask;
    add.u64 %put, %to, %put;
    BATCH
    .rept 4, i
    LD_16 %at, \i
    add.u64 %at, %at, %stride;
    .endr
    .rept 4, i
    ST_16 %put, \i
    add.u64 %put, %put, %stride;
    .endr
    AGAIN
    END_OF_STORES
}
