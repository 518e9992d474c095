"""The instruction table: every row, and how an opcode finds its row."""

from __future__ import annotations

import difflib
import hashlib
import itertools
from collections.abc import Iterable, Iterator
from functools import lru_cache

from . import (
    arith,
    async_copy,
    bulk,
    cache,
    carry,
    cluster,
    compare,
    control,
    convert,
    fields,
    floats,
    hub,
    logic,
    memory,
    moves,
    multimem,
    packed,
    runtime,
    simd_video,
    sync,
    tensor,
    transcendental,
    video,
    warp,
    wgmma,
    wmma,
)
from .instr import ALIASES, Instr, IsaError, Op, Operand, Part
from .special import SPECIAL, SpecialReg
from .types import TYPES
from .unmodelled import missing_feature

CHAPTERS = (arith, fields, carry, floats, transcendental, packed, compare, logic, moves, convert, memory, cache, async_copy,
            bulk, cluster, control, sync, warp, tensor, wmma, wgmma, multimem, video, simd_video, hub, runtime)  # fmt: skip
"""Modules with rows, in the order of the reference."""
ROWS: tuple[Instr, ...] = tuple(row for chapter in CHAPTERS for row in chapter.ROWS)
MNEMONICS: dict[str, tuple[Instr, ...]] = {
    name: tuple(row for row in ROWS if row.mnemonic == name) for name in sorted({row.mnemonic for row in ROWS})
}

__all__ = ["CHAPTERS", "MNEMONICS", "ROWS", "SPECIAL", "SpecialReg", "did_you_mean", "digest", "instances", "resolve"]


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """The word most like `word` (one that starts like it before others), or "" when none is close."""
    scored = [(_likeness(word, w), w) for w in words]
    score, best = max(scored, default=(0.0, ""))
    return best if score >= 0.65 else ""


def _likeness(word: str, other: str) -> float:
    bonus = 0.2 if other.startswith(word) else 0.1 if word[:1] == other[:1] else 0
    return difflib.SequenceMatcher(None, word, other).ratio() + bonus


@lru_cache(maxsize=1)
def digest() -> str:
    """Hash of everything an assembled program depends on; stored in Images."""
    facts = [
        (r.syntax, sorted(r.slots.items()), int(r.kind), r.latency, r.target, r.form, sorted(r.operand_types.items()))
        for r in ROWS
    ]
    facts_special = [(s.number, s.name, s.type) for s in SPECIAL.values()]
    return hashlib.sha256(repr((facts, facts_special)).encode()).hexdigest()[:16]


def instances(row: Instr) -> Iterator[Op]:
    """Every Op of a row: all allowed combinations of modifiers, fewest modifiers first."""
    choices = [((*((None,) if p.optional else ()), *p.values)) for p in row.parts]
    for chosen in itertools.product(*choices):
        mods = {p.name: m for p, m in zip(row.parts, chosen, strict=True) if m is not None}
        if row.check is None or row.check(mods) is None:
            yield Op(row, mods)


@lru_cache(maxsize=16384)
def resolve(opcode: str, shapes: tuple[str, ...] | None = None) -> Op:
    """The Op that `opcode` names, its modifiers in any order (types among themselves in the manual's order).

    `opcode` may be an Op's canonical name, with its ";key=value" part. `shapes` are the shapes of the written operands,
    needed when rows share an opcode: "r" (register, constant, name), "!r", "r|r", "{n}" (n elements), "[]" and "()".
    Raises IsaError.
    """
    text, _, suffix = opcode.partition(";")
    extra = dict(item.split("=", 1) for item in suffix.split(";")) if suffix else {}
    mnemonic, *modifiers = text.split(".")
    rows = MNEMONICS.get(mnemonic)
    if rows is None:
        raise _unknown(mnemonic, text)
    form = extra.pop("form", None)
    candidates = [_fill(row, modifiers) for row in rows]
    full = [Op(row, mods) for row, mods, bad in candidates if not bad and not _missing(row, mods)]
    if not full:
        raise _no_row(text, candidates)
    allowed = [op for op in full if op.instr.check is None or op.instr.check(op.mods) is None]
    if not allowed:
        problem = full[0].instr.check(full[0].mods) if full[0].instr.check else ""
        raise IsaError("combination", f"`{text}`: {problem}")
    found = _choose(text, allowed, shapes, form)
    return found.with_imm({k: int(v) for k, v in extra.items()}) if extra else found


def _choose(text: str, ops: list[Op], shapes: tuple[str, ...] | None, form: str | None) -> Op:
    """The op whose operands have the written shapes, or whose row has the given form."""
    if form is not None:
        ops = [op for op in ops if op.instr.form == form]
    elif shapes is not None:
        fitting = [op for op in ops if fits(op, shapes)]
        if not fitting:
            syntax = " or ".join(f"`{_usage(op)}`" for op in ops)
            raise IsaError("operands", f"`{text}` does not take these operands; it is written {syntax}")
        ops = fitting
    else:
        ops = [op for op in ops if not op.instr.form] or ops
    if not ops:
        raise IsaError("operands", f"`{text}` has no form {form!r}")
    return ops[0]


