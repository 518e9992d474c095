"""Every instruction of the manual (PTX ISA 9.0, 9.7) has a row, or an error that names what the machine lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

import assembler
from isa.instr import IsaError
from isa.table import MNEMONICS, resolve

_PARTS = Path(__file__).with_name("manual.txt").read_text(encoding="utf-8").split("# ")
HERE, ELSEWHERE = (part.split("\n")[1:-1] for part in _PARTS[1:])
"""One opcode of each instruction of sm_90a, and of some forms; and of those that need texture units or later GPUs."""
REMOVED = ("shfl.up.b32", "vote.all.pred")
"""What PTX had before .sync was needed."""


@pytest.mark.parametrize("opcode", HERE)
def test_instructions_of_this_gpu_have_a_row(opcode: str):
    assert resolve(opcode).text.partition(".")[0] == opcode.partition(".")[0]


@pytest.mark.parametrize("opcode", ELSEWHERE)
def test_other_instructions_are_known_by_name(opcode: str):
    with pytest.raises(IsaError) as error:
        resolve(opcode)
    assert error.value.kind == "unmodelled" or "later GPU" in error.value.message
    assert error.value.suggestion == "" and opcode.partition(".")[0] in error.value.message


@pytest.mark.parametrize("opcode", REMOVED)
def test_old_forms_say_what_is_missing(opcode: str):
    with pytest.raises(IsaError, match=r"needs \.sync"):
        resolve(opcode)


def test_the_list_has_every_mnemonic_of_the_table():
    extensions = {row.mnemonic for rows in MNEMONICS.values() for row in rows if row.target not in ("", "sm_90a")}
    assert {*MNEMONICS} - extensions <= {opcode.partition(".")[0] for opcode in (*HERE, *ELSEWHERE)}


def test_the_message_has_its_place():
    text = ".version 9.0\n.target sm_90a\n.address_size 64\n.entry k() {\n    tcgen05.fence::after_thread_sync;\n}\n"
    (error,) = assembler.check(text)
    assert (error.span.line, error.span.col) == (5, 5) and "tensor memory of later GPUs" in error.message


@pytest.mark.parametrize("type_", ["texref", "samplerref", "surfref"])
def test_variables_of_texture_units(type_: str):
    text = f".version 9.0\n.target sm_90a\n.address_size 64\n.global .{type_} t;\n.entry k() {{ ret; }}\n"
    assert [d.code for d in assembler.check(text)] == ["unmodelled"]
