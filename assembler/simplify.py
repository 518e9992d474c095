"""Steps replaced by cheaper ones with the same results, as ptxas does: copies and constants read at their source,
constants added to an address moved into the offset of the access, two integer operations in one instruction.

| written | becomes | ptxas writes |
|---|---|---|
| `mov d, a`, `cvta.global d, a`; use of d | use of a | nothing |
| `mov d, 5`; use of d | use of 5 | an immediate |
| `add.s64 d, a, 16; ld [d]` | `ld [a+16]` | the same |
| `mul.lo.s32 t, a, b; add.s32 d, t, c` | `mad.lo.s32 d, a, b, c` | IMAD |
| `shl.b32 t, a, 3; add.s32 d, t, c` | `mad.lo.s32 d, a, 8, c` | IMAD or LEA |
| `mul.wide.s32 t, a, b; add.s64 d, t, c` | `mad.wide.s32 d, a, b, c` | IMAD.WIDE, for each sum |
| `shl.b64 t, a, 3; add.s64 d, t, c` | `mad.lo.s64 d, a, 8, c` | LEA, LEA.HI.X |
| `and.b32 t, a, b; xor.b32 d, t, c` | `lop3.b32 d, a, b, c` | LOP3 |
| `setp.lt.s32 t, a, b; or.pred p, t, q` | `setp.lt.or.s32 p, a, b, q` | ISETP |

A result with several readers is not computed again for each of them, but for wide products. Results are the same to the
last bit.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache

from assembler.facts import CONST, MEM_REG, PRED, REG, SYM, Facts
from assembler.moves import code
from assembler.program import BOTH, GROUP, KIND, OFFSET, READ, ROLE, TYPE, VALUE, WRITE, Body, Entry, Step
from isa.instr import Kind
from isa.table import resolve
from isa.types import BY_CODE

FARTHEST = 1 << 23
"""Offsets of accesses are signed 24-bit numbers in the machine code of sm_90."""
FARTHEST_COPY = 1 << 20
"""Of asynchronous copies: more than shared memory has."""
_COPIES = frozenset((
    "mov.b32", "mov.u32", "mov.s32", "mov.f32", "mov.b64", "mov.u64", "mov.s64", "mov.f64",
    "cvta.to.global.u64", "cvta.global.u64",
))  # fmt: skip
_SUMS = frozenset(("add.s32", "add.u32", "add.s64", "add.u64"))
_PRODUCTS = frozenset(("mul.lo.s32", "mul.lo.u32", "shl.b32"))
_WIDE = frozenset(("mul.wide.s32", "mul.wide.u32"))
_PRODUCTS_WIDE = _WIDE | {"shl.b64"}
_LOGIC = {"and.b32": 0xF0 & 0xCC, "or.b32": 0xF0 | 0xCC, "xor.b32": 0xF0 ^ 0xCC}
_JOINS = {"and.pred": "and", "or.pred": "or", "xor.pred": "xor"}
_TABLES = (0xF0, 0xCC, 0xAA)
"""lop3: what the table is made of for its three sources (PTX ISA 9.0, 9.7.8.6)."""
_FOLDED = frozenset((Kind.LD, Kind.ST, Kind.ATOM, Kind.RED, Kind.LDMATRIX, Kind.STMATRIX, Kind.CPASYNC))


@lru_cache(maxsize=4096)
def _plain(name: str) -> tuple[bool, ...]:
    """For each operand of an op, whether it is a single value that may be a constant when read."""
    return tuple(operand.form == "reg" and operand.negated == "" for operand in resolve(name).operands)


@lru_cache(maxsize=1024)
def _joined(test: str, join: str) -> str | None:
    """Name of the comparison `test` whose result is joined with a predicate; None if there is none."""
    parts = test.split(".")
    if parts[0] != "setp" or len(parts) < 3 or ";" in test or parts[2] in ("and", "or", "xor"):
        return None
    op = resolve(".".join([*parts[:2], join, *parts[2:]]), ("r", "r", "r", "r"))
    return op.name if [o.negated for o in op.operands].count("must") == 0 and len(op.operands) == 4 else None


def simplify(facts: Facts) -> None:
    """Rewrite the steps of a body; those whose results nobody reads any more stay for `dead`."""
    for index in range(len(facts.steps)):
        _read_at_source(facts, index)
        step = facts.steps[index]
        if step.kind in _FOLDED:
            _fold_address(facts, index)
        elif step.kind == Kind.LANE:
            _fuse(facts, index)


# --- copies and constants


def _bits(body: Body, entry: Entry) -> int:
    return body.registers[entry[VALUE]].bits


def _read_at_source(facts: Facts, index: int) -> None:
    """Sources that are copies are read where they come from."""
    step = facts.steps[index]
    changed: list[Entry] | None = None
    for i, entry in enumerate(step.entries):
        if entry[ROLE] != READ or entry[KIND] not in (REG, MEM_REG):
            continue
        found = facts.definition(entry[VALUE], index)
        if found < 0 or facts.steps[found].op not in _COPIES:
            continue
        target, source = facts.steps[found].entries
        new = _replaced(facts, step, entry, source, found, index)
        if new is not None and _bits(facts.body, target) == BY_CODE[target[TYPE]].bits:
            changed = changed or list(step.entries)
            changed[i] = new
    if changed is not None:
        facts.replace(
            index, Step(step.op, step.kind, step.guard, changed, step.place, step.early, step.sets, step.added)
        )


def _replaced(facts: Facts, step: Step, entry: Entry, source: Entry, found: int, index: int) -> Entry | None:
    """`entry` with the source of the copy `found` in place of its register."""
    if source[KIND] == REG:
        same = _bits(facts.body, source) == _bits(facts.body, entry)
        if same and facts.unchanged(source[VALUE], found, index):
            return (*entry[:VALUE], source[VALUE], entry[OFFSET])
        return None
    if source[KIND] != CONST or entry[KIND] != REG or step.kind != Kind.LANE or not _plain(step.op)[entry[GROUP]]:
        return None
    same = BY_CODE[entry[TYPE]].bits == _bits(facts.body, entry)
    return (CONST, *entry[ROLE:VALUE], source[VALUE], 0) if same else None


# --- addresses


def _fold_address(facts: Facts, index: int) -> None:
    """`[d]` with d = a + constant is `[a + constant]`."""
    step = facts.steps[index]
    farthest = FARTHEST_COPY if step.kind == Kind.CPASYNC else FARTHEST
    for i, entry in enumerate(step.entries):
        if entry[KIND] != MEM_REG or entry[ROLE] != READ:
            continue
        base, offset = entry[VALUE], entry[OFFSET]
        at = index
        while True:
            found = facts.definition(base, at)
            if found < 0 or facts.steps[found].op not in _SUMS:
                break
            _, a, b = facts.steps[found].entries
            if a[KIND] == CONST:
                a, b = b, a
            if a[KIND] != REG or b[KIND] != CONST or not facts.unchanged(a[VALUE], found, index):
                break
            moved = offset + _signed(b)
            if not -farthest <= moved < farthest:
                break
            base, offset, at = a[VALUE], moved, found
        if base != entry[VALUE]:
            entries = list(step.entries)
            entries[i] = (*entry[:VALUE], base, offset)
            step = Step(step.op, step.kind, step.guard, entries, step.place, step.early, step.sets, step.added)
            facts.replace(index, step)


def _signed(entry: Entry) -> int:
    """The value of an integer constant."""
    bits = BY_CODE[entry[TYPE]].bits
    value = entry[VALUE] & (1 << bits) - 1
    return int(value - (1 << bits) if value >> bits - 1 else value)


# --- two operations in one


def _fuse(facts: Facts, index: int) -> None:
    step = facts.steps[index]
    if step.op in _SUMS:
        _fuse_sum(facts, index, "s64" if step.op.endswith("64") else "s32")
    elif step.op in _LOGIC:
        _fuse_logic(facts, index)
    elif step.op in _JOINS:
        _fuse_test(facts, index)


def _inner(facts: Facts, index: int, entry: Entry, ops: Collection[str]) -> int:
    """The step that computes a source, if it is one of ``ops`` and can be computed here; or -1.

    It computes it for this step alone, or it is a wide product and all its readers are sums.
    """
    if entry[KIND] not in (REG, PRED):
        return -1
    found = facts.definition(entry[VALUE], index)
    if found < 0 or facts.steps[found].op not in ops:
        return -1
    if not facts.only_reader(entry[VALUE], index) and (
        facts.steps[found].op not in _WIDE
        or entry[VALUE] in facts.kept
        or any(facts.steps[reader].op not in _SUMS for reader in facts.reads[entry[VALUE]])
    ):
        return -1
    sources = [e for e in facts.steps[found].entries if e[ROLE] != WRITE]
    fine = all(e[KIND] == CONST or facts.unchanged(e[VALUE], found, index) for e in sources if e[KIND] != SYM)
    return found if fine and all(e[ROLE] == READ and e[KIND] in (REG, PRED, CONST) for e in sources) else -1


def _put(facts: Facts, index: int, name: str, entries: list[Entry]) -> None:
    old = facts.steps[index]
    placed = [(*e[:GROUP], group, *e[VALUE:]) for group, e in enumerate(entries)]
    facts.replace(index, Step(name, old.kind, old.guard, placed, old.place))


def _typed(entry: Entry, type_name: str) -> Entry:
    return (*entry[:TYPE], code(type_name), *entry[GROUP:])


def _fuse_sum(facts: Facts, index: int, type_: str) -> None:
    """A sum of a product is one multiply-add."""
    d, *terms = facts.steps[index].entries
    if any(e[ROLE] != READ or e[KIND] not in (REG, CONST) for e in terms) or d[KIND] != REG:
        return
    for term, other in (terms, terms[::-1]):
        found = _inner(facts, index, term, _PRODUCTS_WIDE if type_ == "s64" else _PRODUCTS)
        if found < 0:
            continue
        inner = facts.steps[found]
        _, a, b = inner.entries
        if inner.op.startswith("shl"):
            if b[KIND] != CONST or b[VALUE] >= int(type_[1:]) or a[KIND] != REG:
                continue
            b = (CONST, READ, code(type_), 0, 1 << b[VALUE], 0)
            _put(facts, index, f"mad.lo.{type_}", [_typed(d, type_), _typed(a, type_), b, _typed(other, type_)])
            return
        narrow = "u32" if inner.op == "mul.wide.u32" else "s32"
        name = f"mad.wide.{narrow}" if type_ == "s64" else "mad.lo.s32"
        wide = narrow[0] + "64" if type_ == "s64" else "s32"
        factors = [_typed(a, narrow), _typed(b, narrow)]
        _put(facts, index, name, [_typed(d, wide), *factors, _typed(other, wide)])
        return


def _fuse_logic(facts: Facts, index: int) -> None:
    """Two operations on bits, of three values, are one table lookup."""
    step = facts.steps[index]
    d, *terms = step.entries
    for term, other in (terms, terms[::-1]):
        found = _inner(facts, index, term, _LOGIC)
        if found < 0:
            continue
        first = _LOGIC[facts.steps[found].op]
        a, b = facts.steps[found].entries[1:]
        table = {"and.b32": first & 0xAA, "or.b32": first | 0xAA, "xor.b32": first ^ 0xAA}[step.op]
        _put(facts, index, _lop3(table), [d, a, b, other])
        return


@lru_cache(maxsize=256)
def _lop3(table: int) -> str:
    return resolve("lop3.b32").with_imm({"immLut": table}).name


def _fuse_test(facts: Facts, index: int) -> None:
    """A comparison joined with a predicate is one comparison."""
    step = facts.steps[index]
    d, *terms = step.entries
    for term, other in (terms, terms[::-1]):
        if term[KIND] != PRED or other[KIND] != PRED or not facts.only_reader(term[VALUE], index):
            continue
        found = facts.definition(term[VALUE], index)
        name = _joined(facts.steps[found].op, _JOINS[step.op]) if found >= 0 else None
        if name is None or _inner(facts, index, term, (facts.steps[found].op,)) < 0:
            continue
        tested = facts.steps[found].entries
        if len(tested) == 3:
            _put(facts, index, name, [d, *tested[1:], other])
            return


__all__ = ["BOTH", "simplify"]
