"""One row of the instruction table (`Instr`), and a row with its modifiers chosen (`Op`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from functools import cached_property
from typing import Any

from .types import TYPES, lane_type


class Kind(IntEnum):
    """How the machine executes an instruction: LANE by its lane function, the others by the unit of that name.

    STACK instructions are arithmetic on the stack pointer once they are assembled, WMMA ones loads, stores, MMA and
    shuffles with arithmetic.
    """

    (LANE, SREG, LD, ST, ATOM, RED, BRA, BRX, CALL, RET, EXIT, TRAP, BAR, SHFL, VOTE, MATCH, REDUX, ACTIVEMASK, ELECT,
     FENCE, MMA, LDMATRIX, CPASYNC, CPASYNC_COMMIT, CPASYNC_WAIT, MBARRIER, MM_LDRED, MM_ST, MM_RED, ROWSP_ST,
     ROWSP_MALLOC, DYMM_ST, DYMM_LDRED, NANOSLEEP, NOP, BRKPT, CLUSTER_BAR, CTA_RANK, ST_ASYNC,
     PREFETCH, SERVICE, STACK, BULK, BULK_COMMIT, BULK_WAIT, TENSORMAP, CPASYNC_ARRIVE, STMATRIX,
     MOVMATRIX, WGMMA, WGMMA_FENCE, WGMMA_COMMIT, WGMMA_WAIT, WMMA) = range(54)  # fmt: skip


LATENCY_CLASSES = frozenset((
    "ffma", "fadd", "imad", "imad_hi", "alu", "half", "fp64", "mufu", "cvt", "cvt64", "popc", "idiv32", "idiv64",
    "fdiv32", "fdiv64", "fsqrt64", "sreg", "shfl", "vote", "redux", "match", "branch", "barrier", "lsu", "mma", "fence",
    "misc", "param", "mma_half", "mma_pair", "mma_f64", "mma_f64x2", "mma_f64x4", "mma_f64x8", "movmatrix", "video",
    "wgmma",
))  # fmt: skip
TARGETS = frozenset(("", "sm_90a", "rowsp", "dymultimem", "cais", "runtime"))
ALIASES = {"shared::cta": "shared", "param::entry": "param", "param::func": "param"}
"""Modifiers that mean the same as another one and are read as that one."""


class IsaError(Exception):
    """An opcode that names no instruction.

    `kind`: "unknown", "unmodelled", "modifier", "missing", "combination" or "operands"; `bad_modifier` is the offending
    modifier without its dot, `suggestion` the word that was perhaps meant.
    """

    def __init__(self, kind: str, message: str, suggestion: str = "", bad_modifier: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.suggestion, self.bad_modifier = kind, message, suggestion, bad_modifier


@dataclass(frozen=True)
class Part:
    """One modifier position of a row: a literal modifier, or a slot with a list of values."""

    name: str
    values: tuple[str, ...]
    literal: bool
    optional: bool


@dataclass(frozen=True)
class Template:
    """One operand of a row's syntax, before its type is known."""

    name: str
    role: str
    form: str
    count: int = 1
    optional: bool = False
    negated: str = ""
    paired: bool = False


@dataclass(frozen=True)
class Operand:
    """One operand of an Op.

    `role`: "r", "w" or "rw"; `type`: PTX type of each element. `form`: "reg" (a register; when read also a constant,
    symbol or special register), "vec" (`count` elements in braces), "mem", "imm" (a constant), "sink" (`_`), "tensor"
    (`[map, {coordinates}]`, `count` of them), "label",
    "targets" (a list of labels), "func", "args", "proto". `negated`: "" plain, "may" the text may put `!` before it,
    "must" it does (the lane function then inverts it). `paired`: joined to the operand before it with `|`.
    """

    name: str
    role: str
    type: str
    form: str
    count: int = 1
    optional: bool = False
    negated: str = ""
    paired: bool = False


