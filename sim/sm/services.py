"""Calls into the device runtime: the host side does the work (sim/runtime.py), the warp waits as long as it takes."""

from isa.instr import Kind
from traces.records import Stall

from ..jit import outline
from ..params import FN_SERVICE
from ..raw import call
from ..state import FUNCTIONAL, LAST_EFFECT, SCRATCH
from .control import control_instruction
from .memory_space import fault
from .scoreboard import park, schedule, set_ready

ASSERTED = -(1 << 32)
"""Answer of the runtime to a failed assertion: the threads end here."""


@outline
def service(A, P, g, gpu, s, w, row, mask, t):
    """Execute a call. Returns the next issue cycle."""
    A[s + LAST_EFFECT] = t
    took = call(P[FN_SERVICE], gpu, s, w, row, mask, t, 0, 0)
    if took == ASSERTED:  # other threads go on and may fail too; the run ends when they have
        return control_instruction(A, P, g, s, w, row, Kind.EXIT, mask, t)
    if took < 0:
        lane = -took >> 8
        fault(A, g, s, w, -took & 255, lane, A[s + SCRATCH + lane], 1, t)
        return park(A, s, w)
    if A[FUNCTIONAL]:
        return t
    set_ready(A, s, w, row, t + took, Stall.LONG_SCOREBOARD)
    return schedule(A, s, w, t + took, Stall.LONG_SCOREBOARD)
