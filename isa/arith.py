"""Integer arithmetic (PTX ISA 9.0, 9.7.1)."""

from __future__ import annotations

from typing import Any

from .instr import Instr, Kind, Op

V = Any
"""A value of the lane algebra, read with NumPy or with LLVM."""
INT = ("u16", "u32", "u64", "s16", "s32", "s64")
INT32 = ("u32", "s32")
SIGNED = ("s16", "s32", "s64")
B = ("b32", "b64")


def add(op: Op, a: V, b: V) -> V:
    return a + b


def sub(op: Op, a: V, b: V) -> V:
    return a - b


def clamp_to(wide: V, sign: str, bits: int) -> V:
    """A wider signed value clamped to the range of `bits` bits, signed ("s") or not ("u")."""
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if sign == "s" else (0, (1 << bits) - 1)
    least, most = wide.const(low), wide.const(high)
    return (wide < least).where(least, (wide > most).where(most, wide))


def clamp(wide: V, t: str) -> V:
    """An s64 value saturated to the narrower signed type `t`."""
    return clamp_to(wide, "s", int(t[1:])).to(t)


def add_sat(op: Op, a: V, b: V) -> V:
    return clamp(a.to("s64") + b.to("s64"), a.t)


def sub_sat(op: Op, a: V, b: V) -> V:
    return clamp(a.to("s64") - b.to("s64"), a.t)


def wider(a: V) -> V:
    """The same integer in a type of twice the width (up to 64 bits)."""
    return a.to(f"{a.t[0]}{2 * int(a.t[1:])}")


def mul_lo(op: Op, a: V, b: V) -> V:
    return a * b


def mul_hi(op: Op, a: V, b: V) -> V:
    return a.mulhi(b)


def mul_wide(op: Op, a: V, b: V) -> V:
    return wider(a) * wider(b)


def mad_lo(op: Op, a: V, b: V, c: V) -> V:
    return a * b + c


def mad_hi(op: Op, a: V, b: V, c: V) -> V:
    return a.mulhi(b) + c


def mad_hi_sat(op: Op, a: V, b: V, c: V) -> V:
    return add_sat(op, a.mulhi(b), c)


def mad_wide(op: Op, a: V, b: V, c: V) -> V:
    return wider(a) * wider(b) + c


def _product24(a: V, b: V) -> V:
    """48-bit product of the low 24 bits of two 32-bit integers, in 64 bits of their signedness."""
    eight = a.const(8)
    x, y = (a << eight) >> eight, (b << eight) >> eight
    return wider(x) * wider(y)


def mul24(op: Op, a: V, b: V) -> V:
    wide = _product24(a, b)
    return (wide >> wide.const(16)).to(a.t) if "hi" in op.mods.values() else wide.to(a.t)


def mad24(op: Op, a: V, b: V, c: V) -> V:
    return mul24(op, a, b) + c


def mad24_hi_sat(op: Op, a: V, b: V, c: V) -> V:
    return add_sat(op, mul24(op, a, b), c)


def div(op: Op, a: V, b: V) -> V:
    return a.div(b)


def rem(op: Op, a: V, b: V) -> V:
    """All ones for a zero divisor, as on silicon."""
    return (b == b.const(0)).where(a.const(-1), a.rem(b))


def absolute(op: Op, a: V) -> V:
    return a.abs()


def neg(op: Op, a: V) -> V:
    return -a


def relu(op: Op, d: V) -> V:
    """Negative results become 0 under .relu."""
    return (d < d.const(0)).where(d.const(0), d) if "relu" in op.mods else d


def minimum(op: Op, a: V, b: V) -> V:
    return relu(op, (a < b).where(a, b))


def maximum(op: Op, a: V, b: V) -> V:
    return relu(op, (a > b).where(a, b))


def sad(op: Op, a: V, b: V, c: V) -> V:
    return c + (a < b).where(b - a, a - b)


def popc(op: Op, a: V) -> V:
    return a.popc().to("u32")


def clz(op: Op, a: V) -> V:
    return a.clz().to("u32")


def brev(op: Op, a: V) -> V:
    return a.brev()


def bfind(op: Op, a: V) -> V:
    bits = int(a.t[1:])
    raw = a.bits(f"u{bits}")
    if a.t[0] == "s":
        raw = (a < a.const(0)).where(~raw, raw)
    zeros = raw.clz().to("u32")
    found = zeros if "shiftamt" in op.mods else zeros.const(bits - 1) - zeros
    return (raw == raw.const(0)).where(found.const(-1), found)


def low_ones(like: V, count: V) -> V:
    """A mask of the type of `like` with the low `count` (u32) bits set, all of them from the width on."""
    bits = int(like.t[1:])
    inside = count < count.const(bits)
    amount = inside.where(count, count.const(0)).to(like.t)
    return inside.where((like.const(1) << amount) - like.const(1), like.const(-1))