@dataclass(frozen=True)
class Instr:
    """One instruction form in the notation of the PTX manual.

    syntax         "add{.sat}.type d, a, b": `.word` is a slot when `slots` names it,
    else a literal modifier; braces make
                   it optional. Operands: d e p q ret mid are written (or see `writes`), others read; `[a]` address;
                   `{d, e}` vector; `p|q`, `d{|p}` pair; `{, c}` optional; `{!}c` may be negated, `!c` is negated.
    slots          values of each slot, without dots
    latency        latency class; the numbers live in the machine presets
    lane           Kind.LANE only: meaning of one lane over the lane algebra, f(op,
                                                                                *sources) -> value or tuple of values
    operand_types  operand -> type, or slot whose value is its type,
    or "wide" (twice as wide as .type); others have .type,
                   p and q are predicates
    forms          operand -> form, where the syntax does not tell ("imm", "label", …)
    vector         operand -> slot that says how many elements it has (".v4", ".x2")
    counts         operand -> number of its elements under the chosen modifiers, where no slot tells
    updates        operands that are read and written
    needs          operand -> modifier part: the operand is there exactly when that part is given
    check          says what is wrong with a combination of modifiers, or None
    selectors      operand -> selectors its text may end with (`%r1.b3`); they are constants of the Op (selectors.py)
    signs          operands that may have a minus sign; it is a constant of the Op too
    inner_signs    operands to which the assembler itself may give one: programs have it only when disassembled
    allowed        operand -> the constants it may be, where not all of its type will do; registers may hold others
    check_imm      says what is wrong with constants of the Op beside its modifiers, or None
    form           tells rows apart that share their opcode ("pack2"); part of the Op's name
    """

    syntax: str
    slots: Mapping[str, tuple[str, ...]]
    kind: Kind
    latency: str
    meaning: str
    source: str
    lane: Callable[..., Any] | None = None
    target: str = ""
    operand_types: Mapping[str, str] = field(default_factory=dict)
    forms: Mapping[str, str] = field(default_factory=dict)
    vector: Mapping[str, str] = field(default_factory=dict)
    counts: Mapping[str, Callable[[Mapping[str, str]], int]] = field(default_factory=dict)
    updates: tuple[str, ...] = ()
    needs: Mapping[str, str] = field(default_factory=dict)
    writes: tuple[str, ...] = ("d", "e", "p", "q", "ret", "mid")
    check: Callable[[Mapping[str, str]], str | None] | None = None
    selectors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    signs: tuple[str, ...] = ()
    inner_signs: tuple[str, ...] = ()
    allowed: Mapping[str, Container[int]] = field(default_factory=dict)
    check_imm: Callable[[Mapping[str, int], Mapping[str, str]], str | None] | None = None
    form: str = ""
    mnemonic: str = field(init=False)
    parts: tuple[Part, ...] = field(init=False)
    templates: tuple[Template, ...] = field(init=False)

    def __post_init__(self) -> None:
        """Read the syntax and refuse a row that contradicts itself."""
        head, _, tail = self.syntax.partition(" ")
        match = re.fullmatch(r"([A-Za-z][A-Za-z0-9_]*)((?:\{\.[\w:]+\}|\.[\w:]+)*)", head)
        if not match:
            raise ValueError(f"{self.syntax!r}: not of the form mnemonic.modifier{{.optional}}")
        object.__setattr__(self, "mnemonic", match[1])
        object.__setattr__(self, "parts", self._read_parts(match[2]))
        object.__setattr__(self, "templates", self._read_templates(tail))
        self._check_row()

    def _read_parts(self, text: str) -> tuple[Part, ...]:
        found = re.findall(r"(\{?)\.([\w:]+)\}?", text)
        return tuple(Part(n, self.slots.get(n, (n,)), n not in self.slots, bool(brace)) for brace, n in found)

    def _read_templates(self, tail: str) -> tuple[Template, ...]:
        tail = re.sub(r"\{, *([^{}]*)\}", r", ?\1", tail)
        tail = re.sub(r"\{(\(\w+\)), *\}", r"?\1, ", tail)
        tail = re.sub(r"\{\|(\w+)\}", r", ?|\1", tail)
        tail = re.sub(r"(\w)\|(\w)", r"\1, |\2", tail)
        items = re.findall(r"\?*\|?(?:\[\w+\]|\{!\}\w+|\{[\w, ]+\}|\(\w+\)|\[\w+, \w+\]|!?\w+)", tail)
        return tuple(self._read_template(item) for item in items)

    def _read_template(self, item: str) -> Template:
        names = re.findall(r"\w+", item)
        base = re.sub(r"\d+$", "", names[0])
        negated = "may" if "{!}" in item else "must" if "!" in item else ""
        vector = ("{" in item and not negated) or ("[" in item and len(names) == 2)
        form = (
            "tensor"
            if vector and "[" in item
            else "mem"
            if "[" in item
            else "vec"
            if vector
            else "args"
            if "(" in item
            else "reg"
        )
        role = "rw" if base in self.updates else "w" if base in self.writes and form != "mem" else "r"
        return Template(base, role, self.forms.get(base, form), len(names), "?" in item, negated, "|" in item)

    def _check_row(self) -> None:
        """Raise ValueError with the row's syntax when something in it cannot be."""
        operands = {t.name for t in self.templates}
        problems = [f"unknown latency class {self.latency!r}"] if self.latency not in LATENCY_CLASSES else []
        problems += [f"unknown target {self.target!r}"] if self.target not in TARGETS else []
        problems += [f"slot .{s} is not in the syntax" for s in self.slots if s not in {p.name for p in self.parts}]
        problems += [f"slot .{s} has no values" for s, v in self.slots.items() if not v]
        problems += ["a lane function is for Kind.LANE rows"] if self.lane and self.kind != Kind.LANE else []
        problems += ["a Kind.LANE row needs a lane function"] if self.kind == Kind.LANE and not self.lane else []
        problems += [f"operand {n} is not in the syntax" for n in self._named_operands() if n not in operands]
        problems += self._ambiguous_parts() + self._untyped_operands()
        if self.kind == Kind.LANE and any(t.optional or t.negated == "may" for t in self.templates):
            problems.append("a Kind.LANE row has a fixed number of operands")
        if not self.meaning or not self.source:
            problems.append("meaning and source are required")
        if problems:
            raise ValueError(f"{self.syntax}: {'; '.join(problems)}")

    def _named_operands(self) -> list[str]:
        return [
            *self.operand_types,
            *self.forms,
            *self.vector,
            *self.counts,
            *self.updates,
            *self.needs,
            *self.allowed,
            *self.selectors,
            *self.signs,
            *self.inner_signs,
        ]

    def _ambiguous_parts(self) -> list[str]:
        """Two positions may share a modifier only when both must be filled (types: first come, first served)."""
        out = []
        for i, a in enumerate(self.parts):
            for b in self.parts[i + 1 :]:
                if set(a.values) & set(b.values) and (a.optional or b.optional):
                    out.append(f".{a.name} and .{b.name} share modifiers")
        return out

    def _untyped_operands(self) -> list[str]:
        typed = {*self.operand_types, *(("p", "q"))}
        plain = [t.name for t in self.templates if t.form in ("reg", "vec") and t.name not in typed]
        return [f"operand {n} has no type" for n in plain] if "type" not in {p.name for p in self.parts} else []

    def operand_type(self, name: str, mods: Mapping[str, str]) -> str:
        """PTX type of operand `name` under the chosen modifiers."""
        named = self.operand_types.get(name, "pred" if name in ("p", "q") else "type")
        if named == "wide":
            kind = mods["type"]
            return f"{kind[0]}{2 * int(kind[1:])}"
        return mods.get(named, named if named in TYPES else "")


