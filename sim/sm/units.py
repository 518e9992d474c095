"""Words of an SM that units of the whole SM keep: they lie behind the pipes that schedulers share."""

from ..state import PIPE_FREE

_SHARED = PIPE_FREE + 4 * 16
FENCE_FREE = _SHARED + 8
"""Cycle at which the next fence can begin."""
LOAD_TICKS = _SHARED + 9
"""1/1024 cycles that loads have taken of the LSU beyond the whole cycles it was reserved for."""
L1_SETS = _SHARED + 10
"""Sets of L1 beside what shared memory takes; 0: all of them."""
