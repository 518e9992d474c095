"""Sums of tensor cores against an H100: random factors and accumulators of every type, checksums of what it gave.

`tensor_sums.ptx` has a kernel for each instruction: a warp (warpgroup) of each block loads fragments of A, C and B (wgmma:
B as K-major core matrices without a swizzle) and stores D.
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from assembler import assemble
from sim.config import Config
from sim.machine import Machine

Array = np.ndarray[Any, Any]
FORMATS = {"f16": (16, 5, 10), "bf16": (16, 8, 7), "tf32": (32, 8, 10), "e4m3": (8, 4, 3), "e5m2": (8, 5, 2)}
"""Bits, and bits of exponent and mantissa."""
ORDINARY, EXTREME = ("wide", "narrow", "middle", "powers"), ("subnormal", "special", "tiny", "huge")
EXPONENTS = {"wide": (6, 6), "narrow": (1, 1), "middle": (4, 4), "powers": (0, 1)}
CASES = (
    ("f16", 16, "f16", "f32", 16, ORDINARY, (0xA578C5F4, 0xCF320FAE, 0x26742A4C, 0x60AF3BA5)),
    ("bf16", 16, "bf16", "f32", 16, ORDINARY, (0xCAD015DD, 0x7997E52E, 0x03193791, 0x60AF3BA5)),
    ("tf32", 8, "tf32", "f32", 16, ORDINARY, (0x860DDBF2, 0xCC980021, 0x31E5E66F, 0xEB21C5A7)),
    ("tf32k4", 4, "tf32", "f32", 16, ORDINARY, (0x0D98D074, 0x8E82B015, 0x7C2CD2EF, 0x3C7488FD)),
    ("e4m3", 32, "e4m3", "f32", 16, ORDINARY, (0x3FC3550A, 0x3AF06FA5, 0xF9ADD25A, 0xBC88E703)),
    ("e5m2", 32, "e5m2", "f32", 16, ORDINARY, (0xDE92AEEB, 0xDDC6A317, 0xB0367D8E, 0xBC88E703)),
    ("f16k8", 8, "f16", "f32", 16, ORDINARY, (0x9F75C0D4, 0xCC980021, 0x31E5E66F, 0xEB21C5A7)),
    ("bf16k8", 8, "bf16", "f32", 16, ORDINARY, (0x8343CD92, 0x121E184E, 0x8C1A2A4C, 0xEB21C5A7)),
    ("f16h", 16, "f16", "f16", 16, ORDINARY, (0x7639B8D7, 0xD3FEF376, 0x6E282EEC, 0x19E3D25D)),
    ("f16hk8", 8, "f16", "f16", 16, ORDINARY, (0x0488DA2B, 0xEF03794A, 0x92C23294, 0xED2EA4C2)),
    ("wf16", 16, "f16", "f32", 64, ORDINARY, (0x45AF46C9, 0x8D4A6759, 0xDF123FDF, 0xF1734EA5)),
    ("wbf16", 16, "bf16", "f32", 64, ORDINARY, (0x0E705E04, 0x8FA0B99B, 0x174767B7, 0xF1734EA5)),
    ("wtf32", 8, "tf32", "f32", 64, ORDINARY, (0x669278FE, 0xA70C02EA, 0x3C2DE440, 0x318856C1)),
    ("we4m3", 32, "e4m3", "f32", 64, ORDINARY, (0xECE9C857, 0xADA7CD70, 0x56858CD8, 0xEF6119A5)),
    ("we5m2", 32, "e5m2", "f32", 64, ORDINARY, (0x638837BC, 0xFC884813, 0xFE907843, 0xEF6119A5)),
    ("wf16h", 16, "f16", "f16", 64, ORDINARY, (0x82CAA406, 0x4A7C5337, 0xC0EBEB36, 0x723C0402)),
    ("we4m3h", 32, "e4m3", "f16", 64, ORDINARY, (0xB419EBAB, 0xC7A00F2E, 0x4543B745, 0x11052E1F)),
    ("f16", 16, "f16", "f32", 16, EXTREME, (0x117F7B99, 0x7BF718D4, 0x030CCECE, 0x8FEF68B1)),
    ("bf16", 16, "bf16", "f32", 16, EXTREME, (0x375E83A2, 0x65BF5F06, 0x814B5767, 0x17398061)),
    ("tf32", 8, "tf32", "f32", 16, EXTREME, (0xFB3052DC, 0x31C76B31, 0xC8A5DAEF, 0x9A62081D)),
    ("tf32k4", 4, "tf32", "f32", 16, EXTREME, (0xF1C2D77A, 0xFD1EAAE9, 0x984CEE98, 0xFA027800)),
    ("e4m3", 32, "e4m3", "f32", 16, EXTREME, (0x905A185A, 0xF7381477, 0xB528779D, 0x12287247)),
    ("e5m2", 32, "e5m2", "f32", 16, EXTREME, (0x5DF05BA4, 0x7CB69307, 0xB0B8E22F, 0x06920CCF)),
    ("f16k8", 8, "f16", "f32", 16, EXTREME, (0x14CA5362, 0x31C76B31, 0xD2FD4253, 0x6EE3A020)),
    ("bf16k8", 8, "bf16", "f32", 16, EXTREME, (0xFB3052DC, 0x44FC5858, 0x25779FEF, 0x750133A5)),
    ("f16h", 16, "f16", "f16", 16, EXTREME, (0x4F49C329, 0xC9B96E3A, 0xB9210BB9, 0x39542770)),
    ("f16hk8", 8, "f16", "f16", 16, EXTREME, (0xF17F545B, 0x1A87F29D, 0x5088B831, 0x1361AC6F)),
    ("wf16", 16, "f16", "f32", 64, EXTREME, (0x72084CB6, 0x93AC2931, 0x3ACBBF93, 0x3AEBAFD0)),
    ("wbf16", 16, "bf16", "f32", 64, EXTREME, (0xFFCCF976, 0xDC183BF4, 0x78715339, 0x478F1D81)),
    ("wtf32", 8, "tf32", "f32", 64, EXTREME, (0x49F78C09, 0xBA4CD36D, 0xDAF8641F, 0xD01389A4)),
    ("we4m3", 32, "e4m3", "f32", 64, EXTREME, (0x9181AF69, 0x04180F92, 0xD2FEB7D5, 0x2BB6CE5F)),
    ("we5m2", 32, "e5m2", "f32", 64, EXTREME, (0x14C08FFD, 0xB199C756, 0x25033ED0, 0x539F6289)),
    ("wf16h", 16, "f16", "f16", 64, EXTREME, (0xB7AFC6D2, 0x6F6EA5F2, 0x40ECC107, 0xA4D25EC2)),
    ("we4m3h", 32, "e4m3", "f16", 64, EXTREME, (0xE6DBE3D2, 0xEE09E0D2, 0x5DC7A4CB, 0x6B822CE7)),
)  # fmt: skip
"""Kernel, k, type of the factors and of the sums, rows of A, distributions; CRC-32 of D for each of them."""


def ordinary(rng: np.random.Generator, kind: str, n: int, spread: str) -> Array:
    """Bits of random factors: exponents spread evenly, without subnormals."""
    _, exponent, mantissa = FORMATS[kind]
    bias = (1 << exponent - 1) - 1
    sign = rng.integers(0, 2, n, dtype=np.uint32)
    fraction = rng.integers(0, 1 << mantissa, n, dtype=np.uint32)
    low, high = EXPONENTS[spread]
    if spread == "wide":
        low = high = {"bf16": 10, "tf32": 10, "f16": 8}.get(kind, 6)
    e = np.clip(rng.integers(-low, high, n) + bias, 1, (1 << exponent) - 2)
    if spread == "powers":
        fraction &= np.uint32(0)
    return _packed(rng, kind, sign, e, fraction, 0.3 if spread in ("wide", "powers") else 0.0)


def extreme(rng: np.random.Generator, kind: str, n: int, spread: str) -> Array:
    """Bits of random factors near the ends of the format, or with infinities and NaNs."""
    _, exponent, mantissa = FORMATS[kind]
    top, middle = (1 << exponent) - 1, 1 << exponent - 1
    sign = rng.integers(0, 2, n, dtype=np.uint32)
    fraction = rng.integers(0, 1 << mantissa, n, dtype=np.uint32)
    if spread == "subnormal":
        e = rng.integers(0, 4, n)
    elif spread == "tiny":
        e = rng.integers(middle - 76, middle - 51, n) if exponent == 8 else rng.integers(0, 6, n)
    elif spread == "huge":
        e = rng.integers(top - 4, top, n)
    else:
        e = rng.integers(middle - 3, middle + 2, n)
        e = np.where(rng.random(n) < 0.01, top, e)
        fraction = np.where(rng.random(n) < 0.5, 0, fraction)
    return _packed(rng, kind, sign, e, fraction, 0.5 if spread == "subnormal" else 0.1)


def _packed(rng: np.random.Generator, kind: str, sign: Array, e: Array, fraction: Array, zeros: float) -> Array:
    bits, _, mantissa = FORMATS[kind]
    shift = 13 if kind == "tf32" else 0
    values = sign << np.uint32(bits - 1) | e.astype(np.uint32) << np.uint32(mantissa + shift)
    values |= fraction.astype(np.uint32) << np.uint32(shift)
    values[rng.random(len(values)) < zeros] = 0
    return values.astype(f"u{bits // 8}")


def accumulators(rng: np.random.Generator, n: int, spread: str) -> Array:
    """Bits of random f32."""
    sign, fraction = rng.integers(0, 2, n, dtype=np.uint32), rng.integers(0, 1 << 23, n, dtype=np.uint32)
    if spread in ORDINARY:
        e = 127 + (rng.integers(-14, 14, n) if spread in ("wide", "powers") else rng.integers(-3, 5, n))
    elif spread in ("subnormal", "tiny"):
        e = rng.integers(0, 8, n) if rng.integers(2) else rng.integers(0, 127, n)
    else:
        e = rng.integers(246, 255, n) if spread == "huge" else rng.integers(124, 131, n)
    values = sign << np.uint32(31) | e.astype(np.uint32) << np.uint32(23) | fraction
    values[rng.random(n) < (0.3 if spread in ORDINARY else 0.5)] = 0
    return values.astype(np.uint32)


def tiles(number: int, spread: str, k: int, kind: str, sums: str, rows: int) -> tuple[Array, Array, Array]:
    """A [tile, rows, k], B [tile, 8, k], C [tile, rows, 8] as bits."""
    rng, n = np.random.default_rng([number, k, rows]), 256 if rows == 16 else 64
    factors = ordinary if spread in ORDINARY else extreme
    a, b = (factors(rng, kind, n * r * k, spread).reshape(n, r, k) for r in (rows, 8))
    c = accumulators(rng, n * rows * 8, spread).reshape(n, rows, 8)
    if sums == "f16":
        with np.errstate(over="ignore"):
            c = c.view(np.float32).astype(np.float16).view(np.uint16)
    return a[: n // 4], b[: n // 4], c[: n // 4]


def fragments(a: Array, b: Array, c: Array, warpgroup: bool) -> tuple[bytes, bytes, bytes]:
    """As the lanes of a warp hold them (PTX ISA 9.0, 9.7.14.5); B of a warpgroup as core matrices."""
    n, rows, _ = a.shape
    words = a.view(np.uint32).reshape(n, rows // 16, 2, 8, -1, 4).transpose(0, 1, 3, 5, 4, 2)
    right = b.view(np.uint8).reshape(n, 8, -1, 16).transpose(0, 2, 1, 3)
    if not warpgroup:
        right = b.view(np.uint32).reshape(n, 8, -1, 4).transpose(0, 1, 3, 2)
    sums = c.reshape(n, rows // 16, 2, 8, 4, 2).transpose(0, 1, 3, 4, 2, 5)
    return words.tobytes(), right.tobytes(), sums.tobytes()


@cache
def image() -> Any:
    return assemble(Path(__file__).with_name("tensor_sums.ptx"))


@pytest.mark.parametrize(
    ("kernel", "k", "kind", "sums", "rows", "spreads", "checksums"), CASES, ids=[f"{c[0]}-{c[5][0]}" for c in CASES]
)
def test_sums_are_those_of_the_silicon(
    kernel: str, k: int, kind: str, sums: str, rows: int, spreads: tuple[str, ...], checksums: tuple[int, ...]
):
    machine = Machine(image(), Config.load("h200"), functional=True)
    results = []
    for number, spread in enumerate(spreads):
        parts = fragments(*tiles(number, spread, k, kind, sums, rows), rows == 64)
        addresses = []
        for data in (*parts, bytes(len(parts[2]))):
            addresses.append(machine.alloc(0, len(data), "tiles"))
            machine.write(addresses[-1], np.frombuffer(data, np.uint8))
        blocks = len(parts[2]) // (rows * 8 * (4 if sums == "f32" else 2))
        block = (128 if rows == 64 else 32, 1, 1)
        machine.launch(0, kernel, (blocks, 1, 1), block, params=struct.pack("<QQQQ", *addresses))
        results.append((addresses[-1], len(parts[2])))
    machine.run()
    size, nan, infinity = (4, 0x7FFFFFFF, 0x7F800000) if sums == "f32" else (2, 0x7FFF, 0x7C00)
    for (address, length), spread, checksum in zip(results, spreads, checksums, strict=True):
        got = np.frombuffer(machine.read(address, length), f"<u{size}")
        got = np.where((got & nan) > infinity, got.dtype.type(nan), got)
        assert zlib.crc32(got.tobytes()) == checksum, spread
