// Issue latency and throughput of instructions: chains of dependent operations, timed by the clock of the SM.
//
//     ./simasm asm --emit-ptx programs/calibrate/issue.s -o -        # plain PTX, which runs on a GPU as it is
//
// lat_OP: each thread does 128 dependent operations `rounds` times; thr_OP: 4 independent chains of 32. `out` gets the
// cycles before and after of each warp: [2 * warp], [2 * warp + 1]. Operations are those of the H200 measurements.
.version 9.0
.target sm_90a
.address_size 64

.macro OP_add_s32_fib d, b, c
    add.s32 \d, \d, \b;
    add.s32 \b, \b, \d;
.endm

.macro OP_add_xor_s32 d, b, c
    add.s32 \d, \d, \b;
    xor.b32 \d, \d, \c;
.endm

.macro OP_lop3_b32 d, b, c
    lop3.b32 \d, \d, \b, \c, 0x96;
.endm

.macro OP_mul_lo_s32 d, b, c
    mul.lo.s32 \d, \d, \b;
.endm

.macro OP_mad_lo_s32 d, b, c
    mad.lo.s32 \d, \d, \b, \c;
.endm

.macro OP_mul_hi_u32 d, b, c
    mul.hi.u32 \d, \d, \b;
.endm

.macro OP_mul_wide_u32 d, b, c
    mul.wide.u32 %wide, \d, \b;
    mov.b64 {\d, %high}, %wide;
    xor.b32 \d, \d, %high;
.endm

.macro OP_shl_b32 d, b, c
    shl.b32 \d, \b, \d;
.endm

.macro OP_shf_l_wrap d, b, c
    shf.l.wrap.b32 \d, \d, \b, \c;
.endm

.macro OP_min_s32 d, b, c
    min.s32 \d, \d, \b;
    xor.b32 \d, \d, \c;
.endm

.macro OP_bfe_u32 d, b, c
    bfe.u32 \d, \d, 3, 17;
    add.u32 \d, \d, \b;
.endm

.macro OP_bfi_b32 d, b, c
    bfi.b32 \d, \d, \b, 4, 9;
.endm

.macro OP_prmt_b32 d, b, c
    prmt.b32 \d, \d, \b, 0x2135;
.endm

.macro OP_popc_b32 d, b, c
    popc.b32 \d, \d;
.endm

.macro OP_clz_b32 d, b, c
    clz.b32 \d, \d;
.endm

.macro OP_brev_b32 d, b, c
    brev.b32 \d, \d;
    add.u32 \d, \d, \b;
.endm

.macro OP_dp4a d, b, c
    dp4a.u32.u32 \d, \d, \b, \c;
.endm

.macro OP_setp_selp d, b, c
    setp.lt.s32 %p, \d, \b;
    selp.b32 \d, \c, \b, %p;
.endm

.macro OP_setp_pred_add d, b, c
    setp.lt.s32 %p, \d, \b;
    @%p xor.b32 \d, \d, \c;
.endm

.macro OP_div_u32 d, b, c
    div.u32 \d, \b, \d;
.endm

.macro OP_div_s32 d, b, c
    div.s32 \d, \b, \d;
.endm

.macro OP_rem_u32 d, b, c
    rem.u32 \d, \b, \d;
.endm

.macro OP_add_s64_fib d, b, c
    add.s64 \d, \d, \b;
    add.s64 \b, \b, \d;
.endm

.macro OP_mul_lo_s64 d, b, c
    mul.lo.s64 \d, \d, \b;
.endm

.macro OP_add_f32 d, b, c
    add.rn.f32 \d, \d, \b;
.endm

.macro OP_mul_f32 d, b, c
    mul.rn.f32 \d, \d, \b;
.endm

.macro OP_fma_f32 d, b, c
    fma.rn.f32 \d, \d, \b, \c;
.endm

