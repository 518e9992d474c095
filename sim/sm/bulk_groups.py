"""Bulk groups: what cp.async.bulk.wait_group waits for.

Counted per warp: a group of a lane is never newer than the warp's group of that number, so nobody waits too short.
"""

from isa.instr import Kind
from traces.records import Stall

from ..far import far
from ..jit import inline, outline
from ..state import BLOCK, NEXT, PENDING, R_IMM, R_SUB, WARPS, Block
from .mailbox import READ, WRITTEN, post
from .scoreboard import park, schedule
from .tma import GROUPS, unit

_APART = 8
"""Groups of a warp that are told apart; older ones are waited for together with newer ones."""
_OPEN, _TARGET, _PENDING = GROUPS, GROUPS + WARPS, GROUPS + 2 * WARPS
"""By warp: the open group's number; the group before which all must be done, and how, that the warp waits for; copies in
flight by kind, warp and group."""


@inline
def _pending(kind, w, group):
    """Word of the count of copies of a group that have not read their source, or are not complete."""
    return _PENDING + ((kind - READ) * WARPS + w) * _APART + group % _APART


@inline
def forget_groups(A, s, w):
    """A new warp has no groups."""
    u = unit(A, s)
    A[u + _OPEN + w] = 0
    for i in range(_APART):
        A[u + _pending(READ, w, i)] = 0
        A[u + _pending(WRITTEN, w, i)] = 0


@inline
def open_copy(A, s, w):
    """A copy joins the open group. Returns the group's number; `group_progress` is to be told of both ends of the copy."""
    u = unit(A, s)
    group = A[u + _OPEN + w]
    A[s + PENDING + w] += 1
    A[u + _pending(READ, w, group)] += 1
    A[u + _pending(WRITTEN, w, group)] += 1
    return group


@outline
def in_group(A, s, w, read, written):
    """A copy of the open group that has read its source, and is complete, at these cycles."""
    u = unit(A, s)
    group = open_copy(A, s, w)
    if not post(A, s, read, READ, w, group) or not post(A, s, written, WRITTEN, w, group):
        for kind in range(READ, WRITTEN + 1):
            A[u + _pending(kind, w, group)] = 0
        A[s + PENDING + w] -= 1


@inline
def _complete(A, s, w, kind, target):
    """Whether no copy of a group below ``target`` is in flight."""
    u = unit(A, s)
    for group in range(max(0, target - _APART), target):
        if A[u + _pending(kind, w, group)] > 0:
            return False
    return True


@inline
def group_progress(A, s, w, kind, group, t):
    """A copy of a group has read its source, or is complete, at cycle ``t``. Returns whether an ended warp may go."""
    u = unit(A, s)
    A[u + _pending(kind, w, group)] -= 1
    A[s + PENDING + w] -= kind == WRITTEN
    if A[s + BLOCK + w] == Block.DRAIN:
        return A[s + PENDING + w] == 0
    waited = A[u + _TARGET + w]
    if A[s + BLOCK + w] == Block.BULK and _complete(A, s, w, waited & 3, waited >> 2):
        A[s + BLOCK + w] = Block.NONE
        A[s + NEXT] = min(A[s + NEXT], schedule(A, s, w, t, Stall.LONG_SCOREBOARD))
    return False


@far
def bulk_wait(A, P, s, w, row, kind, t):
    """``commit_group``, or ``wait_group n`` (sub bit 0: ``.read``). Returns the warp's next issue cycle."""
    u = unit(A, s)
    if kind == Kind.BULK_COMMIT:
        A[u + _OPEN + w] += 1
        return schedule(A, s, w, t + 1, Stall.WAIT)
    what = READ if A[row + R_SUB] & 1 else WRITTEN
    target = max(0, A[u + _OPEN + w] - A[row + R_IMM])
    if _complete(A, s, w, what, target):
        return schedule(A, s, w, t + 1, Stall.WAIT)
    A[s + BLOCK + w] = Block.BULK
    A[u + _TARGET + w] = target << 2 | what
    return park(A, s, w)
