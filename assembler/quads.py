"""`mma.m8n8k4` of `.f16` as the instructions that ptxas makes of it for this GPU: shuffles, and products in `.f32`.

Lanes 4 q to 4 q + 3 and those 16 further hold one of four products (PTX ISA 9.0, 9.7.14.5.1). A sum in `.f32` starts from
zero, takes one `fma` for each k, and is added to c; one in `.f16` is c plus the products of k = 2 and 3 plus those of 0 and 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from assembler.program import KIND, READ, Entry
from assembler.writer import Writer, apart, constant, turned, written
from isa.image import OperandKind

_SINK = int(OperandKind.SINK)
_DEPTH, _FAR = 4, 16
"""k; lanes from those with rows (columns) 0 to 3 to those with 4 to 7."""


def expand(writer: Writer, mods: Mapping[str, str], operands: Mapping[str, list[Entry]]) -> None:
    """Append the steps of one `mma.m8n8k4`."""
    wide = mods["dtype"] == "f32"
    lanes = _Lanes(writer, wide)
    rows = lanes.rows(operands["a"], mods["alayout"])
    columns = lanes.columns(operands["b"], mods["blayout"])
    direct = apart(operands["d"], [], operands["c"])
    if wide:
        products = [lanes.chain(rows[i >> 1 & 1], columns[i >> 2 << 1 | i & 1]) for i in range(8)]
        pairs = [("add.rn.f32", [c, product]) for c, product in zip(operands["c"], products, strict=True)]
    else:
        starts = [half for word in operands["c"] for half in lanes.halves(word)]
        sums = [lanes.in_two(start, rows[0], column) for start, column in zip(starts, columns, strict=True)]
        pairs = [("cvt.rn.f16x2.f32", [high, low]) for low, high in zip(sums[::2], sums[1::2], strict=True)]
    results = [target if direct and target[KIND] != _SINK else written(writer.new(32), 32) for target in operands["d"]]
    for (opcode, sources), result in zip(pairs, results, strict=True):
        writer.add(opcode, result, *sources)
    for target, result in zip(operands["d"], results, strict=True):
        if target[KIND] != _SINK and target is not result:
            writer.add("mov.b32", target, turned(result, READ))


class _Lanes:
    """Where this lane's rows and columns come from. `wide`: it has sums of two rows and four columns, else of one and eight."""

    def __init__(self, writer: Writer, wide: bool):
        self.writer, self.wide = writer, wide
        outer, self.inner = writer.lane()
        word = writer.word
        self.near = word(32, "shl.b32", outer, constant(2))
        """First of the lanes that have this lane's rows, and of those that have columns 0 to 3."""
        self.first = word(32, "and.b32", self.near, constant(12))

    def _from(self, source: Entry, first: Entry, offset: int) -> Entry:
        """`source` of the lane `first` + `offset`."""
        word = self.writer.word
        lane = word(32, "add.u32", first, constant(offset)) if offset else first
        target = written(self.writer.new(32), 32)
        self.writer.add("shfl.sync.idx.b32", target, [], source, lane, constant(0x1F), constant(0xFFFFFFFF))
        return turned(target, READ)

    def halves(self, source: Entry) -> list[Entry]:
        """The two .f16 of a register as .f32."""
        parts = [written(self.writer.new(16), 16) for _ in range(2)]
        self.writer.add("mov.b32;form=unpack2", parts, source)
        return [self.writer.word(32, "cvt.f32.f16", turned(part, READ)) for part in parts]

    def _chosen(self, pair: list[Entry]) -> Entry:
        """The first in lanes whose number is even when halved."""
        sign = self.writer.word(32, "sub.s32", constant(1), self.inner)
        return self.writer.word(32, "slct.b32.s32", *pair, sign)

    def _half(self, source: Entry) -> Entry:
        """The low .f16 in even lanes, the high one in odd lanes, as .f32."""
        word = self.writer.word
        odd = word(32, "and.b32", self.inner, constant(1))
        moved = word(32, "shr.u32", source, word(32, "shl.b32", odd, constant(4)))
        return word(32, "cvt.f32.f16", word(16, "cvt.u16.u32", moved))

    def rows(self, a: list[Entry], layout: str) -> list[list[Entry]]:
        """Each row's factors, by k."""
        if layout == "col":
            columns = [[self._from(word, self.near, k) for word in a] for k in range(_DEPTH)]
            if not self.wide:
                columns = [[self._chosen(pair)] for pair in columns]
            return [list(row) for row in zip(*([self._half(x) for x in column] for column in columns), strict=True)]
        lines = [a]
        if self.wide:
            odd = self.writer.word(32, "and.b32", self.inner, constant(1))
            first = self.writer.word(32, "add.u32", self.near, odd)
            lines = [[self._from(word, first, offset) for word in a] for offset in (0, 2)]
        return [[x for word in line for x in self.halves(word)] for line in lines]

    def columns(self, b: list[Entry], layout: str) -> list[list[Entry]]:
        """Each column's factors, by k."""
        if layout == "col":
            first = self.first
            if self.wide:
                pair = self.writer.word(32, "and.b32", self.inner, constant(2))
                first = self.writer.word(32, "add.u32", first, pair)
            offsets = [far + i for far in (0, _FAR) for i in range(2 if self.wide else 4)]
            lines = [[self._from(word, first, offset) for word in b] for offset in offsets]
            return [[x for word in line for x in self.halves(word)] for line in lines]
        found: list[list[Entry]] = []
        for far in (0, _FAR):
            rows = [[self._from(word, self.first, far + k) for word in b] for k in range(_DEPTH)]
            if self.wide:
                rows = [[self._chosen(row)] for row in rows]
            parts = ([x for word in row for x in self.halves(word)] for row in rows)
            found += [list(column) for column in zip(*parts, strict=True)]
        return found

    def chain(self, row: list[Entry], column: list[Entry]) -> Entry:
        """The sum of products, from zero."""
        total = constant(0)
        for a, b in zip(row, column, strict=True):
            total = self.writer.word(32, "fma.rn.f32", a, b, total)
        return total

    def in_two(self, start: Entry, row: list[Entry], column: list[Entry]) -> Entry:
        """`start`, the products of k = 2 and 3 and those of 0 and 1, added up in this order."""
        word = self.writer.word
        for k in (2, 0):
            product = word(32, "mul.rn.f32", row[k], column[k])
            product = word(32, "fma.rn.f32", row[k + 1], column[k + 1], product)
            start = word(32, "add.rn.f32", start, product)
        return start
