// Segments at random rows: 1 << lane_bits lanes access adjacent words of a row, `pieces` times in a row. See README.md.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

.macro SEGMENTS bytes
    .reg .b32 %rounds, %salt, %rows, %row_bytes, %bits, %pieces, %piece, %index, %each, %x;
    .reg .b64 %base, %at;
    MEASURE
    PLACES
    ACCESSES 1
    VALUES 1
    ld.param.u64 %base, [base];
    ld.param.u32 %rows, [row_mask];
    ld.param.u32 %row_bytes, [row_bytes];
    ld.param.u32 %bits, [lane_bits];
    ld.param.u32 %pieces, [pieces];
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %salt, [salt];
    // a lane's place in its segment, and the number of its first segment
    mov.u32 %x, 1;
    shl.b32 %x, %x, %bits;
    sub.u32 %x, %x, 1;
    and.b32 %x, %lane, %x;
    mad.wide.u32 %base, %x, \bytes, %base;
    ld.param.u32 %x, [shift];
    cvt.u64.u32 %at, %x;
    add.u64 %base, %base, %at;
    sub.u32 %x, 5, %bits;
    shl.b32 %index, %w, %x;
    shl.b32 %each, %warps, %x;
    shr.u32 %x, %lane, %bits;
    add.u32 %index, %index, %x;
    add.u32 %index, %index, %salt;
.endm

.macro NEXT_SEGMENT
    mov.u32 %x, %index;
    HASH %x, %t
    and.b32 %x, %x, %rows;
    mad.wide.u32 %at, %x, %row_bytes, %base;
    add.u32 %index, %index, %each;
.endm

.macro SEGMENT_KERNEL name
.visible .entry \name(
    .param .u64 base, .param .u32 row_mask, .param .u32 row_bytes, .param .u32 lane_bits, .param .u32 pieces,
    .param .u32 rounds, .param .u32 salt, .param .u32 shift, .param .u64 out)
.endm

// Four segments at a time, so that loads are in flight together.
.macro SEGMENT_LOOP how, bytes
    bar.sync 0;
    BEGIN
ROUND:
    .rept 4, i
    NEXT_SEGMENT
    mov.u32 %piece, %pieces;
PIECE\i:
    \how\()_\bytes %at, 0
    add.u64 %at, %at, 32*\bytes;
    sub.u32 %piece, %piece, 1;
    setp.ne.u32 %more, %piece, 0;
    @%more bra PIECE\i;
    .endr
    sub.u32 %rounds, %rounds, 1;
    setp.ne.u32 %more, %rounds, 0;
    @%more bra ROUND;
.endm

.macro RED_4 at, i
    red.global.add.u32 [\at], %salt;
.endm

.macro STORES name, how, bytes
SEGMENT_KERNEL \name
{
    SEGMENTS \bytes
    SEGMENT_LOOP \how, \bytes
    END_OF_STORES
}
.endm

STORES seg_store_4, ST, 4
STORES seg_store_8, ST, 8
STORES seg_store_16, ST, 16
STORES seg_red_4, RED, 4

// Four rows in flight, or two pieces of a longer row.
.macro LOADS name, bytes
SEGMENT_KERNEL \name
{
    .reg .b64 %p<4>;
    .reg .pred %long;
    .reg .b32 %e<4>, %f<4>, %g<4>, %h<4>;
    SEGMENTS \bytes
    setp.gt.u32 %long, %pieces, 1;
    bar.sync 0;
    BEGIN
ROUND:
    @%long bra LONG;
    .rept 4, i
    NEXT_SEGMENT
    mov.u64 %p\i, %at;
    .endr
    PAIR_\bytes %p0, %p1, %e, %f
    PAIR_\bytes %p2, %p3, %g, %h
    SUM_\bytes %e, %f
    SUM_\bytes %g, %h
    bra NEXT;
LONG:
    NEXT_SEGMENT
    mov.u32 %piece, %pieces;
PIECES:
    add.u64 %p1, %at, 32*\bytes;
    PAIR_\bytes %at, %p1, %e, %f
    SUM_\bytes %e, %f
    add.u64 %at, %at, 64*\bytes;
    sub.u32 %piece, %piece, 2;
    setp.ne.u32 %more, %piece, 0;
    @%more bra PIECES;
NEXT:
    sub.u32 %rounds, %rounds, 1;
    setp.ne.u32 %more, %rounds, 0;
    @%more bra ROUND;
    END_OF_LOADS
}
.endm

.macro PAIR_4 p, q, e, f
    ld.global.cg.b32 \e\()0, [\p];
    ld.global.cg.b32 \f\()0, [\q];
.endm
.macro PAIR_16 p, q, e, f
    ld.global.cg.v4.b32 {\e\()0, \e\()1, \e\()2, \e\()3}, [\p];
    ld.global.cg.v4.b32 {\f\()0, \f\()1, \f\()2, \f\()3}, [\q];
.endm
.macro SUM_4 e, f
    lop3.b32 %sum, %sum, \e\()0, \f\()0, 0x96;
.endm
.macro SUM_16 e, f
    .rept 4, i
    lop3.b32 %sum, %sum, \e\i, \f\i, 0x96;
    .endr
.endm

LOADS seg_load_4, 4
LOADS seg_load_16, 16
