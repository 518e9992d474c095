"""Multicast objects: static ones (multimem, NVLS) and DySHARP's dynamic ones with their memory manager (section III-D).

A dynamic object is addressed algebraically: ``AIdx = offset / bsize`` is the row of a virtual AllGather result, the
same on every GPU; where that row lies on a GPU is found per expert in the AL table, ``address = VBase + LIdx * bsize
+ offset % bsize``. The first store of an AIdx allocates the expert's next layout block. Both stages share the mapping
and have different VBases. The AL table (4 bytes per entry: valid bit, LIdx) lies in the GPU's memory; the AL TLB
caches it.

Assumptions: the TLB is fully associative and first in first out; a second miss of an entry waits for the first one's
read (MSHR); at most ``multimem.outstanding_misses`` reads at a time; writing the table back is not waited for.
"""

from typing import Any

from ..addresses import DYMULTIMEM_REGION, MULTIMEM_REGION, OFFSET_MASK, REGION_BITS
from ..jit import inline, outline
from ..layout import Layout
from ..mem.l2 import l2_access
from ..net.faults import HubFault, fault
from ..net.packet import ADDR, COUNT, KIND, TARGETS, Packet, bit
from ..params import AL_TLB_CYCLES, AL_TLB_ENTRIES, AL_TLB_MISSES
from ..raw import address_of, load_u16, load_u32, store_32
from ..state import MEMORY
from .blocks import MULTIMEM_BLOCK, ORDER_BLOCK
from .cam import cam_find, cam_insert, cam_words

OBJECTS_MAX = DYMULTIMEM_REGION - MULTIMEM_REGION
DYNAMIC_MAX = 512
LOCAL_EXPERTS_MAX = 256
TLB_MAX = 4096
STAGE_BIT = 37
VALID = 1 << 31

_m = Layout(MULTIMEM_BLOCK)
MEMBERS = _m.field(OBJECTS_MAX)
"""Set of GPUs of a static object."""
OBJECT_BASE = _m.field(OBJECTS_MAX)
"""Address of this GPU's buffer."""
OBJECT_BYTES = _m.field(OBJECTS_MAX)
BLOCK_BYTES = _m.field(DYNAMIC_MAX)
"""bsize of a dynamic object; 0: no such object."""
BLOCKS = _m.field(DYNAMIC_MAX)
"""ntoken: number of AIdx values."""
EXPERTS = _m.field(DYNAMIC_MAX)
PER_GPU = _m.field(DYNAMIC_MAX)
AL_TABLE = _m.field(DYNAMIC_MAX)
"""Address of this GPU's AL table."""
_EXPERT_WORDS = 4
_EXPERT = _m.field(DYNAMIC_MAX * LOCAL_EXPERTS_MAX * _EXPERT_WORDS)
"""Per local expert: next LIdx, number of layout blocks, VBase of stage 0, VBase of stage 1."""
TLB = _m.field(cam_words(TLB_MAX))
"""Value: cycle at which the entry is filled."""
MISS_FREE = _m.field(64)
MISS_TURN = _m.field()
TLB_HITS = _m.field()
TLB_MISSES = _m.field()
ALLOCATED = _m.field()
"""Layout blocks given out."""
assert _m.words <= ORDER_BLOCK


def add_multicast(A: Any, g: int, index: int, members: int, base: int, nbytes: int) -> None:
    """Make static object ``index`` (region ``128 + index``) known to a GPU; ``base``: address of its own buffer."""
    A[g + MEMBERS + index] = members
    A[g + OBJECT_BASE + index] = base
    A[g + OBJECT_BYTES + index] = nbytes


def add_object(
    A: Any,
    g: int,
    index: int,
    block_bytes: int,
    blocks: int,
    experts: int,
    per_gpu: int,
    table: int,
    bindings: list[tuple[int, int, int]],
) -> None:
    """Make dynamic object ``index`` (region ``512 + index``) known to a GPU.

    ``table``: address of ``4 * blocks * per_gpu`` zeroed bytes in this GPU's memory. ``bindings``: for each local
    expert the addresses of its buffers for stage 0 and 1 and how many blocks they hold.
    """
    if block_bytes % 128 or block_bytes <= 0:
        raise ValueError(f"the block of a dynamic multicast object must be a multiple of 128 bytes, not {block_bytes}")
    if per_gpu > LOCAL_EXPERTS_MAX or len(bindings) != per_gpu:
        raise ValueError(f"{len(bindings)} experts bound of {per_gpu}; a GPU holds {LOCAL_EXPERTS_MAX} at most")
    A[g + BLOCK_BYTES + index] = block_bytes
    A[g + BLOCKS + index] = blocks
    A[g + EXPERTS + index] = experts
    A[g + PER_GPU + index] = per_gpu
    A[g + AL_TABLE + index] = table
    for local, (stage0, stage1, rows) in enumerate(bindings):
        entry = g + _EXPERT + (index * LOCAL_EXPERTS_MAX + local) * _EXPERT_WORDS
        A[entry], A[entry + 1], A[entry + 2], A[entry + 3] = 0, rows, stage0, stage1


