"""What is accepted and refused here and by ptxas: the agreement, and what the disagreements are.

PYTHONPATH=. python tests/mutation/compare.py --each 1 [--first 0] [--kind wrong_type] [--record]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from mutate import Mutant, mutants, sources  # type: ignore[import-not-found]

import assembler

VERDICTS = Path(__file__).with_name("verdicts.json")
PTXAS = shutil.which("ptxas")


class Verdict(NamedTuple):
    """Whether an assembler takes a text, and its first message if not."""

    accepted: bool
    message: str


def ours(text: str) -> Verdict:
    """The verdict of simasm; a crash is a message that begins with its type."""
    try:
        errors = [d for d in assembler.check(text) if d.severity == "error"]
    except Exception as error:  # a comparison of many texts goes on, and shows it
        return Verdict(False, f"CRASH {type(error).__name__}: {error}")
    return Verdict(not errors, errors[0].message if errors else "")


def ptxas(text: str) -> Verdict:
    """The verdict of ptxas 13."""
    assert PTXAS is not None
    with tempfile.NamedTemporaryFile("w", suffix=".ptx") as file:
        file.write(text)
        file.flush()
        ran = subprocess.run(
            [PTXAS, "-arch=sm_90a", "-O0", file.name, "-o", "/dev/null"], capture_output=True, text=True, timeout=120
        )
    message = next((line for line in ran.stderr.splitlines() if "error" in line or "fatal" in line), ran.stderr[:200])
    return Verdict(ran.returncode == 0, message.partition(";")[2].strip() or message if ran.returncode else "")


def known_sources() -> set[str]:
    """Programs that both accept as they are: others say nothing about a change."""
    return {name for name, text in sources().items() if ours(text).accepted}


def compared(chosen: Iterable[Mutant]) -> list[tuple[Mutant, Verdict, Verdict]]:
    """(mutant, ours, ptxas) of each."""
    with ThreadPoolExecutor(2) as pool:
        jobs = [(one, pool.submit(ptxas, one.text)) for one in chosen]
        return [(one, ours(one.text), job.result()) for one, job in jobs]


def report(results: list[tuple[Mutant, Verdict, Verdict]]) -> float:
    """Print the agreement by kind and every disagreement; returns the rate."""
    total, agree = Counter(one.kind for one, _, _ in results), Counter[str]()
    for one, mine, other in results:
        agree[one.kind] += mine.accepted == other.accepted
    differ = [r for r in results if r[1].accepted != r[2].accepted]
    for one, mine, other in sorted(differ, key=lambda r: (r[1].accepted, r[0].kind, r[0].line)):
        what = "accepted, ptxas says: " + other.message if mine.accepted else "refused: " + mine.message
        print(f"{one.name:44} {one.line[:110]}\n      {what[:200]}")
    for kind in total:
        print(f"{kind:20} {agree[kind]:5} of {total[kind]:5}")
    refused = sum(not other.accepted for _, _, other in results)
    rate = agree.total() / max(1, total.total())
    print(f"{agree.total()} of {total.total()} verdicts agree: {100 * rate:.2f} %; ptxas refuses {refused}")
    return rate


def digest(text: str) -> str:
    """A short hash of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def main() -> None:
    """Compare, print, and perhaps record."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=1, help="changes of every kind of every program")
    parser.add_argument("--first", type=int, default=0, help="number of the first")
    parser.add_argument("--source", default="", help="programs whose name begins so only")
    parser.add_argument("--kind", help="changes of this kind only")
    parser.add_argument("--record", type=int, metavar="N", help="write every N-th verdict to verdicts.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    good = known_sources()
    chosen = [one for one in mutants(options.each, options.first) if one.name.split()[0] in good]
    chosen = [one for one in chosen if options.kind in (None, one.kind) and one.name.startswith(options.source)]
    results = compared(chosen)
    report(results)
    if options.record:
        fixed = [result for result in results if not result[0].name.startswith(("rows:", "program:"))]
        kept = {one.name: [digest(one.text), other.accepted] for one, _, other in fixed[:: options.record]}
        VERDICTS.write_text(json.dumps(kept, indent=0) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
