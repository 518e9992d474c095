"""Warns of instructions no path reaches."""

from __future__ import annotations

from assembler.flow import reachable
from assembler.liveness import body_blocks
from assembler.problems import Problems
from assembler.program import Body
from isa.instr import Kind

_PADDING = (Kind.RET, Kind.EXIT, Kind.TRAP, Kind.BRA, Kind.BRX)
"""What compilers leave behind a branch without meaning anything by it."""


def warn_unreachable(body: Body, problems: Problems) -> None:
    """One warning for each block that cannot run and does something."""
    if any(at < 0 for at in body.labels):
        return
    blocks = body_blocks(body)
    for block, seen in zip(blocks, reachable(blocks), strict=True):
        steps = body.steps[block.start : block.end]
        if not seen and not all(step.kind in _PADDING for step in steps):
            problems.warning("unreachable", "no path leads to this instruction", steps[0].place)
