"""The multi-function unit against a Hopper GPU: checksums of its results over whole octaves and over all of f32."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from isa.algebra import Value
from isa.table import resolve

SWEEPS = (
    ("rcp.approx.ftz.f32", 0x3F800000, 131, 64036, 0x895E7016),
    ("rsqrt.approx.ftz.f32", 0x3F800000, 131, 64036, 0x2EDBBB62),
    ("rsqrt.approx.ftz.f32", 0x40000000, 131, 64036, 0x9F218E98),
    ("ex2.approx.ftz.f32", 0x3F800000, 131, 64036, 0xFD646EAA),
    ("lg2.approx.ftz.f32", 0x3F000000, 131, 64036, 0x4B888A8E),
    ("lg2.approx.ftz.f32", 0x3F800000, 131, 64036, 0x26F2F87F),
    ("sqrt.approx.ftz.f32", 0x3F800000, 262, 32018, 0xCE2537BB),
    ("sqrt.approx.ftz.f32", 0x40000000, 262, 32018, 0x3B5BC62D),
    ("sin.approx.ftz.f32", 0x40000000, 776, 65536, 0xB70F96D3),
    ("cos.approx.ftz.f32", 0x40000000, 776, 65536, 0x317EE39B),
    ("tanh.approx.f32", 0x38800000, 1208, 131941, 0xE33361FB),
    ("rcp.approx.ftz.f32", 0x00003039, 32771, 131072, 0xB4E03623),
    ("rcp.approx.f32", 0x00003039, 32771, 131072, 0xFE499379),
    ("rsqrt.approx.ftz.f32", 0x00003039, 32771, 131072, 0xC5A1C5F7),
    ("rsqrt.approx.f32", 0x00003039, 32771, 131072, 0xF94FF1D1),
    ("sqrt.approx.ftz.f32", 0x00003039, 32771, 131072, 0x85821968),
    ("sqrt.approx.f32", 0x00003039, 32771, 131072, 0xB83E8A11),
    ("ex2.approx.ftz.f32", 0x00003039, 32771, 131072, 0x0A4B2E09),
    ("ex2.approx.f32", 0x00003039, 32771, 131072, 0x75409EF2),
    ("lg2.approx.ftz.f32", 0x00003039, 32771, 131072, 0xD84823C8),
    ("lg2.approx.f32", 0x00003039, 32771, 131072, 0x192149F3),
    ("sin.approx.ftz.f32", 0x00003039, 32771, 131072, 0xA0FA33AF),
    ("sin.approx.f32", 0x00003039, 32771, 131072, 0xA0FA33AF),
    ("cos.approx.ftz.f32", 0x00003039, 32771, 131072, 0xBCA2DD8A),
    ("cos.approx.f32", 0x00003039, 32771, 131072, 0xBCA2DD8A),
    ("tanh.approx.f32", 0x00003039, 32771, 131072, 0x0099B337),
)
"""Opcode, bits of the first argument, step of the bits, number of arguments; CRC-32 of the results' bits on an H100."""
WORDS = (
    ("tanh.approx.f16", 0x4FDBEBF7),
    ("tanh.approx.bf16", 0xA1373044),
    ("ex2.approx.f16", 0xD5350E3B),
    ("ex2.approx.ftz.bf16", 0xEAB02565),
)
"""Opcode, CRC-32 of the results of all 65536 arguments."""
HIGH = (
    ("rcp.approx.ftz.f64", 0x3FF00000, 1, 1048576, 0x57B8880F),
    ("rsqrt.approx.ftz.f64", 0x3FF00000, 1, 2097152, 0x511658E8),
    ("rcp.approx.ftz.f64", 0x00003039, 65537, 65536, 0x3D1E2582),
    ("rsqrt.approx.ftz.f64", 0x00003039, 65537, 65536, 0x2E6D4A9A),
)
"""As SWEEPS, for the upper halves of f64."""


def checksum(a: np.ndarray, t: str) -> int:
    return zlib.crc32(a.astype(t).tobytes())


def arguments(start: int, step: int, count: int) -> np.ndarray:
    return np.arange(count, dtype=np.uint32) * np.uint32(step) + np.uint32(start)


def run(opcode: str, a: Value) -> Value:
    op = resolve(opcode)
    assert op.instr.lane is not None
    return op.instr.lane(op, a)


@pytest.mark.parametrize(("opcode", "start", "step", "count", "crc"), SWEEPS)
def test_f32(opcode: str, start: int, step: int, count: int, crc: int):
    result = run(opcode, Value(arguments(start, step, count).view(np.float32), "f32"))
    assert checksum(result.bits("u32").v, "<u4") == crc


@pytest.mark.parametrize(("opcode", "crc"), WORDS)
def test_16_bits(opcode: str, crc: int):
    words = Value(np.arange(1 << 16, dtype=np.uint16), "u16").bits(opcode.split(".")[-1])
    assert checksum(run(opcode, words).bits("u16").v, "<u2") == crc


@pytest.mark.parametrize(("opcode", "start", "step", "count", "crc"), HIGH)
def test_upper_half_of_f64(opcode: str, start: int, step: int, count: int, crc: int):
    wide = arguments(start, step, count).astype(np.uint64) << np.uint64(32)
    assert checksum(run(opcode, Value(wide, "u64").bits("f64")).bits("u64").hi32().v, "<u4") == crc
