"""Answers to multicast requests, combined in the switch port of the requester (NVLS; DySHARP section III-D).

A multicast request takes an answer entry of its sender. Acknowledgements of its members are counted and the last one
is forwarded; responses of a load-reduce are added up and one response with the result goes on. The sum occupies an
entry of the port's reduction buffer from its first response to its last. Assumption: a reduction that finds the
buffer full is not merged; its responses go on one by one and the hub of the requester adds them up, which costs link
time only. Assumption: sums are formed in order of arrival at the switch.
"""

from ..jit import inline, outline
from ..params import SWITCH_REDUCE_CYCLES, SWITCH_REDUCE_ENTRIES, SWITCH_REDUCE_TICKS, TICKS
from ..raw import address_of
from .interface import (
    ANSWER_BUFFERED,
    ANSWER_FREED,
    ANSWER_FRESH,
    ANSWER_GOT,
    ANSWER_LEFT,
    ANSWER_NEXT,
    ANSWER_SUM,
    ANSWERS,
    BYPASSED,
    REDUCE_ENTRIES,
    REDUCE_FREE,
    REDUCED,
    SUM_SCRATCH,
    answer,
    new_row,
)
from .packet import (
    ADDR,
    AUX,
    BYTES,
    DATA,
    DST,
    ENTERED,
    FLITS,
    KIND,
    MASK_HI,
    MASK_LO,
    OP,
    ORDER,
    PLANE,
    SRC,
    TAG,
    VC,
    Packet,
)
from .port import LOCAL, arrive, forward, gpu_cycle, occupy_port
from .sums import sum_add, sum_begin, sum_result


@inline
def has_answer(A, g):
    """Whether an answer entry is free."""
    return A[g + ANSWER_FREED] > 0 or A[g + ANSWER_FRESH] < ANSWERS


@inline
def new_answer(A, g, count):
    """Entry + 1 for a request that ``count`` GPUs will answer."""
    index = A[g + ANSWER_FREED] - 1
    if index >= 0:
        A[g + ANSWER_FREED] = A[answer(g, index) + ANSWER_NEXT]
    else:
        index = A[g + ANSWER_FRESH]
        A[g + ANSWER_FRESH] = index + 1
    entry = answer(g, index)
    A[entry + ANSWER_LEFT] = count
    A[entry + ANSWER_GOT] = 0
    return index + 1


@inline
def _free_answer(A, g, index):
    """The request has been answered."""
    A[answer(g, index) + ANSWER_NEXT] = A[g + ANSWER_FREED]
    A[g + ANSWER_FREED] = index + 1


@inline
def merge_ack(A, P, g, plane, row, tick):
    """Count an acknowledgement; the last one goes on. Returns when it has left the switch."""
    index = A[row + AUX] - 1
    entry = answer(g, index)
    A[entry + ANSWER_LEFT] -= 1
    if A[entry + ANSWER_LEFT] > 0:
        return tick
    _free_answer(A, g, index)
    return forward(A, P, g, plane, row, tick)


@inline
def _result(A, g, row, total):
    """The answer that the requester's SM gets: a response with the sum."""
    result = new_row(A, g)
    for field in (SRC, DST, ADDR, MASK_LO, MASK_HI, BYTES, FLITS, TAG, OP, VC, ORDER):
        A[result + field] = A[row + field]
    A[result + KIND] = Packet.LOAD_RESP
    A[result + PLANE] = LOCAL
    A[result + ENTERED] = A[row + ENTERED]
    sum_result(address_of(A, result + DATA), total, A[row + OP], A[row + MASK_LO], A[row + MASK_HI])
    return result


@inline
def _accumulate(A, P, g, plane, row, entry):
    """Add a response to the sum of its request."""
    total = address_of(A, entry + ANSWER_SUM)
    data = address_of(A, row + DATA)
    if A[entry + ANSWER_GOT] == 0:
        A[entry + ANSWER_BUFFERED] = 1 if A[g + REDUCE_ENTRIES + plane] < P[SWITCH_REDUCE_ENTRIES] else 0
        A[g + REDUCE_ENTRIES + plane] += A[entry + ANSWER_BUFFERED]
        sum_begin(total, data, A[row + OP], A[row + MASK_LO], A[row + MASK_HI])
    else:
        scratch = address_of(A, g + SUM_SCRATCH)
        sum_add(P, total, data, scratch, A[row + OP], A[row + MASK_LO], A[row + MASK_HI])
    A[entry + ANSWER_GOT] += 1
    A[entry + ANSWER_LEFT] -= 1
    return total


@outline
def reduce_response(A, P, g, plane, row, tick):
    """Take a response of a load-reduce at the port of its requester. Returns when it has left the switch's input."""
    index = A[row + AUX] - 1
    entry = answer(g, index)
    total = _accumulate(A, P, g, plane, row, entry)
    last = A[entry + ANSWER_LEFT] == 0
    if last:
        _free_answer(A, g, index)
    if A[entry + ANSWER_BUFFERED] == 0:
        A[g + BYPASSED] += 1
        left = occupy_port(A, P, g, plane, row, tick)
        if last:
            arrive(A, P, g, plane, _result(A, g, row, total), gpu_cycle(P, left))
        return left
    A[g + REDUCED] += 1
    start = max(tick, A[g + REDUCE_FREE + plane])
    A[g + REDUCE_FREE + plane] = start + P[SWITCH_REDUCE_TICKS]
    if last:
        A[g + REDUCE_ENTRIES + plane] -= 1
        forward(A, P, g, plane, _result(A, g, row, total), start + P[SWITCH_REDUCE_CYCLES] * TICKS)
    return start
