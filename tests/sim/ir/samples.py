"""Bits worth trying for each type of the lane algebra, and which modifier combinations of a row to try."""

import itertools

import numpy as np

INTEGER = [0, 1, 2, 3, 7, 15, 16, 31, 32, 33, 63, 64, 65, 127, 128, 255, 256, 1 << 15, 1 << 16, (1 << 31) - 1, 1 << 31]
F16 = [
    0,
    0x8000,
    1,
    0x8001,
    0x3FF,
    0x400,
    0x3BFF,
    0x3C00,
    0xBC00,
    0x3E00,
    0x7BFF,
    0x7C00,
    0xFC00,
    0x7E01,
    0x7FFF,
    0xFFFF,
]
BF16 = [
    0,
    0x8000,
    1,
    0x8001,
    0x7F,
    0x80,
    0x3F7F,
    0x3F80,
    0xBF80,
    0x3FC0,
    0x7F7F,
    0x7F80,
    0xFF80,
    0x7FC1,
    0x7FFF,
    0xFFFF,
]
F32 = [
    *(0, 1, 0x7FFFFF, 0x800000, 0x3F7FFFFF, 0x3F800000, 0x3F800001, 0x3FC00000, 0x40000000, 0x40490FDB, 0x3F000000),
    *(0x477FE000, 0x477FF000, 0x4B800000, 0x4F000000, 0x4EFFFFFF, 0x5F000000, 0x7F7FFFFF, 0x7F800000, 0x7FC00001),
    *(0x42B00000, 0x43000000, 0x33800000, 0x387FC000, 0x38800000, 0x477FEFFF, 0x7F7F7FFF, 0x7F7F8000),
]
F64 = [
    *(0, 1, 0xFFFFFFFFFFFFF, 0x10000000000000, 0x3FEFFFFFFFFFFFFF, 0x3FF0000000000000, 0x3FF0000000000001),
    *(0x3FF8000000000000, 0x36A0000000000000, 0x3690000000000000, 0x47EFFFFFEFFFFFFF, 0x47EFFFFFF0000000),
    *(0x41DFFFFFFFC00000, 0x41E0000000000000, 0x43E0000000000000, 0x43F0000000000000, 0x7FEFFFFFFFFFFFFF),
    *(0x7FF0000000000000, 0x7FF8000000000001, 0x3FE0000010000000, 0x40EFFDFFFFFFFFFF, 0x40EFFE0000000000),
]
EDGES = {"f16": F16, "bf16": BF16, "f32": F32 + [x | 1 << 31 for x in F32], "f64": F64 + [x | 1 << 63 for x in F64]}


def width(t):
    """Bits of a type of the lane algebra."""
    return 1 if t == "pred" else 16 if t in ("f16", "bf16") else int(t[1:])


def random_bits(rng, t, n):
    """``n`` values as u64: random bits, edge values, and numbers of ordinary size."""
    mask = (1 << width(t)) - 1
    edges = EDGES.get(t) or [x & mask for x in (*INTEGER, *(-x for x in INTEGER), *(x << 32 for x in INTEGER))]
    wild = rng.integers(0, 1 << 64, n, dtype=np.uint64) & np.uint64(mask)
    edge = np.array([edges[i] for i in rng.integers(0, len(edges), n)], np.uint64)
    if t in ("f32", "f64"):
        tame = (rng.normal(0, 1, n) * 2.0 ** rng.integers(-20, 20, n)).astype(f"f{width(t) // 8}")
        tame = tame.view(f"u{width(t) // 8}").astype(np.uint64)
    elif t in ("f16", "bf16"):
        one = 0x3C00 if t == "f16" else 0x3F80
        tame = (one + rng.integers(-(one >> 2), one >> 2, n)).astype(np.uint64)
    else:  # two halves that are numbers of ordinary size in f16 or bf16, or one small integer
        halves = [(0x3C00 + rng.integers(-0xA00, 0xA00, n)).astype(np.uint64) for _ in range(2)]
        pair = (halves[0] | halves[1] << np.uint64(16)) & np.uint64(mask)
        tame = np.where(rng.integers(0, 2, n) == 0, pair, rng.integers(0, 70, n).astype(np.uint64) & np.uint64(mask))
    pick = rng.integers(0, 3, n)
    return np.where(pick == 0, wild, np.where(pick == 1, edge, tame))


def sampled(ops, rng, extra):
    """Ops of a row that use every value of every slot at least once, and ``extra`` more."""
    ops = list(itertools.islice(ops, 20000))
    order = [ops[i] for i in rng.permutation(len(ops))]
    chosen, seen = order[:extra], set()
    for op in order[:extra]:
        seen |= set(op.mods.items())
    for op in order[extra:]:
        if not set(op.mods.items()) <= seen:
            chosen.append(op)
            seen |= set(op.mods.items())
    return chosen