.macro OP_setp_selp_f32 d, b, c
    setp.lt.f32 %p, \d, \b;
    selp.f32 \d, \c, \b, %p;
.endm

.macro OP_ex2_ftz d, b, c
    ex2.approx.ftz.f32 \d, \d;
.endm

.macro OP_lg2_ftz d, b, c
    lg2.approx.ftz.f32 \d, \d;
.endm

.macro OP_lg2 d, b, c
    lg2.approx.f32 \d, \d;
.endm

.macro OP_rcp_ftz_add d, b, c
    rcp.approx.ftz.f32 \d, \d;
    add.rn.f32 \d, \d, \b;
.endm

.macro OP_rcp_add d, b, c
    rcp.approx.f32 \d, \d;
    add.rn.f32 \d, \d, \b;
.endm

.macro OP_rsqrt d, b, c
    rsqrt.approx.f32 \d, \d;
.endm

.macro OP_sqrt_approx d, b, c
    sqrt.approx.f32 \d, \d;
.endm

.macro OP_sin_ftz d, b, c
    sin.approx.ftz.f32 \d, \d;
.endm

.macro OP_tanh_approx d, b, c
    tanh.approx.f32 \d, \d;
.endm

.macro OP_rcp_rn d, b, c
    rcp.rn.f32 \d, \d;
.endm

.macro OP_div_approx d, b, c
    div.approx.f32 \d, \b, \d;
.endm

.macro OP_div_full d, b, c
    div.full.f32 \d, \b, \d;
.endm

.macro OP_div_rn d, b, c
    div.rn.f32 \d, \b, \d;
.endm

.macro OP_sqrt_rn d, b, c
    sqrt.rn.f32 \d, \d;
.endm

.macro OP_add_f64 d, b, c
    add.rn.f64 \d, \d, \b;
.endm

.macro OP_fma_f64 d, b, c
    fma.rn.f64 \d, \d, \b, \c;
.endm

.macro OP_div_f64 d, b, c
    div.rn.f64 \d, \b, \d;
.endm

.macro OP_sqrt_f64 d, b, c
    sqrt.rn.f64 \d, \d;
.endm

.macro OP_fma_f16x2 d, b, c
    fma.rn.f16x2 \d, \d, \b, \c;
.endm

.macro OP_ex2_f16x2 d, b, c
    ex2.approx.f16x2 \d, \d;
.endm

.macro OP_cvt_s32f32_pair d, b, c
    cvt.rzi.s32.f32 %high, \d;
    cvt.rn.f32.s32 \d, %high;
.endm

.macro OP_cvt_rni_f32 d, b, c
    cvt.rni.f32.f32 \d, \d;
    add.rn.f32 \d, \d, \b;
.endm

.macro OP_cvt_f32f64_pair d, b, c
    cvt.rn.f32.f64 %single, \d;
    cvt.f64.f32 \d, %single;
.endm

.macro OP_cvt_f16x2_f32 d, b, c
    cvt.rn.f16x2.f32 %high, \d, \b;
    mov.b32 \d, %high;
.endm

.macro OP_shfl_bfly d, b, c
    shfl.sync.bfly.b32 \d, \d, 1, 31, -1;
.endm

.macro OP_shfl_idx_reg d, b, c
    shfl.sync.idx.b32 \d, \d, \d, 31, -1;
.endm

.macro OP_vote_ballot d, b, c
    setp.lt.u32 %p, \d, \b;
    vote.sync.ballot.b32 \d, %p, -1;
.endm

.macro OP_match_any d, b, c
    match.any.sync.b32 \d, \d, -1;
.endm

.macro OP_redux_add d, b, c
    redux.sync.add.s32 \d, \d, -1;
.endm

