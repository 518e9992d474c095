"""Register moves, packing, and the windows of the generic address space (PTX ISA 9.0, 9.7.9)."""

from __future__ import annotations

from typing import Any

from .instr import Instr, Kind, Op
from .special import RANK_BITS, REGION_BITS, WINDOWS

V = Any
SCALARS = ("pred", "b16", "u16", "s16", "b32", "u32", "s32", "f32", "b64", "u64", "s64", "f64")


def mov(op: Op, a: V) -> V:
    return a


def _shifted(a: V, t: str, bits: int) -> V:
    wide = a.to(t)
    return wide << wide.const(bits) if bits else wide


def pack(op: Op, *parts: V) -> V:
    """The parts side by side, the first one in the low bits."""
    total = int(op.mods["type"][1:])
    each = total // len(parts)
    d = parts[0].to(f"u{total}")
    for i, part in enumerate(parts[1:], 1):
        d = d | _shifted(part, f"u{total}", i * each)
    return d


def unpack(op: Op, a: V) -> tuple[V, ...]:
    """Equal parts of `a`, the low one first."""
    total, count = int(op.mods["type"][1:]), int(op.instr.form[-1])
    each = total // count
    return tuple((a >> a.const(i * each)).to(f"u{each}") for i in range(count))


def _window(op: Op, a: V) -> V:
    space = op.mods["space"].split("::")[0]
    return a.const(WINDOWS[space] << REGION_BITS if space in WINDOWS else 0)


def cvta(op: Op, a: V) -> V:
    return a + _window(op, a)


def cvta_to(op: Op, a: V) -> V:
    return a - _window(op, a)


def isspacep(op: Op, a: V) -> V:
    region = (a >> a.const(REGION_BITS)).to("u32")
    space = op.mods["space"]
    if space == "shared":
        return (a >> a.const(RANK_BITS)) == a.const(WINDOWS[space] << REGION_BITS - RANK_BITS)
    if space.split("::")[0] in WINDOWS:
        return region == region.const(WINDOWS[space.split("::")[0]])
    if space == "const":
        return region != region
    windows = [region == region.const(n) for n in WINDOWS.values()]
    return ~(windows[0] | windows[1] | windows[2])


def _pack_rows() -> list[Instr]:
    """mov between a register and a vector of narrower ones."""
    names = "abcd"
    rows = []
    for total, count in ((16, 2), (32, 2), (32, 4), (64, 2), (64, 4)):
        slots, part = {"type": (f"b{total}",)}, f"b{total // count}"
        source = "PTX ISA 9.0, 9.7.9.4"
        vector = ", ".join(names[:count])
        rows.append(
            Instr(
                f"mov.type d, {{{vector}}}",
                slots,
                Kind.LANE,
                "alu",
                "d = the elements side by side, a lowest",
                source,
                pack,
                operand_types={"a": part},
                form=f"pack{count}",
            )
        )
        rows.append(
            Instr(
                f"mov.type {{d{', e, f, g'[: 3 * count - 3]}}}, a",
                slots,
                Kind.LANE,
                "alu",
                "the elements = equal parts of a, the lowest first",
                source,
                unpack,
                operand_types={"d": part},
                form=f"unpack{count}",
            )
        )
    return rows  # fmt: skip


_SPACES = ("const", "global", "local", "shared", "shared::cluster", "param")
ROWS = (
    Instr("mov.type d, a", {"type": SCALARS}, Kind.LANE, "alu",
          "d = a: register, constant, special register, or address of "
          "a variable or function", "PTX ISA 9.0, 9.7.9.3", mov),
    *_pack_rows(),
    *(Instr(f"mov.type {operands}", {"type": ("b128",)}, Kind.LANE, "alu", "d = a; in halves, the lower first",
            "PTX ISA 9.0, 9.7.9.4", lambda op, low, high: (low, high), operand_types=halves, form=form)
      for operands, halves, form in (("d, a", {}, ""), ("d, {a, b}", {"a": "b64"}, "pack2"),
                                     ("{d, e}, a", {"d": "b64"}, "unpack2"))),
    Instr("mov.type d, {a, b, c, f}", {"type": ("b128",)}, Kind.LANE, "alu", "d = the elements side by side, a lowest",
          "PTX ISA 9.0, 9.7.9.4", lambda op, a, b, c, f: (a.pack32(b), c.pack32(f)), operand_types={"a": "b32"}, form="pack4"),
    Instr("mov.type {d, e, f, g}, a", {"type": ("b128",)}, Kind.LANE, "alu",
          "the elements = equal parts of a, the lowest first", "PTX ISA 9.0, 9.7.9.4",
          lambda op, low, high: (low.lo32(), low.hi32(), high.lo32(), high.hi32()), operand_types={"d": "b32"}, form="unpack4"),
    Instr("cvta.space.type d, a", {"space": _SPACES, "type": ("u64",)}, Kind.LANE, "alu",
          "d = generic address of the address a in a space", "PTX ISA 9.0, 9.7.9.20", cvta),
    Instr("cvta.to.space.type d, a", {"space": _SPACES, "type": ("u64",)}, Kind.LANE, "alu",
          "d = address in a space of the generic address a", "PTX ISA 9.0, 9.7.9.20", cvta_to),
    Instr("isspacep.space p, a", {"space": _SPACES}, Kind.LANE, "alu", "p = the generic address a lies in the space",
          "PTX ISA 9.0, 9.7.9.19", isspacep, operand_types={"a": "b64"}),
)  # fmt: skip
