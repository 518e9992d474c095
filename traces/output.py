"""Print a table: for people on a terminal, aligned text in a pipe, or CSV or JSON for programs."""

from __future__ import annotations

import csv
import json
from typing import Any, TextIO

from .errors import TraceError
from .read import Table
from .records import SCHEMA_VERSION

FORMS = ("auto", "table", "plain", "csv", "json")


def print_table(table: Table, file: TextIO, form: str = "auto") -> None:
    """Print in one of ``FORMS``. ``auto`` is a table with lines on a terminal and plain text elsewhere."""
    if form not in FORMS:
        raise TraceError(f"unknown output form `{form}`; there are {', '.join(FORMS)}")
    if form == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(table.columns)
        writer.writerows(table.rows)
    elif form == "json":
        json.dump({"schema": SCHEMA_VERSION, "rows": table.dicts()}, file, indent=1, default=str)
        file.write("\n")
    elif form == "table" or (form == "auto" and file.isatty()):
        _rich(table, file)
    else:
        _plain(table, file)


def _rich(table: Table, file: TextIO) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as RichTable

    shown = RichTable(box=box.SIMPLE_HEAD)
    for name, right in zip(table.columns, _numeric(table), strict=True):
        shown.add_column(name, justify="right" if right else "left", overflow="fold")
    for row in table.rows:
        shown.add_row(*(text_of(value).replace("[", "\\[") for value in row))
    Console(file=file).print(shown)


def _plain(table: Table, file: TextIO) -> None:
    cells = [table.columns] + [[text_of(value) for value in row] for row in table.rows]
    widths = [max(len(row[i]) for row in cells) for i in range(len(table.columns))]
    right = _numeric(table)
    for row in cells:
        padded = (c.rjust(w) if r else c.ljust(w) for c, w, r in zip(row, widths, right, strict=True))
        file.write("  ".join(padded).rstrip() + "\n")


def _numeric(table: Table) -> list[bool]:
    """For each column, whether it holds numbers."""
    values = [[row[i] for row in table.rows if row[i] is not None] for i in range(len(table.columns))]
    return [bool(v) and all(isinstance(x, int | float) and not isinstance(x, bool) for x in v) for v in values]


def text_of(value: Any) -> str:
    """A value as users read it: nothing for NULL, six digits of a float."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
