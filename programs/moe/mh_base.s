// mh_base: a layer with destination-agnostic stores on hubs that place rows and do nothing else ("MH-Base" of
// MoE-Hub Fig. 15).
//
// Readiness is software's business. When a GPU has dispatched all its tokens, its last block tells every GPU with a fence
// and an addition to a counter; rows are placed in order of arrival, so a tile may hold rows of any source, and the blocks
// of the first GEMM poll until all sources have told (assumption: the paper says only that the orchestration is software's).
//
//     dispatch  --st.rowsp-->  poll, gemm1  -->  gemm2  --st.global-->  poll, combine
//
//     simasm programs/moe/mh_base.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a, rowsp
.address_size 64

.include "mh_polled.inc"
