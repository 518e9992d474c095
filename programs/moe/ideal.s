// ideal: the layer of MoE-Hub section II-C: routing, expert compute and scaling, and nothing else.
//
// Rows are where they are needed before the clock starts, and results come home while it stands still: kernels other than
// router, gemm1, gemm2 and combine do not count. The time of the layer is that from router to gemm2 and that of combine.
//
//     (count, exchange_counts, plan, permute, exchange) router -> gemm1 -> gemm2 (exchange) combine
//
//     simasm programs/moe/ideal.s --gpus 8
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 1
.include "software.inc"

.host main {
    .include "layer.inc"
    param groups = 1;
    .include "schedule_host.inc"
    require given_route, "the rows are placed before the router runs: routing must be given";
    buffer homes : u64[ngpus] = addresses(xin);
    buffer backs : u64[ngpus] = addresses(back);

    launch count on all grid(ceil_div(pairs, 256)) block(256) (choice, counts, numbers, pairs);
    launch exchange_counts on all grid(1) block(64) (counts, tables, all_flags, flags, experts, gpu, ngpus);
    launch plan on all grid(1) block(256) (table, plan, loads, tiles, totals, experts, gpu, ngpus, groups, rows);
    launch permute on all grid(ceil_div(pairs, 32)) block(256)
        (x, choice, numbers, plan + PLAN_SEND * line, send, place, hidden, topk, pairs);
    launch exchange on all grid(1, ngpus) block(512)
        (send, homes, plan + PLAN_SEND * line, plan + PLAN_HOME * line, plan + PLAN_COUNT * line,
         all_flags, flags, 4, ngpus, hidden, local, 0, local, 0, gpu);
    each gpu g {
        fetch totals@g;
    }
    sync;
    barrier;
    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, hidden, experts, topk, here);
    each gpu g {
        let n = read(totals@g, 0);
        if n > 0 {
            launch gemm1 on g grid(ffn / 64, n) block(128) (xin, w1, mid, tiles, hidden, ffn, data, rows / tile);
            launch gemm2 on g grid(hidden / 64, n) block(128) (mid, w2, result, tiles, hidden, ffn, rows / tile);
        }
    }
    sync;
    barrier;
    launch exchange on all grid(1, ngpus) block(512)
        (result, backs, plan + PLAN_HOME_IN * line, plan + PLAN_BACK * line, plan + PLAN_GOT * line,
         all_flags, flags, 8, ngpus, hidden, local, 0, local, 0, gpu);
    sync;
    barrier;
    launch combine on all grid(here / 4) block(128) (back, place, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
