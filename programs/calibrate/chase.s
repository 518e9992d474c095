// One thread: chains of dependent loads of every kind, fences after stores. See README.md.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

.include "links.inc"

// Begins at line order[0]; the order may lie on another GPU. `steps` is a multiple of 8.
.macro CHASE name, load
.visible .entry chase_\name(
    .param .u64 base, .param .u64 order, .param .u32 stride, .param .u32 warm, .param .u32 steps, .param .u64 out)
{
    .reg .b32 %steps, %stride;
    .reg .b64 %at, %base;
    .reg .pred %more, %never;
    MEASURE
    ld.param.u64 %base, [base];
    ld.param.u64 %at, [order];
    ld.param.u32 %stride, [stride];
    ld.global.u32 %steps, [%at];
    mad.wide.u32 %at, %steps, %stride, %base;
    ld.param.u32 %steps, [warm];
    setp.eq.u32 %more, %steps, 0;
    @%more bra TIMED;
WARM:
    \load.u64 %at, [%at];
    sub.u32 %steps, %steps, 1;
    setp.ne.u32 %more, %steps, 0;
    @%more bra WARM;
TIMED:
    ld.param.u32 %steps, [steps];
    setp.eq.u64 %never, %at, 1;
    ld.param.u64 %out, [out];
    @%never st.global.u64 [%out], %at;
    BEGIN
STEP:
    .rept 8
    \load.u64 %at, [%at];
    .endr
    sub.u32 %steps, %steps, 8;
    setp.ne.u32 %more, %steps, 0;
    @%more bra STEP;
    setp.eq.u64 %never, %at, 1;
    @%never st.global.u64 [%out], %at;
    END out
    ret;
}
.endm

CHASE ca, ld.global.ca
CHASE cg, ld.global.cg
CHASE relaxed_gpu, ld.relaxed.gpu.global
CHASE acquire_gpu, ld.acquire.gpu.global
CHASE relaxed_sys, ld.relaxed.sys.global
CHASE acquire_sys, ld.acquire.sys.global
CHASE volatile, ld.volatile.global
CHASE nc, ld.global.nc

// `rounds` fences, each after `stores` stores of a warp to its own lines; the difference of the clocks is their sum.
.macro FENCES name, fence
.visible .entry fence_\name(.param .u64 base, .param .u32 stores, .param .u32 rounds, .param .u64 out)
{
    .reg .b32 %stores, %rounds, %left;
    .reg .b64 %at, %total, %from, %to;
    .reg .pred %more;
    MEASURE
    ld.param.u64 %at, [base];
    mad.wide.u32 %at, %thread, 4, %at;
    ld.param.u32 %stores, [stores];
    ld.param.u32 %rounds, [rounds];
    mov.u64 %total, 0;
    BEGIN
ROUND:
    mov.u32 %left, %stores;
    setp.eq.u32 %more, %left, 0;
    @%more bra FENCE;
STORE:
    st.volatile.global.u32 [%at], %left;
    add.u64 %at, %at, 4096;
    sub.u32 %left, %left, 1;
    setp.ne.u32 %more, %left, 0;
    @%more bra STORE;
FENCE:
    mov.u64 %from, %clock64;
    \fence;
    mov.u64 %to, %clock64;
    sub.u64 %to, %to, %from;
    add.u64 %total, %total, %to;
    sub.u32 %rounds, %rounds, 1;
    setp.ne.u32 %more, %rounds, 0;
    @%more bra ROUND;
    END out
    add.u64 %cycle1, %cycle0, %total;
    @%leader st.global.u64 [%out+8], %cycle1;
    ret;
}
.endm

FENCES acq_rel_sys, fence.acq_rel.sys
FENCES acq_rel_gpu, fence.acq_rel.gpu
FENCES sc_sys, fence.sc.sys
FENCES cta, membar.cta
FENCES gl, membar.gl
FENCES sys, membar.sys
FENCES proxy, fence.proxy.async
