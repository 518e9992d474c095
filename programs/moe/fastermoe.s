// fastermoe: the smart schedule of FasterMoE: exchanges in steps between groups of GPUs, computed step by step.
//
// The counts are gathered and read by the host, rows are scattered into the order of experts. In step s a GPU exchanges
// rows with the `gran` GPUs of the group s further on, expert by expert; the rows of a step are computed while those of the
// next are on the way, and the results of a step return while the next is computed. Streams stand for the two streams of
// the original and the events between them. The host calls an expert as a function of PyTorch whose result is copied to
// where it is sent from, and waits for the GPU before it gathers; it reads four tensors of counts (fmoe's
// prepare_forward, its schedule.py, its smart_schedule.h). Shadowed experts are not used: loads here do not ask for them.
//
//     router, count, exchange_counts, plan -> HOST -> permute -> per step: exchange | experts, copy | exchange -> HOST -> combine
//
//     simasm programs/moe/fastermoe.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 0
.include "software.inc"

// Row tiles list[y], columns 64 x and on, of one buffer to another.
.visible .entry copy_result(.param .u64 from, .param .u64 to, .param .u64 list, .param .u32 hidden)
{
    .reg .b32 %t, %x, %y, %row, %column, %stride, %w<16>;
    .reg .b64 %from, %to, %list, %at, %step;
    ld.param.u64 %from, [from];
    ld.param.u64 %to, [to];
    ld.param.u64 %list, [list];
    ld.param.u32 %stride, [hidden];
    shl.b32 %stride, %stride, 1;
    mov.u32 %x, %ctaid.x;
    mov.u32 %y, %ctaid.y;
    mad.wide.u32 %list, %y, 4, %list;
    ld.global.u32 %y, [%list];
    mov.u32 %t, %tid.x;
    shr.u32 %row, %t, 3;
    mad.lo.u32 %row, %y, 64, %row;
    and.b32 %column, %t, 7;
    shl.b32 %column, %column, 4;
    mad.lo.u32 %column, %x, 128, %column;
    cvt.u64.u32 %at, %column;
    mad.wide.u32 %at, %row, %stride, %at;
    mul.wide.u32 %step, %stride, 16;
    add.u64 %from, %from, %at;
    add.u64 %to, %to, %at;
    ld.global.v4.b32 {%w0, %w1, %w2, %w3}, [%from];
    add.u64 %from, %from, %step;
    ld.global.v4.b32 {%w4, %w5, %w6, %w7}, [%from];
    add.u64 %from, %from, %step;
    ld.global.v4.b32 {%w8, %w9, %w10, %w11}, [%from];
    add.u64 %from, %from, %step;
    ld.global.v4.b32 {%w12, %w13, %w14, %w15}, [%from];
    st.global.v4.b32 [%to], {%w0, %w1, %w2, %w3};
    add.u64 %to, %to, %step;
    st.global.v4.b32 [%to], {%w4, %w5, %w6, %w7};
    add.u64 %to, %to, %step;
    st.global.v4.b32 [%to], {%w8, %w9, %w10, %w11};
    add.u64 %to, %to, %step;
    st.global.v4.b32 [%to], {%w12, %w13, %w14, %w15};
    ret;
}

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
    buffer computed : bf16[regions * rows, hidden] = zeros opaque(!values);
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
        fetch table@g;                               // local, global and own counts, and the number of rows, in turn
        fetch counts@g;
        fetch totals@g;
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
                        (mid, w2, computed, tiles + 4 * first, hidden, ffn, groups * rows / tile);
                    launch copy_result on g grid(hidden / 64, n) block(128) stream compute + s
                        (computed, result, tiles + 4 * first, hidden);
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
    sync;
    launch combine on all grid(here / 4) block(128) (back, place, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
