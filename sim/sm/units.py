"""Words of an SM that units of the whole SM keep: they lie behind the pipes that schedulers share."""

from ..state import PIPE_FREE

_SHARED = PIPE_FREE + 4 * 16
FENCE_FREE = _SHARED + 8
"""Cycle at which the next fence can begin."""
LOAD_TICKS = _SHARED + 9
"""1/1024 cycles that loads have taken of the LSU beyond the whole cycles it was reserved for."""
PARAM_LAUNCH = _SHARED + 14
"""Number + 1 of the launch whose parameters the constant cache has."""
PARAM_READY = _SHARED + 15
"""Cycle at which they are there."""
LSU_GIVEN = _SHARED + 11
"""Cycles of the LSU that the access at issue was given when it reserved the unit, which is what the one before took."""
LSU_TOOK = _SHARED + 12
"""Cycles of the LSU that the access at issue really takes."""
LSU_TAKES = _SHARED + 13
"""Cycles that the last access took: what the next one is given."""
L1_SETS = _SHARED + 10
"""Sets of L1 beside what shared memory takes; 0: all of them."""
