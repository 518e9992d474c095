"""Runs PTX kernels without calls, barriers and shared memory on NumPy: every thread a lane of one wide warp.

Small on purpose: it exists to compare lane functions with outputs recorded on silicon. The statement executed
next is always the first one that any thread waits at, so that diverged threads meet again.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from isa.algebra import Value
from isa.instr import Kind, Op
from isa.special import SPECIAL
from isa.table import resolve
from isa.types import TYPES, lane_type

END = 1 << 40
STATEMENT = re.compile(r"(?:@(!?)(%?\w+)\s+)?([a-z][\w.:]*)\s*(.*)", re.S)


def split(text: str) -> list[str]:
    """Operands of a statement, split at commas outside brackets."""
    parts, depth = [""], 0
    for ch in text:
        depth += (ch in "{[(") - (ch in "}])")
        if ch == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += ch
    return [p.strip() for p in parts if p.strip()]


def shape(operand: str) -> str:
    """The shape `resolve` wants for an operand."""
    if operand[0] == "{":
        return f"{{{operand.count(',') + 1}}}"
    return "[]" if operand[0] == "[" else "r|r" if "|" in operand else "!r" if operand[0] == "!" else "r"


def literal(text: str, bits: int) -> int:
    """Bits of a constant."""
    if text[:2].lower() == "0f":
        raw = int(text[2:], 16)
        return int(np.array(raw, np.uint32).view(np.float32).astype(np.float64).view(np.uint64)) if bits == 64 else raw
    if text[:2].lower() == "0d":
        return int(text[2:], 16)
    return int(text.rstrip("U"), 0) & (1 << bits) - 1


class Machine:
    """Registers as uint64 columns over all threads; memory as one byte array."""

    def __init__(self, grid: int, block: int, memory: np.ndarray[Any, Any], params: dict[str, int]) -> None:
        self.grid, self.block, self.memory, self.params = grid, block, memory, params
        self.threads = grid * block
        self.registers: dict[str, np.ndarray[Any, Any]] = {}
        self.active = np.ones(self.threads, bool)
        self.at = np.zeros(self.threads, np.int64)  # statement each thread is at
        self.labels: dict[str, int] = {}

    def special(self, name: str) -> np.ndarray[Any, Any]:
        index = np.arange(self.threads, dtype=np.uint64)
        block = np.uint64(self.block)
        if name in ("%ntid.x", "%nctaid.x"):
            return np.full_like(index, self.block if name == "%ntid.x" else self.grid)
        return {"%tid.x": index % block, "%ctaid.x": index // block, "%laneid": index % block % np.uint64(32)}[name]

    def read(self, name: str, type_: str) -> np.ndarray[Any, Any]:
        bits = TYPES[type_].bits
        if name in self.registers:
            raw = self.registers[name]
        elif name in SPECIAL:
            raw = self.special(name)
        else:
            raw = np.full(self.threads, literal(name, bits), np.uint64)
        return raw & np.uint64((1 << bits) - 1)

    def value(self, name: str, type_: str) -> Value:
        raw, lane = self.read(name.lstrip("!"), type_), lane_type(type_)
        if lane == "pred":
            return Value(raw != 0, lane)
        return Value(raw.astype(f"u{TYPES[type_].bits // 8}"), f"u{TYPES[type_].bits}").bits(lane)

    def write(self, name: str, value: Value, mask: np.ndarray[Any, Any]) -> None:
        if name == "_":
            return
        raw = value.v if value.t == "pred" else value.bits(f"u{8 * value.v.dtype.itemsize}").v
        raw = raw.astype(np.uint64)
        old = self.registers.get(name, np.zeros(self.threads, np.uint64))
        self.registers[name] = np.where(mask, raw, old)

    def bytes_at(self, address: str, size: int) -> np.ndarray[Any, Any]:
        base, _, offset = address.strip("[] ").partition("+")
        where = self.read(base.strip(), "b64") + np.uint64(int(offset or "0", 0) & (1 << 64) - 1)
        return np.where(self.active, where, 0)[:, None] + np.arange(size, dtype=np.uint64)

    def access(self, op: Op, operands: list[str], mask: np.ndarray[Any, Any]) -> None:
        """Loads and stores."""
        load = op.kind == Kind.LD
        data, address = operands if load else operands[::-1]
        names = [n.strip() for n in data.strip("{}").split(",")]
        type_ = op.mods["type"]
        size = TYPES[type_].bytes
        if op.mods.get("space") == "param":
            self.registers[data] = np.full(self.threads, self.params[address.strip("[]").removesuffix("+0")], np.uint64)
            return
        where = self.bytes_at(address, size * len(names))
        for i, name in enumerate(names):
            at = where[:, size * i : size * (i + 1)].astype(np.int64)
            if load:
                raw = np.ascontiguousarray(self.memory[at]).view(f"u{size}")[:, 0]
                value = raw.view(f"i{size}").astype("i8").view("u8") if type_[0] == "s" else raw.astype("u8")
                self.write(name, Value(value, "u64"), mask)
            else:
                raw = self.read(name, f"b{8 * size}").astype(f"u{size}")
                self.memory[at[mask]] = raw[mask].view("u1").reshape(-1, size)

    def lanes(self, op: Op, operands: list[str], mask: np.ndarray[Any, Any]) -> None:
        """A lane function over all threads."""
        flat = [n.strip() for o in operands for n in re.split(r"[,|]", o.strip("{}"))]
        written, read = [], []
        for operand in op.operands:
            for _ in range(operand.count):
                name = flat.pop(0)
                if operand.form == "imm":
                    op = op.with_imm({operand.name: int(name, 0)})
                elif operand.role == "w":
                    written.append(name)
                else:
                    read.append(self.value(name, operand.type))
        result = op.instr.lane(op, *read) if op.instr.lane else None
        for name, value in zip(written, result if isinstance(result, tuple) else (result,), strict=True):
            self.write(name, value, mask)

    def step(self, negated: str, guard: str, opcode: str, operands: list[str]) -> None:
        mask = self.active
        if guard:
            held = self.registers[guard] != 0
            mask = mask & (~held if negated else held)
        op = resolve(opcode, None if opcode.startswith("bra") else tuple(shape(o) for o in operands))
        if op.kind == Kind.LANE:
            self.lanes(op, operands, mask)
        elif op.kind in (Kind.LD, Kind.ST):
            self.access(op, operands, mask)
        elif op.kind == Kind.BRA:
            self.at[mask] = self.labels[operands[0]]
        elif op.kind in (Kind.RET, Kind.EXIT):
            self.at[mask] = END
        else:
            raise ValueError(f"{opcode} has no meaning in these tests")

    def run(self, body: str) -> None:
        """Execute a kernel body until all threads are done."""
        statements: list[tuple[str, str, str, list[str]]] = []
        for piece in re.split(r";|(?<=:)\s", body):
            text = piece.strip()
            label = re.fullmatch(r"(\$?\w+):", text)
            if label:
                self.labels[label[1]] = len(statements)
            elif text and not text.startswith("."):
                match = STATEMENT.fullmatch(text)
                assert match, text
                statements.append((match[1] or "", match[2] or "", match[3], split(match[4])))
        while (first := int(self.at.min())) < len(statements):
            self.active = self.at == first
            self.at[self.active] = first + 1
            self.step(*statements[first])


def kernel_body(text: str, name: str) -> tuple[list[str], str]:
    """Parameter names and body of a kernel, comments and braces of inline assembly removed."""
    text = re.sub(r"//.*", "", text)
    match = re.search(rf"\.entry\s+{name}\s*\((.*?)\)\s*(?:\.\w+[^{{]*)?\{{(.*)\}}", text, re.S)
    assert match, name
    names = re.findall(r"\.param\s+.*?(\w+)\s*(?:,|$)", match[1], re.M)
    body = re.sub(r"(?m)^\s*\{|^\s*\}|(?<=[;}\s])\}\s*$|\{(?=\s*\.?[a-z]+[.\s])", "\n", match[2])
    return names, re.sub(r"\.loc[^\n]*", "", body)
