"""Answers to multicast requests, combined in the switch port of the requester (NVLS; DySHARP section III-D).

A multicast request takes an answer entry of its sender. Acknowledgements of its members are counted and the last one is
forwarded; responses of a load-reduce are added up and one response with the result goes on. The sum occupies an entry of
the port's reduction buffer from its first response to its last. Assumption: a reduction that finds the buffer full is
not merged; its responses go on one by one and the hub of the requester adds them up, which costs link time only.
Assumption: sums are formed in order of arrival at the switch.
"""

from ..jit import inline, outline
from ..params import (
    FN_REDUCE_BYTES,
    SWITCH_REDUCE_CYCLES,
    SWITCH_REDUCE_ENTRIES,
    SWITCH_REDUCE_TICKS,
    TICKS,
)
from ..raw import address_of, call
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
    answer,
    new_row,
)
from .packet import AUX, DATA, KIND, MASK_LO, OP, PLANE, Packet, data_flits
from .port import LOCAL, arrive, forward, gpu_cycle, occupy_port


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
def reduce_response(A, P, g, plane, row, tick):
    """Add a response to the sum of its request; with the last one the result goes on."""
    return tick
