"""Columns of an Image from steps and entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from assembler.program import Entry
from assembler.source import Span
from isa.image import COLUMNS, SPANS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENTRY_COLUMNS = ("o_kind", "o_role", "o_type", "o_group", "o_value", "o_offset")


def head_columns(heads: Mapping[str, Sequence[int]]) -> dict[str, NDArray[Any]]:
    """Columns of instructions: op, guard, first operand entry."""
    import numpy as np

    return {name: np.array(values, COLUMNS[name]) for name, values in heads.items()}


def entry_columns(entries: Sequence[Entry]) -> dict[str, NDArray[Any]]:
    """Columns of operand entries."""
    import numpy as np

    values = zip(*entries, strict=True) if entries else ((),) * len(ENTRY_COLUMNS)
    return {name: np.array(v, COLUMNS[name]) for name, v in zip(ENTRY_COLUMNS, values, strict=True)}


def span_columns(spans: Sequence[Span]) -> dict[str, NDArray[Any]]:
    """File, line, column and end column of each instruction; of text on several lines, what is on the first."""
    import numpy as np

    groups = [_of_one_text(list(group)) for _, group in groupby(spans, key=lambda span: id(span.source))]
    values = np.concatenate(groups, axis=1) if groups else np.zeros((4, 0), np.int64)
    return {
        name: np.minimum(v, np.iinfo(np.dtype(COLUMNS[name])).max).astype(COLUMNS[name])
        for name, v in zip(SPANS, values, strict=True)
    }


def _of_one_text(spans: Sequence[Span]) -> NDArray[np.int64]:
    """The same for one module; in a text without macros, offsets are those of the file."""
    import numpy as np

    source = spans[0].source
    if len(source.marks) > 1:
        return np.array([_where(span) for span in spans], np.int64).reshape(-1, 4).T
    mark = source.marks[0]
    lines = np.array([*source.files[mark.file].line_starts, len(source.files[mark.file].text) + 1])
    starts, ends = (
        np.fromiter((getattr(s, side) for s in spans), np.int64, len(spans)) - mark.start + mark.offset
        for side in ("start", "end")
    )
    line = np.searchsorted(lines, starts, "right")
    first = lines[line - 1]
    ends = np.minimum(ends - first + 1, lines[line] - first)
    return np.stack([np.full(len(spans), mark.file), line, starts - first + 1, ends])


def _where(span: Span) -> tuple[int, int, int, int]:
    where = span.location
    end = where.end_col
    if where.end_line != where.line:
        end = len(span.source.files[where.file].line(where.line)) + 1
    return where.file, where.line, where.col, end
