"""What the user sees after a run: a few tables that answer how fast, limited by what, and was it right.

Pure formatting: everything comes from the dict that the run returns (traces/README.md lists its keys); a missing number
shows as ``-``, a missing section is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from .units import NOTHING, count, duration, grouped, percent, size

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

Stats = Mapping[str, Any]
Row = Mapping[str, Any]

WIDTH = 100
"""Columns when the output is not a terminal."""
MAX_GPUS = 8
"""More GPUs than this are shown as mean, lowest and highest."""
MAX_KERNELS = 24
MAX_HOST = 12
BAR = 30
SPAN = 22
"""Characters of the bars of stall reasons and of the timeline of kernels."""
NAME = 26
"""Characters of a kernel's name that are shown."""

_GPU_COLUMNS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("cycles", "cycles", grouped),
    ("time", "time_ns", duration),
    ("instr.", "instructions", count),
    ("IPC", "ipc", lambda v: NOTHING if v is None else f"{v:.2f}"),
    ("tensor", "tensor_util", percent),
    ("L2", "l2_util", percent),
    ("HBM", "dram_util", percent),
    ("NVLink sent", "nvlink_tx_bytes", size),
    ("util.", "nvlink_tx_util", percent),
    ("received", "nvlink_rx_bytes", size),
    ("util.", "nvlink_rx_util", percent),
)
_DISPENSABLE = ("time_ns", "l2_util", "nvlink_rx_util", "nvlink_tx_util", "instructions", "cycles")
"""Columns left out first on a narrow terminal."""


def print_summary(stats: Stats, file: TextIO, width: int | None = None) -> None:
    """Print the summary: colours and lines on a terminal, plain text elsewhere."""
    from rich.console import Console

    terminal = file.isatty()
    console = Console(file=file, width=width or (None if terminal else WIDTH), highlight=False, no_color=not terminal)
    view = _View(console, plain=not terminal, blocks=_can_print(file, "█"))
    view.head(stats)
    gpus = [{**row, "time_ns": _ns(stats, row.get("cycles"))} for row in stats.get("per_gpu", ())]
    view.gpus(gpus)
    view.hubs(gpus)
    view.stalls(gpus)
    view.kernels(stats, stats.get("kernels", ()))
    view.host(stats.get("host", ()))
    view.checks(stats.get("checks", ()))
    view.trace(stats.get("trace"))


def render(stats: Stats, width: int = WIDTH) -> str:
    """The summary as plain text."""
    from io import StringIO

    out = StringIO()
    print_summary(stats, out, width)
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


