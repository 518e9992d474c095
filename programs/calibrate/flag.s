// Ping-pong of a flag between two GPUs, alone, behind a payload, or in every word of it. See README.md.
//
// `me` 0 sends first. Flags hold numbers of rounds, which go on from launch to launch by `epoch`. Half of a round trip is the
// time one way. Clocks start after four rounds.
.version 9.0
.target sm_90a
.address_size 64

.include "access.inc"

.macro SIGNAL_relaxed at
    st.relaxed.sys.global.u32 [\at], %value;
.endm
.macro SIGNAL_release at
    st.release.sys.global.u32 [\at], %value;
.endm
.macro SIGNAL_volatile at
    st.volatile.global.u32 [\at], %value;
.endm
.macro SIGNAL_red at
    red.release.sys.global.add.u32 [\at], 1;
.endm
.macro SIGNAL_exch at
    atom.release.sys.global.exch.b32 %word, [\at], %value;
.endm

// One thread signals, all threads of the block send and read the payload of `bytes`: 16 bytes a thread and step.
.macro PING name, signal, poll
.visible .entry ping_\name(
    .param .u64 to, .param .u64 at, .param .u64 to_payload, .param .u64 payload, .param .u32 bytes,
    .param .u32 me, .param .u32 rounds, .param .u32 epoch, .param .u64 out)
{
    .reg .b32 %bytes, %round, %rounds, %value, %base, %byte, %all, %half, %me;
    .reg .b64 %to, %at, %put, %get, %p;
    .reg .pred %any, %play, %send;
    MEASURE
    ACCESSES 1
    VALUES 1
    ld.param.u64 %to, [to];
    ld.param.u64 %at, [at];
    ld.param.u64 %put, [to_payload];
    ld.param.u64 %get, [payload];
    ld.param.u32 %bytes, [bytes];
    ld.param.u32 %me, [me];
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %base, [epoch];
    sub.u32 %base, %base, 1;
    mul.lo.u32 %base, %base, %rounds;
    mov.u32 %all, %ntid.x;
    shl.b32 %all, %all, 4;
    setp.ne.u32 %any, %bytes, 0;
    mov.u32 %round, 0;
ROUND:
    add.u32 %round, %round, 1;
    add.u32 %value, %base, %round;
    setp.ne.u32 %play, %round, 5;
    @%play bra PLAY;
    BEGIN
PLAY:
    mov.u32 %half, 0;
HALF:
    setp.eq.u32 %send, %half, %me;
    @!%send bra RECEIVE;
    shl.b32 %byte, %thread, 4;
PUT:
    setp.lt.u32 %more, %byte, %bytes;
    @!%more bra PUT_ALL;
    cvt.u64.u32 %p, %byte;
    add.u64 %p, %put, %p;
    st.global.v4.b32 [%p], {%value, %value, %value, %value};
    add.u32 %byte, %byte, %all;
    bra PUT;
PUT_ALL:
    @!%any bra SIGNAL;
    bar.sync 0;
SIGNAL:
    @!%leader bra SENT;
    SIGNAL_\signal %to
SENT:
    bra PLAYED;
RECEIVE:
    @!%leader bra WAITED;
    AWAIT %at, %value, \poll
WAITED:
    @!%any bra PLAYED;
    bar.sync 0;
    shl.b32 %byte, %thread, 4;
GET:
    setp.lt.u32 %more, %byte, %bytes;
    @!%more bra GOT;
    cvt.u64.u32 %p, %byte;
    add.u64 %p, %get, %p;
    ld.relaxed.sys.global.v4.b32 {%a0, %b0, %c0, %d0}, [%p];
    xor.b32 %sum, %sum, %a0;
    add.u32 %byte, %byte, %all;
    bra GET;
GOT:
    bar.sync 0;
PLAYED:
    add.u32 %half, %half, 1;
    setp.lt.u32 %more, %half, 2;
    @%more bra HALF;
    setp.lt.u32 %more, %round, %rounds;
    @%more bra ROUND;
    END_OF_LOADS
}
.endm

PING relaxed, relaxed, relaxed
PING release, release, acquire
PING volatile, volatile, relaxed
PING red, red, acquire
PING exch, exch, acquire

// Words of 4 bytes of data and a 4-byte flag; the receiver polls them all.
.visible .entry ping_words(
    .param .u64 to, .param .u64 at, .param .u32 words, .param .u32 me, .param .u32 rounds, .param .u32 epoch, .param .u64 out)
{
    .reg .b32 %words, %round, %rounds, %value, %base, %i, %all, %half, %me, %data;
    .reg .b64 %to, %at, %p;
    .reg .pred %play, %send, %more;
    MEASURE
    ld.param.u64 %to, [to];
    ld.param.u64 %at, [at];
    ld.param.u32 %words, [words];
    ld.param.u32 %me, [me];
    ld.param.u32 %rounds, [rounds];
    ld.param.u32 %base, [epoch];
    sub.u32 %base, %base, 1;
    mul.lo.u32 %base, %base, %rounds;
    mov.u32 %all, %ntid.x;
    mov.u32 %round, 0;
ROUND:
    add.u32 %round, %round, 1;
    add.u32 %value, %base, %round;
    setp.ne.u32 %play, %round, 5;
    @%play bra PLAY;
    BEGIN
PLAY:
    mov.u32 %half, 0;
HALF:
    setp.eq.u32 %send, %half, %me;
    mov.u32 %i, %thread;
    @!%send bra GET;
PUT:
    setp.lt.u32 %more, %i, %words;
    @!%more bra PLAYED;
    mad.wide.u32 %p, %i, 8, %to;
    st.volatile.global.v2.b32 [%p], {%i, %value};
    add.u32 %i, %i, %all;
    bra PUT;
GET:
    setp.lt.u32 %more, %i, %words;
    @!%more bra GOT;
    mad.wide.u32 %p, %i, 8, %at;
    mov.u64 %since, %clock64;
POLL:
    ld.volatile.global.v2.b32 {%data, %word}, [%p];
    sub.s32 %behind, %word, %value;
    setp.ge.s32 %wrong, %behind, 0;
    @%wrong bra POLLED;
    mov.u64 %cycle1, %clock64;
    sub.u64 %cycle1, %cycle1, %since;
    setp.lt.u64 %late, %cycle1, PATIENCE;
    @%late bra POLL;
POLLED:
    add.u32 %i, %i, %all;
    bra GET;
GOT:
    bar.sync 0;
PLAYED:
    add.u32 %half, %half, 1;
    setp.lt.u32 %more, %half, 2;
    @%more bra HALF;
    setp.lt.u32 %more, %round, %rounds;
    @%more bra ROUND;
    END out
    ret;
}
