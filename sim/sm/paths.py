"""Divergence: a warp whose lanes disagree is a set of paths (pc, lanes); one is active at a time.

The active path is the one with the smallest key: deepest call first, then the lowest pc. For structured code that
reconverges lanes at the earliest point they share, with no annotations (thread frontiers). A path that jumps backwards
over and over while others wait gives way for a while (`PINNED`), to each of them in turn, so that a lane that holds a
lock can release it.
"""

from ..jit import inline, outline
from ..raw import BIG
from ..state import ACTIVE, DEPTH, JOIN, LIVE, PATH_COUNT, PATH_KEY, PATH_MASK, PATHS, PC, PINNED, SPIN

_DEPTH_SHIFT = 32
_TOP = 1 << 20
SPIN_LIMIT = 64
"""Backward jumps of the active path, others waiting, before another path may run."""
SPIN_COUNT = 255
"""Bits of `SPIN` that count them; above are those of the key of the path that ran last for a turn."""
TURN = 512
"""Instructions for which that other path runs."""
PARKED = 1 << 55
"""Added to the key of a path that waits for other lanes of its warp at a barrier or shuffle."""


@inline
def path_key(depth, pc):
    """Sort key of a path: deeper calls first, then lower pc."""
    return (_TOP - depth) << _DEPTH_SHIFT | pc


@inline
def _smallest(A, s, w):
    """Index of the waiting path with the smallest key; there is at least one."""
    best = 0
    for i in range(1, A[s + PATH_COUNT + w]):
        if A[s + PATH_KEY + w * PATHS + i] < A[s + PATH_KEY + w * PATHS + best]:
            best = i
    return best


@inline
def _update_join(A, s, w):
    A[s + JOIN + w] = BIG
    if A[s + PATH_COUNT + w] > 0:
        A[s + JOIN + w] = A[s + PATH_KEY + w * PATHS + _smallest(A, s, w)]


@inline
def _remove(A, s, w, index):
    last = A[s + PATH_COUNT + w] - 1
    A[s + PATH_KEY + w * PATHS + index] = A[s + PATH_KEY + w * PATHS + last]
    A[s + PATH_MASK + w * PATHS + index] = A[s + PATH_MASK + w * PATHS + last]
    A[s + PATH_COUNT + w] = last


@inline
def add_path(A, s, w, key, mask):
    """Let ``mask`` wait at ``key``, together with lanes that wait there already."""
    base = w * PATHS
    count = A[s + PATH_COUNT + w]
    for i in range(count):
        if A[s + PATH_KEY + base + i] == key:
            A[s + PATH_MASK + base + i] |= mask
            return
    A[s + PATH_KEY + base + count] = key
    A[s + PATH_MASK + base + count] = mask
    A[s + PATH_COUNT + w] = count + 1
    A[s + JOIN + w] = min(A[s + JOIN + w], key)


@inline
def _activate(A, s, w, index):
    key = A[s + PATH_KEY + w * PATHS + index]
    A[s + ACTIVE + w] = A[s + PATH_MASK + w * PATHS + index]
    A[s + PC + w] = key & 0xFFFFFFFF
    A[s + DEPTH + w] = _TOP - ((key & PARKED - 1) >> _DEPTH_SHIFT)
    _remove(A, s, w, index)


@outline
def step_diverged(A, s, w):
    """After an instruction of a warp with several paths: keep their order."""
    if A[s + PINNED + w] > 0:
        A[s + PINNED + w] -= 1
        if A[s + PINNED + w] == 0:
            unpin(A, s, w)
    elif A[s + JOIN + w] <= path_key(A[s + DEPTH + w], A[s + PC + w]):
        reconverge(A, s, w)


@outline
def reconverge(A, s, w):
    """The active path reached or passed the smallest waiting one: merge with it or give way to it."""
    if A[s + PINNED + w] > 0:
        return
    key = path_key(A[s + DEPTH + w], A[s + PC + w])
    while A[s + PATH_COUNT + w] > 0:
        best = _smallest(A, s, w)
        other = A[s + PATH_KEY + w * PATHS + best]
        if other > key:
            break
        if other == key:
            A[s + ACTIVE + w] |= A[s + PATH_MASK + w * PATHS + best]
            _remove(A, s, w, best)
            continue
        mask = A[s + ACTIVE + w]
        _activate(A, s, w, best)
        add_path(A, s, w, key, mask)
        key = other
    _update_join(A, s, w)