class _View:
    """The sections, one method each."""

    def __init__(self, console: Console, plain: bool, blocks: bool) -> None:
        self.console = console
        self.plain = plain
        self.full = "█" if blocks else "#"
        self.empty = "·" if blocks else "."

    def head(self, stats: Stats) -> None:
        """One line: machine, simulated time, and what it cost."""
        cycles = max(stats.get("cycles", {}).values(), default=None)
        n, wall = stats.get("instructions"), stats.get("wall_s")
        gpus = stats.get("gpus", len(stats.get("per_gpu", ())))
        parts = [f"{gpus} x {stats.get('preset', 'GPU')}"]
        if cycles is not None:
            time = _ns(stats, cycles)
            parts.append(f"{grouped(cycles)} cycles" + (f" = {duration(time)}" if time is not None else ""))
        if n is not None:
            parts.append(f"{count(n)} warp instructions")
        if wall:
            parts.append(f"simulated in {wall:.2f} s" + (f" ({count(n / wall)}/s)" if n else ""))
        self.console.print(_text(", ".join(parts)), style="bold", soft_wrap=True)

    def gpus(self, rows: Sequence[Row]) -> None:
        """The table of GPUs; columns without a number anywhere are left out."""
        columns = [c for c in _GPU_COLUMNS if any(row.get(c[1]) is not None for row in rows)]
        keys = [key for _, key, _ in columns]
        cells = [[label, *(show(row.get(key)) for _, key, show in columns)] for label, row in _lines(rows, keys)]
        spare = [1 + keys.index(key) for key in _DISPENSABLE if key in keys]
        self.section("GPUs", ["GPU", *(title for title, _, _ in columns)], cells, spare=spare)

    def hubs(self, rows: Sequence[Row]) -> None:
        """Counters of the hubs that are not zero on every GPU: a row each, GPUs across."""
        hubs: list[Row] = [row.get("hub") or {} for row in rows]
        names = [name for name in dict.fromkeys(n for hub in hubs for n in hub) if any(hub.get(name) for hub in hubs)]
        if not names:
            return
        few = len(rows) <= MAX_GPUS
        heads = [f"GPU {row.get('gpu', i)}" for i, row in enumerate(rows)] if few else ["mean", "lowest", "highest"]
        cells = []
        for name in names:
            values = [hub.get(name) for hub in hubs]
            known = [v for v in values if v is not None]
            spread = values if few else [sum(known) / len(known), min(known), max(known)]
            total = [count(sum(known))] if len(rows) > 1 else []
            cells.append([name.replace("_", " "), *(count(v) for v in spread), *total])
        self.section("Hub", ["counter", *heads, *(["all"] if len(rows) > 1 else [])], cells)

    def stalls(self, rows: Sequence[Row]) -> None:
        """Where the cycles of warps went, all GPUs together, as bars."""
        cycles: dict[str, float] = {}
        for row in rows:
            for reason, n in (row.get("stalls") or {}).items():
                cycles[reason] = cycles.get(reason, 0) + n
        total = sum(cycles.values())
        if not total:
            return
        issued = sum(row.get("instructions") or 0 for row in rows)
        cells = []
        for reason, n in sorted(cycles.items(), key=lambda item: (-item[1], item[0])):
            if n:
                each = f"{n / issued:.2f}" if issued else NOTHING
                cells.append([reason, percent(n / total), self.bar(n / total), count(n), each])
        self.section("Warp cycles by stall reason", ["reason", "share", "", "cycles", "per instr."], cells, left=(2,))

    def kernels(self, stats: Stats, rows: Sequence[Row]) -> None:
        """The timeline: each kernel's place in the run; kernels of one name together if there are many."""
        if not rows:
            return
        ordered = sorted(rows, key=lambda r: (r.get("start") or 0, r.get("gpu", 0), r.get("id", 0)))
        merged = len(ordered) > MAX_KERNELS
        shown = _by_name(ordered) if merged else ordered
        begin = min(r.get("start") or 0 for r in shown)
        end = max(max(r.get("end") or 0 for r in shown), begin + 1)
        cells = []
        for r in shown:
            first, last = r.get("start"), r.get("end")
            length = _ns(stats, last - first) if first is not None and last is not None else None
            where = r["runs"] if merged else r.get("gpu", NOTHING)
            times = [grouped(first), grouped(last), duration(length)]
            numbers = [count(r.get("ctas")), count(r.get("instructions"))]
            name = str(r.get("name", "?"))
            name = name if len(name) <= NAME else name[: NAME - 1] + "…"
            cells.append([name, str(where), *times, *numbers, self.span(first, last, begin, end)])
        titles = ["kernel", "runs" if merged else "GPU", "start", "end", "time", "CTAs", "instr.", ""]
        self.section("Kernels (cycles)", titles, cells, left=(7,), spare=(7, 3, 5, 6))

    def host(self, rows: Sequence[Row]) -> None:
        """Host statements that took time, the longest if there are many."""
        timed = [row for row in rows if row.get("dt_ns")]
        if not timed:
            return
        kept = sorted(timed, key=lambda r: -r["dt_ns"])[:MAX_HOST]
        kept.sort(key=lambda row: row.get("t_ns", 0))
        cells = [[str(row.get("what", "?")), duration(row.get("t_ns")), duration(row["dt_ns"])] for row in kept]
        self.section("Host", ["host statement", "at", "took"], cells)
        if len(timed) > len(kept):
            self.console.print(f"... {len(timed) - len(kept)} more")

    def checks(self, rows: Iterable[Row]) -> None:
        """One line per check of the program's results."""
        cells = []
        for row in rows:
            error = row.get("max_error")
            result = _text("ok", "green") if row.get("ok") else _text("FAILED", "bold red")
            if row.get("skipped"):
                result = _text("skipped", "yellow")
            cells.append(
                [row.get("name", "?"), result, NOTHING if error is None else f"{error:.3g}", row.get("detail")]
            )
        self.section("Checks", ["check", "result", "max. error", ""], cells, left=(1, 2, 3))

    def trace(self, trace: Row | None) -> None:
        """Where the trace is."""
        if trace:
            told = f"{count(trace.get('records'))} records, {size(trace.get('bytes'))}"
            self.console.print(_text(f"\ntrace: {trace.get('dir')} ({told})"), soft_wrap=True)

    def section(
        self,
        title: str,
        titles: Sequence[str],
        rows: Sequence[Sequence[Any]],
        left: Sequence[int] = (),
        spare: Sequence[int] = (),
    ) -> None:
        """A titled table, if it has rows. The first column and ``left`` are text, the others numbers.

        While it is too wide, the columns ``spare`` go, first to last.
        """
        if not rows or len(titles) < 2:
            return
        columns = list(range(len(titles)))
        table = self._table(titles, rows, columns, left)
        unlimited = self.console.options.update(width=10_000)
        for index in spare:
            if self.console.measure(table, options=unlimited).maximum <= self.console.width:
                break
            columns.remove(index)
            table = self._table(titles, rows, columns, left)
        self.console.print()
        self.console.print(_text(title), style="bold")
        self.console.print(table)

    def _table(
        self, titles: Sequence[str], rows: Sequence[Sequence[Any]], columns: Sequence[int], left: Sequence[int]
    ) -> Table:
        from rich import box
        from rich.table import Table

        table = Table(box=None if self.plain else box.SIMPLE_HEAD, pad_edge=False, collapse_padding=not self.plain)
        for i in columns:
            is_text = i == 0 or i in left
            table.add_column(titles[i], justify="left" if is_text else "right", overflow="fold")
        for row in rows:
            table.add_row(*(row[i] if not isinstance(row[i] or "", str) else _text(row[i] or "") for i in columns))
        return table

    def bar(self, share: float) -> str:
        """A bar of a share of 1."""
        return self.full * max(1, round(BAR * share))

    def span(self, first: int | None, last: int | None, begin: int, end: int) -> str:
        """A piece of the time from ``begin`` to ``end``, drawn to scale."""
        if first is None or last is None:
            return ""
        at = min(SPAN - 1, (first - begin) * SPAN // (end - begin))
        to = min(SPAN, max(at + 1, -(-(last - begin) * SPAN // (end - begin))))
        return self.empty * at + self.full * (to - at) + self.empty * (SPAN - to)


def _lines(rows: Sequence[Row], keys: Iterable[str]) -> list[tuple[str, Row]]:
    """Rows with their labels: every GPU, or mean, lowest and highest of many."""
    if len(rows) <= MAX_GPUS:
        return [(str(row.get("gpu", i)), row) for i, row in enumerate(rows)]
    mean: dict[str, Any] = {}
    low: dict[str, Any] = {}
    high: dict[str, Any] = {}
    for key in keys:
        known = [row[key] for row in rows if row.get(key) is not None]
        mean[key], low[key], high[key] = sum(known) / len(known), min(known), max(known)
    return [("mean", mean), ("lowest", low), ("highest", high)]


def _by_name(rows: Sequence[Row]) -> list[Row]:
    """Kernels of one name as one row: first start, last end, sums."""
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.get("name", "?"), []).append(row)
    return [
        {
            "name": name,
            "runs": len(group),
            "start": min(r.get("start") or 0 for r in group),
            "end": max(r.get("end") or 0 for r in group),
            "ctas": sum(r.get("ctas") or 0 for r in group),
            "instructions": sum(r.get("instructions") or 0 for r in group),
        }
        for name, group in groups.items()
    ]


def _ns(stats: Stats, cycles: float | None) -> float | None:
    """Cycles in nanoseconds."""
    clock = stats.get("clock_ghz")
    return cycles / clock if cycles is not None and clock else None


def _text(content: object, style: str = "") -> Any:
    """Text that is not read as markup."""
    from rich.text import Text

    return Text(str(content), style=style)


def _can_print(file: TextIO, sign: str) -> bool:
    try:
        sign.encode(getattr(file, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
