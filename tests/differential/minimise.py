"""The smallest part of a random program that still computes a wrong row: statements are deleted as long as the row stays.

    PYTHONPATH=. python tests/differential/minimise.py out/programs.zip out/silicon0.npz p743 [--row 25] [--functional]

A deletion counts only if every thread's value of the row remains what the whole program gave here and every register that is
read is written, so what is left is what the row was computed from, and what the GPU gave for it still holds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias

import check

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n\n"
_FIXED = re.compile(r"\.func|\.visible|\{$|\}$")
"""Lines around bodies."""
_REGISTER = re.compile(r"%[a-z]+\d*\b(?![.])")
_WRITTEN = re.compile(r"^\s*(?:@!?%\w+ )?[a-z][\w.:]* (\{[^}]*\}|\([^)]*\)|[%\w|]+)")
Unit: TypeAlias = "list[str]"
"""Lines that are deleted together: a function, a statement, a block in braces."""


def alone(module: str, name: str) -> str:
    """The text of one program of a module, with the functions it calls."""
    start = module.index(f".visible .entry {name}(")
    end = module.index("\n}\n", start) + 3
    earlier = module.rfind(".visible .entry ", 0, start)
    begin = module.index("\n}\n", earlier) + 3 if earlier >= 0 else module.index(".address_size 64\n") + 17
    return module[begin:end].strip("\n") + "\n"


def units(text: str, whole_functions: bool) -> list[Unit]:
    """A program's text as units; a function is one, or one for each of its statements."""
    found: list[Unit] = []
    depth, function = 0, False
    for line in text.splitlines():
        if function or depth > 0:
            found[-1].append(line)
        else:
            found.append([line])
        if _FIXED.match(line):
            function = whole_functions and (line.startswith(".func") or (function and line != "}"))
        else:
            depth += line.count("{") - line.count("}")
    return found


def smallest(found: list[Unit], holds: Callable[[list[Unit]], bool]) -> list[Unit]:
    """Units of which none can be deleted: first long runs are tried, then shorter ones."""
    size = max(1, len(found) // 2)
    while True:
        at, shorter = 0, False
        while at < len(found):
            fixed = [unit for unit in found[at : at + size] if len(unit) == 1 and _FIXED.match(unit[0])]
            kept = found[:at] + fixed + found[at + size :]
            if len(kept) < len(found) and holds(kept):
                found, shorter = kept, True
            else:
                at += size
        if size == 1 and not shorter:
            return found
        size = max(1, size // 2)


def complete(text: str) -> bool:
    """Whether every register that is read is written somewhere."""
    read: set[str] = set()
    written: set[str] = set()
    for line in text.splitlines():
        for statement in line.split(";"):
            if not statement.strip(" {}").startswith("."):
                first = _WRITTEN.match(statement.strip(" {"))
                stores = re.match(r"[ {]*(@!?%\w+ )?(st|red|call|bar|bra)\b", statement)
                target = first[1] if first and not stores else ""
                written.update(_REGISTER.findall(target))
                read.update(_REGISTER.findall(statement.replace(target, "", 1) if target else statement))
    return {name for name in read if name != "%tid"} <= written


def minimised(text: str, program: dict[str, Any], row: int, inputs: dict[int, bytes], functional: bool) -> str:
    """The program without what its row `row` does not need."""
    _, offset, size, _, _ = program["rows"][row]
    place = slice(offset, offset + size * program["threads"])

    def values(whole: str) -> bytes:
        return check.simulate(HEAD + whole, [program], inputs, functional)[0][place]

    wanted = values(text)

    def joined(found: list[Unit]) -> str:
        return "\n".join(line for unit in found for line in unit) + "\n"

    def holds(found: list[Unit]) -> bool:
        whole = joined(found)
        try:
            return f"+{offset}], " in whole and complete(whole) and values(whole) == wanted
        except Exception:  # a part of a program may be none: a label is missing, an address is wrong
            return False

    text = joined(smallest(units(text, True), holds))
    return joined(smallest(units(text, False), holds))


def wrong_rows(
    bundle: str, silicon: list[str], name: str, functional: bool
) -> Iterator[tuple[str, dict[str, Any], dict[int, bytes], check.Difference]]:
    """(text, facts, inputs, difference) of each row of a program that differs from what the GPU gave."""
    files, gold = zipfile.ZipFile(bundle), check.recorded(silicon)
    inputs = {int(n[5:-4]): files.read(n) for n in files.namelist() if n.startswith("input")}
    for member in sorted(n for n in files.namelist() if n.endswith(".json")):
        programs = json.loads(files.read(member))
        at = 0
        for program in programs:
            if program["name"] == name:
                text = alone(files.read(member[:-5] + ".ptx").decode(), name)
                want = gold[member[:-5]][at : at + program["size"]]
                (got,) = check.simulate(HEAD + text, [program], inputs, functional)
                for difference in check.differences(program, got, want):
                    yield text, program, inputs, difference
            at += program["size"]


def main() -> int:
    """Print the smallest program of every wrong row, or of one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle")
    parser.add_argument("silicon", nargs="+")
    parser.add_argument("program")
    parser.add_argument("--row", type=int, help="this row only")
    parser.add_argument("--functional", action="store_true")
    a = parser.parse_args()
    found = 0
    for text, program, inputs, d in wrong_rows(a.bundle, a.silicon, a.program, a.functional):
        if a.row in (None, d.row):
            found += 1
            print(
                f"// row {d.row}, {d.text}: thread {d.thread} of {d.threads} that differ: {d.got:#x} here, {d.want:#x} there"
            )
            print(minimised(text, program, d.row, inputs, a.functional))
    if not found:
        print(f"{a.program}: no row differs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
