"""Timed effects on an SM that come from elsewhere: arrivals at its mbarriers, completed copies.

They are kept in order and take effect when the SM gets to their cycle (issue.py). A sender posts them at least a quantum
ahead or to its own SM, so an SM never gets one for its past.
"""

from ..jit import inline, outline
from ..raw import BIG
from ..state import COLD, MAIL, MAIL_COUNT, MAIL_NEXT, MAIL_WORDS, MAILS, NEXT

PHASE, READ, WRITTEN = range(3)
"""Kinds: add ``value`` to the mbarrier object at host address ``what``; a bulk copy of group ``value`` of warp ``what``
has read its source, or is complete."""


@outline
def post(A, s, t, kind, what, value):
    """An effect on SM ``s`` at cycle ``t``. Returns False when the mailbox is full."""
    n = A[s + MAIL_COUNT]
    if n >= MAILS:
        return False
    box = A[s + COLD] + MAIL
    i = n
    while i > 0 and A[box + (i - 1) * MAIL_WORDS] <= t:
        i -= 1
    for j in range(n, i, -1):
        for k in range(MAIL_WORDS):
            A[box + j * MAIL_WORDS + k] = A[box + (j - 1) * MAIL_WORDS + k]
    at = box + i * MAIL_WORDS
    A[at] = t
    A[at + 1] = kind
    A[at + 2] = what
    A[at + 3] = value
    A[s + MAIL_COUNT] = n + 1
    A[s + MAIL_NEXT] = A[box + n * MAIL_WORDS]
    A[s + NEXT] = min(A[s + NEXT], t)
    return True


@inline
def take(A, s):
    """Remove the earliest effect. Arena index of its words, which stay until the next `post`."""
    n = A[s + MAIL_COUNT] - 1
    A[s + MAIL_COUNT] = n
    box = A[s + COLD] + MAIL
    A[s + MAIL_NEXT] = A[box + (n - 1) * MAIL_WORDS] if n > 0 else BIG
    return box + n * MAIL_WORDS
