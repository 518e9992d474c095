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

.include "moehub.inc"
