"""A whole assembly: read, parse, check, lower; and the cache of assembled programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from assembler import cache
from assembler.alloc import MAX_SLOTS
from assembler.check import check_modules
from assembler.collector import no_garbage_collection
from assembler.diagnostics import AssemblyError, Diagnostic, has_errors, in_order, render
from assembler.lower import lower
from assembler.parse import parse_module
from assembler.problems import Problems
from assembler.program import Program
from assembler.source import SourceFile
from isa.image import Image

Text: TypeAlias = "str | Path"
"""A file (a Path, or a text of one line), or the text of a module."""


def read_source(source: Text) -> tuple[str, str]:
    """(text, path for messages) of a module given as a file or as its text."""
    if isinstance(source, Path) or "\n" not in source:
        path = Path(source)
        return path.read_text(encoding="utf-8"), str(path)
    return source, "<text>"


def read_sources(source: Text | Sequence[Text]) -> list[tuple[str, str]]:
    """The same of each module of a program."""
    return [read_source(one) for one in ([source] if isinstance(source, str | Path) else source)]


def _checked(
    sources: Sequence[tuple[str, str]], include_dirs: Sequence[str | Path], defines: Mapping[str, str]
) -> tuple[Program, list[SourceFile], list[Diagnostic]]:
    files: list[SourceFile] = []
    parsed = [parse_module(text, path, include_dirs, defines, files) for text, path in sources]
    problems = Problems()
    program = check_modules([module for module, _ in parsed], problems)
    found = [diagnostic for _, diagnostics in parsed for diagnostic in diagnostics]
    return program, files, in_order([*found, *problems.diagnostics])


def check(
    source: Text | Sequence[Text], include_dirs: Sequence[str | Path] = (), defines: Mapping[str, Any] | None = None
) -> list[Diagnostic]:
    """All errors and warnings of a file or text, or of several that are one program, in the order of the text."""
    sources = read_sources(source)
    with no_garbage_collection():
        program, files, diagnostics = _checked(sources, include_dirs, _texts(defines))
        if not has_errors(diagnostics):
            diagnostics += _of_registers(program, _lowered(program, files))
    return in_order(diagnostics)


def _of_registers(program: Program, image: Image) -> Iterator[Diagnostic]:
    """A warning for each kernel that needs more registers than a thread has."""
    places = {body.name: body.place for body in program.bodies}
    for kernel in image.kernels:
        if kernel.pressure > MAX_SLOTS:
            message = f"`{kernel.name}` needs {kernel.pressure} registers, a thread has {MAX_SLOTS}"
            yield Diagnostic("warning", "registers", message, places[kernel.name])


def assemble(
    source: Text | Sequence[Text],
    include_dirs: Sequence[str | Path] = (),
    defines: Mapping[str, Any] | None = None,
    optimised: bool = False,
) -> Image:
    """The Image of a module, or of several that are one program; AssemblyError with all their errors.

    ``optimised``: fewer instructions in a better order, as ptxas makes them (optimise.py); else each as it is written.
    """
    sources = read_sources(source)
    name = cache.key(sources, include_dirs, _texts(defines), optimised)
    kept = cache.fetch(name)
    if kept is not None:
        return kept
    with no_garbage_collection():
        program, files, diagnostics = _checked(sources, include_dirs, _texts(defines))
        if has_errors(diagnostics):
            raise AssemblyError(diagnostics)
        image = _lowered(program, files, optimised)
        warnings = in_order([*diagnostics, *_of_registers(program, image)])
        image.warnings = [render([warning]) for warning in warnings]
    cache.keep(name, image)
    return image


def _lowered(program: Program, files: Sequence[SourceFile], optimised: bool = False) -> Image:
    return lower(program, [file.path for file in files], [file.text for file in files], optimised)


def _texts(defines: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: str(value) for name, value in (defines or {}).items()}


def resource_lines(image: Image) -> list[str]:
    """One line a kernel, as `ptxas -v` prints: registers, slots of the model, predicates; bytes of each memory."""
    return [
        f"{k.name}: {k.pressure} registers ({k.nregs} slots), {k.npreds} predicates, {k.local_bytes} bytes stack, "
        f"{k.shared_bytes} bytes shared, {k.param_bytes} bytes parameters"
        for k in image.kernels
    ]
