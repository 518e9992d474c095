"""`simasm trace DIR`: one line per instruction, in order of issue, or the answer to a query."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from .capture import Capture, parse_capture
from .output import print_table
from .read import Table, Trace, open_trace

LIMIT = 10_000
"""Lines of a listing unless the user says otherwise."""
TEXT_WIDTH = 44

_COLUMNS = (
    "issue AS cycle, gpu, sm, warp, launch, cta, pc, op, coalesce(nullif(text, ''), op, '?') AS text, mask,"
    " stall, stall_cycles, queue, queue_cycles, latency, address, bytes, file, line"
)
_HEADER = (
    f"{'cycle':>10} {'gpu':>3} {'sm':>3} {'warp':>4} {'cta':>5} {'pc':>5}  {'instruction':{TEXT_WIDTH}} {'mask':8} "
    f"{'latency':>7}  {'waited for':28} address"
)


def rows(trace: Trace, capture: Capture | None = None, limit: int | None = LIMIT) -> Table:
    """The instructions that pass the filter, in order of issue, at most ``limit``."""
    where = (capture or Capture()).where()
    tail = f" LIMIT {limit}" if limit is not None else ""
    return trace.sql(f"SELECT {_COLUMNS} FROM instructions WHERE {where} ORDER BY issue, gpu, sm, warp{tail}")


def lines(trace: Trace, capture: Capture | None = None, limit: int | None = LIMIT) -> Iterator[str]:
    """The listing as text; the first line names the columns, the last says if there is more."""
    yield _HEADER
    found = rows(trace, capture, None if limit is None else limit + 1).dicts()
    for row in found[:limit]:
        yield line_of(row)
    if limit is not None and len(found) > limit:
        where = (capture or Capture()).where()
        total = trace.sql(f"SELECT count(*) FROM instructions WHERE {where}").rows[0][0]
        yield f"... {total - limit} more; narrow the filter or raise the limit"


def line_of(row: dict[str, Any]) -> str:
    """One instruction as one line."""
    text = row["text"] if len(row["text"]) <= TEXT_WIDTH else row["text"][: TEXT_WIDTH - 1] + "…"
    place = f"{row['cycle']:10} {row['gpu']:3} {row['sm']:3} {row['warp']:4} {row['cta']:5} {row['pc']:5}"
    address = f"0x{row['address']:012x}+{row['bytes']}" if row["address"] else ""
    return f"{place}  {text:{TEXT_WIDTH}} {row['mask']:08x} {row['latency']:7}  {waits(row):28} {address}".rstrip()


def waits(row: dict[str, Any]) -> str:
    """What the warp waited for before it issued: ``long_scoreboard:412+not_selected:2``."""
    parts = ((row["stall"], row["stall_cycles"]), (row["queue"], row["queue_cycles"]))
    return "+".join(f"{reason}:{cycles}" for reason, cycles in parts if cycles)


def show(
    directory: str | Path,
    file: TextIO,
    filters: str = "",
    sql: str | None = None,
    form: str = "auto",
    limit: int | None = LIMIT,
) -> None:
    """Print the listing of a trace, or the answer to ``sql``. Forms are those of `output.print_table`."""
    capture = parse_capture(filters)
    with open_trace(directory) as trace:
        if sql is not None:
            print_table(trace.sql(sql), file, form)
        elif form in ("csv", "json"):
            print_table(rows(trace, capture, limit), file, form)
        else:
            file.writelines(line + "\n" for line in lines(trace, capture, limit))
