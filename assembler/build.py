"""A whole assembly: read, parse, check, lower; and the cache of assembled programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from assembler import cache
from assembler.alloc import MAX_SLOTS
from assembler.check import check_module
from assembler.collector import no_garbage_collection
from assembler.diagnostics import AssemblyError, Diagnostic, has_errors, in_order
from assembler.lower import lower
from assembler.parse import parse_module
from assembler.problems import Problems
from assembler.program import Program
from assembler.source import Source
from isa.image import Image


def read_source(source: str | Path) -> tuple[str, str]:
    """(text, path for messages) of a program given as a file or as its text."""
    if isinstance(source, Path) or "\n" not in source:
        path = Path(source)
        return path.read_text(encoding="utf-8"), str(path)
    return source, "<text>"


def _checked(
    text: str, path: str, include_dirs: Sequence[str | Path], defines: Mapping[str, str]
) -> tuple[Program, Source, list[Diagnostic]]:
    module, diagnostics = parse_module(text, path, include_dirs, defines)
    problems = Problems()
    program = check_module(module, problems)
    return program, module.span.source, in_order([*diagnostics, *problems.diagnostics])


def check(
    source: str | Path, include_dirs: Sequence[str | Path] = (), defines: Mapping[str, Any] | None = None
) -> list[Diagnostic]:
    """All errors and warnings of a file or text, in the order of the text."""
    text, path = read_source(source)
    with no_garbage_collection():
        program, origin, diagnostics = _checked(text, path, include_dirs, _texts(defines))
        if not has_errors(diagnostics):
            places = {body.name: body.place for body in program.bodies}
            for kernel in _lowered(program, origin).kernels:
                if kernel.pressure > MAX_SLOTS:
                    message = f"`{kernel.name}` needs {kernel.pressure} registers, a thread has {MAX_SLOTS}"
                    diagnostics.append(Diagnostic("warning", "registers", message, places[kernel.name]))
    return in_order(diagnostics)


def assemble(
    source: str | Path, include_dirs: Sequence[str | Path] = (), defines: Mapping[str, Any] | None = None
) -> Image:
    """The Image of a file (a Path, or a text of one line) or of a program's text; AssemblyError with all its errors."""
    text, path = read_source(source)
    name = cache.key(text, path, include_dirs, _texts(defines))
    kept = cache.fetch(name)
    if kept is not None:
        return kept
    with no_garbage_collection():
        program, origin, diagnostics = _checked(text, path, include_dirs, _texts(defines))
        if has_errors(diagnostics):
            raise AssemblyError(diagnostics)
        image = _lowered(program, origin)
    cache.keep(name, image)
    return image


def _lowered(program: Program, origin: Source) -> Image:
    return lower(program, [file.path for file in origin.files], [file.text for file in origin.files])


def _texts(defines: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (defines or {}).items()}


def resource_lines(image: Image) -> list[str]:
    """One line a kernel, as `ptxas -v` prints: registers, slots of the model, predicates; bytes of each memory."""
    return [
        f"{k.name}: {k.pressure} registers ({k.nregs} slots), {k.npreds} predicates, {k.local_bytes} bytes stack, "
        f"{k.shared_bytes} bytes shared, {k.param_bytes} bytes parameters"
        for k in image.kernels
    ]
