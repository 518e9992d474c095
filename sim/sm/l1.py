"""L1 data cache: 128-byte lines of four sectors, write-through, no allocation on stores."""

from ..jit import inline, outline
from ..params import L1_FREE_SHARED, L1_LINES, L1_WAYS
from ..raw import BIG, popcount
from ..state import L1_EPOCH, L1_FILLED, L1_HITS, L1_MAX_LINES, L1_MISSES, L1_SECTORS, L1_TAG, L1_USED
from .units import L1_SETS


@inline
def _set_of(A, P, s, line):
    ways = P[L1_WAYS]
    sets = A[s + L1_SETS]
    if sets == 0:
        sets = min(P[L1_LINES], L1_MAX_LINES) // ways
    return (line ^ line >> 6) % sets * ways


@inline
def _tag(A, s, line):
    """Lines of an earlier epoch do not match, which makes forgetting them free."""
    return A[s + L1_EPOCH] << 36 | line + 1


@outline
def l1_lookup(A, P, s, t, line, sectors):
    """Look up sectors of a line for a load and allocate what is missing.

    Returns ``missing sectors | way << 8``; with nothing missing, the data is there at ``A[s + L1_FILLED + way]``, which
    is BIG while the line is still on its way.
    """
    base = _set_of(A, P, s, line)
    victim = base
    tag = _tag(A, s, line)
    for way in range(base, base + P[L1_WAYS]):
        if A[s + L1_TAG + way] == tag:
            A[s + L1_USED + way] = t
            missing = sectors & ~A[s + L1_SECTORS + way]
            A[s + L1_SECTORS + way] |= missing
            A[s + L1_HITS] += popcount(sectors & ~missing)
            A[s + L1_MISSES] += popcount(missing)
            if missing:
                A[s + L1_FILLED + way] = BIG
            return missing | way << 8
        if A[s + L1_USED + way] < A[s + L1_USED + victim]:
            victim = way
    A[s + L1_MISSES] += popcount(sectors)
    A[s + L1_TAG + victim] = tag
    A[s + L1_SECTORS + victim] = sectors
    A[s + L1_USED + victim] = t
    A[s + L1_FILLED + victim] = BIG
    return sectors | victim << 8


@inline
def l1_fill(A, s, way, line, when):
    """The missing sectors of a line arrive at cycle ``when`` (unless it was replaced meanwhile)."""
    if A[s + L1_TAG + way] == _tag(A, s, line):
        A[s + L1_FILLED + way] = when


@inline
def l1_resize(A, P, s, shared):
    """Give L1 what shared memory leaves: the driver sets the smallest of its sizes that holds ``shared`` bytes (CUDA
    programming guide, compute capability 9.0)."""
    kilobytes = 228
    for size in (196, 164, 132, 100, 64, 32, 16, 8, 0):
        if shared <= size * 1024:
            kilobytes = size
    lines = min(P[L1_LINES], L1_MAX_LINES) - max(0, kilobytes * 1024 - P[L1_FREE_SHARED]) // 128
    A[s + L1_SETS] = max(1, lines // P[L1_WAYS])


@inline
def l1_invalidate(A, s):
    """Forget everything: at the start of a kernel, and at an acquire."""
    A[s + L1_EPOCH] += 1
