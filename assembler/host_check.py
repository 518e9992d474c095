"""Names a host program shares with the kernels: what it launches, and with how many arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from assembler.masking import mask
from assembler.problems import Problems
from assembler.program import Body, Program
from assembler.source import Span
from assembler.syntax import HostProgram
from isa.table import did_you_mean

_KERNEL_WORDS = re.compile(r"\b(launch|closes\s+kernel)\s+([A-Za-z_$%][\w$]*)")


def check_host(item: HostProgram, program: Program, problems: Problems) -> None:
    """Report launches of kernels that do not exist, and wrong numbers of arguments."""
    kernels = {body.name: body for body in program.bodies if body.is_kernel}
    uses = list(_kernel_uses(item.statements))
    places = _places(item)
    for i, (name, arguments) in enumerate(uses):
        place = places[i] if len(places) == len(uses) else item.span
        kernel = kernels.get(name)
        if kernel is None:
            problems.unknown("kernel", name, place, did_you_mean(name, kernels))
        elif arguments is not None and arguments != len(kernel.formals):
            _wrong_count(kernel, arguments, place, problems)


def _wrong_count(kernel: Body, arguments: int, place: Span, problems: Problems) -> None:
    count = len(kernel.formals)
    names = ", ".join(f"{formal.type} {formal.name}" for formal in kernel.formals)
    message = f"`{kernel.name}` takes {count} argument{'s' * (count != 1)}, not {arguments}"
    notes = ((kernel.place, "the kernel is"),)
    problems.error("argument-count", message, place, help=f"its parameters are: {names}" if names else "", notes=notes)


def _kernel_uses(statements: list[dict[str, Any]]) -> Iterator[tuple[str, int | None]]:
    """(kernel, number of arguments or None) of every mention of a kernel, in the order of the text."""
    for s in statements:
        if s["stmt"] == "launch":
            yield s["kernel"], len(s["args"])
        elif s["stmt"] == "gate" and s.get("closes", ())[:1] == ["kernel"]:
            yield s["closes"][1], None
        for inner in ("body", "then", "else"):
            yield from _kernel_uses(s.get(inner, []))


def _places(item: HostProgram) -> list[Span]:
    """Where the host program's text names kernels; `item.span` is its head, with the opening brace."""
    source, start = item.span.source, item.span.end
    text = mask(source.text)
    depth, end = 1, start
    while depth and end < len(text):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        end += 1
    return [Span(source, *match.span(2)) for match in _KERNEL_WORDS.finditer(text, start, end)]