def expert_blocks(A: Any, g: int, index: int, local: int) -> int:
    """Layout blocks a local expert has been given so far."""
    return int(A[g + _EXPERT + (index * LOCAL_EXPERTS_MAX + local) * _EXPERT_WORDS])


@inline
def target(A, row, i):
    """The ``i``-th expert id of a packet's target list."""
    return load_u16(address_of(A, row + TARGETS) + 2 * i)


@inline
def local_expert(A, g, gpu, row, i):
    """Number of the packet's ``i``-th target among this GPU's experts; -1 if it is on another GPU."""
    per_gpu = A[g + PER_GPU + (A[row + ADDR] >> REGION_BITS) - DYMULTIMEM_REGION]
    expert = target(A, row, i)
    return expert % per_gpu if expert // per_gpu == gpu else -1


@outline
def members(A, g, row, t):
    """Set of GPUs a multicast request goes to; 0 after a fault."""
    region = A[row + ADDR] >> REGION_BITS
    kind = A[row + KIND]
    if kind == Packet.MM_ST or kind == Packet.MM_RED or kind == Packet.MM_LDRED:
        group = A[g + MEMBERS + region - MULTIMEM_REGION]
        if group == 0:
            fault(A, g, HubFault.MULTIMEM, A[row + ADDR], 0, t)
        return group
    object_ = region - DYMULTIMEM_REGION
    if A[g + BLOCK_BYTES + object_] == 0 or A[row + COUNT] == 0:
        fault(A, g, HubFault.MULTIMEM, A[row + ADDR], A[row + COUNT], t)
        return 0
    group = 0
    for i in range(A[row + COUNT]):
        expert = target(A, row, i)
        if expert >= A[g + EXPERTS + object_]:
            fault(A, g, HubFault.EXPERT, A[row + ADDR], expert, t)
            return 0
        group |= bit(expert // A[g + PER_GPU + object_])
    return group


@outline
def member_address(A, g, t, address, nbytes):
    """Where an address of a static object lies on this GPU; -1 after a fault."""
    object_ = (address >> REGION_BITS) - MULTIMEM_REGION
    offset = address & OFFSET_MASK
    if offset + nbytes > A[g + OBJECT_BYTES + object_]:
        fault(A, g, HubFault.MULTIMEM, address, nbytes, t)
        return -1
    return A[g + OBJECT_BASE + object_] + offset


@outline
def _lookup_time(A, P, g, t, key, table_address):
    """When the AL TLB answers; a miss reads the table."""
    found = cam_find(A, g + TLB, TLB_MAX, key)
    if found > 0:
        A[g + TLB_HITS] += 1
        return max(t + P[AL_TLB_CYCLES], A[found])
    A[g + TLB_MISSES] += 1
    slot = g + MISS_FREE + A[g + MISS_TURN]
    A[g + MISS_TURN] = (A[g + MISS_TURN] + 1) % P[AL_TLB_MISSES]
    done = l2_access(A, P, g, max(t + P[AL_TLB_CYCLES], A[slot]), table_address, 4, 0)
    A[slot] = done
    cam_insert(A, g + TLB, TLB_MAX, min(P[AL_TLB_ENTRIES], TLB_MAX), key, done)
    return done


@outline
def _layout_index(A, P, g, t, address, host, expert, allocate):
    """LIdx of a block from its AL table entry; a first store allocates it. -1 after a fault."""
    entry = load_u32(host)
    if entry & VALID:
        return entry & VALID - 1
    if not allocate:
        fault(A, g, HubFault.AL_UNMAPPED, address, 0, t)
        return -1
    index = A[expert]
    if index >= A[expert + 1]:
        fault(A, g, HubFault.AL_ROWS, address, index + 1, t)
        return -1
    A[expert] = index + 1
    A[g + ALLOCATED] += 1
    store_32(host, VALID | index)
    return index


@outline
def translate(A, P, g, t, address, local, allocate):
    """``(address, cycle)``: where a block of a dynamic object lies for a local expert; -1 after a fault."""
    object_ = (address >> REGION_BITS) - DYMULTIMEM_REGION
    stage = address >> STAGE_BIT & 1
    offset = address & (1 << STAGE_BIT) - 1
    size = A[g + BLOCK_BYTES + object_]
    block = offset // size
    if block >= A[g + BLOCKS + object_]:
        fault(A, g, HubFault.MULTIMEM, address, size, t)
        return -1, t
    at = A[g + AL_TABLE + object_] + 4 * (local * A[g + BLOCKS + object_] + block)
    key = (object_ << 8 | local) << 36 | block + 1
    done = _lookup_time(A, P, g, t, key, at)
    expert = g + _EXPERT + (object_ * LOCAL_EXPERTS_MAX + local) * _EXPERT_WORDS
    index = _layout_index(A, P, g, t, address, A[g + MEMORY] + (at & OFFSET_MASK), expert, allocate)
    if index < 0:
        return -1, done
    return A[expert + 2 + stage] + index * size + offset % size, done
