"""Inputs of the random programs: rows of 64 threads, edge cases first. Only the standard library."""

from __future__ import annotations

import math
import random
import struct

THREADS = 64
EDGES32 = (0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 33, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFF,
           0x800000, 0xFFFFFF, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFE, 0xFFFFFFFF, 0x55555555, 0xAAAAAAAA)  # fmt: skip
EDGES64 = (*EDGES32, 1 << 32, (1 << 32) - 1, 1 << 53, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1, 1 << 52)
FLOATS32 = (0x00000000, 0x80000000, 0x3F800000, 0xBF800000, 0x7F800000, 0xFF800000, 0x7FFFFFFF, 0x7FC00000, 0x00000001,
            0x80000001, 0x007FFFFF, 0x00800000, 0x80800000, 0x7F7FFFFF, 0xFF7FFFFF, 0x3F000000, 0x40490FDB, 0x4B000000,
            0x4B800000, 0x4F000000, 0x4EFFFFFF, 0xCF000000, 0x5F000000, 0x33800000, 0x477FE000, 0x38800000)  # fmt: skip
FLOATS64 = (0, 1 << 63, 0x3FF0000000000000, 0xBFF0000000000000, 0x7FF0000000000000, 0xFFF0000000000000,
            0x7FF8000000000000, 1, (1 << 63) + 1, 0x000FFFFFFFFFFFFF, 0x0010000000000000, 0x7FEFFFFFFFFFFFFF,
            0x41E0000000000000, 0x43E0000000000000, 0xC1E0000000000000, 0x47EFFFFFE0000000, 0x3810000000000000,
            0x36A0000000000000, 0x3FE0000000000000, 0x4330000000000000)  # fmt: skip
HALVES = (0x0000, 0x8000, 0x3C00, 0xBC00, 0x7C00, 0xFC00, 0x7FFF, 0x0001, 0x8001, 0x03FF, 0x0400, 0x7BFF, 0xFBFF, 0x3800,
          0x6400, 0x3F80, 0x7F80, 0xFF80, 0x7F7F, 0x0080, 0x007F, 0x4248)  # fmt: skip


def _f32(rng: random.Random) -> int:
    pick = rng.random()
    if pick < 0.3:
        return rng.choice(FLOATS32)
    if pick < 0.4:
        return rng.getrandbits(32)
    value = rng.choice(
        (rng.uniform(-4, 4), rng.uniform(-1, 1) * 2.0 ** rng.randint(-30, 40), float(rng.randint(-99, 99)))
    )
    return struct.unpack("<I", struct.pack("<f", value))[0]


def _f64(rng: random.Random) -> int:
    pick = rng.random()
    if pick < 0.3:
        return rng.choice(FLOATS64)
    if pick < 0.35:
        bits = rng.getrandbits(64)
        return 0x7FF8 << 48 if math.isnan(struct.unpack("<d", struct.pack("<Q", bits))[0]) else bits
    value = rng.choice(
        (rng.uniform(-4, 4), rng.uniform(-1, 1) * 2.0 ** rng.randint(-90, 90), float(rng.randint(-99, 99)))
    )
    return struct.unpack("<Q", struct.pack("<d", value))[0]


def _half(rng: random.Random) -> int:
    pick = rng.random()
    if pick < 0.35:
        return rng.choice(HALVES)
    return rng.getrandbits(16) if pick < 0.5 else rng.getrandbits(13) | rng.choice((0x2000, 0xA000, 0x4000, 0x3C00))


def _int(rng: random.Random, bits: int) -> int:
    pick = rng.random()
    if pick < 0.35:
        return rng.choice(EDGES64 if bits == 64 else EDGES32) & ((1 << bits) - 1)
    if pick < 0.55:
        return rng.randint(-40, 40) & ((1 << bits) - 1)
    return rng.getrandbits(bits)


KINDS = {
    "f32": _f32,
    "f64": _f64,
    "f16": _half,
    "f16x2": lambda rng: _half(rng) | _half(rng) << 16,
    "i16": lambda rng: _int(rng, 16),
    "i32": lambda rng: _int(rng, 32),
    "i64": lambda rng: _int(rng, 64),
}
LAYOUT = (
    "f32",
    "f32",
    "f32",
    "f16x2",
    "f16x2",
    "i32",
    "i32",
    "i32",
    "f16",
    "f16",
    "i16",
    "i16",
    "f64",
    "f64",
    "i64",
    "i64",
)
"""Kinds of the input rows, 8 bytes a thread each."""
INPUTS = 16
"""Different input buffers; program i uses number i modulo this."""


def buffer(number: int) -> bytes:
    """Input buffer `number`: the rows of LAYOUT, THREADS values of 8 bytes each."""
    rng = random.Random(f"inputs {number}")
    words = [KINDS[kind](rng) for kind in LAYOUT for _ in range(THREADS)]
    return struct.pack(f"<{len(words)}Q", *words)
