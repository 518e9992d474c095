"""A random program being written: registers, the rows of its output, and what each row depends on."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import values

from isa.types import TYPES

POOL = {"r": 8, "h": 6, "d": 6, "p": 4}
"""Registers that statements write: 32, 16 and 64 bits, predicates."""
TYPE_OF = {"r": "b32", "h": "b16", "d": "b64", "p": "pred"}


@dataclass
class Row:
    """A row of the output: the values one statement gave, of every thread.

    compare: "bits"; "low16"; "nan16/32/64" (any NaN equals any NaN); "approx16/32/64" (within the tolerance of approximate
    functions), "tanh"; "skip".
    """

    text: str
    offset: int
    size: int
    compare: str
    sources: list[int]


@dataclass
class Program:
    """One kernel: `threads` threads, input rows as values.LAYOUT says, output rows as `rows` says."""

    name: str
    seed: str
    threads: int = 32
    lines: list[str] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    writer: dict[str, set[int]] = field(default_factory=dict)
    control: list[list[int]] = field(default_factory=list)
    partial: int = 0
    size: int = 0
    labels: int = 0

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def label(self) -> str:
        self.labels += 1
        return f"L{self.labels}"

    def add(self, text: str) -> None:
        self.lines.append(f"    {text}")

    def reg(self, cls: str) -> str:
        """A register of the pool, to be written."""
        return f"%{cls}{self.rng.randrange(POOL[cls])}"

    def source(self, type_: str) -> str:
        """A register with values that suit a PTX type: half of the time an input, which nothing overwrites."""
        if type_ == "pred":
            return self.reg("p")
        t = TYPES[type_]
        cls = "d" if t.bits == 64 else "r" if t.bits == 32 else "h"
        if self.rng.random() < 0.45:
            return self.reg(cls)
        packed = type_.endswith("x2")
        kinds = {
            "d": ("f64",) if t.cls == "f" else ("i64",),
            "r": ("f16x2",) if packed else ("f32",) if t.cls == "f" else ("i32",),
            "h": ("f16",) if t.cls == "f" else ("i16",),
        }[cls]
        if t.cls == "b" and self.rng.random() < 0.4:
            kinds = {"d": ("f64",), "r": ("f32", "f16x2"), "h": ("f16",)}[cls]
        return "%i" + str(self.rng.choice([i for i, k in enumerate(values.LAYOUT) if k in kinds]))

    def wrote(self, register: str, row: int) -> None:
        """Note that a register holds what a row shows (in some threads, inside a branch)."""
        self.writer[register] = {row} | (self.writer.get(register, set()) if self.partial else set())

    def sources_of(self, registers: list[str]) -> list[int]:
        found = {row for register in registers for row in self.writer.get(register, ())}
        return sorted(found.union(*self.control))

    def place(self, size: int) -> int:
        """Room for a row of `size` bytes a thread; its offset."""
        self.size = -(-self.size // 8) * 8
        offset = self.size
        self.size += size * self.threads
        return offset

    def show(self, register: str, text: str, used: list[str], compare: str = "bits") -> None:
        """Store a register as the next row; `text` is the statement that gave it, `used` what that read."""
        cls = register[1]
        size = 8 if cls == "d" else 4
        offset = self.place(size)
        row = len(self.rows)
        self.rows.append(Row(text, offset, size, compare, self.sources_of(used)))
        self.wrote(register, row)
        address = f"[%out{size}+{offset}]"
        if cls == "h":
            self.add(f"cvt.u32.u16 %u0, {register};")
        elif cls == "p":
            self.add(f"selp.b32 %u0, 1, 0, {register};")
        self.add(f"st.global.b{8 * size} {address}, {register if cls in 'rd' else '%u0'};")

    def text(self) -> str:
        """The kernel, and the functions it calls, as PTX."""
        declared = [f".reg .{TYPE_OF[c]} %{c}<{n}>;" for c, n in POOL.items()]
        kinds = {"f64": "b64", "i64": "b64", "f16": "b16", "i16": "b16"}
        declared += [f".reg .{kinds.get(kind, 'b32')} %i{i};" for i, kind in enumerate(values.LAYOUT)]
        head = [
            f".visible .entry {self.name}(.param .u64 in, .param .u64 out)", "{", *(f"    {d}" for d in declared),
            "    .reg .b64 %in, %out, %out4, %out8, %x<6>; .reg .b32 %me, %u<8>; .reg .b16 %w<4>; .reg .pred %t<4>;",
            "    .reg .b64 %sh, %lo; .shared .align 16 .b8 sh[2048]; .local .align 16 .b8 lo[256];",
            "    mov.u32 %me, %tid.x;", "    ld.param.u64 %in, [in];", "    ld.param.u64 %out, [out];",
            "    mad.wide.u32 %in, %me, 8, %in;", "    mad.wide.u32 %out4, %me, 4, %out;",
            "    mad.wide.u32 %out8, %me, 8, %out;",
            "    mov.u64 %sh, sh;", "    mad.wide.u32 %sh, %me, 16, %sh;", "    mov.u64 %lo, lo;",
        ]  # fmt: skip
        for i, kind in enumerate(values.LAYOUT):
            head.append(f"    ld.global.{kinds.get(kind, 'b32')} %i{i}, [%in+{i * 8 * values.THREADS}];")
        head += [f"    mov.b32 %r{i}, %i{i};" for i in range(POOL["r"])]
        head += [f"    mov.b16 %h{i}, %i{8 + i % 4};" for i in range(POOL["h"])]
        head += [f"    mov.b64 %d{i}, %i{12 + i % 4};" for i in range(POOL["d"])]
        head += [f"    setp.lt.s32 %p{i}, %i{5 + i % 3}, %r{i};" for i in range(POOL["p"])]
        return "\n".join([*self.functions, *head, *self.lines, "    ret;", "}", ""])
