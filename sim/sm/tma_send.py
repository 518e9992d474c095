"""What the tensor memory accelerators send in a quantum: requests to L2, packets to the hub."""

from ..far import far
from ..jit import inline
from ..params import SMS, TICKS
from ..raw import popcount
from ..state import REQUEST_COUNT, REQUESTS, SM_ARENA, SM_WORDS, TMA_BUSY, Request
from .bulk_peer import send_lines
from .requests import request
from .tma import BEGIN, COPIES, KIND, LEFT, LINE, LINE_HEAD, LINES, SENT, TAIL, forget, interval, unit

_QUANTUM = 128


@inline
def _send_requests(A, P, s, i, until):
    """Send the requests of a copy within the GPU that leave before cycle ``until``. Returns the tick of the next one."""
    u = unit(A, s)
    kind = A[u + KIND + i]
    ticks = A[u + BEGIN + i]
    while A[u + LEFT + i] > 0 and ticks < until * TICKS and A[s + REQUEST_COUNT] < REQUESTS - 200:
        word = A[u + LINE + A[u + LINE_HEAD] % LINES]
        A[u + LINE_HEAD] += 1
        A[u + LEFT + i] -= 1
        index = 8 * popcount(word & 15) if kind == Request.TMA_REDUCE else i
        request(A, s, ticks // TICKS, word >> 4, word & 15, kind, index, 0, -1)
        ticks += interval(P, kind, word & 15)
    return ticks


@far
def tma_send(A, P, g, gpu, s, until):
    """Send what leaves one SM before cycle ``until``. Returns whether anything is left."""
    u = unit(A, s)
    while A[u + SENT] < A[u + TAIL]:
        i = A[u + SENT] % COPIES
        if A[u + KIND + i] == Request.TMA_PEER:
            A[u + BEGIN + i] = send_lines(A, P, g, gpu, s, i, until - _QUANTUM, until)
        else:
            A[u + BEGIN + i] = _send_requests(A, P, s, i, until)
        if A[u + LEFT + i] > 0:
            return 1
        A[u + SENT] += 1
        A[s + TMA_BUSY] -= 1
        forget(A, s)
    return 0


@inline
def tma_requests(A, P, g, gpu, q):
    """Send what leaves all SMs in the quantum from ``q`` on. Returns how many SMs have more of it."""
    busy = 0
    for index in range(P[SMS]):
        s = A[SM_ARENA] + (gpu * P[SMS] + index) * SM_WORDS
        if A[s + TMA_BUSY] > 0:
            busy += tma_send(A, P, g, gpu, s, q + _QUANTUM)
    return busy
