// Tokens to the GPUs of their experts and back, with plain peer stores. See README.md.
//
// `where` says for each row to send which GPU it goes to (top byte) and which row it becomes there. All GPUs run one
// kernel each: they meet, send, and wait until every block of every GPU has sent, so the end is that of the exchange.
.version 9.0
.target sm_90a
.address_size 64

.include "common.inc"

.macro EXCHANGE_KERNEL name
.visible .entry \name(
    .param .u64 r0, .param .u64 r1, .param .u64 r2, .param .u64 r3,
    .param .u64 r4, .param .u64 r5, .param .u64 r6, .param .u64 r7,  // rows received, of each GPU
    .param .u64 b0, .param .u64 b1, .param .u64 b2, .param .u64 b3,
    .param .u64 b4, .param .u64 b5, .param .u64 b6, .param .u64 b7,  // the board of each GPU
    .param .u64 x, .param .u64 where, .param .u32 rows, .param .u32 copies,  // row i is row i / copies of x
    .param .u32 units, .param .u32 gpus, .param .u32 gpu, .param .u32 epoch, .param .u64 out
.endm

// One warp sends a row, 512 bytes at a time.
.macro EXCHANGE
    .reg .pred %here, %more, %none;
    .reg .b32 %gpus, %gpu, %epoch, %rows, %row, %units, %unit, %copies, %blocks, %bytes;
    .reg .b32 %lane, %warp, %warps, %workers, %slot, %base, %a<4>;
    .reg .b64 %own, %to, %at, %x, %where, %source, %address;
    .shared .align 8 .b8 received[64];
    .shared .align 8 .b8 boards[64];
    MEASURE
    TABLE received, r, 8
    TABLE boards, b, 8
    ld.param.u32 %gpus, [gpus];
    ld.param.u32 %gpu, [gpu];
    ld.param.u32 %epoch, [epoch];
    ld.param.u32 %rows, [rows];
    ld.param.u32 %copies, [copies];
    ld.param.u32 %units, [units];
    ld.param.u64 %x, [x];
    ld.param.u64 %where, [where];
    shl.b32 %bytes, %units, 4;
    mov.u32 %blocks, %nctaid.x;
    and.b32 %lane, %thread, 31;
    shr.u32 %warp, %thread, 5;
    mov.u32 %warps, %ntid.x;
    shr.u32 %warps, %warps, 5;
    mad.lo.u32 %row, %block, %warps, %warp;
    mul.lo.u32 %workers, %blocks, %warps;
    mov.u32 %slot, boards;
    mad.lo.u32 %slot, %gpu, 8, %slot;
    ld.shared.u64 %own, [%slot];
    setp.lt.u32 %here, %thread, %gpus;
    @!%here bra MEETING;
    mov.u32 %slot, boards;
    mad.lo.u32 %slot, %thread, 8, %slot;
    ld.shared.u64 %to, [%slot];
    shl.b32 %slot, %block, 3;
    add.u32 %base, %slot, %gpu;
    mad.wide.u32 %to, %base, 4, %to;
    add.u32 %base, %slot, %thread;
    mad.wide.u32 %at, %base, 4, %own;
    st.relaxed.sys.global.u32 [%to], %epoch;
    AWAIT %at, %epoch, relaxed
MEETING:
    bar.sync 0;
    BEGIN
    setp.ge.u32 %none, %row, %rows;
    @%none bra SENT;
SEND:
    mad.wide.u32 %at, %row, 4, %where;
    ld.global.u32 %base, [%at];
    div.u32 %slot, %row, %copies;
    mad.wide.u32 %source, %slot, %bytes, %x;
    shr.u32 %slot, %base, 24;
    mov.u32 %a0, received;
    mad.lo.u32 %slot, %slot, 8, %a0;
    ld.shared.u64 %to, [%slot];
    and.b32 %base, %base, 0xffffff;
    mad.wide.u32 %to, %base, %bytes, %to;
    mov.u32 %unit, %lane;
UNIT:
    mad.wide.u32 %at, %unit, 16, %source;
    ld.global.v4.b32 {%a0, %a1, %a2, %a3}, [%at];
    mad.wide.u32 %at, %unit, 16, %to;
    st.global.v4.b32 [%at], {%a0, %a1, %a2, %a3};
    add.u32 %unit, %unit, 32;
    setp.lt.u32 %more, %unit, %units;
    @%more bra UNIT;
    add.u32 %row, %row, %workers;
    setp.lt.u32 %more, %row, %rows;
    @%more bra SEND;
SENT:
    bar.sync 0;
    @!%leader bra HEARD;
    fence.acq_rel.sys;                               // what the block has sent comes before its count
    mov.u32 %slot, boards;
    mov.u32 %unit, 0;
TELL:
    ld.shared.u64 %to, [%slot];
    red.relaxed.sys.global.add.u32 [%to+ARRIVED], 1;
    add.u32 %slot, %slot, 8;
    add.u32 %unit, %unit, 1;
    setp.lt.u32 %more, %unit, %gpus;
    @%more bra TELL;
    mul.lo.u32 %base, %gpus, %blocks;
    mul.lo.u32 %base, %base, %epoch;
    add.u64 %at, %own, ARRIVED;
    AWAIT %at, %base, acquire
HEARD:
    bar.sync 0;
.endm

EXCHANGE_KERNEL dispatch
)
{
    EXCHANGE
    END out
    ret;
}

