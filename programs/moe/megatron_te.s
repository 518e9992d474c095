// megatron_te: a mixture-of-experts layer as Megatron-LM runs it with Transformer Engine: one thing after the other.
//
// The router's choice is counted, the counts are gathered from all GPUs, the host reads them, rows are permuted into the
// order of experts, an all-to-all brings them to the experts, another one brings the results back. Nothing overlaps but
// the experts of a GPU, whose GEMMs run on four streams, a kernel each. PyTorch launches many small kernels in between
// that do a token's work or less; `framework` of them, empty ones, stand for those. Calling a collective costs the host
// more than a launch.
//
//     router, count, exchange_counts, plan -> HOST -> permute -> exchange -> reorder -> experts -> reorder -> exchange
//     -> combine
//
//     simasm programs/moe/megatron_te.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 0
.include "software.inc"

.host main {
    .include "layer.inc"
    param groups = 1;
    param framework = 60;      // empty kernels: 85 of a layer less those that are here (FlashMoE table 1, Megatron with CUTLASS)
    param channels = 2;        // blocks per peer of the all-to-all
    .include "schedule_host.inc"
    buffer flat_in : bf16[tokens * topk, hidden] = zeros;
    buffer flat_out : bf16[tokens * topk, hidden] = zeros opaque(!values);
    buffer flats_in : u64[ngpus] = addresses(flat_in);
    buffer backs : u64[ngpus] = addresses(back);
    let early = framework * 2 / 3;                   // most of them prepare the dispatch

    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, hidden, experts, topk, here);
    for i in 0..early {
        launch framework on all grid(1) block(128) ();
    }
    launch count on all grid(ceil_div(pairs, 256)) block(256) (route, counts, numbers, pairs);
    busy host.collective_call_ns;
    launch exchange_counts on all grid(1) block(64) (counts, tables, all_flags, flags, experts, gpu, ngpus);
    launch plan on all grid(1) block(256) (table, plan, loads, tiles, totals, experts, gpu, ngpus, groups, rows);
    each gpu g {
        fetch loads@g;
    }
    launch permute on all grid(ceil_div(pairs, 32)) block(256)
        (x, route, numbers, plan + PLAN_SEND * line, send, place, hidden, topk, pairs);
    busy host.collective_call_ns;
    launch exchange on all grid(channels, ngpus) block(512)
        (send, flats_in, plan + PLAN_SEND * line, plan + PLAN_FLAT * line, plan + PLAN_COUNT * line,
         all_flags, flags, 4, channels * ngpus, hidden, local, 0, local, 0, gpu);
    launch reorder on all grid(channels, experts) block(256)
        (flat_in, xin, plan + PLAN_FLAT_IN * line, plan + PLAN_HOME_IN * line, plan + PLAN_GOT * line, hidden);
    each gpu g {
        let first = 0;
        for e in 0..local {
            let n = ceil_div(read(loads@g, e), tile);
            if n > 0 {
                launch gemm1 on g grid(ffn / 64, n) block(128) stream 1 + e % 4 after(0)
                    (xin, w1, mid, tiles + 4 * first, hidden, ffn, data, rows / tile);
                launch activate on g grid(ffn / 64, n) block(128) stream 1 + e % 4 (mid, tiles + 4 * first, ffn);
                launch gemm2 on g grid(hidden / 64, n) block(128) stream 1 + e % 4
                    (mid, w2, result, tiles + 4 * first, hidden, ffn, rows / tile);
            }
            let first = first + n;
        }
    }
    launch reorder on all grid(channels, experts) block(256) after(1, 2, 3, 4)
        (result, flat_out, plan + PLAN_HOME_IN * line, plan + PLAN_FLAT_IN * line, plan + PLAN_GOT * line, hidden);
    busy host.collective_call_ns;
    launch exchange on all grid(channels, ngpus) block(512)
        (flat_out, backs, plan + PLAN_FLAT_IN * line, plan + PLAN_BACK * line, plan + PLAN_GOT * line,
         all_flags, flags, 8, channels * ngpus, hidden, local, 0, local, 0, gpu);
    for i in early..framework {
        launch framework on all grid(1) block(128) ();
    }
    launch combine on all grid(here / 4) block(128) (back, place, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
