"""`simasm trace`: a listing, a query, a comparison, or a file for another program."""

from __future__ import annotations

from typing import Any, TextIO

from .capture import parse_capture
from .diff import first_divergence
from .listing import show
from .output import print_table
from .read import Trace, open_trace
from .stalls import breakdown


def run_command(options: Any, file: TextIO) -> bool:
    """Do what the options of the command line ask for; True if two traces were compared and differ."""
    filters = ",".join(options.filters)
    if not (options.stalls or options.diff or options.perfetto or options.kanata):
        show(options.directory, file, filters, options.sql, options.form, options.limit or None)
        return False
    with open_trace(options.directory) as trace:
        if options.stalls:
            print_table(breakdown(trace), file, options.form)
        if options.perfetto:
            from .perfetto import export

            export(trace, options.perfetto, parse_capture(filters))
            file.write(f"{options.perfetto}: open it in ui.perfetto.dev\n")
        if options.kanata:
            from .kanata import export as export_kanata

            count = export_kanata(trace, options.kanata, parse_capture(filters))
            file.write(f"{options.kanata}: {count} instructions; open it in Konata\n")
        return bool(options.diff) and _differ(trace, options.diff, file)


def _differ(trace: Trace, directory: str, file: TextIO) -> bool:
    with open_trace(directory) as other:
        found = first_divergence(trace, other)
    file.write(f"{found or 'the traces are the same'}\n")
    return found is not None
