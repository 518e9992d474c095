"""Approximate functions of constants are computed by the assembler, where NVIDIA's does it.

ptxas 13.0 (found by disassembling small programs) puts the f32 nearest to the exact value for `rcp`, `sqrt`, `rsqrt`,
`lg2`, `ex2`, `sin`, `cos` and `div` with .approx or .full, with and without .ftz, when every operand is a constant: a
literal, or a register that only one `mov` of a literal writes. The instruction would give a value that is a little off.
Subnormal and special operands and results are left to the instruction, and so are programs with `.target debug`.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable

from assembler import moves
from assembler.program import KIND, READ, REGISTER_KINDS, ROLE, VALUE, WRITE, Body, Entry, Program, Step
from isa.image import OperandKind

CONST, REG = int(OperandKind.CONST), int(OperandKind.REG)
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "rcp": lambda x: 1.0 / x,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1.0 / math.sqrt(x),
    "lg2": math.log2,
    "ex2": lambda x: 2.0**x,
    "sin": math.sin,
    "cos": math.cos,
    "div": lambda x, y: x / y,
}
_SMALLEST_NORMAL = 2.0**-126


def fold_functions(program: Program) -> None:
    """Replace approximate functions of constants in every body of a program."""
    if "debug" in program.targets:
        return
    for body in program.bodies:
        if body.physical is None and any(_function(step.op) for step in body.steps):
            known = _constants(body)
            body.steps = [_folded(step, known) for step in body.steps]


def _function(name: str) -> Callable[..., float] | None:
    """The function that an op approximates in f32, if it does."""
    mnemonic, *modifiers = name.split(".")
    if modifiers not in (["approx", "f32"], ["approx", "ftz", "f32"], ["full", "f32"], ["full", "ftz", "f32"]):
        return None
    return _FUNCTIONS.get(mnemonic)


def _constants(body: Body) -> dict[int, int]:
    """Bits of the registers that one unguarded `mov` of a literal writes and nothing else."""
    writes: dict[int, int] = {}
    found: dict[int, int] = {}
    for step in body.steps:
        for number in (*step.sets, *(e[VALUE] for e in step.entries if e[KIND] in REGISTER_KINDS and e[ROLE] != READ)):
            writes[number] = writes.get(number, 0) + 1
        if step.op in ("mov.f32", "mov.b32", "mov.u32") and not step.guard and step.entries[1][KIND] == CONST:
            found[step.entries[0][VALUE]] = step.entries[1][VALUE]
    for call in body.calls.values():
        for item, _ in call.results:
            if isinstance(item, tuple):
                found.pop(item[VALUE], None)
    return {number: bits for number, bits in found.items() if writes[number] == 1}


def _folded(step: Step, known: dict[int, int]) -> Step:
    """The step, or a `mov` of its result."""
    function = _function(step.op)
    if function is None or step.entries[0][KIND] != REG:
        return step
    operands = [_value(entry, known) for entry in step.entries[1:]]
    if None in operands:
        return step
    try:
        bits = struct.pack("<f", function(*operands))
    except (ValueError, OverflowError, ZeroDivisionError):
        return step
    if not _is_normal(bits):
        return step
    target = moves.converted(step.entries[0], WRITE, "b32")
    return moves.step(
        "mov.b32", [target, moves.constant(int.from_bytes(bits, "little"), "b32")], step.place, step.guard
    )


def _value(entry: Entry, known: dict[int, int]) -> float | None:
    """The number an operand is known to be; None for special and subnormal ones."""
    bits = entry[VALUE] if entry[KIND] == CONST else known.get(entry[VALUE]) if entry[KIND] == REG else None
    if bits is None:
        return None
    raw = (bits & 0xFFFFFFFF).to_bytes(4, "little")
    return float(struct.unpack("<f", raw)[0]) if _is_normal(raw) else None


def _is_normal(raw: bytes) -> bool:
    value = abs(struct.unpack("<f", raw)[0])
    return bool(_SMALLEST_NORMAL <= value < math.inf)