@dataclass(frozen=True, eq=False)
class Op:
    """A row with its modifiers chosen: what an opcode means.

    `mods` maps each given part (slot or literal) to the chosen modifier; `imm` holds constants that shape the code
    (lop3's table). `name` resolves to an equal Op; `text` is what the assembler language writes.
    """

    instr: Instr
    mods: Mapping[str, str]
    imm: Mapping[str, int] = field(default_factory=dict)

    @cached_property
    def text(self) -> str:
        """The opcode with its modifiers in the manual's order."""
        return ".".join([self.instr.mnemonic, *(self.mods[p.name] for p in self.instr.parts if p.name in self.mods)])

    @cached_property
    def name(self) -> str:
        """Canonical name: `text`, then what the text of the opcode alone does not say."""
        extra = [f"form={self.instr.form}"] if self.instr.form else []
        return ";".join([self.text, *extra, *(f"{k}={v}" for k, v in sorted(self.imm.items()))])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Op) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def kind(self) -> Kind:
        """How the machine executes it."""
        return self.instr.kind

    @cached_property
    def types(self) -> tuple[str, ...]:
        """PTX types among the modifiers, in order ("f16", "f32" for cvt.rn.f16.f32)."""
        return tuple(self.mods[p.name] for p in self.instr.parts if p.name in self.mods and self.mods[p.name] in TYPES)

    @cached_property
    def operands(self) -> tuple[Operand, ...]:
        """Operands in the order of the text."""
        return tuple(self._operand(t) for t in self.instr.templates if self._present(t))

    def _present(self, template: Template) -> bool:
        part = self.instr.needs.get(template.name)
        return part is None or part in self.mods

    def _operand(self, t: Template) -> Operand:
        slot = self.instr.vector.get(t.name)
        form, count = t.form, t.count
        if slot is not None and slot in self.mods:
            form, count = "vec", int(self.mods[slot].strip("vxd")) - 2 * self.mods[slot].endswith("d")
        elif t.name in self.instr.counts:
            form, count = "vec", self.instr.counts[t.name](self.mods)
        elif form == "tensor":
            count = int(self.mods["dim"][0])
        type_ = (
            ""
            if form in ("tensor", "label", "targets", "func", "args", "proto")
            else self.instr.operand_type(t.name, self.mods)
        )
        optional = t.optional and t.name not in self.instr.needs
        return Operand(t.name, t.role, type_, form, count, optional, t.negated, t.paired)

    def lane_types(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Lane-algebra types of the destinations and of the sources of the lane function, vectors flattened; values
        of 128 bits are two."""
        out: dict[str, list[str]] = {"w": [], "r": []}
        for operand in self.operands:
            if operand.form not in ("imm", "mem"):
                types = ["u64", "u64"] if operand.type == "b128" else [lane_type(operand.type)]
                out[operand.role] += types * operand.count
        return tuple(out["w"]), tuple(out["r"])

    def with_imm(self, imm: Mapping[str, int]) -> Op:
        """This Op with constants fixed; they appear in its name."""
        return replace(self, imm=dict(imm))
