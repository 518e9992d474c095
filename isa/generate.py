"""The table for readers: `python -m isa.generate` writes REFERENCE.md; `describe` tells of one instruction."""

from __future__ import annotations

import inspect
from pathlib import Path

from .instr import Instr, IsaError, Op, Operand
from .special import SPECIAL
from .table import CHAPTERS, MNEMONICS, resolve
from .unmodelled import KNOWN_UNMODELLED

HEAD = """# Instructions

Made from the table by `python -m isa.generate`: do not edit.

`{.x}` is optional, a slot `.x` takes one of the modifiers listed for it; modifiers may come in any order.
`.shared::cta`, `.param::entry` and `.param::func` read as `.shared` and `.param`. `d e f p q` are written, `[a]` is an
address, `{, c}` may be left out, `{!}c` may be negated, `p|q` are two results. Where two rows read the same, the
operands decide.
"""
FORMS = {
    "mem": "address", "imm": "constant", "label": "label", "targets": "list of labels", "func": "function or address",
    "args": "list in parentheses", "proto": "prototype or list of targets",
}  # fmt: skip


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _slots(row: Instr) -> str:
    """The slots of a row and what they take, one after the other."""
    return "; ".join(f".{name}: {' '.join(values)}" for name, values in row.slots.items())


def _operands(row: Instr) -> str:
    """Types of the operands that are not of type .type."""
    named = {**{t.name: "pred" for t in row.templates if t.name in ("p", "q")}, **row.operand_types}
    out = []
    for template in row.templates:
        kind = FORMS.get(template.form) if template.form != "mem" else None
        kind = kind or (f".{named[template.name]}" if template.name in named and template.form != "mem" else None)
        if kind:
            out.append(f"{template.name}: {kind}")
    return ", ".join(out)


def _line(row: Instr) -> str:
    cells = [f"`{row.syntax}`", _slots(row), _operands(row), row.meaning, row.kind.name, row.latency, row.source]
    if row.target:
        cells[3] += f" (needs `.target {row.target}`)"
    return "| " + " | ".join(_cell(c) for c in cells) + " |"


def chapter_text(module: object) -> str:
    """One chapter: its title and a table of its rows."""
    title = (inspect.getdoc(module) or "").partition("\n")[0].rstrip(".")
    rows: tuple[Instr, ...] = module.ROWS  # type: ignore[attr-defined]
    head = "| syntax | slots | operands | meaning | unit | latency class | source |\n|---|---|---|---|---|---|---|"
    return "\n".join([f"## {title}", "", head, *map(_line, rows), ""])


def reference() -> str:
    """The text of REFERENCE.md."""
    special = ["## Special registers (PTX ISA 9.0, chapter 10)", "", "| name | type | meaning |", "|---|---|---|"]
    special += [
        f"| `{s.name}` | .{s.type} | {s.meaning} |" for s in SPECIAL.values() if not s.name.startswith("%envreg")
    ]
    special += ["| `%envreg0` … `%envreg31` | .b32 | driver-defined values |", ""]
    missing = ["## Known, not modelled", "", "An assembler error names what is missing.", ""]
    missing += [f"* `{name}`: {feature}" for name, feature in sorted(KNOWN_UNMODELLED.items())]
    return "\n".join([HEAD, *map(chapter_text, CHAPTERS), *special, *missing, ""])


def _row_text(row: Instr) -> str:
    """One row for a terminal."""
    target = f"; needs .target {row.target}" if row.target else ""
    lines = [row.syntax, f"  {row.meaning}"]
    lines += [f"    .{name:8} {' '.join('.' + value for value in values)}" for name, values in row.slots.items()]
    operands = _operands(row)
    lines += [f"    operands {operands}"] if operands else []
    return "\n".join([*lines, f"  unit {row.kind.name}, latency class {row.latency}{target} [{row.source}]"])


def _operand_text(operand: Operand) -> str:
    role = {"r": "read", "w": "written", "rw": "read and written"}[operand.role]
    if operand.form in ("mem", "label", "targets", "func", "args", "proto"):
        what = FORMS[operand.form]
    else:
        count = f"{operand.count} x " if operand.form == "vec" else ""
        what = f"{count}.{operand.type}, {'constant' if operand.form == 'imm' else role}"
    return f"    {operand.name:12} {what}{', optional' if operand.optional else ''}"


def _op_text(op: Op) -> str:
    """One opcode with all its modifiers given."""
    operands = "\n".join(map(_operand_text, op.operands))
    source = inspect.getsource(op.instr.lane).rstrip() if op.instr.lane else ""
    meaning = f"\n\n{source}" if source else ""
    return f"{op.name}\n{operands}\n\n{_row_text(op.instr)}{meaning}"


def describe(name: str) -> str:
    """What `simasm isa show` prints: all rows of a mnemonic, or one opcode with its operands and lane function.

    Raises IsaError for what does not exist.
    """
    if name in MNEMONICS:
        return "\n\n".join(map(_row_text, MNEMONICS[name]))
    mnemonic, *modifiers = name.split(".")
    rows = [row for row in MNEMONICS.get(mnemonic, ()) if all(_takes(row, m) for m in modifiers)]
    literal = [row for row in rows if all(any(p.literal and m in p.values for p in row.parts) for m in modifiers)]
    try:
        return _op_text(resolve(name))
    except IsaError:
        if not rows:
            raise
        return "\n\n".join(map(_row_text, literal or rows))


def _takes(row: Instr, modifier: str) -> bool:
    """Whether the row has a place for the modifier."""
    return any(modifier in part.values for part in row.parts)


if __name__ == "__main__":
    (Path(__file__).parent / "REFERENCE.md").write_text(reference(), encoding="utf-8")
