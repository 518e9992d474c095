"""Library functions that read, modify and write memory: atomics, and the reduction of a packet into a line of memory.

``fmt`` = AtomOp | ValType << 8; bit 12 (FLUSH): f32 addition flushes subnormal operands and results to zero, as atomics
on global memory do (PTX ISA 9.0, 9.7.13.5) and bulk reductions on an H100 do not. NaNs of formats up to f32 are the
canonical one, as on an H100. The operations are written over the lane algebra, with as many lanes as needed.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from llvmlite import ir

from isa.rounding import canonical
from isa.types import AtomOp, ValType

from .algebra import Value, element_type, width_of
from .build import (
    I1,
    I8,
    I32,
    I64,
    I128,
    LANES,
    Builder,
    constant,
    dispatch,
    each_lane,
    lane_of,
    load,
    masked_load,
    masked_store,
    nonzero,
    store,
    vector,
    word,
)

FLUSH = 1 << 12
_Operation = Callable[[Value, Value, Value], Value]


def _minimum(old: Value, x: Value) -> Value:
    """The lesser; for floats a number beats NaN and -0 is below +0."""
    if old.t[0] in "us":
        return (x < old).where(x, old)
    raw = old.bits(f"u{width_of(old.t)}") | x.bits(f"u{width_of(old.t)}")
    chosen = (old == x).where(raw.bits(old.t), (x < old).where(x, old))
    return canonical((old != old).where(x, chosen))


def _maximum(old: Value, x: Value) -> Value:
    """The greater; see _minimum."""
    if old.t[0] in "us":
        return (x > old).where(x, old)
    raw = old.bits(f"u{width_of(old.t)}") & x.bits(f"u{width_of(old.t)}")
    chosen = (old == x).where(raw.bits(old.t), (x > old).where(x, old))
    return canonical((old != old).where(x, chosen))


def _add(old: Value, x: Value) -> Value:
    return old + x if old.t[0] in "us" else canonical(old + x)


def _increment(old: Value, limit: Value) -> Value:
    return (old >= limit).where(old.const(0), old + old.const(1))


def _decrement(old: Value, limit: Value) -> Value:
    wraps = (old == old.const(0)) | (old > limit)
    return wraps.where(limit, old - old.const(1))


def _flush(x: Value) -> Value:
    sign = (x.bits("u32") & x.bits("u32").const(1 << 31)).bits("f32")
    return (x.abs() < x.const(2.0**-126)).where(sign, x)


def _halves(f: Callable[[Value, Value], Value], t: str) -> Callable[[Value, Value], Value]:
    """An operation on each half of 32 bits."""

    def both(old: Value, x: Value) -> Value:
        low = f(old.lo16().bits(t), x.lo16().bits(t)).bits("u16")
        return low.pack16(f(old.hi16().bits(t), x.hi16().bits(t)).bits("u16"))

    return both


_BINARY: dict[AtomOp, Callable[[Value, Value], Value]] = {
    AtomOp.ADD: _add,
    AtomOp.MIN: _minimum,
    AtomOp.MAX: _maximum,
    AtomOp.INC: _increment,
    AtomOp.DEC: _decrement,
    AtomOp.AND: lambda old, x: old & x,
    AtomOp.OR: lambda old, x: old | x,
    AtomOp.XOR: lambda old, x: old ^ x,
    AtomOp.EXCH: lambda old, x: x,
}
_WORDS = (ValType.U32, ValType.S32, ValType.U64, ValType.S64, ValType.B32, ValType.B64)
_FLOATS = (ValType.F16, ValType.BF16, ValType.F16X2, ValType.BF16X2)
_ARITHMETIC = (AtomOp.ADD, AtomOp.MIN, AtomOp.MAX)
_LOGIC = (AtomOp.AND, AtomOp.OR, AtomOp.XOR, AtomOp.EXCH)
_ALLOWED: list[tuple[AtomOp, ValType]] = [
    *((op, t) for op in _ARITHMETIC for t in (*_WORDS[:4], ValType.F32, ValType.F64, *_FLOATS)),
    *((op, t) for op in (*_LOGIC, AtomOp.CAS) for t in _WORDS),
    *((op, ValType.U32) for op in (AtomOp.INC, AtomOp.DEC)),
    (AtomOp.CAS, ValType.U16),
]
"""What can be asked for: somewhat more than PTX lets a program write."""


def _lane_type(t: ValType) -> str:
    """The type an element has in the lane algebra."""
    name = t.name.lower()
    return "u32" if name.endswith("x2") else name.replace("b", "u") if name in ("b32", "b64") else name


def _result(op: AtomOp, t: ValType, flush: bool, old: Value, x: Value, y: Value) -> Value:
    """New value of a memory element."""
    if op == AtomOp.CAS:
        return (old == x).where(y, old)
    f = _BINARY[op]
    if t in (ValType.F16X2, ValType.BF16X2):
        f = _halves(f, t.name[:-2].lower())
    return _flush(f(_flush(old), _flush(x))) if flush else f(old, x)


def _formats() -> list[tuple[int, AtomOp, ValType, bool]]:
    rows = [(op | t << 8, op, t, False) for op, t in _ALLOWED]
    return [*rows, (AtomOp.ADD | ValType.F32 << 8 | FLUSH, AtomOp.ADD, ValType.F32, True)]


def _update(b: Builder, row: tuple[int, AtomOp, ValType, bool], address: Any, x: Any, y: Any) -> Any:
    """Do one operation at an address; operands and result (the old value) are the low bits of i64."""
    _, op, t, flush = row
    name = _lane_type(t)
    integer, one = ir.IntType(width_of(name)), vector(element_type(name), 1)

    def value(raw: Any) -> Value:
        return Value(b, b.bitcast(raw, one), name)

    def narrow(raw: Any) -> Any:
        return b.trunc(raw, integer)

    old = load(b, address, integer, integer.width // 8)
    new = _result(op, t, flush, value(old), value(narrow(x)), value(narrow(y)))
    store(b, b.bitcast(new.v, integer), address, integer.width // 8)
    return b.zext(old, I64)


def atom_one(b: Builder, address: Any, fmt: Any, x: Any, y: Any) -> Any:
    """(addr, fmt, b, c): one atomic on a naturally aligned element; b and c are the bits of the operands (c of cas).
    Returns the old bits, zero-extended."""
    cases = {row[0]: partial(_update, b, row, address, x, y) for row in _formats()}
    return dispatch(b, b.trunc(fmt, I32), cases)


def atom(b: Builder, dptr: Any, out: Any, delta: Any, bptr: Any, cptr: Any, fmt: Any, mask: Any) -> None:
    """(dptr or 0, out, delta, bptr, cptr, fmt, mask): lanes of ``mask`` in ascending order do an atomic at
    ``out[l] + delta`` with operands from registers ``bptr`` and, for cas, ``cptr``; old values go to register ``dptr``.
    Registers have 64 bits if the type has."""

    def case(row: tuple[int, AtomOp, ValType, bool]) -> None:
        slot = I64 if width_of(_lane_type(row[2])) == 64 else I32
        size = slot.width // 8

        def operand(register: Any, lane: Any) -> Any:
            return b.zext(load(b, lane_of(b, register, lane, size), slot, size), I64)

        with each_lane(b, mask) as lane:
            x = operand(bptr, lane)
            y = operand(cptr, lane) if row[1] == AtomOp.CAS else word(0)
            address = b.add(load(b, lane_of(b, out, lane, 8), I64, 8), delta)
            old = _update(b, row, address, x, y)
            with b.if_then(nonzero(b, dptr)):
                store(b, b.trunc(old, slot), lane_of(b, dptr, lane, size), size)

    def wide(op: AtomOp) -> None:
        """exch and cas of 16 bytes: a register is two of 64 bits, one behind the other."""
        with each_lane(b, mask) as lane:
            address = b.add(load(b, lane_of(b, out, lane, 8), I64, 8), delta)
            places = (address, b.add(address, word(8)))
            halves = [word(0), word(8 * LANES)]

            def register(base: Any) -> list[Any]:
                return [lane_of(b, b.add(base, half), lane, 8) for half in halves]

            old = [load(b, place, I64, 8) for place in places]
            new = [load(b, place, I64, 8) for place in register(bptr)]
            if op == AtomOp.CAS:
                same = b.and_(*(b.icmp_unsigned("==", x, y) for x, y in zip(old, new, strict=True)))
                swap = [load(b, place, I64, 8) for place in register(cptr)]
                new = [b.select(same, x, y) for x, y in zip(swap, old, strict=True)]
            for place, value in zip(places, new, strict=True):
                store(b, value, place, 8)
            with b.if_then(nonzero(b, dptr)):
                for place, value in zip(register(dptr), old, strict=True):
                    store(b, value, place, 8)

    cases = {row[0]: partial(case, row) for row in _formats()}
    cases |= {op | ValType.B128 << 8: partial(wide, op) for op in (AtomOp.EXCH, AtomOp.CAS)}
    dispatch(b, b.trunc(fmt, I32), cases)


def reduce_bytes(b: Builder, dst: Any, src: Any, fmt: Any, nbytes: Any, mask_lo: Any, mask_hi: Any) -> None:
    """(dst, src, fmt, nbytes, mask_lo, mask_hi): ``dst = op(dst, src)`` on the elements of a line of at most 128 bytes
    whose bytes are in the 128-bit mask; nothing else is written, and no 4-byte word without such a byte is read."""
    wanted = b.or_(b.zext(mask_lo, I128), b.shl(b.zext(mask_hi, I128), ir.Constant(I128, 64)))
    cut = b.shl(ir.Constant(I128, 1), b.and_(b.zext(nbytes, I128), ir.Constant(I128, 127)))
    inside = b.sub(cut, ir.Constant(I128, 1))
    is_part = b.icmp_unsigned("<", nbytes, word(4 * LANES))
    wanted = b.and_(wanted, b.select(is_part, inside, ir.Constant(I128, -1)))
    in_word = b.icmp_unsigned("!=", b.bitcast(wanted, vector(ir.IntType(4))), constant(ir.IntType(4), 0))
    old, new = (masked_load(b, address, I32, in_word) for address in (dst, src))
    is_byte = b.bitcast(wanted, vector(I1, 4 * LANES))

    def case(row: tuple[int, AtomOp, ValType, bool]) -> None:
        _, op, t, flush = row
        name = "f16" if t == ValType.F16X2 else "bf16" if t == ValType.BF16X2 else _lane_type(t)
        shape = vector(element_type(name), 8 * 4 * LANES // width_of(name))
        x, y = (Value(b, b.bitcast(raw, shape), name) for raw in (old, new))
        f = _BINARY[op]
        result = _flush(f(_flush(x), _flush(y))) if flush else f(x, y)
        as_bytes = (b.bitcast(v, vector(I8, 4 * LANES)) for v in (result.v, old))
        merged = b.bitcast(b.select(is_byte, *as_bytes), vector(I32))
        masked_store(b, merged, dst, in_word)

    rows = [row for row in _formats() if row[1] != AtomOp.CAS]
    dispatch(b, b.trunc(fmt, I32), {row[0]: partial(case, row) for row in rows})


FUNCTIONS: dict[str, Callable[..., Any]] = {"atom": atom, "atom_one": atom_one, "reduce_bytes": reduce_bytes}
