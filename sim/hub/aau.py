"""Address Allocation Unit: gives arriving rows their place (MoE-Hub section IV-A3).

RAT: (MallocID, RowID) -> LocalRowID, first in first out, mappings that fall out are spilled to device memory. APT:
MallocID -> RowPointer, the next free LocalRowID. ``address = BaseAddr + LocalRowID * RowSize + RowOffset``, so rows are
packed densely in order of arrival.

Assumptions: the spill table tells exactly whether a row was ever allocated; recovering a mapping costs one L2 access
more; the RAT is fully associative, its banks take one lookup per cycle each.
"""

from typing import Any

from ..jit import outline
from ..layout import Layout
from ..net.faults import HubFault, fault
from ..net.packet import ADDR, MASK_HI, MASK_LO
from ..params import L2_CYCLES, RAT_BANKS, RAT_CYCLES, RAT_ENTRIES
from .blocks import AAU_BLOCK, DAM_BLOCK
from .cam import cam_find, cam_insert, cam_words, spread
from .masks import mask_end

REGIONS_MAX = 4096
RAT_MAX = 1 << 14
SPILL_SLOTS = 1 << 20

_a = Layout(AAU_BLOCK)
REGIONS = _a.field()
"""Regions made by rowspMalloc."""
BASE = _a.field(REGIONS_MAX)
ROW_BYTES = _a.field(REGIONS_MAX)
ROWS = _a.field(REGIONS_MAX)
POINTER = _a.field(REGIONS_MAX)
"""APT: next LocalRowID, which is also the number of rows received."""
RAT = _a.field(cam_words(RAT_MAX))
SPILL_COUNT = _a.field()
SPILL_KEY = _a.field(SPILL_SLOTS)
"""All mappings, by open addressing."""
SPILL_VALUE = _a.field(SPILL_SLOTS)
BANK_FREE = _a.field(64)
HITS = _a.field()
NEW_ROWS = _a.field()
RECOVERED = _a.field()
"""Lookups of a row whose mapping had been evicted."""
EVICTED = _a.field()
assert _a.words <= DAM_BLOCK


def add_region(A: Any, P: Any, g: int, base_address: int, row_bytes: int, rows: int) -> int:
    """rowspMalloc on this GPU: write BaseAddr and RowSize, return the number of the region (low 16 bits of a
    MallocID)."""
    from ..params import APT_ENTRIES

    region = int(A[g + REGIONS])
    if region >= min(int(P[APT_ENTRIES]), REGIONS_MAX):
        raise ValueError(f"a GPU has {region} row regions at most (aau.apt_entries)")
    if not 0 < row_bytes <= 1 << 16:
        raise ValueError(f"a row has 1 to 65536 bytes, not {row_bytes}")
    A[g + REGIONS] = region + 1
    A[g + BASE + region] = base_address
    A[g + ROW_BYTES + region] = row_bytes
    A[g + ROWS + region] = rows
    return region


@outline
def _spill_slot(A, g, key):
    """Slot of the spill table that holds the key, or the free one where it belongs."""
    slot = spread(key) & SPILL_SLOTS - 1
    while A[g + SPILL_KEY + slot] != 0 and A[g + SPILL_KEY + slot] != key:
        slot = slot + 1 & SPILL_SLOTS - 1
    return slot


@outline
def _allocate(A, g, t, region, key, slot):
    """First packet of a row: the next LocalRowID, or -1 after a fault."""
    local = A[g + POINTER + region]
    if local >= A[g + ROWS + region]:
        fault(A, g, HubFault.ROWS, region, local + 1, t)
        return -1
    if A[g + SPILL_COUNT] >= SPILL_SLOTS // 4 * 3:
        fault(A, g, HubFault.SPILL, region, local, t)
        return -1
    A[g + POINTER + region] = local + 1
    A[g + SPILL_COUNT] += 1
    A[g + SPILL_KEY + slot] = key
    A[g + SPILL_VALUE + slot] = local
    A[g + NEW_ROWS] += 1
    return local


@outline
def _local_row(A, P, g, t, region, row_id):
    """``(LocalRowID, cycle)`` of a row; -1 after a fault."""
    key = region << 24 | row_id + 1
    bank = g + BANK_FREE + spread(key) % P[RAT_BANKS]
    start = max(t, A[bank])
    A[bank] = start + 1
    done = start + P[RAT_CYCLES]
    found = cam_find(A, g + RAT, RAT_MAX, key)
    if found > 0:
        A[g + HITS] += 1
        return A[found], done
    slot = _spill_slot(A, g, key)
    if A[g + SPILL_KEY + slot] == key:
        local = A[g + SPILL_VALUE + slot]
        done += P[L2_CYCLES]
        A[g + RECOVERED] += 1
    else:
        local = _allocate(A, g, t, region, key, slot)
        if local < 0:
            return local, done
    if cam_insert(A, g + RAT, RAT_MAX, min(P[RAT_ENTRIES], RAT_MAX), key, local) > 0:
        A[g + EVICTED] += 1
    return local, done


@outline
def translate(A, P, g, t, row):
    """``(address, cycle)`` where a row store's line goes and when that is known; address -1 after a fault."""
    register = A[row + ADDR]
    region = register >> 40 & 0xFFFF
    offset = register & 0xFFFF
    if region >= A[g + REGIONS]:
        fault(A, g, HubFault.NO_REGION, register, 0, t)
        return -1, t
    if offset + mask_end(A[row + MASK_LO], A[row + MASK_HI]) > A[g + ROW_BYTES + region]:
        fault(A, g, HubFault.ROW_OFFSET, register, A[g + ROW_BYTES + region], t)
        return -1, t
    local, done = _local_row(A, P, g, t, region, register >> 16 & 0xFFFFFF)
    if local < 0:
        return -1, done
    return A[g + BASE + region] + local * A[g + ROW_BYTES + region] + offset, done
