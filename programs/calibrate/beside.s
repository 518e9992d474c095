// A chain of loads of one thread beside streams of other blocks, on the same GPU or another. See README.md.
//
// A grid whose `chases` is 1 has the chain in block 0; all other blocks stream until the word `stop` of their GPU is the number
// of the launch. The chain begins when the word `ready` says that all `streams` blocks run.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"
.include "links.inc"

.macro BESIDE name, how
.visible .entry beside_\name(
    .param .u64 chain, .param .u64 order, .param .u32 stride, .param .u32 warm, .param .u32 steps,
    .param .u64 base, .param .u64 mask, .param .u64 stop, .param .u64 stop_there, .param .u64 ready, .param .u32 streams,
    .param .u32 chases, .param .u32 epoch, .param .u64 out)
{
    .reg .b32 %steps, %stride, %epoch, %streams, %x, %batch;
    .reg .b64 %chain, %base, %mask, %offset, %step, %stop, %p, %each;
    .reg .pred %chases, %end;
    MEASURE
    PLACES
    ACCESSES 4
    VALUES 4
    ld.param.u32 %epoch, [epoch];
    ld.param.u32 %streams, [streams];
    ld.param.u64 %stop, [stop];
    ld.param.u32 %x, [chases];
    setp.eq.u32 %end, %block, 0;
    setp.ne.and.u32 %chases, %x, 0, %end;
    @%chases bra CHASE;
    ld.param.u64 %p, [ready];
    bar.sync 0;
    @%leader red.relaxed.sys.global.add.u32 [%p], 1;
    ld.param.u64 %base, [base];
    ld.param.u64 %mask, [mask];
    mul.wide.u32 %each, %threads, 16;
    shl.b64 %step, %each, 2;
    mad.wide.u32 %base, %t, 16, %base;
    mov.u64 %offset, 0;
    mov.u32 %batch, 0;
    BEGIN
ROUND:
    and.b32 %x, %batch, 7;
    setp.ne.u32 %more, %x, 0;
    @%more bra STREAM;
    ld.relaxed.sys.global.u32 %word, [%stop];
    setp.eq.u32 %end, %word, %epoch;
    mov.u64 %cycle1, %clock64;
    sub.u64 %cycle1, %cycle1, %cycle0;
    setp.gt.or.u64 %end, %cycle1, PATIENCE, %end;
    @%end bra STOPPED;
STREAM:
    and.b64 %p, %offset, %mask;
    add.u64 %p, %base, %p;
    .rept 4, i
    \how\()_16 %p, \i
    add.u64 %p, %p, %each;
    .endr
    .if "\how" == "LD"
    .rept 4, i
    FOLD_16 \i
    .endr
    .endif
    add.u64 %offset, %offset, %step;
    add.u32 %batch, %batch, 1;
    bra ROUND;
STOPPED:
    setp.eq.u32 %never, %sum, 0x12345679;
    ld.param.u64 %out, [out];
    @%never st.global.u32 [%out], %sum;
    END out
    ret;
CHASE:
    @!%leader ret;
    ld.param.u64 %chain, [order];
    ld.param.u32 %stride, [stride];
    ld.global.u32 %x, [%chain];
    ld.param.u64 %p, [chain];
    mad.wide.u32 %chain, %x, %stride, %p;
    ld.param.u64 %p, [ready];
    mul.lo.u32 %streams, %streams, %epoch;
    AWAIT %p, %streams, relaxed
    ld.param.u32 %steps, [warm];
WARM:
    ld.global.cg.u64 %chain, [%chain];
    sub.u32 %steps, %steps, 1;
    setp.ne.u32 %more, %steps, 0;
    @%more bra WARM;
    ld.param.u32 %steps, [steps];
    setp.eq.u64 %never, %chain, 1;
    ld.param.u64 %out, [out];
    @%never st.global.u64 [%out], %chain;
    BEGIN
STEP:
    ld.global.cg.u64 %chain, [%chain];
    sub.u32 %steps, %steps, 1;
    setp.ne.u32 %more, %steps, 0;
    @%more bra STEP;
    setp.eq.u64 %never, %chain, 1;
    @%never st.global.u64 [%out], %chain;
    END out
    ld.param.u64 %p, [stop_there];
    st.relaxed.sys.global.u32 [%p], %epoch;
    ret;
}
.endm

BESIDE store, ST
BESIDE load, LD