def shift_left(a: V, amount: V) -> V:
    """`a` shifted left by a u32 amount, 0 from the width on."""
    inside = amount < amount.const(int(a.t[1:]))
    return inside.where(a << inside.where(amount, amount.const(0)).to(a.t), a.const(0))


def shift_right(a: V, amount: V) -> V:
    """`a` shifted right by a u32 amount clamped to the width; signed types fill with the sign."""
    bits = int(a.t[1:])
    inside = amount < amount.const(bits)
    if a.t[0] == "s":
        return a >> inside.where(amount, amount.const(bits - 1)).to(a.t)
    return inside.where(a >> inside.where(amount, amount.const(0)).to(a.t), a.const(0))


def _field(bits: int, b: V) -> V:
    """A position or length: its low byte. For 64-bit values the silicon takes all of it; above 255 nothing changes."""
    return b & b.const(255) if bits == 32 else (b > b.const(255)).where(b.const(255), b)


def bfe(op: Op, a: V, b: V, c: V) -> V:
    bits = int(a.t[1:])
    pos, length = _field(bits, b), _field(bits, c)
    raw = a.bits(f"u{bits}")
    mask = low_ones(raw, length)
    field = shift_right(raw, pos) & mask
    if a.t[0] == "u":
        return field
    last = pos + length - pos.const(1)
    last = (last < last.const(bits)).where(last, last.const(bits - 1))
    sign = (shift_right(raw, last) & raw.const(1)) != raw.const(0)
    known = mask & shift_right(raw.const(-1), pos)
    signed = sign.where(field | ~known, field & known)
    return (length == length.const(0)).where(raw.const(0), signed).bits(a.t)


def bfi(op: Op, a: V, b: V, c: V, d: V) -> V:
    bits = int(a.t[1:])
    pos = _field(bits, c)
    mask = shift_left(low_ones(a, _field(bits, d)), pos)
    return (b & ~mask) | (shift_left(a, pos) & mask)


def _bytes(a: V) -> list[V]:
    return [(a >> a.const(8 * i)) & a.const(255) for i in range(4)]


def _extended(a: V, signed: bool) -> list[V]:
    """The four bytes of a u32 as 32-bit integers, sign-extended if `signed`."""
    spread = [(a << a.const(24 - 8 * i)).bits("s32" if signed else "u32") for i in range(4)]
    return [(x >> x.const(24)).bits("u32") for x in spread]


def dp4a(op: Op, a: V, b: V, c: V) -> V:
    x = _extended(a.bits("u32"), op.mods["atype"] == "s32")
    y = _extended(b.bits("u32"), op.mods["btype"] == "s32")
    total = c.bits("u32")
    for p, q in zip(x, y, strict=True):
        total = total + p * q
    return total.bits(c.t)


def dp2a(op: Op, a: V, b: V, c: V) -> V:
    raw, signed = a.bits("u32"), op.mods["atype"] == "s32"
    spread = [(raw << raw.const(16)), raw]
    halves = [x.bits("s32") if signed else x for x in spread]
    x = [(h >> h.const(16)).bits("u32") for h in halves]
    y = _extended(b.bits("u32"), op.mods["btype"] == "s32")
    y = y[2:] if op.mods["half"] == "hi" else y[:2]
    return (c.bits("u32") + x[0] * y[0] + x[1] * y[1]).bits(c.t)


def _row(
    syntax: str, types: tuple[str, ...], latency: str, meaning: str, section: str, lane: Any, **more: Any
) -> Instr:
    """A row of this chapter whose modifier slots are `.type` and those in `more`."""
    slots = {"type": types, **more.pop("slots", {})} if ".type" in syntax else more.pop("slots", {})
    return Instr(syntax, slots, Kind.LANE, latency, meaning, f"PTX ISA 9.0, {section}", lane, **more)


U32 = {"d": "u32"}
_FIELD = {"b": "u32", "c": "u32"}
_DOT = {"d": "acc", "a": "b32", "b": "b32", "c": "acc"}


def _dot_rows() -> list[Instr]:
    """dp4a and dp2a: the sum is u32 when both types are, else s32 (the operands do not care)."""
    slots = {"atype": INT32, "btype": INT32}
    types = {"d": "b32", "a": "b32", "b": "b32", "c": "b32"}
    text4 = "d = c + the four products of the bytes of a and b"
    text2 = "d = c + the two products of the halves of a and two bytes of b"
    return [
        _row("dp4a.atype.btype d, a, b, c", (), "imad", text4, "9.7.1.24", dp4a, slots=slots, operand_types=types),
        _row("dp2a.half.atype.btype d, a, b, c", (), "imad", text2, "9.7.1.25", dp2a,
             slots={"half": ("lo", "hi"), **slots}, operand_types=types),
    ]  # fmt: skip


