"""The list that `check` writes its findings into."""

from __future__ import annotations

from assembler.diagnostics import Diagnostic
from assembler.source import Span
from isa.instr import IsaError


class Problems:
    """Errors and warnings found so far."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.errors = 0

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        help: str = "",
        notes: tuple[tuple[Span | None, str], ...] = (),
    ) -> None:
        """Note an error."""
        self.errors += 1
        self.diagnostics.append(Diagnostic("error", code, message, span, label, help, notes))

    def warning(self, code: str, message: str, span: Span, help: str = "") -> None:
        """Note something that is probably not meant."""
        self.diagnostics.append(Diagnostic("warning", code, message, span, "", help))

    def unknown(self, what: str, name: str, span: Span, suggestion: str) -> None:
        """Note a name that means nothing."""
        help = f"did you mean `{suggestion}`?" if suggestion else ""
        self.error(f"unknown-{what.replace(' ', '-')}", f"unknown {what} `{name}`", span, f"not a {what}", help)

    def duplicate(self, name: str, span: Span, first: Span | None) -> None:
        """Note a second declaration of a name."""
        notes = ((first, "first declared"),) if first is not None else ()
        self.error("duplicate", f"`{name}` is declared twice", span, "again here", "", notes)

    def opcode(self, error: IsaError, opcode: str, span: Span, modifier: Span) -> None:
        """Note an opcode that names no instruction; `modifier` is the place of the modifier at fault."""
        at = modifier if error.bad_modifier else span
        if error.kind == "unknown":
            at = span.part(0, len(opcode.split(".")[0]))
        label = {"unknown": "not an instruction", "modifier": "no such modifier", "missing": "incomplete"}.get(
            error.kind, ""
        )
        help = f"did you mean `{error.suggestion}`?" if error.suggestion else ""
        code = {"unknown": "unknown-instruction", "modifier": "unknown-modifier", "operands": "bad-operands"}
        self.error(code.get(error.kind, f"opcode-{error.kind}"), error.message, at, label, help)
