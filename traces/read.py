"""Open a trace directory and ask it questions in SQL. The views are those of `schema.VIEWS`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import TraceError, suggestion
from .records import SCHEMA_VERSION
from .schema import NUMBERS, STREAMS, TABLES, VIEWS
from .writer import META, is_trace, quote

if TYPE_CHECKING:
    from types import TracebackType

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Table:
    """Answer to a query."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """One dict per row."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def column(self, name: str) -> list[Any]:
        """The values of one column."""
        at = self.columns.index(name)
        return [row[at] for row in self.rows]


class Trace:
    """An open trace. ``meta`` is what ``meta.json`` says."""

    def __init__(self, directory: Path, meta: dict[str, Any]) -> None:
        import duckdb

        self.directory = directory
        self.meta = meta
        self._error = duckdb.Error
        self._connection = duckdb.connect(config={"python_enable_replacements": False})
        self.gpus = sorted(int(p.name[3:]) for p in directory.glob("gpu*") if p.name[3:].isdigit())
        for name in STREAMS:
            self._view(f"raw_{name}", self.stream(name))
        for path in sorted(directory.glob("tables/*.parquet")):
            self._view(path.stem, f"SELECT * FROM read_parquet({quote(str(path))})")
        for name in TABLES:
            if not (directory / "tables" / f"{name}.parquet").exists():
                self._view(name, _nothing(TABLES[name]))
        for name, query in VIEWS.items():
            self._view(name, query)

    @property
    def is_complete(self) -> bool:
        """False if the run did not get to the end of writing it."""
        return bool(self.meta.get("complete"))

    def sql(self, query: str, parameters: list[Any] | None = None) -> Table:
        """Run a query; raises `TraceError` with the line and the place if it makes no sense."""
        try:
            cursor = self._connection.execute(query, parameters)
            columns = [column[0] for column in cursor.description or ()]
            return Table(columns, cursor.fetchall() if columns else [])
        except self._error as error:
            raise TraceError(f"query failed: {self._explain(error)}") from None

    def arrays(self, query: str) -> dict[str, NDArray[Any]]:
        """Run a query; its columns as numpy arrays."""
        try:
            return dict(self._connection.execute(query).fetchnumpy())
        except self._error as error:
            raise TraceError(f"query failed: {self._explain(error)}") from None

    def views(self) -> list[str]:
        """Names that can be queried."""
        return self.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal ORDER BY 1").column("view_name")

    def close(self) -> None:
        """Let go of the files."""
        self._connection.close()

    def __enter__(self) -> Trace:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _view(self, name: str, query: str) -> None:
        self._connection.execute(f'CREATE VIEW "{name}" AS {query}')

    def stream(self, name: str) -> str:
        """SQL of all parts of a stream; each GPU is a branch of its own, so a query for one opens no other's files."""
        parts = []
        for gpu in self.gpus:
            files = sorted(self.directory.glob(f"gpu{gpu}/{name}-*.parquet"), key=lambda p: (len(p.name), p.name))
            if files:
                paths = ", ".join(quote(str(path)) for path in files)
                parts.append(f"SELECT {gpu}::UTINYINT AS gpu, * FROM read_parquet([{paths}])")
        types = {"gpu": "UTINYINT", **{c.name: NUMBERS[c.dtype] for c in STREAMS[name].columns}}
        return " UNION ALL ".join(parts) or _nothing(types)

    def _explain(self, error: Exception) -> str:
        text = str(error).strip()
        if "Table with name" in text:
            name = text.split("Table with name", 1)[1].split()[0]
            return f"there is no view `{name}`{suggestion(name, self.views())}; there are {', '.join(self.views())}"
        return text


def open_trace(directory: str | Path) -> Trace:
    """Open a trace; raises `TraceError` if it is none, or of a format this version cannot read."""
    path = Path(directory)
    if not path.is_dir():
        raise TraceError(f"{path}: there is no such directory")
    if not is_trace(path):
        raise TraceError(f"{path}: not a trace directory (a trace has a {META} written by simasm)")
    meta = json.loads((path / META).read_text(encoding="utf-8"))
    if meta.get("schema") != SCHEMA_VERSION:
        raise TraceError(
            f"{path}: the trace has format {meta.get('schema')}, this version reads format {SCHEMA_VERSION};"
            " record it again, or read it with the version that wrote it"
        )
    return Trace(path, meta)


def _nothing(types: dict[str, str]) -> str:
    return "SELECT " + ", ".join(f'NULL::{sql} AS "{name}"' for name, sql in types.items()) + " WHERE false"
