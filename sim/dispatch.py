"""Compute work distributor: which launches run, and which SM gets their next thread block.

Launches of one stream follow one another; a launch may also be gated, then the DAM says which groups of its thread blocks
may start (MoE-Hub section IV-C).
"""

from .far import far
from .hub import hub
from .hub.dam import close_key
from .jit import inline, outline
from .mem.l2 import WRITTEN
from .params import CTA_INTERVAL_TICKS, GPCS, KERNEL_GAP, SMEM_RESERVED_BYTES, SMS, TICKS
from .raw import BIG, ctz
from .sm.cluster import cluster_size, join, new_cluster
from .sm.cta import fits, room, start_cta
from .sm.l1 import l1_invalidate, l1_resize
from .state import (
    BLOCK_X,
    BLOCK_Y,
    BLOCK_Z,
    CLUSTER_X,
    CLUSTER_Y,
    CLUSTER_Z,
    DISPATCH_GPC,
    DISPATCH_SM,
    DISPATCH_TICKS,
    FUNCTIONAL,
    GPUS,
    GRID_X,
    GRID_Y,
    GRID_Z,
    GROUPS,
    LAUNCH_AFTER,
    LAUNCH_AXIS,
    LAUNCH_BEGIN,
    LAUNCH_CLOSES,
    LAUNCH_COUNT,
    LAUNCH_DONE,
    LAUNCH_END,
    LAUNCH_ENDING,
    LAUNCH_EVENTS,
    LAUNCH_GATE,
    LAUNCH_GROUP,
    LAUNCH_GROUP_FIRST,
    LAUNCH_READY,
    LAUNCH_SHARED,
    LAUNCH_STARTED,
    LAUNCH_STATE,
    LAUNCH_TOTAL,
    NEXT,
    SHARED_USED,
    WAKE,
    WARPS,
    sm_base,
)

EMPTY, QUEUED, RUNNING, DONE = range(4)
"""State of a launch."""


@inline
def _group_size(A, g, launch):
    """Thread blocks of a gated launch that share an index on its axis."""
    axis = A[g + LAUNCH_AXIS + launch]
    x, y, z = A[g + GRID_X + launch], A[g + GRID_Y + launch], A[g + GRID_Z + launch]
    return y * z if axis == 0 else x * z if axis == 1 else x * y


@inline
def _groups(A, g, launch):
    """Groups of a gated launch."""
    axis = A[g + LAUNCH_AXIS + launch]
    return A[g + GRID_X + launch] if axis == 0 else A[g + GRID_Y + launch] if axis == 1 else A[g + GRID_Z + launch]


