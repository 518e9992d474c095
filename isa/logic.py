"""Logic and shifts (PTX ISA 9.0, 9.7.8)."""

from __future__ import annotations

from typing import Any

from .arith import shift_left, shift_right
from .instr import Instr, Kind, Op

V = Any
BITS = ("pred", "b16", "b32", "b64")
WORDS = ("b16", "b32", "b64")


def and_(op: Op, a: V, b: V) -> V:
    return a & b


def or_(op: Op, a: V, b: V) -> V:
    return a | b


def xor(op: Op, a: V, b: V) -> V:
    return a ^ b


def not_(op: Op, a: V) -> V:
    return ~a


def cnot(op: Op, a: V) -> V:
    return (a == a.const(0)).where(a.const(1), a.const(0))


def lop3(op: Op, a: V, b: V, c: V) -> V:
    """Sum of the products whose bit is set in the table."""
    table = op.imm["immLut"]
    d = a.const(0)
    for i in range(8):
        if table >> i & 1:
            d = d | ((a if i & 4 else ~a) & (b if i & 2 else ~b) & (c if i & 1 else ~c))
    return d


def lop3_bool(op: Op, a: V, b: V, c: V, s: V) -> tuple[V, V]:
    d = lop3(op, a, b, c)
    some = d != d.const(0)
    return d, (some | s) if op.mods["bool"] == "or" else (some & s)


def lop3_bool_not(op: Op, a: V, b: V, c: V, s: V) -> tuple[V, V]:
    return lop3_bool(op, a, b, c, ~s)


def shl(op: Op, a: V, b: V) -> V:
    return shift_left(a, b)


def shr(op: Op, a: V, b: V) -> V:
    return shift_right(a, b)


def shf(op: Op, a: V, b: V, c: V) -> V:
    """64 bits (b high, a low) shifted; the high half of a left shift, the low half of a right shift."""
    wide = a.pack32(b)
    n = c & c.const(31) if op.mods["mode"] == "wrap" else (c < c.const(32)).where(c, c.const(32))
    amount = n.to("u64")
    if op.mods["dir"] == "l":
        return (wide << amount).hi32()
    return (wide >> amount).lo32()


def _selected(wide: V, index: V) -> V:
    """Byte `index` (u32, 0 to 7) of eight bytes; with bit 3 set its sign replicated."""
    place = (index & index.const(7)).to("u64")
    byte = (wide >> (place << place.const(3))).lo32() & index.const(255)
    sign = (byte & byte.const(128)) != byte.const(0)
    replicated = sign.where(byte.const(255), byte.const(0))
    return ((index & index.const(8)) != index.const(0)).where(replicated, byte)


def prmt(op: Op, a: V, b: V, c: V) -> V:
    wide = a.pack32(b)
    return _join([_selected(wide, (c >> c.const(4 * i)) & c.const(15)) for i in range(4)])


def _join(parts: list[V]) -> V:
    d = parts[0]
    for i, byte in enumerate(parts[1:], 1):
        d = d | (byte << byte.const(8 * i))
    return d


def prmt_mode(op: Op, a: V, b: V, c: V) -> V:
    wide = a.pack32(b)
    s = c & c.const(3)
    zero = s.const(0)
    choose = {
        "f4e": [s + s.const(i) for i in range(4)],
        "b4e": [(s - s.const(i)) & s.const(7) for i in range(4)],
        "rc8": [s] * 4,
        "ecl": [(s > s.const(i)).where(s, s.const(i)) for i in range(4)],
        "ecr": [(s < s.const(i)).where(s, s.const(i)) for i in range(4)],
        "rc16": [((s & s.const(1)) << s.const(1)) + s.const(i & 1) for i in range(4)],
    }[op.mods["mode"]]
    return _join([_selected(wide, zero + index) for index in choose])


def _row(syntax: str, slots: dict[str, tuple[str, ...]], meaning: str, section: str, lane: Any, **more: Any) -> Instr:
    return Instr(syntax, slots, Kind.LANE, more.pop("latency", "alu"), meaning, f"PTX ISA 9.0, {section}", lane, **more)


_AMOUNT = {"b": "u32"}
ROWS = (
    _row("and.type d, a, b", {"type": BITS}, "d = a & b", "9.7.8.1", and_),
    _row("or.type d, a, b", {"type": BITS}, "d = a | b", "9.7.8.2", or_),
    _row("xor.type d, a, b", {"type": BITS}, "d = a ^ b", "9.7.8.3", xor),
    _row("not.type d, a", {"type": BITS}, "d = ~a", "9.7.8.4", not_),
    _row("cnot.type d, a", {"type": WORDS}, "d = 1 if a is 0, else 0", "9.7.8.5", cnot),
    _row("lop3.b32 d, a, b, c, immLut", {}, "d = any function of three bits: bit (4a + 2b + c) of immLut, for each bit",
         "9.7.8.6", lop3, operand_types={"d": "b32", "a": "b32", "b": "b32", "c": "b32", "immLut": "b32"},
         forms={"immLut": "imm"}),
    *(_row(f"lop3.bool.b32 d|p, a, b, c, immLut, {sign}s", {"bool": ("or", "and")},
           f"d as without .bool; p = (d is not 0) combined with {'the inverse of ' if sign else ''}s", "9.7.8.6", lane,
           form="not" if sign else "", forms={"immLut": "imm"},
           operand_types={**dict.fromkeys(("d", "a", "b", "c", "immLut"), "b32"), "s": "pred"})
      for sign, lane in (("", lop3_bool), ("!", lop3_bool_not))),
    _row("shf.dir.mode.b32 d, a, b, c", {"dir": ("l", "r"), "mode": ("clamp", "wrap")},
         "d = high half of {b, a} << c (.l) or low half of {b, a} >> c (.r); c taken modulo 32 or at most 32",
         "9.7.8.7", shf,
         operand_types={"d": "b32", "a": "b32", "b": "b32", "c": "u32"}),
    _row("shl.type d, a, b", {"type": WORDS}, "d = a << b, 0 when b is not below the width", "9.7.8.8", shl,
         operand_types=_AMOUNT),
    _row("shr.type d, a, b", {"type": (*WORDS, "u16", "u32", "u64", "s16", "s32", "s64")},
         "d = a >> b, filled with the sign of signed types; b is at most the width", "9.7.8.9", shr,
         operand_types=_AMOUNT),
    _row("prmt.b32 d, a, b, c", {},
         "d = four bytes of {b, a} picked by the four nibbles of c (bit 3: its sign, replicated)",
         "9.7.9.7", prmt, operand_types={"d": "b32", "a": "b32", "b": "b32", "c": "b32"}),
    _row("prmt.b32.mode d, a, b, c", {"mode": ("f4e", "b4e", "rc8", "ecl", "ecr", "rc16")},
         "d = four bytes of {b, a} picked by a mode and the low two bits of c", "9.7.9.7", prmt_mode,
         operand_types={"d": "b32", "a": "b32", "b": "b32", "c": "b32"}),
)  # fmt: skip
