// wgmma_gemm: C = A * B^T with all of the machine's tensor cores; bf16, A is m x k, B is n x k.
//
// A persistent kernel, one CTA per SM in clusters of two: every cluster takes pairs of 128 x 256 tiles until none is
// left, in an order in which those at work together share rows of A and B in L2. The macros of wgmma.inc make a tile.
// It is plain PTX (`simasm asm --emit-ptx`). Measured on an H200 with normal values, one launch and the mean of 40 in a
// row: 8192 x 8192 x 8192 1.362 ms = 807 and 788 TFLOP/s; 2048 x 28672 x 4096 0.601 ms = 800 and 796; 2048 x 4096 x 14336
// 0.293 ms = 822 and 807. The tensor cores alone reach 935 TFLOP/s and, after some milliseconds at full power, 835.
//
//     simasm programs/moe/wgmma_gemm.s -D m=512 -D n=512 -D k=512
//
// Expected: `c ~ matmul` passes.

.version 8.3
.target sm_90a
.address_size 64
.include "wgmma.inc"

.visible .entry gemm(
    .param .align 64 .b8 map_a[128],
    .param .align 64 .b8 map_b[128],
    .param .align 64 .b8 map_c[128],
    .param .u32 m,
    .param .u32 n,
    .param .u32 k
) .reqntid 384, 1, 1 .minnctapersm 1 .explicitcluster .reqnctapercluster 2, 1, 1
{
    TILE_STATE
    .reg .b64 %ta, %tb, %tc;

    mov.b64 %ta, map_a;
    cvta.param.u64 %ta, %ta;
    mov.b64 %tb, map_b;
    cvta.param.u64 %tb, %tb;
    mov.b64 %tc, map_c;
    cvta.param.u64 %tc, %tc;
    ld.param.u32 %pairs, [m];
    shr.u32 %pairs, %pairs, 8;
    ld.param.u32 %n, [n];
    shr.u32 %n, %n, 8;
    ld.param.u32 %rounds, [k];
    shr.u32 %rounds, %rounds, 8;
    TILE_START %pairs, %n

produce:
    NEXT_TILE 256
    shl.b32 %s0, %rank, 7;
    add.u32 %n, %n, %s0;
    LOAD_TILE %ta, %m, %tb, %n
    bra produce;

consume:
    NEXT_TILE 256
    MULTIPLY_TILE
    shl.b32 %s0, %group, 6;
    add.u32 %m, %m, %s0;
    STORE_SUMS %tc, %m, %n, lo
    add.u32 %n, %n, 128;
    STORE_SUMS %tc, %m, %n, hi
    bra consume;

    TILE_END
}

.host main {
    param m = 1024;
    param n = 1024;
    param k = 512;
    param data = 1;                    // 0: time without data, for large sizes
    require m % 256 == 0 && n % 256 == 0 && k % 256 == 0, "m, n and k must be multiples of 256";
    buffer a : bf16[m, k] = normal(0, 1) opaque(!data);
    buffer b : bf16[n, k] = normal(0, 1) opaque(!data);
    buffer c : bf16[m, n] = zeros opaque(!data);
    tensormap map_a over a box(64, 128) swizzle 128 promotion 256;
    tensormap map_b over b box(64, 128) swizzle 128 promotion 256;
    tensormap map_c over c box(64, 64) swizzle 128;
    launch gemm on all grid(min(sm.count / 2 * 2, m / 128 * (n / 256))) block(384) cluster(2) shared TILE_SHARED
        (map_a, map_b, map_c, m, n, k);
    check c ~ matmul(a, b) rtol 1e-2 atol 1e-2 * sqrt(k);
}
