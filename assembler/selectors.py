"""Selectors and signs of the video instructions' operands: `%r1.b3`, `-%r2.h0`. They become constants of the Op."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from assembler.problems import Problems
from assembler.syntax import Instruction, Name, Number, Operand, Unary
from isa.instr import Op
from isa.selectors import encode
from isa.table import MNEMONICS


@lru_cache(maxsize=512)
def has_selectors(opcode: str) -> bool:
    """Whether an opcode belongs to instructions whose operands may have selectors or signs."""
    return any(row.selectors or row.signs or row.inner_signs for row in MNEMONICS.get(opcode.partition(".")[0], ()))


def split(item: Instruction) -> tuple[tuple[Operand, ...], list[tuple[bool, str]]]:
    """The plain operands of an instruction, and of each whether it has a minus sign, and its selector."""
    plain: list[Operand] = []
    found: list[tuple[bool, str]] = []
    for operand in item.operands:
        minus = isinstance(operand, Unary) and operand.op == "-"
        inner = operand.value if isinstance(operand, Unary) and minus else operand
        chosen = ""
        if isinstance(inner, Name):
            stem, _, chosen = inner.name.partition(".")
            inner = replace(inner, name=stem)
        plain.append(inner if minus or chosen else operand)
        found.append((minus, chosen))
    return tuple(plain), found


def constants(
    op: Op, item: Instruction, found: list[tuple[bool, str]], problems: Problems, disassembled: bool
) -> dict[str, int]:
    """The constants that selectors and signs give an Op; mistakes go to `problems`."""
    out: dict[str, int] = {}
    signs = op.instr.inner_signs if disassembled and op.instr.inner_signs else op.instr.signs
    for wanted, operand, (minus, chosen) in zip(op.operands, item.operands, found, strict=True):
        if chosen and chosen not in op.instr.selectors.get(wanted.name, ()):
            some = op.instr.selectors.get(wanted.name, ())
            help = f"it takes .{some[0]} to .{some[-1]}" if some else "it takes none"
            problems.error("bad-selector", f"operand `{wanted.name}` of `{op.text}` has no selector `.{chosen}`",
                           operand.span, "no such selector", help)  # fmt: skip
        elif chosen:
            out[f"{wanted.name}_sel"] = encode(chosen)
        elif isinstance(operand, Number) and op.instr.mnemonic[-1].isdigit():
            problems.error("not-a-register", f"the operands of `{op.text}` are registers", operand.span)
        if minus and wanted.name not in signs:
            problems.error("bad-sign", f"operand `{wanted.name}` of `{op.text}` has no minus sign", operand.span)
        elif minus:
            out[f"{wanted.name}_neg"] = 1
    complaint = op.instr.check_imm(out, op.mods) if op.instr.check_imm else None
    if complaint:
        problems.error("bad-sign", f"`{op.text}`: {complaint}", item.span)
    return out
