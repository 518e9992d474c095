"""Columns and views of a trace directory: what is stored, and how SQL sees it. traces/README.md describes it in words.

A stream is a sequence of records per GPU, stored as ``gpuG/STREAM-NNNN.parquet``. A table is small and belongs to the
whole run: ``tables/NAME.parquet``. To add a column, add a row; to add a view, add an entry to ``VIEWS``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .records import PACKET_WORDS, RECORD_WORDS, STALL_NAMES, WARP_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Column(NamedTuple):
    """One stored column: bits ``shift`` and up of a word, as many as its numpy type has.

    ``sql``: what is stored, if not the bits themselves.
    """

    name: str
    dtype: str
    word: int
    shift: int
    doc: str
    sql: str = ""


class Stream(NamedTuple):
    """Records of one kind: words per record and their columns."""

    words: int
    columns: tuple[Column, ...]

    def arrays(self, records: NDArray[Any]) -> dict[str, NDArray[Any]]:
        """The columns of int64[n, words] as views; nothing is copied."""
        out = {}
        for name, dtype, word, shift, *_ in self.columns:
            typed = records.view(dtype)
            bits = typed.itemsize * 8
            out[name] = typed[:, (word * 64 + shift) // bits]
        return out

    @property
    def select(self) -> str:
        """The stored columns as an SQL select list."""
        return ", ".join(f'{c.sql} AS "{c.name}"' if c.sql else f'"{c.name}"' for c in self.columns)


STREAMS = {
    "instructions": Stream(
        RECORD_WORDS,
        (
            Column("issue", "<i8", 0, 0, "cycle of issue"),
            # A difference compresses far better than a second cycle.
            Column("latency", "<i8", 1, 0, "cycles from issue until the result can be used", "latency - issue"),
            Column("sm", "<u2", 2, 0, "streaming multiprocessor"),
            Column("warp", "u1", 2, 16, "warp slot of the SM"),
            Column("stall", "u1", 2, 24, "why the warp did not issue earlier: number of `records.Stall`"),
            Column("queue", "u1", 2, 32, "why it then waited, operands ready: number of `records.Stall`"),
            Column("pc", "<u4", 3, 0, "index of the instruction in the image"),
            Column("launch", "<u4", 3, 32, "number of the launch"),
            Column("mask", "<u4", 4, 0, "active lanes"),
            Column("cta", "<u4", 4, 32, "linear index of the thread block"),
            Column("stall_cycles", "<u4", 5, 0, "cycles from the warp's previous issue until the operands were ready"),
            Column("queue_cycles", "<u4", 5, 32, "cycles from then until issue"),
            Column("address", "<u8", 6, 0, "address of the first active lane, or 0"),
            Column("bytes", "<u4", 7, 0, "bytes accessed by all lanes"),
            Column("sectors", "<u4", 7, 32, "lines or sectors touched"),
        ),
    ),
    "packets": Stream(
        PACKET_WORDS,
        (
            Column("send", "<i8", 0, 0, "cycle at which it left its GPU's hub"),
            Column("arrive", "<i8", 1, 0, "cycle of arrival"),
            Column("src", "u1", 2, 0, "sending GPU"),
            Column("dst", "u1", 2, 8, "receiving GPU"),
            Column("kind", "u1", 2, 16, "number in the table packet_kinds"),
            Column("vc", "u1", 2, 24, "virtual channel"),
            Column("flits", "<u4", 2, 32, "16-byte flits on the wire"),
            Column("address", "<u8", 3, 0, "address"),
            Column("bytes", "<i8", 4, 0, "bytes of data"),
            Column("wait_cycles", "<i8", 5, 0, "cycles waited on the way for other packets"),
            Column("tag", "<i8", 6, 0, "request it belongs to"),
            Column("seq", "<i8", 7, 0, "sequence number"),
        ),
    ),
    "warps": Stream(
        WARP_WORDS,
        (
            Column("sm", "<u2", 0, 0, "streaming multiprocessor"),
            Column("warp", "u1", 1, 0, "warp slot of the SM"),
            Column("launch", "<u4", 2, 0, "number of the launch"),
            Column("cta", "<u4", 3, 0, "linear index of the thread block"),
            Column("start_cycle", "<i8", 4, 0, "first cycle at which the warp could issue"),
            Column("end_cycle", "<i8", 5, 0, "cycle after its last issue"),
            Column("instructions", "<i8", 6, 0, "instructions issued"),
        ),
    ),
}

TABLES: dict[str, dict[str, str]] = {
    "code": {"pc": "BIGINT", "op": "VARCHAR", "text": "VARCHAR", "file": "VARCHAR", "line": "INTEGER"},
    "sources": {"file": "VARCHAR", "text": "VARCHAR"},
    "kernels": {
        **{"id": "BIGINT", "gpu": "INTEGER", "name": "VARCHAR", "stream": "BIGINT"},
        **{"start_cycle": "BIGINT", "end_cycle": "BIGINT", "ctas": "BIGINT", "instructions": "BIGINT"},
    },
    "host": {"t_ns": "DOUBLE", "dt_ns": "DOUBLE", "what": "VARCHAR"},
    "counters": {"gpu": "INTEGER", "name": "VARCHAR", "cycle": "BIGINT", "value": "DOUBLE"},
    "packet_kinds": {"number": "INTEGER", "name": "VARCHAR"},
}
"""Tables every trace has, empty if the run wrote none, and the SQL types of their columns. A run may write others.
``counters``: ``cycle`` is NULL for totals of the run."""

RENAMED = {"start": "start_cycle", "end": "end_cycle"}
"""``end`` is a keyword of SQL."""

_STALLS = "[" + ", ".join(f"'{name}'" for name in STALL_NAMES) + "]"

VIEWS = {
    "instructions": f"""
        SELECT issue, issue + latency AS done, latency, gpu, sm, warp, launch, cta, pc, op, mask,
               bit_count(mask)::UTINYINT AS active, {_STALLS}[stall + 1] AS stall, stall_cycles,
               {_STALLS}[queue + 1] AS queue, queue_cycles, address, bytes, sectors, text, file, line
        FROM raw_instructions LEFT JOIN code USING (pc)""",
    "packets": """
        SELECT send, arrive, arrive - send AS latency, src, dst, coalesce(k.name, p.kind::VARCHAR) AS kind, vc, flits,
               address, bytes, wait_cycles, tag, seq, gpu
        FROM raw_packets p LEFT JOIN packet_kinds k ON k.number = p.kind""",
    "warps": "SELECT gpu, sm, warp, launch, cta, start_cycle, end_cycle, instructions FROM raw_warps",
    "stalls": f"""
        WITH parts AS (
            SELECT gpu, launch, {_STALLS}[stall + 1] AS stall, stall_cycles AS cycles FROM raw_instructions
            UNION ALL
            SELECT gpu, launch, {_STALLS}[queue + 1], queue_cycles FROM raw_instructions
            UNION ALL
            SELECT gpu, launch, 'selected', 1 FROM raw_instructions)
        SELECT p.gpu, launch, min(k.name) AS kernel, stall, sum(cycles)::BIGINT AS cycles
        FROM parts p LEFT JOIN kernels k ON k.gpu = p.gpu AND k.id = p.launch
        WHERE cycles > 0 GROUP BY p.gpu, launch, stall""",
    "links": """
        SELECT src, dst, kind, count(*) AS packets, sum(flits)::BIGINT AS flits, sum(flits)::BIGINT * 16 AS wire_bytes,
               sum(bytes)::BIGINT AS bytes, avg(latency) AS latency_mean, max(latency) AS latency_max,
               sum(wait_cycles)::BIGINT AS wait_cycles
        FROM packets GROUP BY src, dst, kind""",
    "lines": """
        SELECT file, line, min(text) AS text, count(*) AS instructions, sum(active)::BIGINT AS lanes,
               sum(stall_cycles)::BIGINT AS stall_cycles, sum(queue_cycles)::BIGINT AS queue_cycles,
               sum(bytes)::BIGINT AS bytes
        FROM instructions GROUP BY file, line""",
}
"""What users query, in order: a view may use those before it. ``raw_*`` are the streams as stored, with ``gpu``."""

NUMBERS = {"<i8": "BIGINT", "<u8": "UBIGINT", "<u4": "UINTEGER", "<u2": "USMALLINT", "u1": "UTINYINT"}
"""SQL type of each numpy type used above."""