ROWS = (
    _row("add.type d, a, b", INT, "alu", "d = a + b, modulo the width", "9.7.1.1", add),
    _row("add.sat.type d, a, b", ("s32",), "alu", "d = a + b, saturated", "9.7.1.1", add_sat),
    _row("sub.type d, a, b", INT, "alu", "d = a - b, modulo the width", "9.7.1.2", sub),
    _row("sub.sat.type d, a, b", ("s32",), "alu", "d = a - b, saturated", "9.7.1.2", sub_sat),
    _row("mul.lo.type d, a, b", INT, "imad", "d = low half of a * b", "9.7.1.3", mul_lo),
    _row("mul.hi.type d, a, b", INT, "imad_hi", "d = high half of a * b", "9.7.1.3", mul_hi),
    _row("mul.wide.type d, a, b", ("u16", "u32", "s16", "s32"), "imad", "d = a * b, twice as wide", "9.7.1.3", mul_wide,
         operand_types={"d": "wide"}),
    _row("mad.lo.type d, a, b, c", INT, "imad", "d = low half of a * b, plus c", "9.7.1.4", mad_lo),
    _row("mad.hi.type d, a, b, c", INT, "imad_hi", "d = high half of a * b, plus c", "9.7.1.4", mad_hi),
    _row("mad.hi.sat.type d, a, b, c", ("s32",), "imad_hi", "d = high half of a * b, plus c, saturated", "9.7.1.4",
         mad_hi_sat),
    _row("mad.wide.type d, a, b, c", ("u16", "u32", "s16", "s32"), "imad", "d = a * b + c, twice as wide", "9.7.1.4",
         mad_wide, operand_types={"d": "wide", "c": "wide"}),
    _row("mul24.half.type d, a, b", INT32, "imad", "d = bits 0-31 (.lo) or 16-47 (.hi) of the product of 24-bit values",
         "9.7.1.5", mul24, slots={"half": ("lo", "hi")}),
    _row("mad24.half.type d, a, b, c", INT32, "imad", "d = mul24(a, b) + c", "9.7.1.6", mad24,
         slots={"half": ("lo", "hi")}),
    _row("mad24.hi.sat.type d, a, b, c", ("s32",), "imad", "d = mul24.hi(a, b) + c, saturated", "9.7.1.6",
         mad24_hi_sat),
    _row("sad.type d, a, b, c", INT, "alu", "d = c + |a - b|", "9.7.1.7", sad),
    _row("div.type d, a, b", ("u16", "u32", "s16", "s32"), "idiv32", "d = a / b, truncated", "9.7.1.8", div),
    _row("div.type d, a, b", ("u64", "s64"), "idiv64", "d = a / b, truncated", "9.7.1.8", div),
    _row("rem.type d, a, b", ("u16", "u32", "s16", "s32"), "idiv32", "d = a mod b, signed as a; -1 for b = 0", "9.7.1.9", rem),
    _row("rem.type d, a, b", ("u64", "s64"), "idiv64", "d = a mod b, signed as a; -1 for b = 0", "9.7.1.9", rem),
    _row("abs.type d, a", SIGNED, "alu", "d = |a|", "9.7.1.10", absolute),
    _row("neg.type d, a", SIGNED, "alu", "d = -a", "9.7.1.11", neg),
    _row("min.type d, a, b", INT, "alu", "d = the smaller of a and b", "9.7.1.12", minimum),
    _row("min.relu.type d, a, b", ("s32",), "alu", "d = the smaller of a and b, at least 0", "9.7.1.12", minimum),
    _row("max.type d, a, b", INT, "alu", "d = the larger of a and b", "9.7.1.13", maximum),
    _row("max.relu.type d, a, b", ("s32",), "alu", "d = the larger of a and b, at least 0", "9.7.1.13", maximum),
    _row("popc.type d, a", B, "popc", "d = number of ones in a", "9.7.1.14", popc, operand_types=U32),
    _row("clz.type d, a", B, "popc", "d = number of leading zeros of a", "9.7.1.15", clz, operand_types=U32),
    _row("bfind{.shiftamt}.type d, a", ("u32", "u64", "s32", "s64"), "popc",
         "d = position of the highest bit that is not the sign (.shiftamt: left shift that brings it to the top); "
         "0xffffffff if none", "9.7.1.16", bfind, operand_types=U32),
    _row("brev.type d, a", B, "popc", "d = bits of a reversed", "9.7.1.18", brev),
    _row("bfe.type d, a, b, c", ("u32", "u64", "s32", "s64"), "alu",
         "d = the c bits of a from position b, zero- or sign-extended", "9.7.1.19", bfe, operand_types=_FIELD,
         allowed={"b": range(256), "c": range(256)}),
    _row("bfi.type f, a, b, c, d", B, "alu", "f = b with d bits from position c replaced by the low bits of a",
         "9.7.1.20",
         bfi, operand_types={"c": "u32", "d": "u32"}, writes=("f",), allowed={"c": range(256), "d": range(256)}),
    *_dot_rows(),
)  # fmt: skip
