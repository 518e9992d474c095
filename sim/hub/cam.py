"""A content-addressed table with first-in first-out replacement: the RAT and the AL TLB.

Words: count, hand, then ``size`` hash buckets, keys, chain links and values. ``size`` is the storage, a power of two;
``limit`` how many entries the configuration allows. Keys are positive.
"""

from ..jit import inline, outline


def cam_words(size: int) -> int:
    """Words a table of ``size`` entries takes."""
    return 2 + 4 * size


@inline
def spread(key):
    """A hash of a key, 36 bits."""
    folded = (key ^ key >> 30) & 0x3FFFFFFF
    return folded * 0x9E3779B1 >> 26


@outline
def cam_find(A, c, size, key):
    """Arena index of the key's value, or 0."""
    i = A[c + 2 + (spread(key) & size - 1)]
    while i > 0:
        if A[c + 2 + size + i - 1] == key:
            return c + 2 + 3 * size + i - 1
        i = A[c + 2 + 2 * size + i - 1]
    return 0


@inline
def _unlink(A, c, size, i):
    """Take entry ``i`` out of its hash chain."""
    at = c + 2 + (spread(A[c + 2 + size + i]) & size - 1)
    while A[at] != i + 1:
        at = c + 2 + 2 * size + A[at] - 1
    A[at] = A[c + 2 + 2 * size + i]


@outline
def cam_insert(A, c, size, limit, key, value):
    """Add a key that is not there. Returns the key it displaced, or 0."""
    i = A[c]
    displaced = 0
    if i < limit:
        A[c] = i + 1
    else:
        i = A[c + 1]
        A[c + 1] = (i + 1) % limit
        displaced = A[c + 2 + size + i]
        _unlink(A, c, size, i)
    bucket = c + 2 + (spread(key) & size - 1)
    A[c + 2 + size + i] = key
    A[c + 2 + 2 * size + i] = A[bucket]
    A[c + 2 + 3 * size + i] = value
    A[bucket] = i + 1
    return displaced
