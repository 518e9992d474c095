// moehub: a mixture-of-experts layer on MoE-Hub's hardware: no counting, no exchange of sizes, no barrier, no host.
//
// The router stores every token row to the experts it chose with `st.rowsp`: the address names a region (an expert) and
// a row, not a place; the hub of the expert's GPU gives the row its place when it arrives. The hubs also release the
// thread blocks of the expert GEMMs, each as soon as the 64 rows it reads are there, so communication and computation
// overlap without a polling warp. The last GEMM reads in an extra column of the row where the token came from and sends
// its result there with plain remote stores.
//
//     router  --st.rowsp-->  gemm1  -->  gemm2  --st.global to the home GPU-->  combine
//              gate `arrived`     gate `computed`                         gate `returned`
//
//     simasm programs/moe/moehub.s --gpus 8
//     simasm programs/moe/moehub.s --gpus 8 -D tokens=8192 -D hidden=2048 -D ffn=1408 -D experts=64 -D topk=4
//
// The second line is a layer of Qwen2-MoE.
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a, rowsp
.address_size 64

.include "gemm.inc"
.include "router.inc"
.include "experts.inc"

// --- router: 16 tokens per block, a warp each ------------------------------------------------------------------------
.visible .entry router(
    .param .u64 x, .param .u64 gate, .param .u64 bias,
    .param .u64 prob, .param .u64 route,             // [tokens][topk]: weights and experts, for combine and the check
    .param .u64 mids,                                // MallocID of every expert's region
    .param .u32 hidden, .param .u32 experts, .param .u32 topk, .param .u32 tokens,
    .param .u32 first)                               // number of this GPU's first token in the whole machine
{
    ROUTER_STATE
    .reg .pred %outside, %any;
    .reg .b32 %topk, %slot, %id, %mid, %first, %offset, %w<4>;
    .reg .b64 %prob, %route, %mids, %rd, %to, %from, %wide;
    GATE_LOGITS
    ld.param.u64 %prob, [prob];
    ld.param.u64 %route, [route];
    ld.param.u64 %mids, [mids];
    ld.param.u32 %topk, [topk];
    ld.param.u32 %first, [first];

    setp.ge.u32 %outside, %token, %tokens;
    @%outside ret;
    TOKEN_SOFTMAX
    mov.u32 %slot, 0;
SLOT:
    TOKEN_BEST
    mad.lo.u32 %s0, %token, %topk, %slot;
    mad.wide.u32 %to, %s0, 4, %prob;
    @%first_lane st.global.f32 [%to], %p;
    mad.wide.u32 %to, %s0, 4, %route;
    @%first_lane st.global.u32 [%to], %best;

    // Dispatch. RowID: the token's number times topk plus the slot; the hubs send small ones first.
    add.u32 %id, %first, %token;
    mad.lo.u32 %id, %id, %topk, %slot;
    mad.wide.u32 %from, %best, 4, %mids;
    ld.global.u32 %mid, [%from];
    rowsp.pack.b64 %rd, %mid, %id, 0;
    mad.wide.u32 %from, %token, %row_bytes, %x;
    shl.b32 %offset, %lane, 4;
COPY:
    cvt.u64.u32 %wide, %offset;
    add.u64 %to, %rd, %wide;
    add.u64 %wide, %from, %wide;
    setp.lt.u32 %inside, %offset, %row_bytes;
    @%inside ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%wide];
    @%inside st.rowsp.v4.b32 [%to], {%w0, %w1, %w2, %w3};
    add.u32 %offset, %offset, 512;
    vote.sync.any.pred %any, %inside, 0xffffffff;
    @%any bra COPY;

    // The source column, off the critical path; 0 would mean "no row here".
    add.u32 %id, %id, 1;
    cvt.u64.u32 %wide, %row_bytes;
    add.u64 %to, %rd, %wide;
    @%first_lane st.rowsp.nop.b32 [%to], %id;

    add.u32 %slot, %slot, 1;
    setp.lt.u32 %more, %slot, %topk;
    @%more bra SLOT;
    ret;
}

// --- first GEMM: silu(rows * w1^T) -----------------------------------------------------------------------------------
.visible .entry gemm1(
    .param .u64 xin, .param .u64 w1, .param .u64 mid,
    .param .u32 hidden, .param .u32 ffn, .param .u32 row_size, .param .u32 tiles)
{
    GEMM_STATE
    .reg .b32 %row_size;
    .reg .b64 %xin;
    ld.param.u64 %xin, [xin];
    ld.param.u32 %row_size, [row_size];
    EXPERT_GEMM1 %xin, %row_size
    ret;
}