@inline
def _member(A, g, launch, group, k):
    """Linear index of the ``k``-th thread block of a group."""
    axis = A[g + LAUNCH_AXIS + launch]
    x, y = A[g + GRID_X + launch], A[g + GRID_Y + launch]
    if axis == 0:
        return group + x * k
    if axis == 1:
        return k % x + x * (group + y * (k // x))
    return k + x * y * group


@outline
def _next_gated(A, P, g, launch):
    """Linear index of a thread block whose group is ready, or -1. Groups that turned out empty are retired."""
    groups = _groups(A, g, launch)
    size = _group_size(A, g, launch)
    gate = A[g + LAUNCH_GATE + launch] - 1
    base = g + LAUNCH_GROUP + launch * GROUPS
    first = A[g + LAUNCH_GROUP_FIRST + launch]
    while first < groups and A[base + first] >= size:
        first += 1
    A[g + LAUNCH_GROUP_FIRST + launch] = first
    for group in range(first, groups):
        started = A[base + group]
        if started >= size:
            continue
        ready = hub.group_ready(A, g, gate, group)
        if ready == 1:
            return _member(A, g, launch, group, started) | group << 40
        if ready == 2:
            A[base + group] = size
            A[g + LAUNCH_STARTED + launch] += size - started
            A[g + LAUNCH_DONE + launch] += size - started
    return -1


@inline
def _start_next(A, P, g, gpu, launch, linear, q):
    """Give a thread block to the next SM with room. False if none has."""
    sms = A[FUNCTIONAL] if A[FUNCTIONAL] > 0 else P[SMS]
    for i in range(sms):
        index = (A[g + DISPATCH_SM] + i) % sms
        s = sm_base(A, P, gpu, index)
        if not fits(A, P, g, s, launch):
            continue
        ticks = max(A[g + DISPATCH_TICKS], q * TICKS)
        A[g + DISPATCH_TICKS] = ticks + P[CTA_INTERVAL_TICKS]
        start_cta(A, P, g, s, launch, linear, ticks // TICKS)
        A[g + DISPATCH_SM] = (index + 1) % sms
        if A[FUNCTIONAL] == 0:
            for w in range(WARPS):
                A[s + NEXT] = min(A[s + NEXT], A[s + WAKE + w])
        return True
    return False


@inline
def _in_gpc(P, index, gpc):
    """Whether an SM is in a GPC: pairs of SMs (TPCs) are dealt to the GPCs in turn; -1 is any GPC."""
    return gpc < 0 or index // 2 % P[GPCS] == gpc


@outline
def _gpc_has_room(A, P, gpu, g, launch, gpc, sms):
    """Whether a cluster of the launch fits on the SMs of a GPC."""
    wanted = cluster_size(A, g, launch)
    for index in range(sms):
        if _in_gpc(P, index, gpc):
            wanted -= room(A, P, g, sm_base(A, P, gpu, index), launch)
            if wanted <= 0:
                return True
    return False


@inline
def _linear(A, g, launch, number, rank):
    """Linear index of the CTA of a rank in the cluster of a number."""
    x, y, z = A[g + CLUSTER_X + launch], A[g + CLUSTER_Y + launch], A[g + CLUSTER_Z + launch]
    across, down = A[g + GRID_X + launch] // x, A[g + GRID_Y + launch] // y
    i = number % across * x + rank % x
    j = number // across % down * y + rank // x % y
    k = number // (across * down) * z + rank // (x * y)
    return i + A[g + GRID_X + launch] * (j + A[g + GRID_Y + launch] * k)


@inline
def _roomiest(A, P, g, gpu, launch, gpc, sms):
    """Arena index of the SM of a GPC that can take most further CTAs of the launch, the first of several."""
    best, most = 0, 0
    for index in range(sms):
        if _in_gpc(P, index, gpc):
            s = sm_base(A, P, gpu, index)
            n = room(A, P, g, s, launch)
            if n > most:
                best, most = s, n
    return best


@outline
def _place_cluster(A, P, g, gpu, launch, number, gpc, sms, q):
    """Start the CTAs of a cluster, each on the emptiest SM of the GPC."""
    k = new_cluster(A, g)
    threads = A[g + BLOCK_X + launch] * A[g + BLOCK_Y + launch] * A[g + BLOCK_Z + launch]
    for rank in range(cluster_size(A, g, launch)):
        s = _roomiest(A, P, g, gpu, launch, gpc, sms)
        ticks = max(A[g + DISPATCH_TICKS], q * TICKS)
        A[g + DISPATCH_TICKS] = ticks + P[CTA_INTERVAL_TICKS]
        c = start_cta(A, P, g, s, launch, _linear(A, g, launch, number, rank), ticks // TICKS)
        join(A, g, k, rank, s, c, threads)
        for w in range(WARPS):
            A[s + NEXT] = min(A[s + NEXT], A[s + WAKE + w])


@outline
def _start_cluster(A, P, g, gpu, launch, number, q):
    """Give a cluster to the next GPC with room. False if none has. Without time, all SMs are one GPC."""
    sms = A[FUNCTIONAL] if A[FUNCTIONAL] > 0 else P[SMS]
    gpcs = 1 if A[FUNCTIONAL] > 0 else P[GPCS]
    for i in range(gpcs):
        gpc = (A[g + DISPATCH_GPC] + i) % gpcs
        which = -1 if A[FUNCTIONAL] > 0 else gpc
        if _gpc_has_room(A, P, gpu, g, launch, which, sms):
            _place_cluster(A, P, g, gpu, launch, number, which, sms, q)
            A[g + DISPATCH_GPC] = (gpc + 1) % gpcs
            return True
    return False


@inline
def _dispatch(A, P, g, gpu, launch, q, until):
    """Start thread blocks of a running launch during this quantum."""
    while A[g + LAUNCH_STARTED + launch] < A[g + LAUNCH_TOTAL + launch] and A[g + DISPATCH_TICKS] < until * TICKS:
        linear = A[g + LAUNCH_STARTED + launch]
        size = cluster_size(A, g, launch)
        if size > 1:
            if not _start_cluster(A, P, g, gpu, launch, linear // size, q):
                return
            A[g + LAUNCH_STARTED + launch] += size
            continue
        gated = A[g + LAUNCH_GATE + launch] > 0
        if gated:
            linear = _next_gated(A, P, g, launch)
            if linear < 0:
                return
        if not _start_next(A, P, g, gpu, launch, linear & (1 << 40) - 1, q):
            return
        if gated:
            A[g + LAUNCH_GROUP + launch * GROUPS + (linear >> 40)] += 1
        A[g + LAUNCH_STARTED + launch] += 1


@inline
def _blocked(A, g, launch):
    """Whether a launch that this one must follow, in its stream or by an event, is not done."""
    after = A[g + LAUNCH_AFTER + launch] - 1
    blocked = after >= 0 and A[g + LAUNCH_STATE + after] != DONE
    for half in range(2):
        events = A[g + LAUNCH_EVENTS + 2 * launch + half]
        while events != 0:
            blocked = blocked or A[g + LAUNCH_STATE + 63 * half + ctz(events)] != DONE
            events &= events - 1
    return blocked


@outline
def _may_begin(A, P, g, launch, until):
    """Whether a queued launch can begin before cycle ``until``; sets when."""
    if _blocked(A, g, launch):
        return False
    after = A[g + LAUNCH_AFTER + launch] - 1
    begin = A[g + LAUNCH_READY + launch]
    if after >= 0:
        begin = max(begin, A[g + LAUNCH_END + after] + P[KERNEL_GAP])
    for half in range(2):
        events = A[g + LAUNCH_EVENTS + 2 * launch + half]
        while events != 0:
            begin = max(begin, A[g + LAUNCH_END + 63 * half + ctz(events)] + P[KERNEL_GAP])
            events &= events - 1
    A[g + LAUNCH_BEGIN + launch] = begin
    return begin < until


@far
def hub_end(A, P, g, gpu, t, key):
    """Tell all GPUs that this one has sent all its row stores."""
    hub.end(A, P, g, gpu, A[GPUS], t, key)
    return 0


@inline
def _announce_end(A, P, g, gpu, launch, t):
    """A launch is done: gates may wait for that, here or on all GPUs."""
    if A[g + LAUNCH_ENDING + launch] > 0:
        hub_end(A, P, g, gpu, t, A[g + LAUNCH_ENDING + launch] - 1)
    if A[g + LAUNCH_CLOSES + launch] > 0:
        close_key(A, P, g, t, A[g + LAUNCH_CLOSES + launch] - 1)


@far
def dispatch(A, P, g, gpu, q, until):
    """Begin, feed and end launches during ``[q, until)``. Returns the cycle of the next launch that is due, or BIG."""
    due = BIG
    for launch in range(A[g + LAUNCH_COUNT]):
        state = A[g + LAUNCH_STATE + launch]
        if state == QUEUED:
            if not _may_begin(A, P, g, launch, until):
                if not _blocked(A, g, launch):
                    due = min(due, A[g + LAUNCH_BEGIN + launch])
                continue
            A[g + LAUNCH_STATE + launch] = RUNNING
            if A[FUNCTIONAL] == 0:
                shared = A[g + LAUNCH_SHARED + launch] + P[SMEM_RESERVED_BYTES]
                for index in range(P[SMS]):
                    s = sm_base(A, P, gpu, index)
                    l1_invalidate(A, s)
                    l1_resize(A, P, s, A[s + SHARED_USED] + room(A, P, g, s, launch) * shared)
            state = RUNNING
        if state == RUNNING:
            _dispatch(A, P, g, gpu, launch, max(q, A[g + LAUNCH_BEGIN + launch]), until)
            if A[g + LAUNCH_DONE + launch] == A[g + LAUNCH_TOTAL + launch]:
                A[g + LAUNCH_STATE + launch] = DONE
                end = max(A[g + LAUNCH_END + launch], A[g + LAUNCH_BEGIN + launch])
                A[g + LAUNCH_END + launch] = max(end, A[g + WRITTEN])
                _announce_end(A, P, g, gpu, launch, until)
                due = min(due, until)
    return due
