"""`wmma` as the instructions that ptxas makes of it: addresses, plain loads and stores, `mma.sync`, conversions.

A fragment's groups (`isa.wmma.places`) lie in memory one after the other along one direction. If that is the direction
in which a group's elements are neighbours, a group is one access; else each element is, and registers are put together.
"""

from __future__ import annotations

from collections.abc import Sequence

from assembler import moves, quads
from assembler.program import GROUP, KIND, OFFSET, READ, TYPE, VALUE, Body, Entry, Step, Variable
from assembler.writer import Writer, apart, constant, read, turned, written
from isa.image import OperandKind
from isa.instr import Op
from isa.types import BY_CODE
from isa.wmma import BITS, Geometry, geometry, places, run

_REG, _CONST, _SINK = int(OperandKind.REG), int(OperandKind.CONST), int(OperandKind.SINK)
_TILES = {
    "f16": "m16n8k16", "bf16": "m16n8k16", "s8": "m16n8k16", "u8": "m16n8k16", "tf32": "m16n8k4", "f64": "m8n8k4",
    "s4": "m8n8k32", "u4": "m8n8k32", "b1": "m8n8k128",
}  # fmt: skip
"""Shape of the `mma.sync` that computes a tile, by the type of the factors. Those of .tf32 take two, one after the other:
ptxas does the same, and the sums are rounded in between."""


def expand(body: Body, step: Step, op: Op, variables: Sequence[Variable]) -> None:
    """Append what `step`, a `wmma`, means; nothing if it has a mistake, which is reported."""
    operands: dict[str, list[Entry]] = {operand.name: [] for operand in op.operands}
    for entry in step.entries:
        operands[op.operands[entry[GROUP]].name].append(entry)
    if any(operand.form == "vec" and len(operands[operand.name]) != operand.count for operand in op.operands):
        return
    if "a" in operands and not operands["a"]:
        return
    writer = Writer(body, step.place, step.guard)
    if op.instr.mnemonic == "mma":
        quads.expand(writer, op.mods, operands)
        return
    if "atype" in op.mods or "dtype" in op.mods:
        _product(writer, op, operands)
        return
    address = operands["a"][0]
    named = address[KIND] == OperandKind.MEM_SYM and address[VALUE] >= 0
    access = _Access(writer, op, operands, variables[address[VALUE]].space if named else op.mods.get("space", ""))
    if "d" in operands:
        access.load(operands["d"])
    else:
        access.store(operands["r"])