// --- second GEMM, and the way home -----------------------------------------------------------------------------------
.visible .entry gemm2(
    .param .u64 mid, .param .u64 w2, .param .u64 xin,
    .param .u64 homes,                               // where every GPU collects results: bf16 [tokens * topk][hidden]
    .param .u32 hidden, .param .u32 ffn, .param .u32 row_size, .param .u32 tiles,
    .param .u32 slots)                               // tokens * topk of one GPU
{
    GEMM_STATE
    .reg .pred %empty;
    .reg .b32 %row_size, %slots, %source, %gpu;
    .reg .b64 %xin, %homes, %column, %home;
    EXPERT_GEMM2
    TILE_TO_SHARED
    ld.param.u64 %xin, [xin];
    ld.param.u64 %homes, [homes];
    ld.param.u32 %row_size, [row_size];
    ld.param.u32 %slots, [slots];
    shl.b32 %stride, %hidden, 1;
    shl.b32 %x, %x, 1;
    .rept 4, pass
    TILE_ROW \pass
    add.u32 %n, %y, %row;                            // the row's source column
    mad.wide.u32 %column, %n, %row_size, %xin;
    cvt.u64.u32 %g0, %stride;
    add.u64 %column, %column, %g0;
    ld.global.u32 %source, [%column];
    setp.eq.u32 %empty, %source, 0;
    @%empty bra NEXT_\pass;
    sub.u32 %source, %source, 1;
    div.u32 %gpu, %source, %slots;
    rem.u32 %source, %source, %slots;
    mad.wide.u32 %column, %gpu, 8, %homes;
    ld.global.u64 %home, [%column];
    mad.wide.u32 %home, %source, %stride, %home;
    add.u32 %k, %k, %x;
    cvt.u64.u32 %g0, %k;
    add.u64 %home, %home, %g0;
    st.global.v4.b32 [%home], {%na0, %na1, %na2, %na3};
NEXT_\pass:
    .endr
    ret;
}

.include "combine.inc"

.host main {
    param tokens = 128;        // of all GPUs together
    param hidden = 128;
    param ffn = 128;
    param experts = 16;        // of all GPUs together
    param topk = 2;
    param load = "uniform";    // of the experts: uniform, normal or power
    param capacity = tokens;   // rows an expert has room for

    require tokens % (4 * ngpus) == 0, "tokens must be a multiple of 4 per GPU";
    require experts % ngpus == 0 && experts % 16 == 0, "experts must be a multiple of 16 and of the number of GPUs";
    require topk <= experts, "topk is at most the number of experts";
    require hidden % 128 == 0 && ffn % 64 == 0, "hidden must be a multiple of 128, ffn of 64";
    let here = tokens / ngpus;                       // tokens of a GPU
    let local = experts / ngpus;                     // experts of a GPU
    let tile = 64;
    let rows = round_up(capacity, tile);
    let groups = local * rows / tile;                // row tiles of a GPU
    let data = hidden * 2;                           // bytes of a token
    let row_size = data + 128;                       // and its source column; rows stay aligned to lines
    let room = rows * row_size;                      // bytes of an expert

    buffer x : bf16[here, hidden] = normal(0, 1);
    buffer gate : bf16[experts, hidden] = normal(0, 1 / sqrt(hidden)) same;
    buffer bias : f32[experts] = load_bias(load) same;
    buffer w1 : bf16[local, ffn, hidden] = normal(0, 1 / sqrt(hidden));
    buffer w2 : bf16[local, hidden, ffn] = normal(0, 1 / sqrt(ffn));
    buffer prob : f32[here, topk] = zeros;
    buffer route : u32[here, topk] = zeros;
    buffer xin : u8[local * rows, row_size] = zeros;
    buffer mid : bf16[local * rows, ffn] = zeros;
    buffer part : bf16[here * topk, hidden] = zeros;
    buffer homes : u64[ngpus] = addresses(part);
    buffer y : bf16[here, hidden] = zeros;

    for e in 0..experts {
        rowsp region[e] gpu e / local rows rows row_bytes row_size at xin + (e % local) * room;
    }
    buffer mids : u32[experts] = values(region);

    // What releases the thread blocks: a tile of rows is there; a tile of the activation and the source column are
    // there; all results of four tokens are there. Tiles that stay empty or partly filled are settled when the row
    // stores, or the first GEMM, have ended.
    gate arrived groups groups per gpu {
        watch xin bytes tile * row_size stride row_size cols 0..data;
    } threshold tile * data closes rowsp;
    gate computed groups groups per gpu {
        watch mid bytes tile * ffn * 2;
        watch xin bytes tile * row_size stride row_size cols data..data + 4;
    } threshold tile * (ffn * 2 + 4) closes kernel gemm1;
    gate returned groups here / 4 per gpu {
        watch part bytes 4 * topk * data;
    } threshold 4 * topk * data;

    launch router on all grid(ceil_div(here, 16)) block(512) shared (256 * experts)
        (x, gate, bias, prob, route, mids, hidden, experts, topk, here, gpu * here);
    launch gemm1 on all grid(ffn / 64, groups) block(128) stream 1 gated arrived axis y
        (xin, w1, mid, hidden, ffn, row_size, rows / tile);
    launch gemm2 on all grid(hidden / 64, groups) block(128) stream 2 gated computed axis y
        (mid, w2, xin, homes, hidden, ffn, row_size, rows / tile, here * topk);
    launch combine on all grid(here / 4) block(128) gated returned axis x
        (part, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk) rtol 2e-2 atol 1e-2;
}
