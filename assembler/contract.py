"""Products and sums that PTX leaves free to be contracted become one `fma`, where NVIDIA's assembler does it.

PTX ISA 9.0, 9.7.3.3 to 9.7.3.5: `mul`, `add` and `sub` without a rounding modifier may be fused. ptxas 13.0 (-O1 and
above; found by disassembling small programs) does so when

* the product has no guard and no .sat, and both operations have the same type and .ftz;
* every use of the product is such a sum in the same basic block, where guarded accesses to memory, barriers and exits
  end a block too; `mov` to another register of that width is looked through; a sum of the product with itself is not
  fused.

An unguarded `div.approx.ftz.f32` is such a product too, of the dividend and the reciprocal of the divisor.

Of two products that meet in a sum the first operand's is fused if it has no other use, else the second's on the same
condition; products with several uses come last. Text that names physical registers, and programs with
`.target debug`, stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from assembler import moves
from assembler.liveness import body_blocks
from assembler.program import BOTH, GROUP, KIND, READ, REGISTER_KINDS, ROLE, VALUE, WRITE, Body, Entry, Program, Step
from isa.image import OperandKind
from isa.instr import Kind
from isa.table import resolve

REG = int(OperandKind.REG)
_TYPES = ("f32", "f64", "f16", "bf16", "f16x2", "bf16x2")
_DIVISION, _RECIPROCAL, _PRODUCT = "div.approx.ftz.f32", "rcp.approx.ftz.f32", "mul.ftz.f32"
_PLAIN = (Kind.LANE, Kind.SREG)


@dataclass(frozen=True, slots=True)
class _Arithmetic:
    """A product or sum that may be fused: its mnemonic, its type with .ftz, and whether it is saturated."""

    mnemonic: str
    format: str
    sat: bool


@dataclass(frozen=True, slots=True)
class _Uses:
    """Uses of a product: sums, each with the register it reads the product from, and moves of the product."""

    sums: dict[int, int]
    copies: list[int]


@lru_cache(maxsize=4096)
def _arithmetic(name: str) -> _Arithmetic | None:
    """What an op is for this pass; None if it is never fused."""
    if not name.startswith(("mul.", "add.", "sub.")) or ";" in name:
        return None
    mnemonic, *modifiers = name.split(".")
    if modifiers[-1] not in _TYPES or not set(modifiers[:-1]) <= {"ftz", "sat"}:
        return None
    ftz = "ftz." if "ftz" in modifiers else ""
    return _Arithmetic(mnemonic, ftz + modifiers[-1], "sat" in modifiers)


@lru_cache(maxsize=1024)
def _fused(sum_: _Arithmetic, first: bool) -> str:
    """Name of the op for a sum whose first or second operand is the product."""
    ftz, _, type_ = sum_.format.rpartition(".")
    op = resolve(".".join(["fma.rn", *([ftz] if ftz else []), *(["sat"] if sum_.sat else []), type_]))
    if sum_.mnemonic == "sub":
        op = op.with_imm({"c_neg": 1} if first else {"a_neg": 1})
    return op.name


def contract(program: Program) -> None:
    """Fuse products and sums in every body of a program."""
    if "debug" in program.targets:
        return
    for body in program.bodies:
        if body.physical is None:
            _divide(body)
        if body.physical is None and any(_arithmetic(step.op) for step in body.steps):
            kept = {v.home.number for v in program.variables if v.home is not None and v.body == body.number}
            _Contraction(body, kept).run()


def _divide(body: Body) -> None:
    """Divisions by approximation become what they are made of: a reciprocal and a product."""
    if not any(_is_division(step) for step in body.steps):
        return
    steps: list[Step] = []
    moved: list[int] = []
    for step in body.steps:
        moved.append(len(steps))
        if not _is_division(step):
            steps.append(step)
            continue
        d, a, b = step.entries
        inverse = body.new_register("%reciprocal", "f32", 32)
        target, source = (moves.register(body, inverse, role, "f32") for role in (WRITE, READ))
        steps.append(moves.step(_RECIPROCAL, [target, b], step.place))
        steps.append(moves.step(_PRODUCT, [d, a, source], step.place))
    moved.append(len(steps))
    body.labels = [moved[at] for at in body.labels]
    body.calls = {moved[at]: call for at, call in body.calls.items()}
    body.steps = steps


def _is_division(step: Step) -> bool:
    return step.op == _DIVISION and not step.guard


class _Contraction:
    """The work on one body."""

    def __init__(self, body: Body, kept: set[int]):
        self.body, self.steps, self.kept = body, body.steps, kept
        self.blocks = body_blocks(body)
        self.ends = list(self._block_ends())
        self.block_of = [i for i, block in enumerate(self.blocks) for _ in range(block.start, block.end)]
        self.gone: set[int] = set()
        self.copies: dict[int, list[Step]] = {}  # moves to add before a step
        self.reads: dict[int, list[int]] = {}
        self.writes: dict[int, list[int]] = {}
        for index, step in enumerate(self.steps):
            for entry in step.entries:
                if entry[KIND] in REGISTER_KINDS and entry[ROLE] != WRITE:
                    self.reads.setdefault(entry[VALUE], []).append(index)
                if entry[KIND] in REGISTER_KINDS and entry[ROLE] != READ:
                    self.writes.setdefault(entry[VALUE], []).append(index)
        for call in body.calls.values():
            for item, _ in (*call.results, *call.arguments):
                if isinstance(item, tuple):
                    self.kept.add(item[VALUE])

    def run(self) -> None:
        """Fuse what has one use, in the order of the sums; then what has several, in the order of the products."""
        products = {}
        for index, step in enumerate(self.steps):
            found = _arithmetic(step.op)
            if found and found.mnemonic == "mul" and not found.sat and not step.guard:
                products[index] = found.format
        single: dict[int, list[int]] = {}  # sum -> products whose only use it is
        for product, format_ in products.items():
            uses = self._uses(product, format_)
            if uses is not None and len(uses.sums) == 1:
                single.setdefault(min(uses.sums), []).append(product)
        for candidates in (single[at] for at in sorted(single)):
            first = candidates[0] if len(candidates) == 1 else self._first_operand(candidates, products)
            self._fuse(first, self._uses(first, products[first]))
        for product, format_ in products.items():
            if product not in self.gone:
                uses = self._uses(product, format_)
                if uses is not None and len(uses.sums) > 1:
                    self._fuse(product, uses)
        self._rewrite()

    def _block_ends(self) -> Iterator[int]:
        """For each step the end of its block."""
        for block in self.blocks:
            start = block.start
            for at in range(block.start, block.end):
                step = self.steps[at]
                cut = (step.guard and step.kind not in _PLAIN) or step.kind in (Kind.FENCE, Kind.CALL)
                if cut or at == block.end - 1:
                    yield from [at + 1] * (at + 1 - start)
                    start = at + 1

    def _uses(self, product: int, format_: str) -> _Uses | None:
        """The uses of a product if every one of them can be fused, else None."""
        sums: dict[int, int] = {}
        copies: list[int] = []
        todo = [product]
        while todo:
            at = todo.pop()
            number = self.steps[at].entries[0][VALUE]
            reads = self._reads_of(number, at)
            if reads is None:
                return None
            for use in reads:
                step = self.steps[use]
                if _is_copy(step) and not step.guard:
                    copies.append(use)
                    todo.append(use)
                elif use in sums or not self._fits(step, format_, number):
                    return None
                else:
                    sums[use] = number
        return _Uses(dict(sorted(sums.items())), copies) if sums else None

    def _reads_of(self, number: int, at: int) -> list[int] | None:
        """Steps that read what step `at` writes to a register; None if some are outside its block."""
        if number in self.kept or self.steps[at].entries[0][KIND] != REG:
            return None
        end = self.ends[at]
        until = min((w for w in self.writes[number] if at < w < end), default=end)
        if until < end:
            step = self.steps[until]
            if step.guard or any(e[VALUE] == number and e[KIND] == REG and e[ROLE] == BOTH for e in step.entries):
                return None
        elif self._is_read_from(number, end):
            return None
        return [r for r in self.reads.get(number, ()) if at < r <= until and r < end]

    def _is_read_from(self, number: int, start: int) -> bool:
        """Whether a path from the place `start`, the end of a block or a place in it, leads to a read of a register."""
        block = self.blocks[self.block_of[start - 1]]
        todo, seen = [(start, block.end, block.successors)], set[int]()
        while todo:
            first, end, successors = todo.pop()
            whole = [w for w in self.writes[number] if first <= w < end and not self.steps[w].guard]
            last = min(whole, default=end - 1)
            if any(first <= r <= last for r in self.reads.get(number, ())):
                return True
            if not whole:
                fresh = [b for b in successors if b not in seen]
                seen.update(fresh)
                todo += [(self.blocks[b].start, self.blocks[b].end, self.blocks[b].successors) for b in fresh]
        return False

    def _fits(self, step: Step, format_: str, number: int) -> bool:
        """Whether a step is a sum of one product in the register `number`."""
        found = _arithmetic(step.op)
        if found is None or found.mnemonic == "mul" or found.format != format_:
            return False
        return [e[VALUE] for e in step.entries if e[KIND] == REG and e[ROLE] == READ].count(number) == 1

    def _first_operand(self, candidates: list[int], products: dict[int, str]) -> int:
        """Of products that meet in one sum the one that is its first operand."""
        for product in candidates:
            uses = self._uses(product, products[product])
            for at, number in uses.sums.items() if uses else ():
                if self.steps[at].entries[1][KIND] == REG and self.steps[at].entries[1][VALUE] == number:
                    return product
        return candidates[0]

    def _fuse(self, product: int, uses: _Uses | None) -> None:
        if uses is None:
            return
        last = max(uses.sums)
        factors = [self._kept_until(product, entry, last) for entry in self.steps[product].entries[1:]]
        self.gone.update((product, *uses.copies))
        for at, number in uses.sums.items():
            old = self.steps[at]
            found = _arithmetic(old.op)
            assert found is not None
            d, x, y = old.entries
            first = x[KIND] == REG and x[VALUE] == number
            entries = [d, *factors, y if first else x]
            name = _fused(found, first)
            placed = [(*e[:GROUP], group, *e[VALUE:]) for group, e in enumerate(entries)]
            self.steps[at] = Step(name, old.kind, old.guard, placed, old.place)
            for entry in factors:
                if entry[KIND] == REG:
                    self.reads.setdefault(entry[VALUE], []).append(at)

    def _kept_until(self, product: int, entry: Entry, last: int) -> Entry:
        """A factor, or a copy of it where its register is written before the last sum."""
        if entry[KIND] != REG or not any(product < w < last for w in self.writes.get(entry[VALUE], ())):
            return entry
        old = self.body.registers[entry[VALUE]]
        copy = self.body.new_register("%factor", old.type, old.bits)
        type_ = f"b{old.bits}"
        target = moves.register(self.body, copy, WRITE, type_)
        step = moves.step(f"mov.{type_}", [target, moves.converted(entry, READ, type_)], self.steps[product].place)
        self.copies.setdefault(product, []).append(step)
        return (*entry[:VALUE], copy.number, entry[-1])

    def _rewrite(self) -> None:
        """Take out products and moves that are gone, put in copies, and move labels and calls along."""
        if not self.gone:
            return
        kept: list[Step] = []
        moved: list[int] = []
        for index, step in enumerate(self.steps):
            moved.append(len(kept))
            kept += self.copies.get(index, ())
            if index not in self.gone:
                kept.append(step)
        moved.append(len(kept))
        body = self.body
        body.labels = [moved[at] for at in body.labels]
        body.calls = {moved[at]: call for at, call in body.calls.items()}
        body.steps = kept


def _is_copy(step: Step) -> bool:
    """A move from one register to another of the same width."""
    return (
        step.op.startswith("mov.") and ";" not in step.op and len(step.entries) == 2
        and all(entry[KIND] == REG for entry in step.entries)
    )  # fmt: skip
