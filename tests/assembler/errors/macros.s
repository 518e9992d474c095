.version 9.0
.target sm_90a
.address_size 64
.set TILE, 16
.set HALF, TILE / 2
.set WRONG, TILE + TYLE
.set NOTHING
.macro INNER op, reg
    \op \reg, \reg, 1;
.endm
.macro GEMM type, a, b=%r2, n=2
LOOP_\@:
    add.\type \a, \b, TILE*2
    INNER add.u32, \a
    .rept \n, i
    mov.u32 %r\i, \i;
    .endr
    mul.lo.\typo \a, \a, \b;
    bra LOOP_\@;
.endm
.macro GEMM
.endm
.macro FOREVER
    FOREVER
    FOREVER
.endm
.macro 1x
.endm
.macro PARAMETERS a b
.endm
.visible .entry k()
{
    .reg .u32 %r<TILE>;
    .rept 2
    GEMM2 u32, %r1
    .endr
    INNER add.u32, %r1 %r2
    INNER add.u32, [%r1
    INNER add.u32
    INNER add.u32, %r1, %r2
    INNER mov.u32, reg=
    FOREVER
    .if TILE == 16 && undefined
    .elif 1 / 0
    .endif
    .if 1 +
    .endif
    .if 1
    .else
    .elif 2
    .endif
    .endr
    .rept -1
    .endr
    .rept TILE / 8
    mov.u32 %r1 %r2;
    .endr
    .include "nothing.inc"
    .include "macro.inc"
    .include "../data/bar_red.ptx"
    .include nothing
    INCLUDED %r1
    mov.u32 %r1, \outside;
    .if 1
    ret;
}
