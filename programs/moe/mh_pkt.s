// mh_pkt: a layer with destination-agnostic stores on hubs that place rows and manage packets, but do not signal ("MH-PKT" of
// MoE-Hub Fig. 15).
//
// Readiness is software's business. The source column of a row is its flag: the producer stores it behind a fence, so it
// arrives when the row is there, and lies where the hub has placed the row. The blocks of the first GEMM, which runs beside
// the dispatch, poll the flags of the 64 rows of their tile. That no more rows come is known when all GPUs have told, with a
// fence and an addition to a counter, that they have dispatched all their tokens (assumption: the paper says only that the
// orchestration is software's; its baseline Comet polls per tile).
//
//     dispatch  --st.rowsp-->  poll, gemm1  -->  gemm2  --st.global-->  poll, combine
//
//     simasm programs/moe/mh_pkt.s --gpus 8
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a, rowsp
.address_size 64

.include "mh_polled.inc"
