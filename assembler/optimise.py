"""What ptxas does to a program before it runs, as far as it shows in time: `simplify`, `dead`, `schedule`.

Programs keep their results to the last bit and their lines: every step that is left is one of the source, or stands where
one stood. Text that names physical registers, and programs with `.target debug`, stay as they are.
"""

from __future__ import annotations

from assembler.dead import coalesce, dead_steps, drop_old_values
from assembler.facts import Facts, remove_steps
from assembler.program import Body, Program
from assembler.schedule import schedule
from assembler.simplify import simplify


def optimise(program: Program) -> None:
    """Rewrite every body of a program."""
    if "debug" in program.targets:
        return
    for body in program.bodies:
        if body.physical is None and body.steps:
            _optimise(program, body)


def _optimise(program: Program, body: Body) -> None:
    facts = Facts(program, body)
    simplify(facts)
    gone = dead_steps(facts)
    coalesce(facts, gone)
    drop_old_values(facts)
    remove_steps(body, gone)
    schedule(body)
