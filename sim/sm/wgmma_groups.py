"""Groups of a warp's matrix products: what wgmma.wait_group waits for.

Products of a warpgroup are complete in order, and when is known once they have begun, so a group is a time.
"""

from traces.records import Stall

from ..jit import inline
from ..layout import Layout
from ..state import COLD, CTAS, WARPS, WGMMA
from .scoreboard import schedule

_APART = 8
"""Groups of a warp that are told apart: wait_group leaves at most seven incomplete."""
_w = Layout(WGMMA)
ARRIVED = _w.field(CTAS * WARPS // 4)
"""Warps that wait at a wgmma, and how many of them with opaque values (from bit 3), by CTA slot and warpgroup."""
_OPEN = _w.field(WARPS)
"""Groups of the warp so far."""
_LATEST = _w.field(WARPS)
"""Cycle at which the warp's latest product is complete."""
_COMPLETE = _w.field(WARPS * _APART)
"""Cycle at which a group is complete."""
FENCED = _w.field(WARPS)
"""1: registers may have been written since the last product."""
assert _w.words <= WGMMA + 2048


@inline
def forget_products(A, s, w):
    """A new warp has no groups."""
    u = A[s + COLD]
    A[u + _OPEN + w] = 0
    A[u + _LATEST + w] = 0
    A[u + FENCED + w] = 1


@inline
def in_open_group(A, s, w, done):
    """The warp's next product is complete at cycle ``done``."""
    u = A[s + COLD]
    A[u + _LATEST + w] = max(A[u + _LATEST + w], done)


@inline
def commit(A, s, w):
    """The products since the last one form a group."""
    u = A[s + COLD]
    group = A[u + _OPEN + w]
    A[u + _COMPLETE + w * _APART + group % _APART] = A[u + _LATEST + w]
    A[u + _OPEN + w] = group + 1


@inline
def wait_groups(A, s, w, left, t):
    """Go on when at most ``left`` groups are not complete. Returns the warp's next issue cycle."""
    u = A[s + COLD]
    last = A[u + _OPEN + w] - left - 1
    done = A[u + _COMPLETE + w * _APART + last % _APART] if last >= 0 else 0
    return schedule(A, s, w, max(t + 1, done), Stall.GMMA if done > t + 1 else Stall.WAIT)
