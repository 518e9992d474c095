// Latencies between GPUs: a chain of peer loads, ping-pong of a flag, a barrier of all GPUs. See README.md.
.version 9.0
.target sm_90a
.address_size 64

.include "common.inc"

// A chain of loads in the memory of another GPU: word p holds the number of the next word.
.visible .entry chase(.param .u64 next, .param .u64 result, .param .u32 start, .param .u32 steps, .param .u64 out)
{
    .reg .pred %more;
    .reg .b32 %at, %left;
    .reg .b64 %next, %address, %result;
    MEASURE
    ld.param.u64 %next, [next];
    ld.param.u64 %result, [result];
    ld.param.u32 %at, [start];
    ld.param.u32 %left, [steps];
    BEGIN
STEP:
    mad.wide.u32 %address, %at, 4, %next;
    ld.relaxed.sys.global.u32 %at, [%address];
    sub.u32 %left, %left, 1;
    setp.ne.u32 %more, %left, 0;
    @%more bra STEP;
    st.global.u32 [%result], %at;
    END out
    ret;
}

// Half of a round trip is the time of a flag one way.
.visible .entry ping_relaxed(.param .u64 to, .param .u64 at, .param .u32 first, .param .u32 rounds, .param .u32 epoch, .param .u64 out)
{
    .reg .pred %first;
    .reg .b32 %rounds, %base;
    .reg .b64 %to, %at;
    MEASURE
    ld.param.u64 %to, [to];
    ld.param.u64 %at, [at];
    ld.param.u32 %base, [first];
    setp.ne.u32 %first, %base, 0;
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %base, [epoch];
    sub.u32 %base, %base, 1;
    mul.lo.u32 %base, %base, %rounds;
    PING_PONG %to, %at, %first, %rounds, %base, relaxed, relaxed
    END out
    ret;
}

.visible .entry ping_release(.param .u64 to, .param .u64 at, .param .u32 first, .param .u32 rounds, .param .u32 epoch, .param .u64 out)
{
    .reg .pred %first;
    .reg .b32 %rounds, %base;
    .reg .b64 %to, %at;
    MEASURE
    ld.param.u64 %to, [to];
    ld.param.u64 %at, [at];
    ld.param.u32 %base, [first];
    setp.ne.u32 %first, %base, 0;
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %base, [epoch];
    sub.u32 %base, %base, 1;
    mul.lo.u32 %base, %base, %rounds;
    PING_PONG %to, %at, %first, %rounds, %base, release, acquire
    END out
    ret;
}

// Barriers of all GPUs: thread i tells GPU i and waits for it. Clocks start after the first four.
.visible .entry barriers(
    .param .u64 b0, .param .u64 b1, .param .u64 b2, .param .u64 b3,
    .param .u64 b4, .param .u64 b5, .param .u64 b6, .param .u64 b7,  // boards, of which the first `gpus` count
    .param .u32 gpus, .param .u32 gpu, .param .u32 rounds, .param .u32 epoch, .param .u64 out)
{
    .reg .pred %member, %more, %early;
    .reg .b32 %gpus, %gpu, %round, %rounds, %base, %value, %slot;
    .reg .b64 %tell, %hear;
    .shared .align 8 .b8 boards[64];
    MEASURE
    ld.param.u32 %gpus, [gpus];
    ld.param.u32 %gpu, [gpu];
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %base, [epoch];
    TABLE boards, b, 8
    sub.u32 %base, %base, 1;
    mul.lo.u32 %base, %base, %rounds;
    setp.lt.u32 %member, %thread, %gpus;
    mov.u32 %slot, boards;
    mad.lo.u32 %round, %gpu, 8, %slot;
    ld.shared.u64 %hear, [%round];
    mad.wide.u32 %hear, %thread, 4, %hear;
    and.b32 %round, %thread, 7;
    mad.lo.u32 %slot, %round, 8, %slot;
    ld.shared.u64 %tell, [%slot];
    mad.wide.u32 %tell, %gpu, 4, %tell;
    mov.u32 %round, 0;
MEET:
    add.u32 %round, %round, 1;
    add.u32 %value, %base, %round;
    setp.ne.u32 %early, %round, 5;
    @%early bra ENTER;
    BEGIN
ENTER:
    @!%member bra MET;
    st.release.sys.global.u32 [%tell], %value;
    AWAIT %hear, %value, acquire
MET:
    bar.sync 0;
    setp.lt.u32 %more, %round, %rounds;
    @%more bra MEET;
    END out
    ret;
}
