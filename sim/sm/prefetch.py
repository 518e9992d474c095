"""prefetch, discard and applypriority: requests for lines without an answer.

Addresses that are not memory of this GPU (other windows, peers, nothing at all) are passed over, as on silicon.
"""

from enum import IntEnum

from ..addresses import REGION_BITS
from ..far import far
from ..params import MEM_INTERVAL
from ..raw import BIG
from ..state import FUNCTIONAL, L1_FILLED, R_SUB, SCRATCH, Request
from .cache_hints import l2_hints
from .l1 import l1_lookup
from .lsu import coalesce, lane_addresses, reserve_lsu
from .memory_space import holds, is_own
from .requests import request

_LINES = 64


class Level(IntEnum):
    """What is done (bits 48 and 49 of the sub word)."""

    L1, L2, DISCARD, PRIORITY = range(4)


@far
def prefetch(A, P, g, gpu, s, w, row, mask, t):
    """Execute an instruction that only moves lines. It never faults and never waits."""
    if A[FUNCTIONAL]:
        return True
    lane_addresses(A, P, s, w, row, mask, 0)
    wanted = 0
    for lane in range(32):
        address = A[s + SCRATCH + lane]
        if mask >> lane & 1 and is_own(address >> REGION_BITS, gpu) and holds(A, g, address):
            wanted |= 1 << lane
    n = coalesce(A, P, s, 1, wanted)
    reserve_lsu(A, s, t, n * P[MEM_INTERVAL])
    level = A[row + R_SUB] >> 48 & 3
    for i in range(n):
        line = A[s + SCRATCH + _LINES + 2 * i]
        sectors = A[s + SCRATCH + _LINES + 2 * i + 1]
        way = -1
        kind = Request.DISCARD if level == Level.DISCARD else Request.PREFETCH
        if level == Level.PRIORITY:
            sectors = 0
        if level == Level.L1:
            found = l1_lookup(A, P, s, t + i, line, sectors)
            way = found >> 8
            sectors = found & 255
            if sectors == 0 or A[s + L1_FILLED + way] < BIG:
                continue
        request(A, s, t + i, line, sectors, kind | l2_hints(A, s, w, row, wanted, line), 0, 0, way)
    return True
