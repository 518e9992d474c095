"""Write a trace directory while the machine runs: records are copied, and threads of our own turn them into Parquet.

Layout: ``meta.json``, ``gpuG/instructions-NNNN.parquet`` (likewise packets and warps), ``tables/NAME.parquet``. Parts
are cut after a fixed number of records, so the files do not depend on how the records arrived.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore
from typing import TYPE_CHECKING, Any

import numpy as np

from .capture import Capture
from .errors import TraceError
from .records import SCHEMA_VERSION
from .schema import RENAMED, STREAMS, TABLES

if TYPE_CHECKING:
    import duckdb
    from numpy.typing import NDArray

    from isa.image import Image

FORMAT = "simasm trace"
META = "meta.json"
PART_RECORDS = 1 << 18
"""Records of a part and of its only row group: 16 MiB before compression."""
MAX_WORKERS = 4
_DICTIONARY = 16
"""Values of a column above which it is stored as differences: building a larger dictionary costs half as much again as
all the rest of writing, and the files are larger."""

Row = Mapping[str, Any]


class _Batch:
    """Records of one stream of one GPU that do not fill a part yet."""

    def __init__(self, stream: str, gpu: int, records: NDArray[Any]) -> None:
        self.stream = stream
        self.gpu = gpu
        self.part = 0
        self.count = 0
        self.records = records

    def take(self, records: NDArray[Any]) -> int:
        """Copy in what fits; returns how many."""
        n = min(len(records), len(self.records) - self.count)
        self.records[self.count : self.count + n] = records[:n]
        self.count += n
        return n

    def split(self, records: NDArray[Any]) -> tuple[str, NDArray[Any], int]:
        """File name, memory and length of the part; ``records`` is the memory for the next."""
        part = f"gpu{self.gpu}/{self.stream}-{self.part:04d}.parquet", self.records, self.count
        self.records = records
        self.part += 1
        self.count = 0
        return part


class TraceWriter:
    """A trace being written to ``directory``; an old trace there is replaced, anything else is left alone.

    ``meta`` goes into ``meta.json``; of it, ``program``, ``seed``, ``config_hash`` and ``isa_digest`` also into every
    part. ``capture`` drops what the core let pass but the user did not ask for. Not thread-safe: one thread feeds it.
    """

    def __init__(
        self,
        directory: str | Path,
        meta: Mapping[str, Any],
        capture: Capture | None = None,
        part_records: int = PART_RECORDS,
    ) -> None:
        import duckdb

        if capture and "line" in capture.ranges:
            raise TraceError("trace filter: `line` selects what a listing shows, not what a run records; use `pc`")
        self.directory = Path(directory)
        self.capture = capture or Capture()
        """What is wanted; the machine may use it to record less in the first place."""
        self._part_records = part_records
        self._meta = {"format": FORMAT, "schema": SCHEMA_VERSION, **meta, "capture": _capture_meta(self.capture)}
        self._ops: Sequence[str] = ()
        self._batches: dict[tuple[int, str], _Batch] = {}
        self._tables: dict[str, list[Row]] = {}
        self._records = 0
        _prepare(self.directory)
        self._write_meta({"complete": False})
        workers = min(MAX_WORKERS, os.cpu_count() or 1)
        # One thread per query: parts are independent, and the simulation needs the other cores.
        self._database = duckdb.connect(config={"threads": 1})
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="trace")
        self._room = Semaphore(workers + 2)
        self._pending: list[Future[None]] = []
        self._free: list[NDArray[Any]] = []
        """Memory of parts that have been written; the first touch of new memory costs more than copying records."""

    def image(self, image: Image) -> None:
        """Record what each pc is: opcode, source line and text. Comes before the records if a filter names opcodes."""
        rows = code_rows(image)
        self._ops = [row["op"] for row in rows]
        self.table("code", rows)
        self.table("sources", [{"file": f, "text": t} for f, t in zip(image.files, image.texts, strict=False)])

    def instructions(self, gpu: int, records: NDArray[np.int64]) -> None:
        """Add instruction records, int64[n, 8] of `records.py`; they are copied."""
        if not self.capture.is_whole:
            if not self.capture.gpu_mask >> gpu & 1:
                return
            records = self.capture.keep(records, self._ops)
        self._add("instructions", gpu, records)

    def packets(self, gpu: int, records: NDArray[np.int64]) -> None:
        """Add packet records, int64[n, 8]; they are copied."""
        if self.capture.gpu_mask >> gpu & 1:
            sent = records[:, 0]
            wanted = (sent >= self.capture.cycle_from) & (sent < self.capture.cycle_until)
            self._add("packets", gpu, records if wanted.all() else records[wanted])

    def warps(self, gpu: int, records: NDArray[np.int64]) -> None:
        """Add the lifetimes of warps, int64[n, 8]; they are copied."""
        self._add("warps", gpu, records)

    def table(self, name: str, rows: Iterable[Row] | Mapping[str, Iterable[Any]]) -> None:
        """Add rows to a table: dicts, or a dict of columns. Known tables are those of `schema.TABLES`."""
        if isinstance(rows, Mapping):
            rows = [dict(zip(rows, values, strict=True)) for values in zip(*rows.values(), strict=True)]
        self._tables.setdefault(name, []).extend(rows)

    def unfinished(self) -> dict[str, Any]:
        """What a writer in another process needs to go on: by GPU and stream, number and records of the part at hand."""
        parts = {key: (batch.part, batch.records[: batch.count].copy()) for key, batch in self._batches.items()}
        return {"directory": str(self.directory.resolve()), "records": self._records, "parts": parts}

    def go_on(self, directory: Path, records: int, parts: Mapping[tuple[int, str], tuple[int, bytes]]) -> None:
        """Take over the trace in ``directory`` as `unfinished` described it."""
        for (gpu, stream), (part, data) in parts.items():
            folder = self.directory / f"gpu{gpu}"
            folder.mkdir(exist_ok=True)
            batch = self._batches[gpu, stream] = _Batch(stream, gpu, self._memory(stream))
            batch.part = part
            batch.take(np.frombuffer(data, np.int64).reshape(-1, STREAMS[stream].words))
            for i in range(part):
                name = f"{stream}-{i:04d}.parquet"
                shutil.copyfile(directory / f"gpu{gpu}" / name, folder / name)
        self._records = records

    def close(self, **meta: Any) -> dict[str, Any]:
        """Write what is left. Returns ``dir``, ``records``, ``bytes`` and ``hash``; ``meta`` is added to ``meta.json``.

        The hash is over names and contents of all parts; it changes with the version of duckdb, which the parts name.
        """
        try:
            for batch in self._batches.values():
                if batch.count:
                    self._submit(batch)
            self._wait(len(self._pending))
            for name in sorted({*self._tables, *TABLES}):
                self._write_table(name, self._tables.get(name, []))
        finally:
            self._pool.shutdown()
            self._database.close()
        parts = sorted(self.directory.glob("gpu*/*.parquet"))
        result = {"records": self._records, "hash": _hash(self.directory, parts)}
        self._write_meta({"complete": True, **meta, **result})
        size = sum(path.stat().st_size for path in self.directory.rglob("*") if path.is_file())
        return {"dir": str(self.directory), "bytes": size, **result}

    def __enter__(self) -> TraceWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _add(self, stream: str, gpu: int, records: NDArray[Any]) -> None:
        if len(records) == 0:
            return
        batch = self._batches.get((gpu, stream))
        if batch is None:
            batch = self._batches[gpu, stream] = _Batch(stream, gpu, self._memory(stream))
            (self.directory / f"gpu{gpu}").mkdir(exist_ok=True)
        if stream == "instructions":
            self._records += len(records)
        while len(records):
            records = records[batch.take(records) :]
            if batch.count == len(batch.records):
                self._submit(batch)

    def _submit(self, batch: _Batch) -> None:
        self._wait(0)
        self._room.acquire()
        name, memory, count = batch.split(self._memory(batch.stream))
        self._pending.append(self._pool.submit(self._write_part, name, batch.stream, batch.gpu, memory, count))

    def _memory(self, stream: str) -> NDArray[Any]:
        """Room for a part; all records have as many words."""
        try:
            return self._free.pop()
        except IndexError:
            return np.empty((self._part_records, STREAMS[stream].words), np.int64)

    def _wait(self, oldest: int) -> None:
        """Wait for the ``oldest`` parts and collect those that are done; an error in one is raised here."""
        for future in self._pending[:oldest]:
            future.result()
        for future in [f for f in self._pending if f.done()]:
            self._pending.remove(future)
            future.result()

    def _write_part(self, name: str, stream: str, gpu: int, memory: NDArray[Any], count: int) -> None:
        try:
            with self._database.cursor() as connection:
                connection.register("part", STREAMS[stream].arrays(memory[:count]))
                query = f"SELECT {STREAMS[stream].select} FROM part"
                self._copy(connection, query, name, self._key_values(stream, gpu))
            self._free.append(memory)
        finally:
            self._room.release()

    def _copy(
        self, connection: duckdb.DuckDBPyConnection, query: str, name: str, key_values: str = "", **parameters: str
    ) -> None:
        path = quote(str(self.directory / name))
        connection.execute(
            f"COPY ({query}) TO {path} (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1, PARQUET_VERSION v2,"
            f" DICTIONARY_SIZE_LIMIT {_DICTIONARY}, ROW_GROUP_SIZE {max(self._part_records, 2048)}{key_values})",
            parameters,
        )

    def _key_values(self, stream: str, gpu: int) -> str:
        known = {key: self._meta[key] for key in ("program", "seed", "config_hash", "isa_digest") if key in self._meta}
        text = json.dumps({"schema": SCHEMA_VERSION, "stream": stream, "gpu": gpu, **known}, sort_keys=True)
        return f", KV_METADATA {{simasm: {quote(text)}}}"

    def _write_table(self, name: str, rows: list[Row]) -> None:
        rows = [{RENAMED.get(key, key): value for key, value in row.items()} for row in rows]
        structure = json.dumps([_types(name, rows)])
        (self.directory / "tables").mkdir(exist_ok=True)
        query = f"SELECT unnest(from_json($rows, {quote(structure)}), recursive := true)"
        self._copy(self._database, query, f"tables/{name}.parquet", rows=json.dumps(rows, default=_plain))

    def _write_meta(self, more: Row) -> None:
        text = json.dumps({**self._meta, **more}, indent=1, sort_keys=True, default=_plain)
        (self.directory / META).write_text(text + "\n", encoding="utf-8")


def code_rows(image: Image) -> list[Row]:
    """Table ``code`` of an image: pc, opcode, the text of the instruction in its source, file and line."""
    lines = [text.splitlines() for text in image.texts]
    rows: list[Row] = []
    for pc in range(len(image)):
        file, line = int(image.file[pc]), int(image.line[pc])
        source = lines[file] if file < len(lines) else []
        text = source[line - 1][int(image.col[pc]) - 1 : int(image.end[pc]) - 1] if 0 < line <= len(source) else ""
        name = image.files[file] if file < len(image.files) else ""
        rows.append({"pc": pc, "op": image.name(pc), "text": text.strip(), "file": name, "line": line})
    return rows


def quote(text: str) -> str:
    """An SQL string."""
    return "'" + text.replace("'", "''") + "'"


def _prepare(directory: Path) -> None:
    """An empty directory: make it, or clear an old trace out of it."""
    try:
        if directory.is_dir() and any(directory.iterdir()):
            if not is_trace(directory):
                raise TraceError(f"{directory}: not empty and not a trace; name another directory for the trace")
            for old in [*directory.glob("gpu*"), directory / "tables"]:
                shutil.rmtree(old, ignore_errors=True)
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise TraceError(f"{directory}: cannot write a trace there: {error.strerror}") from error


def is_trace(directory: Path) -> bool:
    """Whether the directory holds a trace of any version."""
    try:
        meta = json.loads((directory / META).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(meta, dict) and meta.get("format") == FORMAT


def _capture_meta(capture: Capture) -> Row:
    return {
        "ranges": capture.ranges,
        "cycle_from": capture.cycle_from,
        "cycle_until": capture.cycle_until,
        "ops": capture.ops,
        "stalls": capture.stalls,
    }


def _types(name: str, rows: list[Row]) -> dict[str, str]:
    """SQL types of a table's columns: those of the schema, others by the values."""
    types = dict(TABLES.get(name, {}))
    for row in rows:
        for key, value in row.items():
            if value is not None and key not in types:
                types[key] = _type_of(value)
    return types or {"empty": "BOOLEAN"}


def _type_of(value: object) -> str:
    if isinstance(value, bool | np.bool_):
        return "BOOLEAN"
    if isinstance(value, int | np.integer):
        return "BIGINT"
    return "DOUBLE" if isinstance(value, float | np.floating) else "VARCHAR"


def _plain(value: Any) -> Any:
    """Numpy numbers and anything else JSON does not know."""
    return value.item() if isinstance(value, np.generic) else str(value)


def _hash(directory: Path, parts: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in parts:
        digest.update(path.relative_to(directory).as_posix().encode() + b"\0")
        digest.update(path.read_bytes())
    return digest.hexdigest()
