"""Arithmetic on two 16-bit values packed into 32 bits (PTX ISA 9.0, 9.7.1 and 9.7.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import arith, floats
from .instr import Instr, Kind, Op
from .rounding import halves, joined

V = Any
_RN = ("rn",)
_SIGNS = ("a", "c")


def both(lane: Callable[..., V]) -> Callable[..., V]:
    """The lane function applied to the low and to the high halves."""

    def applied(op: Op, *sources: V) -> V:
        parts = [halves(s, op.mods["type"][:-2]) for s in sources]
        return joined(lane(op, *(p[0] for p in parts)), lane(op, *(p[1] for p in parts)))

    applied.__doc__ = f"{lane.__name__} of both halves"
    return applied


def _row(syntax: str, types: tuple[str, ...], meaning: str, section: str, lane: Any, latency: str = "half",
         rnd: tuple[str, ...] = (), check: Any = None, inner_signs: tuple[str, ...] = ()) -> Instr:  # fmt: skip
    slots = {"type": types, **({"rnd": rnd} if rnd else {})}
    return Instr(syntax, slots, Kind.LANE, latency, f"{meaning}, for both halves", f"PTX ISA 9.0, {section}",
                 both(lane),
                 check=check, inner_signs=inner_signs)  # fmt: skip


def _floats(name: str, section: str, text: str, lane: Any) -> list[Instr]:
    return [
        _row(f"{name}{{.rnd}}{{.ftz}}{{.sat}}.type d, a, b", ("f16x2",), text, section, lane, rnd=_RN),
        _row(f"{name}{{.rnd}}.type d, a, b", ("bf16x2",), text, section, lane, rnd=_RN),
    ]


def _extremes(name: str, section: str, text: str, lane: Any) -> list[Instr]:
    sign, check = "{.NaN}{.xorsign}{.abs}", floats.xorsign_is_whole
    return [
        _row(f"{name}{{.ftz}}{sign}.type d, a, b", ("f16x2",), text, section, lane, check=check),
        _row(f"{name}{sign}.type d, a, b", ("bf16x2",), text, section, lane, check=check),
    ]


_FMA = "d = a * b + c, rounded once"
_INTS = ("u16x2", "s16x2")
ROWS = (
    *_floats("add", "9.7.4.1", "d = a + b", floats.add),
    *_floats("sub", "9.7.4.2", "d = a - b", floats.sub),
    *_floats("mul", "9.7.4.3", "d = a * b", floats.mul),
    _row("fma.rnd{.ftz}{.sat}.type d, a, b, c", ("f16x2",), _FMA, "9.7.4.4", floats.fma, rnd=_RN,
         inner_signs=_SIGNS),
    _row("fma.rnd{.ftz}.relu.type d, a, b, c", ("f16x2",), _FMA + ", at least 0", "9.7.4.4", floats.fma, rnd=_RN),
    _row("fma.rnd{.relu}.type d, a, b, c", ("bf16x2",), _FMA + "; .relu: at least 0", "9.7.4.4", floats.fma,
         rnd=_RN, inner_signs=_SIGNS),
    _row("fma.rnd.oob{.sat}.type d, a, b, c", ("f16x2",), floats.OOB, "9.7.4.4", floats.fma_oob, rnd=_RN),
    _row("fma.rnd.oob.relu.type d, a, b, c", ("f16x2",), floats.OOB + ", at least 0", "9.7.4.4", floats.fma_oob,
         rnd=_RN),
    _row("fma.rnd.oob{.relu}.type d, a, b, c", ("bf16x2",), floats.OOB + "; .relu: at least 0", "9.7.4.4",
         floats.fma_oob, rnd=_RN),
    _row("neg{.ftz}.type d, a", ("f16x2",), "d = -a", "9.7.4.5", floats.neg, "alu"),
    _row("neg.type d, a", ("bf16x2",), "d = -a", "9.7.4.5", floats.neg, "alu"),
    _row("abs{.ftz}.type d, a", ("f16x2",), "d = |a|", "9.7.4.6", floats.absolute, "alu"),
    _row("abs.type d, a", ("bf16x2",), "d = |a|", "9.7.4.6", floats.absolute, "alu"),
    *_extremes("min", "9.7.4.8", "d = the smaller of a and b", floats.minimum),
    *_extremes("max", "9.7.4.9", "d = the larger of a and b", floats.maximum),
    _row("add.type d, a, b", _INTS, "d = a + b", "9.7.1.1", arith.add, "alu"),
    _row("min.type d, a, b", _INTS, "d = the smaller of a and b", "9.7.1.12", arith.minimum, "alu"),
    _row("max.type d, a, b", _INTS, "d = the larger of a and b", "9.7.1.13", arith.maximum, "alu"),
    _row("min.relu.type d, a, b", ("s16x2",), "d = the smaller of a and b, at least 0", "9.7.1.12", arith.minimum,
         "alu"),
    _row("max.relu.type d, a, b", ("s16x2",), "d = the larger of a and b, at least 0", "9.7.1.13", arith.maximum,
         "alu"),
)  # fmt: skip