// Rows go back to where their tokens are; then every token is the weighted sum of its `topk` rows.
EXCHANGE_KERNEL combine
    , .param .u64 weights, .param .u64 y, .param .u32 tokens, .param .u32 topk)
{
    .reg .b32 %tokens, %token, %topk, %k, %low, %high;
    .reg .b64 %weights, %y;
    .reg .f32 %even<4>, %odd<4>, %weight, %f;
    EXCHANGE
    ld.param.u64 %weights, [weights];
    ld.param.u64 %y, [y];
    ld.param.u32 %tokens, [tokens];
    ld.param.u32 %topk, [topk];
    mov.u32 %slot, received;
    mad.lo.u32 %slot, %gpu, 8, %slot;
    ld.shared.u64 %x, [%slot];
    mad.lo.u32 %token, %block, %warps, %warp;
    setp.ge.u32 %none, %token, %tokens;
    @%none bra DONE;
TOKEN:
    mov.u32 %unit, %lane;
PIECE:
    .rept 4, i
    mov.f32 %even\i, 0f00000000;
    mov.f32 %odd\i, 0f00000000;
    .endr
    mov.u32 %k, 0;
    mul.lo.u32 %row, %token, %topk;
PART:
    add.u32 %slot, %row, %k;
    mad.wide.u32 %at, %slot, 4, %weights;
    ld.global.f32 %weight, [%at];
    mad.wide.u32 %at, %slot, %bytes, %x;
    mad.wide.u32 %at, %unit, 16, %at;
    ld.global.v4.b32 {%a0, %a1, %a2, %a3}, [%at];
    .rept 4, i
    shl.b32 %low, %a\i, 16;
    and.b32 %high, %a\i, 0xffff0000;
    mov.b32 %f, %low;
    fma.rn.f32 %even\i, %weight, %f, %even\i;
    mov.b32 %f, %high;
    fma.rn.f32 %odd\i, %weight, %f, %odd\i;
    .endr
    add.u32 %k, %k, 1;
    setp.lt.u32 %more, %k, %topk;
    @%more bra PART;
    cvt.rn.bf16x2.f32 %a0, %odd0, %even0;
    cvt.rn.bf16x2.f32 %a1, %odd1, %even1;
    cvt.rn.bf16x2.f32 %a2, %odd2, %even2;
    cvt.rn.bf16x2.f32 %a3, %odd3, %even3;
    mad.wide.u32 %at, %token, %bytes, %y;
    mad.wide.u32 %at, %unit, 16, %at;
    st.global.v4.b32 [%at], {%a0, %a1, %a2, %a3};
    add.u32 %unit, %unit, 32;
    setp.lt.u32 %more, %unit, %units;
    @%more bra PIECE;
    add.u32 %token, %token, %workers;
    setp.lt.u32 %more, %token, %tokens;
    @%more bra TOKEN;
DONE:
    END out
    ret;
}
