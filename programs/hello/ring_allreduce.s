// ring_allreduce: the sum of all GPUs' vectors, on every GPU, over a ring of peer stores.
//
// Shows how GPUs talk in plain PTX: a store to a pointer of another GPU crosses the link; `st.release.sys` on a flag
// publishes what was stored before it; `ld.acquire.sys` in a loop waits for the flag. Macros keep both readable.
//
//     simasm programs/hello/ring_allreduce.s --gpus 8
//
// The vector is cut into one chunk per GPU. In hop h, GPU g sends chunk g - h to GPU g + 1. In the first ngpus - 1
// hops a chunk collects every GPU's part; then it is complete and goes around once more. Each thread block works on its
// slice of every chunk and speaks only to the same block of its neighbours, so the blocks are independent rings.
//
// Expected: `y ~ allreduce_sum` passes; the ring adds in another order than the reference, hence the tolerance.

.version 9.0
.target sm_90a
.address_size 64

// Tell the next GPU that hop \hop is there.
.macro SIGNAL hop
    bar.sync 0;                                  // all threads of the block have stored their part
    mad.wide.u32 %flag, \hop, 4, %next_flags;
    mov.u32 %value, 1;
    @%leader st.release.sys.global.u32 [%flag], %value;
.endm

// Wait until the previous GPU has sent hop \hop.
.macro WAIT hop
    mad.wide.u32 %flag, \hop, 4, %flags;
WAIT_\@:
    mov.u32 %value, 1;
    @%leader ld.acquire.sys.global.u32 %value, [%flag];
    setp.eq.u32 %again, %value, 0;
    @%again bra WAIT_\@;
    bar.sync 0;
.endm

