"""A part of a trace as a Kanata log, which Konata draws as a pipeline: one row per instruction, waits as its stages.

Stages: ``Wt`` waits for operands, ``Qu`` waits for its turn, ``Is`` issues, ``Ex`` executes until its result is there.
Format: https://github.com/shioyadan/Konata/blob/master/docs/kanata-log-format.md
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .capture import Capture
from .errors import TraceError
from .listing import rows, waits
from .read import Trace

MAX_INSTRUCTIONS = 200_000


def export(trace: Trace, path: str | Path, capture: Capture | None = None, limit: int = MAX_INSTRUCTIONS) -> int:
    """Write the instructions that pass the filter; returns how many. Raises `TraceError` if more than ``limit``."""
    found = rows(trace, capture, limit + 1).dicts()
    if len(found) > limit:
        raise TraceError(f"more than {limit:,} instructions: narrow the filter (cycles=, sm=, warp=)")
    found.sort(key=_first_cycle)  # Konata wants numbers in order of appearance
    events = [(cycle, number, line) for number, row in enumerate(found) for cycle, line in _lines(number, row)]
    events.sort(key=lambda event: event[:2])
    now = events[0][0] if events else 0
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"Kanata\t0004\nC=\t{now}\n")
        for cycle, _, line in events:
            if cycle > now:
                file.write(f"C\t{cycle - now}\n")
                now = cycle
            file.write(line + "\n")
    return len(found)


def _first_cycle(row: dict[str, Any]) -> int:
    """Cycle from which the warp waited for this instruction."""
    return int(row["cycle"] - row["queue_cycles"] - row["stall_cycles"])


def _lines(number: int, row: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """The life of an instruction as lines of the log, with their cycles."""
    issue, first = row["cycle"], _first_cycle(row)
    ready = issue - row["queue_cycles"]
    end = issue + max(row["latency"], 2)
    thread = (row["gpu"] << 16 | row["sm"]) << 8 | row["warp"]
    place = f"gpu {row['gpu']} sm {row['sm']} warp {row['warp']} cta {row['cta']}"
    yield first, f"I\t{number}\t{number}\t{thread}"
    yield first, f"L\t{number}\t0\t{row['pc']:5} {row['text']}"
    yield first, f"L\t{number}\t1\t{place}, {row['file'] or '?'}:{row['line'] or 0}, {waits(row) or 'no wait'}"
    stages = (("Wt", first, ready), ("Qu", ready, issue), ("Is", issue, issue + 1), ("Ex", issue + 1, end))
    for stage, begin, until in stages:
        if until > begin:
            yield begin, f"S\t{number}\t0\t{stage}"
    yield end, f"R\t{number}\t{number}\t0"
