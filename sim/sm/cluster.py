"""Clusters: CTAs of one launch that run at the same time on the SMs of a GPC and can reach each other's shared memory.

A record per cluster lies in the GPU's block; a CTA without one is a cluster of its own. An address in another CTA's shared
memory has the CTA's rank + 1 above ``RANK_BITS`` of its offset; ``mapa`` makes such addresses.
"""

from isa.special import RANK_BITS

from ..jit import inline, outline
from ..params import DSMEM_BYTE_TICKS, DSMEM_CYCLES, DSMEM_OWN_CYCLES, TICKS
from ..raw import BIG, popcount
from ..state import (
    CLUSTER_ARRIVED,
    CLUSTER_CTAS,
    CLUSTER_HINT,
    CLUSTER_LIVE,
    CLUSTER_MEMBER,
    CLUSTER_PORT,
    CLUSTER_TIME,
    CLUSTER_X,
    CLUSTER_Y,
    CLUSTER_Z,
    CLUSTERS,
    CTA_CLUSTER,
    CTA_LAUNCH,
    CTA_SHARED,
    CTA_SLOT,
    CTA_X,
    CTA_Y,
    CTA_Z,
    CTAS,
    LIVE,
    PIPE_FREE,
    SHARED_STRIDE,
    SM_SHARED,
    WARPS,
)

OFFSET = (1 << RANK_BITS) - 1
"""Bits of an address within one CTA's shared memory."""
_LSU_PIPE = PIPE_FREE + 4 * 16


@outline
def new_cluster(A, g):
    """A record without members. Index of the record."""
    k = A[g + CLUSTER_HINT]
    while A[g + CLUSTER_LIVE + k] > 0:
        k = (k + 1) % CLUSTERS
    A[g + CLUSTER_HINT] = (k + 1) % CLUSTERS
    A[g + CLUSTER_ARRIVED + k] = 0
    A[g + CLUSTER_TIME + k] = 0
    for rank in range(CLUSTER_CTAS):
        A[g + CLUSTER_MEMBER + k * CLUSTER_CTAS + rank] = 0
    return k


@inline
def join(A, g, k, rank, s, c, threads):
    """CTA ``c`` of SM ``s`` is member ``rank`` of cluster ``k``."""
    A[g + CLUSTER_MEMBER + k * CLUSTER_CTAS + rank] = s * CTAS + c
    A[g + CLUSTER_LIVE + k] += threads
    A[s + CTA_CLUSTER + c] = k + 1


@outline
def cluster_of(A, g, s, c):
    """Record of the CTA's cluster; a CTA that has none gets one."""
    if A[s + CTA_CLUSTER + c] == 0:
        threads = 0
        for w in range(WARPS):
            if A[s + CTA_SLOT + w] == c:
                threads += popcount(A[s + LIVE + w])
        join(A, g, new_cluster(A, g), 0, s, c, threads)
    return A[s + CTA_CLUSTER + c] - 1


@inline
def cluster_size(A, g, launch):
    """CTAs of a cluster of the launch."""
    return A[g + CLUSTER_X + launch] * A[g + CLUSTER_Y + launch] * A[g + CLUSTER_Z + launch]


@inline
def own_rank(A, g, s, c):
    """Rank of a CTA in its cluster."""
    launch = A[s + CTA_LAUNCH + c]
    x, y, z = A[g + CLUSTER_X + launch], A[g + CLUSTER_Y + launch], A[g + CLUSTER_Z + launch]
    return A[s + CTA_X + c] % x + x * (A[s + CTA_Y + c] % y + y * (A[s + CTA_Z + c] % z))


@outline
def member(A, g, s, c, rank):
    """``SM * CTAS + CTA slot`` of a rank of the CTA's cluster; -1: there is no such rank."""
    launch = A[s + CTA_LAUNCH + c]
    if rank >= cluster_size(A, g, launch):
        return -1
    if A[s + CTA_CLUSTER + c] == 0:
        return s * CTAS + c
    return A[g + CLUSTER_MEMBER + (A[s + CTA_CLUSTER + c] - 1) * CLUSTER_CTAS + rank]


@inline
def owner(A, g, s, c, offset):
    """``SM * CTAS + CTA slot`` that an offset in the shared window is for; -1: there is no such rank."""
    if offset >> RANK_BITS == 0:
        return s * CTAS + c
    return member(A, g, s, c, (offset >> RANK_BITS) - 1)


@inline
def shared_base(A, who):
    """Host address of byte 0 of the shared memory of a member."""
    return A[who // CTAS + SM_SHARED] + who % CTAS * SHARED_STRIDE


@outline
def distributed(A, g, s, c, offset, nbytes):
    """An offset in the shared window as bytes from the start of the own CTA's shared memory; BIG: outside."""
    who = owner(A, g, s, c, offset)
    if who < 0 or (offset & OFFSET) + nbytes > A[who // CTAS + CTA_SHARED + who % CTAS]:
        return BIG
    return shared_base(A, who) - shared_base(A, s * CTAS + c) + (offset & OFFSET)


@outline
def distributed_time(A, P, g, s, c, offset, nbytes, t):
    """When an access of ``nbytes`` in all to distributed shared memory, at ``offset`` and elsewhere, is done.

    The SM's port is a serialiser; the LSU waits for it. The port of the other SM is taken to be free.
    """
    start = max(A[s + CLUSTER_PORT], t * TICKS)
    A[s + CLUSTER_PORT] = start + nbytes * P[DSMEM_BYTE_TICKS]
    A[s + _LSU_PIPE] = max(A[s + _LSU_PIPE], start // TICKS)
    own = owner(A, g, s, c, offset) == s * CTAS + c
    return start // TICKS + (P[DSMEM_OWN_CYCLES] if own else P[DSMEM_CYCLES])
