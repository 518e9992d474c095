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
.include "rows.inc"

// --- router: 16 tokens per block, a warp each ------------------------------------------------------------------------
.visible .entry router(
    .param .u64 x, .param .u64 gate, .param .u64 bias,
    .param .u64 choice,                              // a routing given by the host, or 0
    .param .u64 prob, .param .u64 route,             // [tokens][topk]: weights and experts, for combine and the check
    .param .u64 mids,                                // MallocID of every expert's region
    .param .u32 hidden, .param .u32 experts, .param .u32 topk, .param .u32 tokens,
    .param .u32 first)                               // number of this GPU's first token in the whole machine
{
    ROUTER_STATE
    CHOICE_STATE
    DISPATCH_STATE
    GATE_LOGITS
    DISPATCH_PARAMETERS
    ROUTE_TOKEN DONE, DISPATCH_ROW
DONE:
    ret;
}

// --- first GEMM: silu(rows * w1^T) -----------------------------------------------------------------------------------
.visible .entry gemm1(
    .param .u64 xin, .param .u64 w1, .param .u64 mid,
    .param .u32 hidden, .param .u32 ffn, .param .u32 row_size, .param .u32 tiles)
{
    GEMM_STATE
    EXPERT_STATE
    .reg .b32 %row_size;
    .reg .b64 %xin;
    ld.param.u64 %xin, [xin];
    ld.param.u32 %row_size, [row_size];
    GRID_TILE
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
    EXPERT_STATE
    SEND_HOME_STATE
    GRID_TILE
    EXPERT_GEMM2
    TILE_TO_SHARED
    SEND_HOME
    ret;
}

.include "combine.inc"

.host main {
    .include "layer.inc"
    let row_size = data + 128;                       // a row and its source column; rows stay aligned to lines
    let room = rows * row_size;                      // bytes of an expert
    let groups = local * rows / tile;                // row tiles of a GPU

    buffer xin : u8[local * rows, row_size] = zeros;
    buffer mid : bf16[local * rows, ffn] = zeros;
    buffer part : bf16[here * topk, hidden] = zeros;
    buffer homes : u64[ngpus] = addresses(part);

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
    } threshold 4 * topk * data expects here * topk * data;

    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, mids, hidden, experts, topk, here, gpu * here);
    launch gemm1 on all grid(ffn / 64, groups) block(128) stream 1 gated arrived axis y
        (xin, w1, mid, hidden, ffn, row_size, rows / tile);
    launch gemm2 on all grid(hidden / 64, groups) block(128) stream 2 gated computed axis y
        (mid, w2, xin, homes, hidden, ffn, row_size, rows / tile, here * topk);
    launch combine on all grid(here / 4) block(128) stream 3 gated returned axis x
        (part, 0, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
