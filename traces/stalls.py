"""Where the cycles of warps went, and the check that none is missing."""

from __future__ import annotations

from typing import Any

from .capture import FOREVER
from .errors import TraceError
from .read import Table, Trace


def breakdown(trace: Trace, by: tuple[str, ...] = ("gpu", "kernel")) -> Table:
    """Warp cycles per stall reason for each group, with its share of the group's; `selected` is issue itself.

    ``by``: columns of the view ``stalls``, any of gpu, launch, kernel.
    """
    keys = ", ".join(by)
    head = f"{keys}, " if by else ""
    over = f"PARTITION BY {keys}" if by else ""
    return trace.sql(
        f"SELECT {head}stall, sum(cycles)::BIGINT AS cycles, sum(cycles) / sum(sum(cycles)) OVER ({over}) AS share"
        f" FROM stalls GROUP BY {head}stall ORDER BY {head}cycles DESC, stall"
    )


def lifetime(trace: Trace) -> Table:
    """Warps whose issues, stalls and queue cycles do not add up to their lifetime: no rows if all is well.

    Columns say who, what was expected (``lifetime``, ``instructions``) and what was found (``issued``, ``stalled``,
    ``queued``); instructions of warps that never ended have no lifetime and are violations too. Only warps that lived
    wholly within what was recorded are judged; raises `TraceError` if single instructions were left out.
    """
    return trace.sql(f"""
        WITH found AS (
            SELECT gpu, launch, cta, sm, warp, count(*) AS issued, sum(stall_cycles)::BIGINT AS stalled,
                   sum(queue_cycles)::BIGINT AS queued
            FROM raw_instructions GROUP BY ALL),
        together AS (
            SELECT gpu, launch, cta, sm, warp, start_cycle, end_cycle, end_cycle - start_cycle AS lifetime,
                   instructions, coalesce(issued, 0) AS issued, coalesce(stalled, 0) AS stalled,
                   coalesce(queued, 0) AS queued
            FROM raw_warps FULL JOIN found USING (gpu, launch, cta, sm, warp))
        SELECT *, lifetime - issued - stalled - queued AS missing FROM together
        WHERE {_recorded(trace.meta.get("capture", {}))}
          AND (lifetime IS DISTINCT FROM issued + stalled + queued OR instructions IS DISTINCT FROM issued)
        ORDER BY gpu, launch, cta, sm, warp""")


def _recorded(capture: dict[str, Any]) -> str:
    """SQL condition on warps all of whose instructions the capture let pass."""
    ranges = capture.get("ranges", {})
    partial = [key for key in ("ops", "stalls") if capture.get(key)] + [key for key in ("pc",) if key in ranges]
    if partial:
        raise TraceError(f"the trace was filtered by {' and '.join(partial)}: lifetimes of warps cannot be checked")
    terms = [
        " OR ".join(f"{key} BETWEEN {low} AND {high}" for low, high in ranges[key])
        for key in ("gpu", "sm", "warp", "cta", "launch")
        if key in ranges
    ]
    first, until = capture.get("cycle_from", 0), capture.get("cycle_until", FOREVER)
    if first > 0 or until < FOREVER:
        terms.append(f"start_cycle >= {first} AND end_cycle <= {until}")
    return " AND ".join(f"({term})" for term in terms) or "true"
