// Atomics of all lanes or one: on one word, on words of a line, on random words of a range; and chains of dependent ones. See README.md.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

.macro DO_red_add_u32 at, old
    red.global.add.u32 [\at], 1;
.endm
.macro DO_atom_add_u32 at, old
    atom.global.add.u32 \old, [\at], 1;
.endm
.macro DO_red_add_f32 at, old
    red.global.add.f32 [\at], 0f3F800000;
.endm
.macro DO_atom_cas_b32 at, old
    atom.global.cas.b32 \old, [\at], 1, 1;
.endm
.macro DO_red_add_u64 at, old
    red.global.add.u64 [\at], 1;
.endm
.macro DO_atom_exch_b32 at, old
    atom.global.exch.b32 \old, [\at], 1;
.endm
.macro DO_red_add_v4_f32 at, old
    red.global.add.v4.f32 [\at], {%one, %one, %one, %one};
.endm
.macro DO_red_add_f16x2 at, old
    red.global.add.noftz.f16x2 [\at], %ones;
.endm

// Word i of lane l lies at (i * step + l * lane_step) & mask, with i the number of the warp's operation; or, if `scatter` is
// set, at a random word of that range. Lanes from `lanes` on do nothing.
.macro ATOMICS name
.visible .entry many_\name(
    .param .u64 base, .param .u32 mask, .param .u32 step, .param .u32 lane_step, .param .u32 scatter, .param .u32 lanes,
    .param .u32 rounds, .param .u64 out)
{
    .reg .b32 %rounds, %mask, %step, %lane_step, %operation, %x, %old<4>, %lanes;
    .reg .b64 %base, %at;
    .reg .f32 %one;
    .reg .b32 %ones;
    .reg .pred %idle, %scatter;
    MEASURE
    PLACES
    ACCESSES 1
    mov.f32 %one, 0f3F800000;
    mov.u32 %ones, 0x3C003C00;
    .rept 4, i
    mov.u32 %old\i, 0;
    .endr
    ld.param.u64 %base, [base];
    ld.param.u32 %mask, [mask];
    ld.param.u32 %step, [step];
    ld.param.u32 %lane_step, [lane_step];
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %x, [scatter];
    setp.ne.u32 %scatter, %x, 0;
    ld.param.u32 %lanes, [lanes];
    setp.ge.u32 %idle, %lane, %lanes;
    mov.u32 %operation, %w;
    bar.sync 0;
    BEGIN
    @%idle bra DONE;
ROUND:
    .rept 4, i
    mad.lo.u32 %x, %operation, 32, %lane;
    HASH %x, %t
    mul.lo.u32 %x, %x, %lane_step;
    mul.lo.u32 %t, %operation, %step;
    mad.lo.u32 %t, %lane, %lane_step, %t;
    selp.b32 %x, %x, %t, %scatter;
    and.b32 %x, %x, %mask;
    cvt.u64.u32 %at, %x;
    add.u64 %at, %base, %at;
    DO_\name %at, %old\i
    add.u32 %operation, %operation, %warps;
    .endr
    .rept 4, i
    add.u32 %sum, %sum, %old\i;
    .endr
    sub.u32 %rounds, %rounds, 1;
    setp.ne.u32 %more, %rounds, 0;
    @%more bra ROUND;
DONE:
    setp.eq.u32 %never, %sum, 0x12345679;
    ld.param.u64 %out, [out];
    @%never st.global.u32 [%out], %sum;
    END_OF_STORES
}
.endm

ATOMICS red_add_u32
ATOMICS atom_add_u32
ATOMICS red_add_f32
ATOMICS atom_cas_b32
ATOMICS red_add_u64
ATOMICS atom_exch_b32
ATOMICS red_add_v4_f32
ATOMICS red_add_f16x2

// One thread; memory holds 0, which is added to the next address. Clocks start after `warm` operations.
.macro CHAIN name, instruction, operands=2
.visible .entry chain_\name(.param .u64 base, .param .u32 warm, .param .u32 steps, .param .u64 out)
{
    .reg .b32 %steps, %old, %zero;
    .reg .b64 %at, %wide;
    .reg .pred %more, %never;
    MEASURE
    ld.param.u64 %at, [base];
    ld.param.u32 %steps, [warm];
    ld.volatile.global.u32 %zero, [%at];  // a constant 0 would make loads of them
    .rept 2, i
STEP\i:
    .if \operands == 2
    \instruction %old, [%at], %zero;
    .else
    \instruction %old, [%at], %zero, %zero;
    .endif
    cvt.u64.u32 %wide, %old;
    add.u64 %at, %at, %wide;
    sub.u32 %steps, %steps, 1;
    setp.ne.u32 %more, %steps, 0;
    @%more bra STEP\i;
    .if \i == 0
    ld.param.u32 %steps, [steps];
    setp.eq.u64 %never, %at, 1;
    ld.param.u64 %out, [out];
    @%never st.global.u64 [%out], %at;
    BEGIN
    .endif
    .endr
    setp.eq.u64 %never, %at, 1;
    ld.param.u64 %out, [out];
    @%never st.global.u64 [%out], %at;
    END out
    ret;
}
.endm

CHAIN add_u32, atom.global.add.u32
CHAIN cas_b32, atom.global.cas.b32, 3
CHAIN sys_add_u32, atom.sys.global.add.u32
CHAIN acq_rel_sys_add_u32, atom.acq_rel.sys.global.add.u32
CHAIN acq_rel_gpu_add_u32, atom.acq_rel.gpu.global.add.u32
CHAIN add_f32, atom.global.add.f32
