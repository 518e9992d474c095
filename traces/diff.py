"""Where two traces first part: the same instruction of the same warp, with other values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .listing import line_of
from .read import Trace

_PATH = ("pc", "mask", "address")
_TIMING = ("issue", "latency", "stall", "stall_cycles", "queue", "queue_cycles")
_WARP = ("gpu", "launch", "cta", "sm", "warp")
CONTEXT = 3
"""Instructions of the warp shown before the one that differs."""


@dataclass(frozen=True)
class Divergence:
    """The first instruction that differs. ``left`` or ``right`` is None if that trace has no such instruction."""

    warp: dict[str, int]
    """gpu, launch, cta, sm, warp."""
    step: int
    """Which instruction of the warp, from 0."""
    fields: tuple[str, ...]
    """Columns that differ."""
    left: dict[str, Any] | None
    right: dict[str, Any] | None
    before: tuple[dict[str, Any], ...]
    """Instructions of the warp before it, from the left trace."""

    def __str__(self) -> str:
        who = ", ".join(f"{key} {value}" for key, value in self.warp.items())
        what = ", ".join(self.fields) if self.left and self.right else "only in one trace"
        text = [f"first difference: {who}, its instruction {self.step} ({what})"]
        text += ["  " + line_of(row) for row in self.before]
        text += [f"{sign} {line_of(row)}" for sign, row in (("-", self.left), ("+", self.right)) if row]
        return "\n".join(text)


def first_divergence(left: Trace, right: Trace, timing: bool = True) -> Divergence | None:
    """The earliest difference of two traces, or None. Without ``timing`` only path and addresses are compared.

    A warp is known by GPU, launch, CTA, SM and slot; earliest is by issue cycle, in whichever trace issued first.
    """
    fields = _PATH + _TIMING if timing else _PATH
    differs = " OR ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in fields)
    keys = ", ".join(_WARP)
    changed = ", ".join(f"a.{name} IS DISTINCT FROM b.{name}" for name in fields)
    found = left.sql(f"""
        WITH a AS ({_steps(left)}), b AS ({_steps(right)})
        SELECT {keys}, step, a.issue IS NOT NULL, b.issue IS NOT NULL, {changed}
        FROM a FULL JOIN b USING ({keys}, step) WHERE {differs}
        ORDER BY least(a.issue, b.issue), {keys} LIMIT 1""").rows
    if not found:
        return None
    *place, step, in_left, in_right = found[0][: len(_WARP) + 3]
    warp = dict(zip(_WARP, place, strict=True))
    path = _path(left, warp, step)
    return Divergence(
        warp,
        step,
        tuple(name for name, other in zip(fields, found[0][len(_WARP) + 3 :], strict=True) if other),
        path[-1] if in_left else None,
        _path(right, warp, step)[-1] if in_right else None,
        tuple(path[:-1] if in_left else path)[-CONTEXT:],
    )


def _steps(trace: Trace) -> str:
    """The instructions of a trace, numbered within their warps."""
    keys = ", ".join(_WARP)
    columns = ", ".join(_PATH + _TIMING)
    number = f"row_number() OVER (PARTITION BY {keys} ORDER BY issue) - 1 AS step"
    return f"SELECT {keys}, {columns}, {number} FROM ({trace.stream('instructions')})"


def _path(trace: Trace, warp: dict[str, int], step: int) -> list[dict[str, Any]]:
    """The instructions of a warp around ``step``, that one last if it exists."""
    where = " AND ".join(f"{key} = {value}" for key, value in warp.items())
    return trace.sql(f"""
        SELECT *, issue AS cycle, coalesce(nullif(text, ''), op, '?') AS text FROM instructions
        WHERE {where} ORDER BY issue LIMIT {min(step, CONTEXT) + 1} OFFSET {max(0, step - CONTEXT)}""").dicts()
