// tutel: Tutel's layer: dense buffers padded to a capacity, cut into `degree` chunks that overlap with the experts.
//
// The host reads the largest load a GPU has for an expert and makes it the capacity of all, rounded up to `align` rows.
// Rows are encoded into a buffer [experts][capacity]; chunk c of every expert is exchanged, computed and returned on its
// own, exchanges on one stream and computation on another. What travels is capacity, not load.
//
//     router, count, exchange_counts, plan -> HOST -> chunks, permute (encode)
//     -> per chunk: exchange | experts | exchange -> combine (decode)
//
//     simasm programs/moe/tutel.s --gpus 8 --set rpm.enabled=0
//
// Expected: `y ~ moe_layer` passes.

.version 9.0
.target sm_90a
.address_size 64

.set ACTIVATION, 0
.include "software.inc"

// Row 0 of `first_of`: the first row of every expert in the encoded buffer. Then, for chunk ctaid.x, five rows of
// u32 [experts]: where the segment of (peer, expert) begins in my encoded buffer and in the peer's rows, its length, and
// where it begins in my rows and in the peer's encoded buffer on the way back.
.visible .entry chunks(
    .param .u64 first_of, .param .u64 segments,
    .param .u32 experts, .param .u32 me, .param .u32 ngpus, .param .u32 capacity, .param .u32 rows)
{
    .reg .pred %outside;
    .reg .b32 %i, %peer, %l, %e, %n, %chunk, %chunks, %local, %experts, %me, %ngpus, %capacity, %rows, %line, %step;
    .reg .b64 %first_of, %segments, %at, %row;
    ld.param.u64 %first_of, [first_of];
    ld.param.u64 %segments, [segments];
    ld.param.u32 %experts, [experts];
    ld.param.u32 %me, [me];
    ld.param.u32 %ngpus, [ngpus];
    ld.param.u32 %capacity, [capacity];
    ld.param.u32 %rows, [rows];
    mov.u32 %i, %tid.x;
    setp.ge.u32 %outside, %i, %experts;
    @%outside ret;
    mov.u32 %chunk, %ctaid.x;
    mov.u32 %chunks, %nctaid.x;
    div.u32 %step, %capacity, %chunks;
    div.u32 %local, %experts, %ngpus;
    div.u32 %peer, %i, %local;
    rem.u32 %l, %i, %local;
    mul.lo.u32 %n, %i, %capacity;
    mad.wide.u32 %at, %i, 4, %first_of;
    st.global.u32 [%at], %n;

    mul.lo.u32 %line, %chunk, 5;
    mad.lo.u32 %line, %line, %experts, %i;
    mad.wide.u32 %at, %line, 4, %segments;
    mul.wide.u32 %row, %experts, 4;
    mad.lo.u32 %n, %chunk, %step, %n;                // encoded: [expert][capacity]
    st.global.u32 [%at], %n;
    mad.lo.u32 %e, %chunk, %local, %l;               // rows: [chunk][expert][source][step]
    mul.lo.u32 %e, %e, %rows;
    mad.lo.u32 %n, %me, %step, %e;
    add.u64 %at, %at, %row;
    st.global.u32 [%at], %n;
    add.u64 %at, %at, %row;
    st.global.u32 [%at], %step;
    mad.lo.u32 %n, %peer, %step, %e;
    add.u64 %at, %at, %row;
    st.global.u32 [%at], %n;
    mad.lo.u32 %e, %me, %local, %l;
    mul.lo.u32 %n, %e, %capacity;
    mad.lo.u32 %n, %chunk, %step, %n;
    add.u64 %at, %at, %row;
    st.global.u32 [%at], %n;
    ret;
}

.host main {
    .include "layer.inc"
    param groups = 1;
    param degree = 2;          // chunks; Tutel picks it at run time (assumed: 2)
    param align = 16;          // rows that the capacity of a GPU and expert is rounded up to (papers: 128; here by scale)
    param framework = 20;      // empty kernels, for those of PyTorch in gate and bookkeeping (assumed: a third of Megatron's)
    param channels = 2;        // blocks per peer of an exchange
    .include "schedule_host.inc"
    let arrive = 10;           // streams: arrival, compute and return of chunk c are on 10 + c, 30 + c and 50 + c
    let compute = 30;
    let leave = 50;
    let last = degree - 1;

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
        fetch totals@g;
    }
    let most = round_up(max(read(totals@0, 2), 1), max(align, degree));
    let room = round_up(ngpus * most / degree, tile);          // rows of an expert in a chunk
    let count = local * room / tile;                           // row tiles of a chunk
    buffer encoded : bf16[experts * most, hidden] = zeros;
    buffer decoded : bf16[experts * most, hidden] = zeros opaque(!values);
    buffer rows_in : bf16[degree * local * room, hidden] = zeros;
    buffer rows_mid : bf16[degree * local * room, ffn] = zeros opaque(!values);
    buffer rows_out : bf16[degree * local * room, hidden] = zeros opaque(!values);
    buffer first_of : u32[experts] = zeros;
    buffer segments : u32[degree, 5, experts] = zeros;
    buffer all_tiles : u32[count] = iota;
    buffer owners : u64[ngpus] = addresses(rows_in);
    buffer homes : u64[ngpus] = addresses(decoded);

    launch chunks on all grid(degree) block(round_up(experts, 32)) (first_of, segments, experts, gpu, ngpus, most, room);
    launch permute on all grid(ceil_div(pairs, 32)) block(256)
        (x, route, numbers, first_of, encoded, place, hidden, topk, pairs);
    for c in 0..degree {
        busy host.collective_call_ns;
        launch exchange on all grid(channels, ngpus) block(512) stream arrive + c after(c > 0 ? arrive + c - 1 : 0)
            (encoded, owners, segments + 5 * c * line, segments + (5 * c + 1) * line, segments + (5 * c + 2) * line,
             all_flags, flags, 4 * (1 + c), channels * ngpus, hidden, local, 0, local, 0, gpu);
    }
    for c in 0..degree {
        launch gemm1 on all grid(ffn / 64, count) block(128) stream compute + c
            after(arrive + c, c > 0 ? compute + c - 1 : 0)
            (rows_in + c * local * room * data, w1, rows_mid + c * local * room * ffn * 2, all_tiles,
             hidden, ffn, data, room / tile);
        launch activate on all grid(ffn / 64, count) block(128) stream compute + c
            (rows_mid + c * local * room * ffn * 2, all_tiles, ffn);
        launch gemm2 on all grid(hidden / 64, count) block(128) stream compute + c
            (rows_mid + c * local * room * ffn * 2, w2, rows_out + c * local * room * data, all_tiles,
             hidden, ffn, room / tile);
    }
    for c in 0..degree {
        busy host.collective_call_ns;
        launch exchange on all grid(channels, ngpus) block(512) stream leave + c
            after(compute + c, c > 0 ? leave + c - 1 : arrive + last)
            (rows_out, homes, segments + (5 * c + 3) * line, segments + (5 * c + 4) * line, segments + (5 * c + 2) * line,
             all_flags, flags, 4 * (1 + degree + c), channels * ngpus, hidden, local, 0, local, 0, gpu);
    }
    launch combine on all grid(here / 4) block(128) after(leave + last) (decoded, place, prob, y, hidden, topk);

    check y ~ moe_layer(x, gate, w1, w2, bias, route, topk=topk, given=given_route) rtol 2e-2 atol 1e-2;
}
