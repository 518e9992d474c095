// fastermoe: the smart schedule of FasterMoE: exchanges in steps between groups of GPUs, computed step by step.
//
// The counts are gathered and read by the host, rows are scattered into the order of experts. In step s a GPU exchanges
// rows with the `gran` GPUs of the group s further on, expert by expert; the rows of a step are computed while those of the
// next are on the way, and the results of a step return while the next is computed. Streams stand for the two streams of
// the original and the events between them. Shadowed experts are not used: loads here do not ask for them.
//
//     router, count, exchange_counts, plan -> HOST -> permute -> per step: exchange | experts | exchange -> combine
//
//     simasm programs/moe/fastermoe.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 0
.include "software.inc"

.host main {
    .include "layer.inc"
    param gran = 4;            // GPUs of a group
    param framework = 20;      // empty kernels, for those of PyTorch in gate and bookkeeping (assumed: a third of Megatron's)
    param channels = 2;        // blocks per peer of an exchange
    let per = min(gran, ngpus);
    let groups = ngpus / per;
    .include "schedule_host.inc"
    buffer homes : u64[ngpus] = addresses(xin);
    buffer backs : u64[ngpus] = addresses(back);
    let arrive = 10;           // streams: arrival, compute and return of step s are on 10 + s, 30 + s and 50 + s
    let compute = 30;
    let leave = 50;
    let last = groups - 1;

    launch router on all grid(ceil_div(here, 16)) block(512) shared router_shared
        (x, gate, bias, given, prob, route, hidden, experts, topk, here);
    for i in 0..framework {
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

    for s in 0..groups {
        for e in 0..local {
            launch exchange on all grid(channels, per) block(512) stream arrive + s after(s > 0 ? arrive + s - 1 : 0)
                (send, homes, plan + PLAN_SEND * line, plan + PLAN_HOME * line, plan + PLAN_COUNT * line,
                 all_flags, flags, 4 * (1 + s * local + e), channels * per, hidden, local, e, e + 1,
                 (gpu / per + s) % groups * per, gpu);
        }
    }
    for s in 0..groups {
        each gpu g {
            let first = 0;
            for r in 0..regions {
                let n = ceil_div(read(loads@g, r), tile);
                if r % groups == (g / per + groups - s) % groups && n > 0 {
                    launch gemm1 on g grid(ffn / 64, n) block(128) stream compute + s
                        after(arrive + s, s > 0 ? compute + s - 1 : 0)
                        (xin, w1, mid, tiles + 4 * first, hidden, ffn, data, groups * rows / tile);
                    launch activate on g grid(ffn / 64, n) block(128) stream compute + s (mid, tiles + 4 * first, ffn);
                    launch gemm2 on g grid(hidden / 64, n) block(128) stream compute + s
                        (mid, w2, result, tiles + 4 * first, hidden, ffn, groups * rows / tile);
                }
                let first = first + n;
            }
        }
    }
    for s in 0..groups {
        for e in 0..local {
            launch exchange on all grid(channels, per) block(512) stream leave + s
                after(compute + s, s > 0 ? leave + s - 1 : arrive + last)
                (result, backs, plan + PLAN_HOME_IN * line, plan + PLAN_BACK * line, plan + PLAN_GOT * line,
                 all_flags, flags, 4 * (1 + (groups + s) * local + e), channels * per, hidden, local, e, e + 1,
                 (gpu / per + groups - s) % groups * per, gpu);
        }
    }
    launch combine on all grid(here / 4) block(128) after(leave + last) (back, place, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