@outline
def next_path(A, s, w):
    """The active path is empty (its lanes exited or wait): run the smallest waiting one. False if there is none.

    If all of them are parked, that one meets the instruction it waits at again, which then knows that nobody else comes.
    """
    A[s + PINNED + w] = 0
    if A[s + PATH_COUNT + w] == 0:
        return False
    _activate(A, s, w, _smallest(A, s, w))
    _update_join(A, s, w)
    return True


@outline
def give_way(A, s, w):
    """The active path spins: let another run for a turn, the next in key order after that of the last turn."""
    key = path_key(A[s + DEPTH + w], A[s + PC + w])
    mask = A[s + ACTIVE + w]
    last = A[s + SPIN + w] // (SPIN_COUNT + 1)
    best = _smallest(A, s, w)
    chosen = PARKED
    for i in range(A[s + PATH_COUNT + w]):
        other = A[s + PATH_KEY + w * PATHS + i]
        if last < other < chosen:
            best, chosen = i, other
    A[s + SPIN + w] = (A[s + PATH_KEY + w * PATHS + best] & PARKED - 1) * (SPIN_COUNT + 1)
    _activate(A, s, w, best)
    add_path(A, s, w, key, mask)
    A[s + JOIN + w] = BIG
    A[s + PINNED + w] = TURN


@outline
def unpin(A, s, w):
    """The turn is over: back to the order of keys."""
    A[s + PINNED + w] = 0
    _update_join(A, s, w)
    if A[s + JOIN + w] <= path_key(A[s + DEPTH + w], A[s + PC + w]):
        reconverge(A, s, w)


@outline
def split(A, s, w, target, mask):
    """Lanes of ``mask`` jump to ``target``, the rest of the active path goes on at its pc (already advanced)."""
    rest = A[s + ACTIVE + w] & ~mask
    pinned = A[s + PINNED + w]
    A[s + PINNED + w] = 0
    depth = A[s + DEPTH + w]
    through = A[s + PC + w]
    if target < through:
        A[s + PC + w] = target
        A[s + ACTIVE + w] = mask
        add_path(A, s, w, path_key(depth, through), rest)
    else:
        A[s + ACTIVE + w] = rest
        add_path(A, s, w, path_key(depth, target), mask)
    if pinned > 0:
        A[s + PINNED + w] = pinned
        A[s + JOIN + w] = BIG


@inline
def retire(A, s, w, mask):
    """Lanes of ``mask`` exit. Returns the lanes of the warp that still live."""
    live = A[s + LIVE + w] & ~mask
    A[s + LIVE + w] = live
    A[s + ACTIVE + w] &= ~mask
    return live


@outline
def park_path(A, s, w, pc):
    """The active path waits at ``pc`` for other lanes; another path becomes active. False if all of them wait."""
    add_path(A, s, w, path_key(A[s + DEPTH + w], pc) + PARKED, A[s + ACTIVE + w])
    if A[s + PATH_KEY + w * PATHS + _smallest(A, s, w)] >= PARKED:
        A[s + ACTIVE + w] = 0
        return False
    next_path(A, s, w)
    return True


@outline
def gather_parked(A, s, w, pc):
    """Lanes parked at ``pc`` join the active path, which is there too."""
    key = path_key(A[s + DEPTH + w], pc) + PARKED
    for i in range(A[s + PATH_COUNT + w]):
        if A[s + PATH_KEY + w * PATHS + i] == key:
            A[s + ACTIVE + w] |= A[s + PATH_MASK + w * PATHS + i]
            _remove(A, s, w, i)
            break
    _update_join(A, s, w)


@outline
def unpark(A, s, w):
    """What the parked paths waited for has happened: they go on after it, the smallest one first."""
    for i in range(A[s + PATH_COUNT + w]):
        key = A[s + PATH_KEY + w * PATHS + i]
        if key >= PARKED:
            A[s + PATH_KEY + w * PATHS + i] = (key & PARKED - 1) + 1
    next_path(A, s, w)
