"""Prefetches, discards and cache policies (PTX ISA 9.0, 9.7.9.15 to 9.7.9.18)."""

from __future__ import annotations

from typing import Any

from .instr import Instr, Kind, Op

V = Any
PRIORITIES = ("L2::evict_unchanged", "L2::evict_first", "L2::evict_last", "L2::evict_normal")
"""In the order of their code in a policy."""
SECONDARY = ("L2::evict_unchanged", "L2::evict_first")
FRACTIONAL, RANGE = 1, 2
FRACTION_BIT, PRIORITY_BIT, KIND_BIT = 52, 56, 60
_PTX = "PTX ISA 9.0, 9.7.9."


def policy_head(op: Op, kind: int) -> int:
    """A policy without its fraction, as the code of ptxas 13.0 builds it: kind, priority of most accesses, of the others."""
    code = 2 * PRIORITIES.index(op.mods["primary"]) + SECONDARY.index(op.mods.get("secondary", SECONDARY[0]))
    return kind << KIND_BIT | code << PRIORITY_BIT


def _sixteenths(fraction: V) -> V:
    """Sixteenths of the accesses, less one, that have the primary priority; at their place in a policy."""
    number = (fraction * fraction.const(15.99)).trunc().to("u32") & fraction.to("u32").const(15)
    return number.to("u64") << number.to("u64").const(FRACTION_BIT)


def fractional(op: Op, fraction: V) -> V:
    d = _sixteenths(fraction)
    return d | d.const(policy_head(op, FRACTIONAL))


def in_range(op: Op, size: V, total: V) -> V:
    d = _sixteenths(size.to("f32") / (total == total.const(0)).where(total.const(1), total).to("f32"))
    return d | d.const(policy_head(op, RANGE))


def _policies(secondary: str) -> list[Instr]:
    """The forms with a second priority, or without."""
    slots = {"primary": PRIORITIES, **({"secondary": SECONDARY} if secondary else {})}
    types = {"d": "b64", "fraction": "f32", "size": "u32", "total": "u32"}
    source, head = _PTX + "15", f".primary{secondary}.b64 d"
    text = "d = a policy: the first priority for a fraction of the accesses (all), the second for the others"
    ranged = "d = a policy: the first priority for size of the total bytes from a on, the second for the others"
    return [
        Instr(f"createpolicy.fractional{head}", slots, Kind.SREG, "alu", text, source, operand_types={"d": "b64"}),
        Instr(f"createpolicy.fractional{head}, fraction", slots, Kind.LANE, "cvt", text, source, fractional,
              operand_types={k: types[k] for k in ("d", "fraction")}, form="fraction"),
        Instr(f"createpolicy.range{{.space}}{head}, [a], size, total", {"space": ("global",), **slots}, Kind.LANE, "cvt",
              ranged, source, in_range, operand_types={k: types[k] for k in ("d", "size", "total")}),
    ]  # fmt: skip


def _line(opcode: str, levels: tuple[str, ...], meaning: str, section: str, sized: bool = False) -> Instr:
    """An instruction that moves lines and changes no value."""
    size: dict[str, Any] = {"operand_types": {"size": "b32"}, "forms": {"size": "imm"}, "allowed": {"size": (128,)}}
    more = size if sized else {}
    slots = {"level": levels} | ({"space": ("global",)} if "space" in opcode else {})
    return Instr(f"{opcode}.level [a]" + (", size" if sized else ""), slots, Kind.PREFETCH, "lsu", meaning, _PTX + section,
                 **more)  # fmt: skip


ROWS = (
    _line("prefetch{.space}", ("L1", "L2", "L2::evict_last", "L2::evict_normal"), "bring the line at a into a cache", "16"),
    Instr("prefetch.local.level [a]", {"level": ("L1", "L2")}, Kind.PREFETCH, "lsu", "bring the line at a into a cache",
          _PTX + "16"),
    _line("prefetchu", ("L1",), "bring the line at a into the uniform cache", "16"),
    _line("applypriority{.space}", ("L2::evict_normal",), "set the eviction priority of the 128 bytes at a", "17", True),
    _line("discard{.space}", ("L2",), "the 128 bytes at a need not be written back", "18", True),
    *_policies(""),
    *_policies(".secondary"),
    Instr("createpolicy.cvt.L2.b64 d, a", {}, Kind.LANE, "alu", "d = the policy of an access property of the host",
          _PTX + "15", lambda op, a: a, operand_types={"d": "b64", "a": "b64"}),
)  # fmt: skip
