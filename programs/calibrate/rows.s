// Rows between a packed range and random rows of another, as an exchange of experts moves them: a warp a row. See README.md.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

// Row r of `packed` to or from row hash(r) of `rows`; with `gather` from there. Rows of at least 512 bytes.
.visible .entry rows(
    .param .u64 rows, .param .u64 packed, .param .u32 row_bytes, .param .u32 count, .param .u32 row_mask,
    .param .u32 salt, .param .u32 gather, .param .u64 out)
{
    .reg .b32 %r, %bytes, %count, %mask, %salt, %x, %i, %units;
    .reg .b64 %rows, %packed, %from, %to, %far;
    .reg .pred %gather, %in<4>, %work;
    MEASURE
    PLACES
    ACCESSES 4
    ld.param.u64 %rows, [rows];
    ld.param.u64 %packed, [packed];
    ld.param.u32 %bytes, [row_bytes];
    ld.param.u32 %count, [count];
    ld.param.u32 %mask, [row_mask];
    ld.param.u32 %salt, [salt];
    ld.param.u32 %x, [gather];
    setp.ne.u32 %gather, %x, 0;
    shr.u32 %units, %bytes, 4;
    mad.wide.u32 %rows, %lane, 16, %rows;
    mad.wide.u32 %packed, %lane, 16, %packed;
    mov.u32 %r, %w;
    bar.sync 0;
    BEGIN
ROW:
    setp.lt.u32 %work, %r, %count;
    @!%work bra DONE;
    add.u32 %x, %r, %salt;
    HASH %x, %t
    and.b32 %x, %x, %mask;
    mad.wide.u32 %far, %x, %bytes, %rows;
    mad.wide.u32 %from, %r, %bytes, %packed;
    mov.u64 %to, %far;
    @%gather mov.u64 %to, %from;
    @%gather mov.u64 %from, %far;
    mov.u32 %i, %lane;
UNITS:
    .rept 4, i
    add.u32 %x, %i, 32*\i;
    setp.lt.u32 %in\i, %x, %units;
    @%in\i ld.global.v4.b32 {%a\i, %b\i, %c\i, %d\i}, [%from+512*\i];
    .endr
    .rept 4, i
    @%in\i st.global.v4.b32 [%to+512*\i], {%a\i, %b\i, %c\i, %d\i};
    .endr
    add.u64 %from, %from, 2048;
    add.u64 %to, %to, 2048;
    add.u32 %i, %i, 128;
    setp.lt.u32 %more, %i, %units;
    @%more bra UNITS;
    add.u32 %r, %r, %warps;
    bra ROW;
DONE:
    END_OF_STORES
}