.macro BEGIN type
    .reg .\type %x<4>, %y<4>, %z;
    .reg .b64 %out, %from, %to, %wide;
    .reg .b32 %n, %high, %thread, %warp;
    .reg .f32 %single;
    .reg .pred %p, %more;
    ld.param.u64 %out, [out];
    ld.param.u32 %n, [rounds];
    mov.u32 %thread, %tid.x;
    .rept 4, i
    ld.global.\type %x\i, [%out+8*\i];
    ld.global.\type %y\i, [%out+32+8*\i];
    .endr
    ld.global.\type %z, [%out+64];
    bar.sync 0;
    mov.u64 %from, %clock64;
    bar.warp.sync -1;
.endm

.macro END type
    sub.s32 %n, %n, 1;
    setp.gt.s32 %more, %n, 0;
    @%more bra again;
    bar.warp.sync -1;
    mov.u64 %to, %clock64;
    shr.u32 %warp, %thread, 5;
    mul.wide.u32 %wide, %warp, 16;
    add.s64 %wide, %wide, %out;
    st.global.u64 [%wide+128], %from;
    st.global.u64 [%wide+136], %to;
    .rept 4, i
    st.global.\type [%out+8*\i], %x\i;
    st.global.\type [%out+32+8*\i], %y\i;
    .endr
    ret;
.endm

.macro KERNELS op, type
.visible .entry lat_\op(.param .u64 out, .param .u32 rounds)
{
    BEGIN \type
again:
    .rept 128
    OP_\op %x0, %y0, %z
    .endr
    END \type
}
.visible .entry thr_\op(.param .u64 out, .param .u32 rounds)
{
    BEGIN \type
again:
    .rept 32
    OP_\op %x0, %y0, %z
    OP_\op %x1, %y1, %z
    OP_\op %x2, %y2, %z
    OP_\op %x3, %y3, %z
    .endr
    END \type
}
.endm

KERNELS add_s32_fib, b32
KERNELS add_xor_s32, b32
KERNELS lop3_b32, b32
KERNELS mul_lo_s32, b32
KERNELS mad_lo_s32, b32
KERNELS mul_hi_u32, b32
KERNELS mul_wide_u32, b32
KERNELS shl_b32, b32
KERNELS shf_l_wrap, b32
KERNELS min_s32, b32
KERNELS bfe_u32, b32
KERNELS bfi_b32, b32
KERNELS prmt_b32, b32
KERNELS popc_b32, b32
KERNELS clz_b32, b32
KERNELS brev_b32, b32
KERNELS dp4a, b32
KERNELS setp_selp, b32
KERNELS setp_pred_add, b32
KERNELS div_u32, b32
KERNELS div_s32, b32
KERNELS rem_u32, b32
KERNELS add_s64_fib, b64
KERNELS mul_lo_s64, b64
KERNELS add_f32, f32
KERNELS mul_f32, f32
KERNELS fma_f32, f32
KERNELS setp_selp_f32, f32
KERNELS ex2_ftz, f32
KERNELS lg2_ftz, f32
KERNELS lg2, f32
KERNELS rcp_ftz_add, f32
KERNELS rcp_add, f32
KERNELS rsqrt, f32
KERNELS sqrt_approx, f32
KERNELS sin_ftz, f32
KERNELS tanh_approx, f32
KERNELS rcp_rn, f32
KERNELS div_approx, f32
KERNELS div_full, f32
KERNELS div_rn, f32
KERNELS sqrt_rn, f32
KERNELS add_f64, f64
KERNELS fma_f64, f64
KERNELS div_f64, f64
KERNELS sqrt_f64, f64
KERNELS fma_f16x2, b32
KERNELS ex2_f16x2, b32
KERNELS cvt_s32f32_pair, f32
KERNELS cvt_rni_f32, f32
KERNELS cvt_f32f64_pair, f64
KERNELS cvt_f16x2_f32, f32
KERNELS shfl_bfly, b32
KERNELS shfl_idx_reg, b32
KERNELS vote_ballot, b32
KERNELS match_any, b32
KERNELS redux_add, b32