class _Access:
    """A `wmma.load` or `wmma.store`."""

    def __init__(self, writer: Writer, op: Op, operands: dict[str, list[Entry]], space: str):
        mods = op.mods
        self.writer, self.type = writer, mods["type"]
        self.matrix = mods["matrix"] if mods.get("matrix", "d") in "abc" else "d"
        self.geometry = geometry(mods["shape"])
        self.places = places(self.matrix, mods["shape"], self.type)
        self.run, self.bits = run(self.matrix, self.type), BITS[self.type]
        self.space = space
        self.along = _contiguous(self.matrix, mods["layout"], self.geometry)
        stride = operands.get("stride") or [constant(_width(self.matrix, mods["layout"], self.geometry))]
        self.stride = stride[0]
        self.base = self._first(operands["a"][0])
        self.rows: dict[int, Entry] = {0: self.base}  # addresses, by how many strides they lie behind the base

    def _first(self, address: Entry) -> Entry:
        """Address of the lane's element in the first group."""
        writer, group = self.writer, self.run * self.bits // 8
        outer, inner = writer.lane()
        near, far, unit = (inner, outer, group) if self.along else (outer, inner, self.bits // 8)
        step = self.bits if self.along else self.run * self.bits  # bits of one stride's worth, for one `far`
        base = writer.word(64, "mad.wide.u32", near, constant(unit), self._start(address))
        if self.stride[KIND] == _CONST:
            bytes_ = (self.stride[VALUE] % (1 << 32)) * step // 8
            return writer.word(64, "mad.wide.u32", far, constant(bytes_ % (1 << 32)), base)
        count = writer.word(32, "mul.lo.u32", far, self.stride)
        if step < 8:
            count, step = writer.word(32, "shr.u32", count, constant({1: 3, 4: 1}[step])), 8
        return writer.word(64, "mad.wide.u32", count, constant(step // 8), base)

    def _start(self, address: Entry) -> Entry:
        """The address written in the text, in a register of 64 bits."""
        kind, offset = address[KIND], address[OFFSET]
        if kind != OperandKind.MEM_REG:
            symbol = (int(OperandKind.SYM), READ, moves.code("b64"), 0, address[VALUE], offset)
            return self.writer.word(64, "mov.b64", symbol)
        start = (_REG, READ, address[TYPE], 0, address[VALUE], 0)
        if BY_CODE[address[TYPE]].bits == 32:
            start = self.writer.word(64, "cvt.u64.u32", start)
        return self.writer.word(64, "add.s64", start, moves.constant(offset, "s64")) if offset else start

    def _at(self, outer: int, inner: int) -> Entry:
        """Memory of the element at (outer, inner) from the lane's first one."""
        rows, columns = (outer, inner) if self.along else (inner, outer)
        offset = columns * self.bits // 8
        if self.stride[KIND] == _CONST:
            base, offset = self.base, offset + rows * (self.stride[VALUE] % (1 << 32)) * self.bits // 8
        else:
            base = self.rows[rows]
        return (int(OperandKind.MEM_REG), READ, moves.code("b64"), 0, base[VALUE], offset)

    def _prepare(self) -> None:
        """Addresses behind the first one by some strides, before a load may overwrite the stride."""
        if self.stride[KIND] == _CONST:
            return
        inner = range(1 if self.along else self.run)
        for rows in sorted({o if self.along else i + n for o, i in self.places for n in inner} - {0}):
            size = constant(rows * self.bits // 8)
            self.rows[rows] = self.writer.word(64, "mad.wide.u32", self.stride, size, self.base)

    def _opcode(self, name: str, type_: str, count: int = 1) -> str:
        return ".".join([name, *([self.space] if self.space else []), *([f"v{count}"] if count > 1 else []), type_])

    def load(self, targets: list[Entry]) -> None:
        """Fill the fragment's registers; those beyond the tiles' are copies."""
        self._prepare()
        bits = 64 if self.bits == 64 else 32
        numbers = [self.writer.new(bits) if t[KIND] == _SINK else t[VALUE] for t in targets]
        each = max(1, self.run * self.bits // bits)
        for n, (outer, inner) in enumerate(self.places):
            group = numbers[n * each : (n + 1) * each]
            if self.along:
                targets = [written(number, bits) for number in group]
                self.writer.add(self._opcode("ld", f"b{bits}", each), targets, self._at(outer, inner))
            else:
                self._gather(group, outer, inner)
        distinct = each * len(self.places)
        for n, number in enumerate(numbers[distinct:]):
            self.writer.add(f"mov.b{bits}", written(number, bits), read(numbers[n % distinct], bits))

    def _gather(self, group: list[int], outer: int, inner: int) -> None:
        """The elements of a group, each with its own load."""
        writer, per = self.writer, self.run // len(group)
        if per == 1:
            for i, number in enumerate(group):
                bits = self.bits
                writer.add(self._opcode("ld", f"b{bits}"), written(number, bits), self._at(outer, inner + i))
            return
        opcode = self._opcode("ld", f"u{self.bits}")
        parts = [writer.word(32, opcode, self._at(outer, inner + i)) for i in range(per)]
        if per == 4:
            parts = [writer.word(32, "prmt.b32", *parts[i : i + 2], constant(0x0040)) for i in (0, 2)]
        writer.add("prmt.b32", written(group[0], 32), *parts, constant(0x5410))

    def store(self, sources: list[Entry]) -> None:
        """Write the fragment to memory."""
        self._prepare()
        each = max(1, self.run * self.bits // 32) if self.bits < 64 else self.run
        width = 64 if self.bits == 64 else 32
        for n, (outer, inner) in enumerate(self.places):
            group = sources[n * each : (n + 1) * each]
            if self.along:
                self.writer.add(self._opcode("st", f"b{width}", each), self._at(outer, inner), group)
                continue
            if self.bits == 16:
                high = self.writer.word(32, "shr.u32", group[0], constant(16))
                group = [group[0], high]
            for i, source in enumerate(group):
                self.writer.add(self._opcode("st", f"b{self.bits}"), self._at(outer, inner + i), source)


def _contiguous(matrix: str, layout: str, g: Geometry) -> bool:
    """Whether neighbours along a group are neighbours in memory: k for a and b, else columns of what is computed."""
    if matrix in "ab":
        return layout == {"a": "row", "b": "col"}[matrix]
    return layout == ("col" if g.swapped else "row")


def _width(matrix: str, layout: str, g: Geometry) -> int:
    """Elements from one row or column to the next where the text does not say: the matrix has no gaps."""
    rows, columns = {"a": (g.m, g.k), "b": (g.k, g.n)}.get(matrix, (g.m, g.n))
    return columns if layout == "row" else rows


# ------------------------------------------------------------------------------------------------ products
def _product(writer: Writer, op: Op, operands: dict[str, list[Entry]]) -> None:
    """`wmma.mma`: one `mma.sync` a tile. f16 sums are computed in .f32 if c or d has these, as ptxas does."""
    mods = op.mods
    kind = mods.get("atype", "f16")
    g = geometry(mods["shape"])
    mixed = mods["dtype"] != mods["ctype"]
    sums = "f32" if mixed else mods["dtype"]
    bits = 64 if sums == "f64" else 32
    left, right = (operands["b"], operands["a"]) if g.swapped else (operands["a"], operands["b"])
    down, across = len(left) // g.down, len(right) // g.across
    if kind == "f16":  # of eight registers, the last are copies
        down, across = 4, 2
    c = (
        [half for pair in operands["c"] for half in _halves(writer, pair)]
        if mods["ctype"] == "f16" and mixed
        else operands["c"]
    )
    direct = sums == mods["dtype"] and apart(operands["d"], [*left, *right], c)
    result = operands["d"] if direct else [written(writer.new(bits), bits) for _ in c]
    each = len(c) // (g.down * g.across)
    opcode, halves = _opcode(op, kind, sums), 2 if kind == "tf32" else 1
    for i in range(g.down):
        for j in range(g.across):
            tile = slice((i * g.across + j) * each, (i * g.across + j + 1) * each)
            a, b = left[i * down : (i + 1) * down], right[j * across : (j + 1) * across]
            before = c[tile]
            for part in range(halves):
                width = len(a) // halves, len(b) // halves
                a_part, b_part = (x[part * w : (part + 1) * w] for x, w in zip((a, b), width, strict=True))
                writer.add(opcode, result[tile], a_part, b_part, before)
                before = [turned(entry, READ) for entry in result[tile]]
    if direct:
        return
    done = [turned(entry, READ) for entry in result]
    if mixed and mods["dtype"] == "f16":
        done = [writer.word(32, "cvt.rn.f16x2.f32", done[n + 1], done[n]) for n in range(0, len(done), 2)]
    for target, value in zip(operands["d"], done, strict=True):
        if target[KIND] != _SINK:
            writer.add(f"mov.b{bits}", target, value)


def _halves(writer: Writer, pair: Entry) -> list[Entry]:
    """The two .f16 of a register as .f32."""
    words = [pair, writer.word(32, "shr.u32", pair, constant(16))]
    low = [writer.word(16, "cvt.u16.u32", word) for word in words]
    return [writer.word(32, "cvt.f32.f16", half) for half in low]


def _opcode(op: Op, kind: str, sums: str) -> str:
    tail = [sums, kind, kind, sums, *([op.mods["bitop"], "popc"] if "bitop" in op.mods else [])]
    extra = [op.mods[name] for name in ("satfinite", "rnd") if name in op.mods]
    return ".".join(["mma.sync.aligned", _TILES[kind], "row.col", *extra, *tail])
