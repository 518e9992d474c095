"""The core: windows of all GPUs, on one or several host threads.

GPUs hear from one another only at the ends of windows, so within a window they run independently; which thread runs which
GPU changes nothing. All threads take the same decision after each window from what the GPUs left in their blocks.
"""

from .dispatch import QUEUED, RUNNING, dispatch
from .far import far
from .hub import hub
from .hub.dam import CHANGES
from .jit import entry, inline, outline
from .layout import gpu_base
from .mem.step import QUANTUM, memory_step
from .net import switch
from .net.interface import LIVE
from .params import SMS, WINDOW_CYCLES
from .raw import BIG, address_of, atomic_add, atomic_load, prefetch_word, yield_core
from .sm.issue import run_sm
from .sm.near import bring_near
from .state import (
    BARRIER_COUNT,
    CTA_ENDED,
    FAULT,
    GPU_NEXT,
    GPU_STOP,
    GPUS,
    LAUNCH_COUNT,
    LAUNCH_STATE,
    NEXT,
    NOW,
    SM_WORDS,
    STOP,
    TRACE_ADDRESS,
    TRACE_COUNT,
    TRACE_ROOM,
    WARP_RECORD_COUNT,
    WARP_RECORD_ROOM,
    WINDOWS,
    Stop,
    sm_base,
)

_FAR_AHEAD = 3
"""SMs by which it is brought near when an SM goes on."""
SPINS = 2000
"""Polls of the thread barrier before the core is given to somebody else."""
WARP_RECORD_MARGIN = 16384


@far
def gather(A, P, gpu, begin, end):
    """Take in what other GPUs sent in the previous window."""
    switch.gather(A, P, gpu, begin, end)
    return 0


@outline
def run_quantum(A, P, g, gpu, q):
    """Run all SMs of a GPU for a quantum, then its memory step. Returns when something happens here next."""
    following = dispatch(A, P, g, gpu, q, q + QUANTUM)
    for index in range(P[SMS]):
        s = sm_base(A, P, gpu, index)
        prefetch_word(A, s + _FAR_AHEAD * SM_WORDS + NEXT)
        if A[s + SM_WORDS + NEXT] < q + QUANTUM:
            bring_near(A, s + SM_WORDS)
        if A[s + NEXT] < q + QUANTUM:
            run_sm(A, P, g, gpu, s, max(A[s + NEXT], q), q + QUANTUM, hub.packets_left(A, g, index))
    changes = A[g + CHANGES]
    following = min(following, memory_step(A, P, g, gpu, q))
    if A[g + CTA_ENDED] or A[g + CHANGES] != changes:
        A[g + CTA_ENDED] = 0
        return q + QUANTUM
    for index in range(P[SMS]):
        following = min(following, A[sm_base(A, P, gpu, index) + NEXT])
    return following


@inline
def _is_done(A, P, g):
    """Whether every launch of the GPU has ended and nothing is on its way."""
    for launch in range(A[g + LAUNCH_COUNT]):
        state = A[g + LAUNCH_STATE + launch]
        if state == QUEUED or state == RUNNING:
            return False
    return hub.idle(A, P, g) == 1


@inline
def _wants_to_stop(A, P, g):
    """The `Stop` this GPU asks for after a window."""
    if A[g + FAULT] != 0:
        return Stop.FAULT
    if A[g + TRACE_ADDRESS] != 0 and A[g + TRACE_COUNT] > A[g + TRACE_ROOM]:
        return Stop.DRAIN
    if A[g + WARP_RECORD_ROOM] > 0 and A[g + WARP_RECORD_COUNT] > A[g + WARP_RECORD_ROOM] - WARP_RECORD_MARGIN:
        return Stop.DRAIN
    if _is_done(A, P, g):
        return Stop.DONE
    return Stop.NONE


@inline
def _is_quiet(A, P, g):
    """Whether a GPU that had nothing left to do still has nothing after it heard from the others."""
    return A[g + LIVE] == 0 and hub.idle(A, P, g) == 1


@outline
def run_window(A, P, gpu, begin, end, parity):
    """Run one GPU for the window ``[begin, end)`` and leave what the others need to know."""
    g = gpu_base(gpu)
    if switch.may_carry(A, g):
        gather(A, P, gpu, begin, end)
    before = 1 - parity
    if A[g + GPU_STOP + before] == Stop.DONE and A[g + GPU_NEXT + before] >= end and _is_quiet(A, P, g):
        A[g + GPU_NEXT + parity] = A[g + GPU_NEXT + before]
        A[g + GPU_STOP + parity] = Stop.DONE
        return
    following = BIG
    for q in range(begin, end, QUANTUM):
        following = run_quantum(A, P, g, gpu, q)
    A[g + GPU_NEXT + parity] = following
    A[g + GPU_STOP + parity] = _wants_to_stop(A, P, g)


@inline
def _meet(A, threads):
    """Wait until all host threads are here."""
    if threads == 1:
        return
    counter = address_of(A, BARRIER_COUNT)
    arrived = atomic_add(counter, 1)
    target = (arrived // threads + 1) * threads
    spins = 0
    while atomic_load(counter) < target:
        spins += 1
        if spins > SPINS:
            yield_core()


@inline
def _decide(A, P, begin, parity, limit):
    """After a window, on every thread alike: why to stop, or 0."""
    following = BIG
    stop = Stop.DONE
    for gpu in range(A[GPUS]):
        g = gpu_base(gpu)
        following = min(following, A[g + GPU_NEXT + parity])
        wanted = A[g + GPU_STOP + parity]
        if wanted == Stop.NONE and stop == Stop.DONE:
            stop = Stop.NONE
        elif wanted != Stop.DONE and wanted != Stop.NONE:
            stop = max(stop, wanted) if stop != Stop.DONE else wanted
    if stop == Stop.NONE and following >= BIG:
        return Stop.DEADLOCK
    if stop == Stop.NONE and begin >= limit:
        return Stop.LIMIT
    return stop


@inline
def _next_begin(A, P, begin, parity):
    """Start of the next window: the following one, or the one in which something happens again."""
    window = P[WINDOW_CYCLES]
    following = BIG
    for gpu in range(A[GPUS]):
        following = min(following, A[gpu_base(gpu) + GPU_NEXT + parity])
    if following < BIG and following > begin + 4 * window:
        return following // window * window
    return begin + window


@entry
def run(A, P, thread, threads, windows, limit):
    """Simulate up to ``windows`` windows or to cycle ``limit`` on host thread ``thread`` of ``threads``."""
    begin = A[NOW]
    parity = A[WINDOWS] & 1
    stop = Stop.NONE
    done = 0
    while stop == Stop.NONE:
        for gpu in range(thread, A[GPUS], threads):
            run_window(A, P, gpu, begin, begin + P[WINDOW_CYCLES], parity)
        _meet(A, threads)
        stop = _decide(A, P, begin + P[WINDOW_CYCLES], parity, limit)
        begin = _next_begin(A, P, begin, parity)
        parity = 1 - parity
        done += 1
        if stop == Stop.NONE and done >= windows:
            stop = Stop.SLICE
    if thread == 0:
        A[NOW] = begin
        A[WINDOWS] += done
        A[STOP] = stop