def _usage(op: Op) -> str:
    return f"{op.text} {op.instr.syntax.partition(' ')[2]}".strip()


def fits(op: Op, shapes: tuple[str, ...]) -> bool:
    """Whether operands of the shapes `shapes` (see `resolve`) can be those of `op`."""
    groups: list[list[Operand]] = []
    for operand in op.operands:
        if operand.paired:
            groups[-1].append(operand)
        else:
            groups.append([operand])
    return _match(groups, shapes)


def _match(groups: list[list[Operand]], shapes: tuple[str, ...]) -> bool:
    if not groups:
        return not shapes
    first, rest = groups[0], groups[1:]
    if shapes and shapes[0] in _shapes_of(first) and _match(rest, shapes[1:]):
        return True
    return first[0].optional and _match(rest, shapes)


def _shapes_of(group: list[Operand]) -> tuple[str, ...]:
    """Shapes one operand (or pair) may be written in."""
    o = group[0]
    if len(group) == 2:
        return ("r", "r|r") if group[1].optional else ("r|r",)
    if o.form == "vec":
        return ("{1}", "r") if o.count == 1 else (f"{{{o.count}}}",)
    if o.form in ("mem", "tensor", "args"):
        return ("()",) if o.form == "args" else ("[]",)
    return {"": ("r",), "may": ("r", "!r"), "must": ("!r",)}[o.negated]


def _fill(row: Instr, modifiers: list[str]) -> tuple[Instr, dict[str, str], list[str]]:
    """Give each modifier to the first free part of `row` that takes it: (row, mods, modifiers left over)."""
    mods: dict[str, str] = {}
    left = []
    typed = 0  # parts before this one are closed to types, which keep their order
    for written in modifiers:
        first = typed if written in TYPES else 0
        part = next((p for p in row.parts[first:] if p.name not in mods and _accepts(p, written)), None)
        if part is None:
            left.append(written)
        else:
            mods[part.name] = written if written in part.values else ALIASES[written]
            typed = row.parts.index(part) + 1 if written in TYPES else typed
    return row, mods, left


def _accepts(part: Part, written: str) -> bool:
    return written in part.values or ALIASES.get(written) in part.values


def _missing(row: Instr, mods: dict[str, str]) -> list[Part]:
    return [p for p in row.parts if not p.optional and p.name not in mods]


def _unknown(mnemonic: str, text: str) -> IsaError:
    """The error for an opcode no row starts with."""
    feature = missing_feature(text)
    if feature:
        return IsaError("unmodelled", f"`{mnemonic}` is known but not modelled: {feature}")
    return IsaError("unknown", f"unknown instruction `{mnemonic}`", did_you_mean(mnemonic, MNEMONICS))


def _no_row(text: str, candidates: list[tuple[Instr, dict[str, str], list[str]]]) -> IsaError:
    """The error for an opcode whose modifiers fit no row, told about the row that came closest."""
    feature = missing_feature(text)
    if feature:
        return IsaError("unmodelled", f"`{text}` is known but not modelled: {feature}")
    scores = [(len(left) + len(_missing(row, mods)), len(left)) for row, mods, left in candidates]
    best = [c for c, score in zip(candidates, scores, strict=True) if score == min(scores)]
    row, _, left = best[0]
    if left:
        return _bad_modifier(row.mnemonic, left[0], candidates)
    wanted = [_missing(row, mods)[0] for row, mods, _ in best]
    values = list(dict.fromkeys(v for part in wanted for v in part.values))
    listed = ", ".join(f".{v}" for v in values[:12]) + (", …" if len(values) > 12 else "")
    what = (
        listed.replace(", ", " or ")
        if all(part.literal for part in wanted)
        else f"a .{wanted[-1].name} modifier ({listed})"
    )
    return IsaError("missing", f"`{text}` needs {what}")


def _bad_modifier(mnemonic: str, bad: str, candidates: list[tuple[Instr, dict[str, str], list[str]]]) -> IsaError:
    """The error for a modifier that no row takes, or none together with the others."""
    known = list(dict.fromkeys(v for row, _, _ in candidates for p in row.parts for v in p.values))
    if bad in known:
        message = f"`{mnemonic}` does not take `.{bad}` together with its other modifiers"
        return IsaError("combination", message, "", bad)
    guess = did_you_mean(bad, known)
    takes = f"; it takes {', '.join(f'.{v}' for v in known)}" if known and not guess and len(known) <= 24 else ""
    return IsaError("modifier", f"`{mnemonic}` has no modifier `.{bad}`{takes}", guess, bad)
