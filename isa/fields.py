"""Bit fields of a word: the n-th set bit, masks, extension from any width (PTX ISA 9.0, 9.7.1.17, 21 and 22)."""

from __future__ import annotations

from typing import Any

from .arith import low_ones, shift_left
from .instr import Instr, Kind, Op

V = Any


def _nth_set_bit(word: V, n: V) -> V:
    """Position of the n-th lowest set bit (n from 1), by halving the range five times; the last bit if there is none."""
    at = word.const(0)
    for width in (16, 8, 4, 2, 1):
        ones = ((word >> at) & word.const((1 << width) - 1)).popc()
        above = n > ones
        n = above.where(n - ones, n)
        at = above.where(at + at.const(width), at)
    return at


def fns(op: Op, mask: V, base: V, offset: V) -> V:
    zero = offset.const(0)
    down, here = offset < zero, offset == zero
    word = down.where(mask.brev(), mask)
    start = down.where(base.const(31) - base, base)
    wanted = here.where(offset.const(1), offset.abs()).bits("u32")
    word = shift_left(word >> (start & start.const(31)), start & start.const(31))
    found = _nth_set_bit(word, wanted)
    known = (base < base.const(32)) & (wanted <= word.popc()) & (~here | (found == start))
    place = known.where(down.where(found.const(31) - found, found), found.const(-1))
    return (offset == offset.const(-(1 << 31))).where(place.const(0), place)  # as an H100 does


def bmsk(op: Op, a: V, b: V) -> V:
    width = b & b.const(31)
    if op.mods["mode"] == "clamp":
        return shift_left(low_ones(a, b), a)
    return shift_left(low_ones(a, width), a & a.const(31))


def szext(op: Op, a: V, b: V) -> V:
    width = b & b.const(31) if op.mods["mode"] == "wrap" else (b < b.const(32)).where(b, b.const(32))
    unused = (a.const(32).bits("u32") - width) & b.const(31)
    amount = unused.bits(a.t)
    return (width == width.const(0)).where(a.const(0), (a << amount) >> amount)


_MODE = {"mode": ("clamp", "wrap")}
_TYPES = dict.fromkeys(("d", "a", "b"), "b32")
ROWS = (
    Instr("fns.b32 d, mask, base, offset", {}, Kind.LANE, "popc",
          "d = position of the |offset|-th set bit of mask from base, upwards for positive offset (0: base itself if it "
          "is set); 0xffffffff if there is none; 0 for the offset -2^31", "PTX ISA 9.0, 9.7.1.17", fns,
          operand_types={"d": "b32", "mask": "b32", "base": "b32", "offset": "s32"}),
    Instr("szext.mode.type d, a, b", {**_MODE, "type": ("u32", "s32")}, Kind.LANE, "alu",
          "d = the low b bits of a, zero- or sign-extended; b at most 32 or modulo 32", "PTX ISA 9.0, 9.7.1.21", szext,
          operand_types={"b": "u32"}),
    Instr("bmsk.mode.b32 d, a, b", _MODE, Kind.LANE, "alu",
          "d = b ones from bit a; .wrap: a and b modulo 32", "PTX ISA 9.0, 9.7.1.22", bmsk, operand_types=_TYPES),
)  # fmt: skip
