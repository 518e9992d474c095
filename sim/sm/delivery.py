"""What the timed effects of an SM's mailbox do when their cycle has come."""

from ..far import far
from ..state import MAIL_NEXT
from .mailbox import take
from .mbarrier_object import add


@far
def deliver(A, P, s, until):
    """Apply the effects on SM ``s`` of cycles before ``until``."""
    while A[s + MAIL_NEXT] < until:
        at = take(A, s)
        add(A, s, A[at + 2], A[at + 3], A[at])
    return 0
