"""Asynchronous copies from global to shared memory (PTX ISA 9.0, 9.7.9.25)."""

from __future__ import annotations

from .instr import Instr, Kind
from .memory import HINT, PREFETCH

_PTX = "PTX ISA 9.0, 9.7.9.25."
_TYPES = {"size": "b32", "src_size": "b32", "policy": "b64"}
_TEXT = "copy size bytes from global memory a to shared memory d; src_size of them, the rest zeros"


def _copy(cop: str, *, hint: bool) -> Instr:
    operands = "[d], [a], size{, src_size}" + ("{, policy}" if hint else "")
    syntax = f"cp.async.cop.shared.global{'.hint' if hint else ''}{{.prefetch}} {operands}"
    slots = {"cop": (cop,), "prefetch": PREFETCH}
    if hint:
        slots["hint"] = HINT
    types = _TYPES if hint else {"size": "b32", "src_size": "b32"}
    sizes = {"size": (4, 8, 16) if cop == "ca" else (16,), "src_size": range(17)}
    return Instr(syntax, slots, Kind.CPASYNC, "lsu", _TEXT, _PTX + "3.1", operand_types=types, forms={"size": "imm"},
                 allowed=sizes, needs={"policy": "hint"} if hint else {})  # fmt: skip


ROWS = (
    *(_copy(cop, hint=hint) for cop in ("ca", "cg") for hint in (False, True)),
    Instr("cp.async.commit_group", {}, Kind.CPASYNC_COMMIT, "misc", "the copies since the last one form a group",
          _PTX + "3.2"),
    Instr("cp.async.wait_group n", {}, Kind.CPASYNC_WAIT, "misc",
          "wait until at most n groups of this thread are missing",
          _PTX + "3.3", operand_types={"n": "b32"}, forms={"n": "imm"}),
    Instr("cp.async.mbarrier.arrive{.noinc}{.space}.b64 [a]", {"space": ("shared",)}, Kind.CPASYNC_ARRIVE, "lsu",
          "arrive at the mbarrier a once this thread's earlier copies are complete; without .noinc it expects one more",
          "PTX ISA 9.0, 9.7.13.15.16"),
    Instr("cp.async.wait_all", {}, Kind.CPASYNC_WAIT, "misc", "wait for all copies of this thread", _PTX + "3.3"),
)  # fmt: skip
