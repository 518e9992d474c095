"""What the timed effects of an SM's mailbox do when their cycle has come."""

from ..far import far
from ..state import MAIL_NEXT
from .bulk_groups import group_progress
from .cta import free_warp
from .mailbox import PHASE, take
from .mbarrier_object import add


@far
def deliver(A, P, s, until):
    """Apply the effects on SM ``s`` of cycles before ``until``."""
    while A[s + MAIL_NEXT] < until:
        at = take(A, s)
        if A[at + 1] == PHASE:
            add(A, s, A[at + 2], A[at + 3], A[at])
        elif group_progress(A, s, A[at + 2], A[at + 1], A[at + 3], A[at]):
            free_warp(A, s, A[at + 2])
    return 0
