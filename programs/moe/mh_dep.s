// mh_dep: the layer of moehub.s on hubs that signal readiness but do not manage packets ("MH-DEP" of MoE-Hub Fig. 15).
//
// Row stores and stores leave the hub as they come, unmerged and in order. Thread blocks are still released by the hub.
//
//     simasm programs/moe/mh_dep.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a, rowsp
.address_size 64

.include "moehub.inc"
