"""The examples of assembler/README.md are programs, and show the whole language."""

import re
from pathlib import Path

import pytest

from assembler import check
from assembler.host import STATEMENTS
from assembler.macro import DIRECTIVES

README = Path(__file__).parents[2] / "assembler" / "README.md"
EXAMPLES = re.findall(r"```asm\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)


@pytest.mark.parametrize("text", EXAMPLES)
def test_examples_are_programs(text: str) -> None:
    assert [d.message for d in check(text)] == []


def test_every_statement_has_an_example() -> None:
    words = set(re.findall(r"^ *(\w+)\b", EXAMPLES[-1], re.MULTILINE))
    assert set(STATEMENTS) - words == set()


def test_every_directive_is_described() -> None:
    text = README.read_text(encoding="utf-8")
    assert [word for word in DIRECTIVES if f".{word}" not in text] == []
