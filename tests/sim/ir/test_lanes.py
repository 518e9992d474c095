"""Every lane instruction: the code does what the reference says, bit for bit."""

import zlib

import numpy as np
import pytest
from native import FULL, buffer, call_lane
from samples import random_bits, sampled, width

from isa.algebra import Value
from isa.instr import Kind
from isa.table import ROWS, instances, resolve
from sim.ir.compile import compile_for
from sim.ir.objects import PORTABLE, host

LANE_ROWS = [row for row in ROWS if row.kind == Kind.LANE]
ROUNDS = 12
"""Warps of operands for each op."""
HALVES = {"f16x2": "f16", "bf16x2": "bf16"}


def seeded(row):
    return np.random.default_rng(zlib.crc32(row.syntax.encode()))


def ops_of(row, extra):
    """Ops to try, with random constants where constants shape the code."""
    rng = seeded(row)
    for op in sampled(instances(row), rng, extra):
        names = [o.name for o in op.operands if o.form == "imm"]
        yield op.with_imm({name: int(rng.integers(0, 256)) for name in names}) if names else op


def store_bits(bits, t):
    """Values (u64) as a register or predicate."""
    if t == "pred":
        return buffer(1, np.uint32, sum(int(b) << i for i, b in enumerate(bits)))
    return buffer(32, np.uint64 if width(t) == 64 else np.uint32, bits)


def load_bits(register, t):
    """The inverse: 32 values as u64."""
    if t == "pred":
        return np.array([int(register[0]) >> i & 1 for i in range(32)], np.uint64)
    return register.astype(np.uint64)


def reference_value(bits, t):
    """Bits (u64) as the reference sees them."""
    if t == "pred":
        return Value(bits.astype(bool), t)
    kind = "f" if t in ("f16", "f32", "f64") else "i" if t[0] == "s" else "u"
    return Value(bits.astype(f"u{width(t) // 8}").view(f"{kind}{width(t) // 8}"), t)


def bits_of(value):
    """The inverse."""
    raw = np.ascontiguousarray(value.v)
    return (raw if value.t == "pred" else raw.view(f"u{raw.itemsize}")).astype(np.uint64)


def is_nan(bits, t):
    """Where bits are a NaN of a float type."""
    digits, total = {"f16": (10, 16), "bf16": (7, 16), "f32": (23, 32), "f64": (52, 64)}.get(t, (0, 0))
    if not total:
        return np.zeros(bits.shape, bool)
    magnitude = bits & np.uint64((1 << total - 1) - 1)
    return magnitude > np.uint64((1 << total - 1) - (1 << digits))


def agree(got, want, t):
    """Lanes that are equal, or both NaN."""
    if t in HALVES:
        low, high = np.uint64(0xFFFF), np.uint64(16)
        return agree(got & low, want & low, HALVES[t]) & agree(got >> high, want >> high, HALVES[t])
    return (got == want) | (is_nan(got, t) & is_nan(want, t))


def ptx_types(op):
    """PTX type of each destination, vectors flattened; 128 bits are two of 64."""
    types = [o.type for o in op.operands if o.role == "w" for _ in range(o.count)]
    return [half for t in types for half in (("b64", "b64") if t == "b128" else (t,))]


def check(op, pointer, rng):
    """Run the op on warps of operands with random masks, the destination in its own register or over a source."""
    written, read = op.lane_types()
    sources = [random_bits(rng, t, 32 * ROUNDS) for t in read]
    if len(read) > 1 and read[-1] == read[0]:
        sources[-1][:64] = sources[0][:64]
    with np.errstate(all="ignore"):
        results = op.instr.lane(op, *[reference_value(s, t) for s, t in zip(sources, read, strict=True)])
    results = results if isinstance(results, tuple) else (results,)
    given = [(r.t, *rest) for r, *rest in zip(results, written, ptx_types(op), strict=True)]
    assert all(t == want or width(t) == 32 > width(want) > 1 for t, want, _ in given), op.name
    ptx = [ptx if t == want else t for t, want, ptx in given]  # a narrow integer may come extended to its register
    for i in range(ROUNDS):
        part = slice(32 * i, 32 * i + 32)
        mask = FULL if i == 0 else int(rng.integers(0, 1 << 32))
        registers = [store_bits(s[part], t) for s, t in zip(sources, read, strict=True)]
        targets = [store_bits(random_bits(rng, t, 32), t) for t in written]
        if i % 3 == 0 and written[0] in read:
            targets[0] = registers[read.index(written[0])]
        before = [load_bits(d, t) for d, t in zip(targets, written, strict=True)]
        call_lane(pointer, targets + registers, mask)
        active = (mask >> np.arange(32)) & 1 == 1
        for d, old, result, t, kind in zip(targets, before, results, written, ptx, strict=True):
            got, want = load_bits(d, t), bits_of(result)[part]
            assert (got == old)[~active].all(), f"{op.name} changes lanes that are off"
            wrong = np.flatnonzero(active & ~agree(got, want, kind))
            if wrong.size:
                lane = wrong[0]
                operands = ", ".join(f"{hex(s[part][lane])} ({t})" for s, t in zip(sources, read, strict=True))
                pytest.fail(f"{op.name}: {operands} -> {hex(got[lane])}, the reference says {hex(want[lane])} ({kind})")


@pytest.mark.parametrize("row", LANE_ROWS, ids=lambda row: row.syntax.split(" ")[0] + row.form)
def test_code_agrees_with_the_reference(row):
    ops = list(ops_of(row, 2))
    assert ops, "the row has no valid combination of modifiers"
    assert all(resolve(op.name) == op for op in ops)
    compiled = compile_for(host(), [op.name for op in ops])
    for op in ops:
        check(op, compiled[op.name], np.random.default_rng(zlib.crc32(op.name.encode())))


def test_code_agrees_on_the_least_cpu():
    ops = [op for row in LANE_ROWS for op in list(ops_of(row, 1))[:1]]
    compiled = compile_for(PORTABLE, [op.name for op in ops])
    for op in ops:
        check(op, compiled[op.name], np.random.default_rng(zlib.crc32(op.name.encode())))


def test_only_lane_operations_are_compiled():
    with pytest.raises(ValueError, match="not a lane operation"):
        compile_for(host(), ["bra.uni"])
