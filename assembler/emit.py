"""The PTX part of a program as text for other assemblers: macros expanded, host programs and extensions taken out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from isa.instr import TARGETS, IsaError
from isa.table import resolve

from .constants import NUMBER
from .diagnostics import AssemblyError, has_errors
from .masking import mask
from .parse import parse_module
from .syntax import Address, Block, Entry, Func, HostProgram, Instruction, Module, Name, Number, Operand, Vector

EXTENSIONS = tuple(target for target in sorted(TARGETS) if target and not target.startswith("sm_"))
"""Switches of `.target` that PTX does not know."""
EXTENSION_REGISTERS = frozenset(("%gpuid", "%ngpus"))
_LITERAL = re.compile(rf"-?(?!0[fFdD])\d[\w.]*|-?\.\d\w*|{NUMBER}|WARP_SZ")
_ADDRESS = re.compile(r"\[\s*[%$\w.]+\s*(?:\+\s*-?\w+\s*)?\]")
_OPAQUE = re.compile(r"\.opaque\b[ \t]*")
_BLANK_LINES = re.compile(r"\n[ \t]*\n(?:[ \t]*\n)+")


def emit_ptx(
    source: str | Path, include_dirs: Sequence[str | Path] = (), defines: Mapping[str, str] | None = None
) -> str:
    """The PTX of a program given as a path or as text. Instructions of the extensions remain as comments.

    Raises AssemblyError if the program's shape is wrong; whether its instructions exist is for the reader to say.
    """
    path = Path(source) if isinstance(source, Path) or "\n" not in source else None
    text = path.read_text(encoding="utf-8") if path else str(source)
    given = {name: str(value) for name, value in (defines or {}).items()}
    module, diagnostics = parse_module(text, str(path or "<text>"), include_dirs, given)
    if has_errors(diagnostics):
        raise AssemblyError(diagnostics)
    return _edited(module)


def _edited(module: Module) -> str:
    text = module.span.source.text
    parts, at = [], 0
    for start, end, replacement in sorted(_edits(module, text)):
        parts += [text[at:start], replacement]
        at = max(at, end)
    ptx = _BLANK_LINES.sub("\n\n", "".join([*parts, text[at:]])).strip() + "\n"
    return ptx.encode("ascii", "replace").decode()  # ptxas takes no other signs, not even in comments


def _edits(module: Module, text: str) -> Iterator[tuple[int, int, str]]:
    """What to replace: (start, end, replacement)."""
    names = module.targets
    if any(name.name in EXTENSIONS for name in names):
        kept = ", ".join(name.name for name in names if name.name not in EXTENSIONS)
        yield names[0].span.start, names[-1].span.end, kept
    for match in _OPAQUE.finditer(mask(text)):
        yield match.start(), match.end(), ""
    for item in module.items:
        if isinstance(item, HostProgram):
            yield item.span.start, item.end, ""
        elif isinstance(item, Entry | Func) and item.body:
            yield from _body_edits(item.body, text)


def _body_edits(block: Block, text: str) -> Iterator[tuple[int, int, str]]:
    """Instructions of the extensions as comments; operands that ptxas would not read in their plain form."""
    for item in block.items:
        if isinstance(item, Block):
            yield from _body_edits(item, text)
        elif isinstance(item, Instruction) and _is_extension(item):
            end = text.index(";", item.span.end) + 1
            words = " ".join(text[item.span.start : end].replace("*/", "").replace("/*", "").split())
            yield item.span.start, end, f"/* extension: {words} */"
        elif isinstance(item, Instruction):
            for operand in item.operands:
                plain = _plain(operand)
                if plain:
                    yield operand.span.start, operand.span.end, plain


def _plain(operand: Operand) -> str:
    """The form that every assembler reads of a constant or address written as an expression; "" if it has that form."""
    text = operand.span.text
    if isinstance(operand, Number) and not _LITERAL.fullmatch(text):
        prefix, digits = {"f32": ("0f", 8), "f64": ("0d", 16), "int": ("", 0)}[operand.kind]
        return f"{prefix}{operand.value:0{digits}X}" if prefix else str(operand.value)
    simple = isinstance(operand, Address) and operand.base and isinstance(operand.offset, int) and not operand.extra
    if isinstance(operand, Address) and operand.base and simple and not _ADDRESS.fullmatch(text):
        return f"[{operand.base.name}+{operand.offset}]"
    return ""


def _is_extension(item: Instruction) -> bool:
    if any(name in EXTENSION_REGISTERS for operand in item.operands for name in _names(operand)):
        return True
    try:
        return resolve(item.opcode).instr.target in EXTENSIONS
    except IsaError:
        return False


def _names(operand: Operand) -> Iterator[str]:
    if isinstance(operand, Name):
        yield operand.name
    elif isinstance(operand, Address) and operand.base:
        yield operand.base.name
    elif isinstance(operand, Vector):
        for item in operand.items:
            yield from _names(item)