.visible .entry ring(
    .param .u64 x, .param .u64 y, .param .u64 next_y,
    .param .u64 inbox, .param .u64 next_inbox,       // ngpus - 1 chunks: what arrives in hops 0, 1, …
    .param .u64 flags, .param .u64 next_flags,       // per block, one flag per hop
    .param .u32 chunk_bytes, .param .u32 gpu, .param .u32 ngpus)
{
    .reg .pred %leader, %again, %first, %adds, %keeps, %reduces, %more;
    .reg .b32 %t, %cta, %ctas, %gpu, %gpus, %hop, %hops, %last, %chunk, %value;
    .reg .b32 %chunk_bytes, %slice_bytes, %mine, %at, %step, %own_bytes;
    .reg .b64 %x, %y, %next_y, %inbox, %next_inbox, %flags, %next_flags, %flag;
    .reg .b64 %offset, %slot, %from, %partial, %to, %keep, %wide_step;
    .reg .f32 %a<4>, %b<4>;

    ld.param.u64 %x, [x];
    ld.param.u64 %y, [y];
    ld.param.u64 %next_y, [next_y];
    ld.param.u64 %inbox, [inbox];
    ld.param.u64 %next_inbox, [next_inbox];
    ld.param.u64 %flags, [flags];
    ld.param.u64 %next_flags, [next_flags];
    ld.param.u32 %chunk_bytes, [chunk_bytes];
    ld.param.u32 %gpu, [gpu];
    ld.param.u32 %gpus, [ngpus];
    mov.u32 %t, %tid.x;
    mov.u32 %cta, %ctaid.x;
    mov.u32 %ctas, %nctaid.x;
    mov.u32 %step, %ntid.x;
    setp.eq.u32 %leader, %t, 0;

    sub.u32 %last, %gpus, 1;                        // the hop that completes a chunk
    shl.b32 %hops, %last, 1;
    max.u32 %hops, %hops, 1;                         // a lone GPU copies its vector
    div.u32 %slice_bytes, %chunk_bytes, %ctas;
    shl.b32 %own_bytes, %t, 4;                       // 16 bytes per thread at a time
    mad.lo.u32 %mine, %cta, %slice_bytes, %own_bytes;
    shl.b32 %step, %step, 4;
    cvt.u64.u32 %wide_step, %step;
    mul.lo.u32 %value, %cta, %hops;                  // this block's flags
    mad.wide.u32 %flags, %value, 4, %flags;
    mad.wide.u32 %next_flags, %value, 4, %next_flags;
    mov.u32 %hop, 0;

HOP:
    setp.eq.u32 %first, %hop, 0;
    @%first bra SEND;
    sub.u32 %value, %hop, 1;
    WAIT %value
SEND:
    // chunk = (gpu - hop) mod ngpus; where this thread's part of it begins
    sub.u32 %chunk, %gpu, %hop;
    add.u32 %chunk, %chunk, %gpus;
    add.u32 %chunk, %chunk, %gpus;
    rem.u32 %chunk, %chunk, %gpus;
    mad.lo.u32 %value, %chunk, %chunk_bytes, %mine;
    cvt.u64.u32 %offset, %value;

    // a chunk that is still being summed: own part + what arrived, to the next inbox; a complete one: to the next y
    setp.le.u32 %adds, %hop, %last;
    add.u64 %from, %x, %offset;
    @!%adds add.u64 %from, %y, %offset;
    setp.gt.and.u32 %adds, %hop, 0, %adds;
    mad.lo.u32 %value, %hop, %chunk_bytes, %mine;
    cvt.u64.u32 %slot, %value;
    cvt.u64.u32 %partial, %chunk_bytes;
    sub.u64 %partial, %slot, %partial;
    add.u64 %partial, %inbox, %partial;
    setp.lt.u32 %reduces, %hop, %last;
    add.u64 %to, %next_y, %offset;
    @%reduces add.u64 %to, %next_inbox, %slot;
    setp.eq.u32 %keeps, %hop, %last;
    add.u64 %keep, %y, %offset;

    mov.u32 %at, %own_bytes;
PART:
    ld.global.v4.f32 {%a0, %a1, %a2, %a3}, [%from];
    @!%adds bra STORE;
    ld.global.v4.f32 {%b0, %b1, %b2, %b3}, [%partial];
    add.f32 %a0, %a0, %b0;
    add.f32 %a1, %a1, %b1;
    add.f32 %a2, %a2, %b2;
    add.f32 %a3, %a3, %b3;
STORE:
    st.global.v4.f32 [%to], {%a0, %a1, %a2, %a3};
    @%keeps st.global.v4.f32 [%keep], {%a0, %a1, %a2, %a3};
    add.u64 %from, %from, %wide_step;
    add.u64 %partial, %partial, %wide_step;
    add.u64 %to, %to, %wide_step;
    add.u64 %keep, %keep, %wide_step;
    add.u32 %at, %at, %step;
    setp.lt.u32 %more, %at, %slice_bytes;
    @%more bra PART;

    SIGNAL %hop
    add.u32 %hop, %hop, 1;
    setp.lt.u32 %more, %hop, %hops;
    @%more bra HOP;

    sub.u32 %value, %hop, 1;
    WAIT %value                                      // the last chunk has arrived in y
    ret;
}

.host main {
    param n = 65536;          // elements of each vector
    param blocks = 4;         // independent rings
    param threads = 256;
    require n % (ngpus * blocks * threads * 4) == 0, "n must be a multiple of GPUs * blocks * threads * 4";
    let chunk = n / ngpus;
    let hops = max(2 * (ngpus - 1), 1);

    buffer x : f32[n] = normal(0, 1);
    buffer y : f32[n] = zeros;
    buffer inbox : f32[max(ngpus - 1, 1), chunk] = zeros;
    buffer flags : u32[blocks, hops] = zeros;

    launch ring on all grid(blocks) block(threads) (
        x, y, y@((gpu + 1) % ngpus),
        inbox, inbox@((gpu + 1) % ngpus),
        flags, flags@((gpu + 1) % ngpus),
        chunk * 4, gpu, ngpus);
    check y ~ allreduce_sum(x) rtol 1e-5 atol 1e-5;
}
