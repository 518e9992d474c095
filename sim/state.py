"""The state of the machine as words of the arena ``A``: one machine block, a block per GPU, a block per SM.

An SM's words are ``A[s + NAME + index]`` with ``s = sm_base(...)``; warp slots are numbered ``scheduler * 16 + i``.
"""

from enum import IntEnum

from traces.records import Stall

from .jit import inline
from .layout import CORE_BLOCK, GPU_WORDS, MACHINE_WORDS, Layout
from .params import SMS
from .raw import Arena

WARPS, CTAS, BARRIERS, PATHS = 64, 32, 16, 32
MAX_SLOTS = 1024
"""32-bit registers (and predicate words) a thread can have; storage, not the occupancy limit."""
MAX_PREDICATES = 96
SINK = 4 * MAX_PREDICATES
SLOTS = SINK + 512
"""A warp's register storage: predicate masks, at ``SINK`` a place for unwanted results, from ``SLOTS`` on its slots."""
LOCAL_LANE_BYTES = 1 << 16
STACK_BYTES, RETURN_BYTES = 1024, 8
"""Stack of a thread by default (cudaLimitStackSize); what a call takes of it at least."""
CALL_DEPTH = LOCAL_LANE_BYTES // RETURN_BYTES
STALLS = len(Stall)
REASON = 5
"""Bits of a ready time that name its `Stall`."""
REASONS = (1 << REASON) - 1
L1_MAX_LINES = 2048
SHARED_STRIDE = 1 << 18
"""Bytes of shared memory storage per CTA slot."""
SM_SHARED_BYTES = CTAS * SHARED_STRIDE + 5120  # not a power of two: equal places of many SMs would compete in a cache
LAUNCHES = 126
GROUPS = 4096
"""Thread block groups of a gated launch."""


class Block(IntEnum):
    """Why a warp cannot go on although its operands may be ready."""

    NONE, BARRIER, FENCE, THROTTLE, COPY, DRAIN, REPLY, CLUSTER, MBARRIER, BULK, WGMMA = range(11)


class Fault(IntEnum):
    """What a simulated program did wrong."""

    (NONE, ADDRESS, SHARED_ADDRESS, MISALIGNED, TRAP, BARRIER, DIVERGENT, LOCAL_ADDRESS, MULTIMEM, STACK, REGION,
     PARAM_ADDRESS, BRANCH, ASSERT, FREE, CALL, PEER_COPY, RANKS, TENSOR_MAP, WIDE_ATOMIC, OPAQUE_CONTROL, OPAQUE_STORE,
     OPAQUE_HUB, WARPGROUP) = range(24)  # fmt: skip


class Space(IntEnum):
    """State space of a memory instruction; UNIFORM is a kernel parameter at a constant offset."""

    GENERIC, GLOBAL, SHARED, LOCAL, CONST, PARAM, UNIFORM = range(7)


class Request(IntEnum):
    """What an SM asks of the memory step."""

    (LOAD, MERGED, STORE, ATOM, RED, EGRESS, FENCE, COPY, PREFETCH, DISCARD, TMA_LOAD, TMA_STORE,
     TMA_REDUCE, TMA_PEER) = range(14)  # fmt: skip


class Stop(IntEnum):
    """Why a run returns to its caller; larger values win when GPUs disagree."""

    NONE, SLICE, DRAIN, DONE, LIMIT, DEADLOCK, FAULT = range(7)


# --- machine block, at word 0
_m = Layout()
NOW = _m.field()
STOP = _m.field()
"""Why the run stopped, a `Stop`; 0 while running."""
GPUS = _m.field()
SM_ARENA = _m.field()
"""Arena index of the first SM block."""
CODE = _m.field()
"""Arena index of the first packed instruction."""
SIDE = _m.field()
"""Arena index of the operand lists of instructions with many operands."""
CONSTS = _m.field()
"""Host address of the constant pool."""
FUNCTIONAL = _m.field()
REGISTER_BYTES = _m.field()
"""Register storage of a warp, for the program's largest kernel."""
SCORE_WORDS = _m.field()
"""Scoreboard entries of a warp: entry 0 is always ready, then predicates, then register slots."""
COLD_ARENA = _m.field()
"""Arena index of the first block of what SMs rarely touch."""
BARRIER_COUNT = _m.field(8, align=8)
"""Arrivals of host threads, ever."""
WINDOWS = _m.field()
"""Windows simulated."""
assert _m.words <= MACHINE_WORDS

# --- SM block
_s = Layout()
WAKE = _s.field(WARPS, align=8)
"""Cycle at which the warp can issue next; BIG when that is not known yet or the slot is empty."""
PC = _s.field(WARPS)
ACTIVE = _s.field(WARPS)
LIVE = _s.field(WARPS)
JOIN = _s.field(WARPS)
"""Smallest key of the warp's other paths (paths.py); BIG when it has none."""
PATH_COUNT = _s.field(WARPS)
PINNED = _s.field(WARPS)
"""Instructions for which the active path may run ahead of the others (forward progress of spinning warps)."""
PATH_KEY = _s.field(WARPS * PATHS)
PATH_MASK = _s.field(WARPS * PATHS)
DEPTH = _s.field(WARPS)
"""Call depth of the active path."""
READY = _s.field(WARPS)
"""``cycle << REASON | Stall``: when the warp's operands are ready and what that time is determined by."""
LAST = _s.field(WARPS)
"""Cycle after the warp's last issue; its start before the first."""
RESERVED = _s.field(WARPS)
BLOCK = _s.field(WARPS)
"""Why the warp is not waiting for operands only, a `Block`; 0 otherwise."""
PHASE = _s.field(WARPS)
"""1: the fence in front of a release has been done, the instruction itself comes next."""
CTA_SLOT = _s.field(WARPS)
WARP_IN_CTA = _s.field(WARPS)
REGS = _s.field(WARPS)
"""Host address of the warp's registers."""
PENDING = _s.field(WARPS)
"""Loads in flight of the warp."""
COPY_GROUP = _s.field(WARPS)
"""Number of the cp.async group that is open."""
COPY_PENDING = _s.field(WARPS * 16)
"""Copies in flight of a group, by group number modulo 16."""
COPY_DONE = _s.field(WARPS)
"""Cycle at which the latest copy was complete."""
COPY_TARGET = _s.field(WARPS)
"""The warp waits until groups below this number are complete."""
POLL_PC, POLL_COUNT, POLL_ADDRESS, POLL_SINCE = (_s.field(WARPS) for _ in range(4))
"""A load that may be a question: its pc, how often in a row, its address, the cycle since which that is the same."""
STARTED = _s.field(WARPS)
ISSUED = _s.field(WARPS)
LOCAL = _s.field(WARPS)
"""Host address of the warp's local memory."""
SPIN = _s.field(WARPS)
"""Backward jumps of the active path while others wait."""
SCORE = _s.field(WARPS)
"""Arena index of the warp's scoreboard, ``cycle << REASON | Stall`` per entry: when a value may be read."""
CLUSTER_LANES = _s.field(WARPS)
"""Lanes that arrived at the cluster's barrier and have not been let go."""
CLUSTER_READY = _s.field(WARPS)
"""Cycle at which the cluster's barrier last let the warp go."""
WAIT_OBJECT, PEER_PAGE = _s.field(WARPS), _s.field(WARPS)
"""Host address of the mbarrier object whose phase the warp waits for; 0: none."""
WAIT_UNTIL = _s.field(WARPS)
"""Cycle at which a suspended try_wait gives up; 0: none."""

CTA_LAUNCH = _s.field(CTAS)
CTA_LINEAR = _s.field(CTAS)
CTA_X = _s.field(CTAS)
CTA_Y = _s.field(CTAS)
CTA_Z = _s.field(CTAS)
CTA_LIVE = _s.field(CTAS)
"""Warps of the CTA that have not exited; 0: the slot is free."""
CTA_SHARED = _s.field(CTAS)
"""Where the CTA's shared memory ends, counted from its window's begin, which is the system's (addresses.py)."""
CTA_CLUSTER = _s.field(CTAS)
"""Record of the CTA's cluster + 1; 0: a cluster of its own."""
BAR_ARRIVED = _s.field(CTAS * BARRIERS)
"""Warps that arrived."""
BAR_TIME = _s.field(CTAS * BARRIERS)
BAR_VALUE = _s.field(CTAS * BARRIERS)
BAR_EXPECT = _s.field(CTAS * BARRIERS)
"""Warps the barrier waits for, as its first arrival said; 0: none yet."""

ISSUE_FREE = _s.field(4)
PIPE_FREE = _s.field(4 * 16 + 16)
"""Next free cycle of each pipe: 16 per scheduler, then 16 shared by the SM."""
NEXT = _s.field(1, align=8)
LOADS_USED = _s.field()
REQUEST_COUNT = _s.field()
COPY_ARRIVING = _s.field()
"""Arrivals at mbarriers that wait for cp.async."""
TMA_BUSY = _s.field()
"""Copies of the tensor memory accelerator that have requests to send."""
PACKET_COUNT = _s.field()
PACKETS_SENT = _s.field()
"""Packets handed to the hub; the hub counts those that left it."""
THROTTLED = _s.field()
"""Warps that wait for a free load entry or hub credit."""
MAIL_NEXT = _s.field()
"""Cycle of the SM's next timed effect (mailbox.py); BIG: none."""
MAIL_COUNT = _s.field()
CLUSTER_PORT = _s.field()
"""Ticks at which the SM's port to the other SMs of its GPC is free."""
SM_INDEX = _s.field()
"""Number of the SM in its GPU."""
COLD = _s.field()
"""Arena index of the SM's block of what is rarely touched."""
SM_SCORES = _s.field()
"""Arena index of this SM's scoreboards."""
SM_REGS = _s.field()
"""Host addresses of this SM's register file, shared memory and local memory."""
SM_SHARED = _s.field()
SM_LOCAL = _s.field()
SM_RETURNS = _s.field()
"""Host address of the return addresses of this SM's warps: 4 bytes by warp, call depth and lane."""
REGISTERS_USED = _s.field()
SHARED_USED = _s.field()
WARPS_USED = _s.field()
CTAS_USED = _s.field()
SLOTS_USED = _s.field(4)
"""Mask of the 16 warp slots of each scheduler that are taken."""
FIRST_SCHEDULER = _s.field()
"""Scheduler of the first warp of the next CTA."""
L1_EPOCH = _s.field()
L1_TAG = _s.field(L1_MAX_LINES)
"""Line number + 1, with the epoch above."""
L1_SECTORS = _s.field(L1_MAX_LINES)
L1_USED = _s.field(L1_MAX_LINES)
L1_FILLED = _s.field(L1_MAX_LINES)
"""Cycle at which the line's data is there; BIG while the request is on its way."""
LOADS = 512
LOAD_REMAIN = _s.field(LOADS)
LOAD_TIME = _s.field(LOADS)
LOAD_WARP = _s.field(LOADS)
LOAD_ROW = _s.field(LOADS)
"""Arena index of the instruction, which names the destination registers."""
LOAD_MASK = _s.field(LOADS)
LOAD_BYTES = _s.field(LOADS)
"""Bytes per element of a load whose data comes in a packet."""
LOAD_REASON = _s.field(LOADS)
LOAD_RECORD = _s.field(LOADS * 8)
"""Trace record of a load in flight, written when it completes; first word -1: not traced."""
LAST_LOAD = _s.field()
"""Load entry that the instruction just executed left in flight, or -1."""
LOAD_NEXT = _s.field(LOADS)
"""Free list: index of the next free entry."""
LOAD_FREED = _s.field()
"""Head of the free list + 1; entries from LOAD_FRESH on were never used."""
LOAD_FRESH = _s.field()
SCRATCH = _s.field(192, align=8)
"""Lane addresses and results of library calls."""
# statistics
INSTRUCTIONS = _s.field()
STALL = _s.field(STALLS)
KIND_COUNT = _s.field(64)
TENSOR_BUSY = _s.field()
L1_HITS = _s.field()
L1_MISSES = _s.field()
CONFLICTS = _s.field()
LANES = _s.field()
LAST_EFFECT = _s.field()
"""Cycle of the last instruction that changed anything another warp could wait for."""
SM_WORDS = _s.stride()

# --- SM block of what is rarely touched or large, at ``A[s + COLD]``: the others stay close together
_c = Layout()
REQUESTS = 8192
REQUEST_WORDS = 6
REQUEST = _c.field(REQUESTS * REQUEST_WORDS)
"""Requests of this quantum: time, line << 4 | sectors, kind | load << 8 | count << 32, packet row or L1 way, byte mask."""
PACKET_ROWS = 256
PACKET_WORDS = 40
PACKETS = _c.field(PACKET_ROWS * PACKET_WORDS)
LOAD_ADDRESSES = _c.field(LOADS * 32)
"""Lane addresses of loads whose data comes from a peer."""
MAILS = 4096
MAIL_WORDS = 4
MAIL = _c.field(MAILS * MAIL_WORDS)
"""Timed effects, the earliest last: time, kind, what it is for, by how much."""
COPY_ARRIVALS, ARRIVAL_WORDS = 2048, 4
COPY_ARRIVAL = _c.field(ARRIVAL_WORDS * COPY_ARRIVALS)
"""Arrivals that wait for cp.async: warp, groups of it, mbarrier object, how many."""
TMA_WORDS = 24576
TMA = _c.field(TMA_WORDS)
"""The SM's tensor memory accelerator (sm/tma.py)."""
WGMMA = _c.field(2048)
"""Warpgroups and their matrix products (sm/wgmma.py)."""
COLD_WORDS = _c.stride()

# --- GPU block
_g = Layout(CORE_BLOCK)
MEMORY = _g.field()
"""Host address of byte 0 of the GPU's memory. Its first line is never allocated."""
LINE_LIMIT = _g.field()
"""Host address of a byte per 128-byte line: how many of its bytes are allocated."""
MEMORY_LINES = _g.field()
SORTED = _g.field(1 << 18)
BUCKET = _g.field(1024)
FENCES = 1 << 16  # one for every warp of the largest GPU
FENCE_SM = _g.field(FENCES)
FENCE_WARP = _g.field(FENCES)
FENCE_TIME = _g.field(FENCES)
FENCE_TICKET = _g.field(FENCES)
FENCE_COUNT = _g.field()
LAUNCH_COUNT = _g.field()
CTA_ENDED = _g.field()
"""1 when a thread block ended since the work distributor last looked."""
DISPATCH_SM = _g.field()
DISPATCH_TICKS = _g.field()
DISPATCH_GPC = _g.field()
"""GPC that gets the next cluster."""
GPU_NEXT = _g.field(2)
"""By parity of the window: earliest cycle at which anything happens on this GPU."""
GPU_STOP = _g.field(2)
"""By parity of the window: a `Stop` that this GPU asks for."""
FAULT = _g.field(8)
"""code, sm, warp, pc, lane, address, bytes, cycle of the first fault."""
TRACE_ADDRESS = _g.field()
"""Host address of the record ring; 0: not traced."""
TRACE_COUNT = _g.field()
TRACE_ROOM = _g.field()
TRACE_SM_LOW = _g.field()
TRACE_SM_HIGH = _g.field()
TRACE_FROM = _g.field()
TRACE_UNTIL = _g.field()
WARP_RECORDS = _g.field()
WARP_RECORD_COUNT = _g.field()
WARP_RECORD_ROOM = _g.field()
EFFECT = _g.field()
LAUNCH_STATE = _g.field(LAUNCHES)
"""0 empty, 1 queued, 2 running, 3 done."""
LAUNCH_AFTER = _g.field(LAUNCHES)
"""Launch + 1 that must have finished; 0 none. EVENTS: a set of further ones, 63 in each of two words."""
LAUNCH_EVENTS = _g.field(2 * LAUNCHES)
LAUNCH_READY = _g.field(LAUNCHES)
LAUNCH_BEGIN = _g.field(LAUNCHES)
LAUNCH_END = _g.field(LAUNCHES)
LAUNCH_PC = _g.field(LAUNCHES)
GRID_X = _g.field(LAUNCHES)
GRID_Y = _g.field(LAUNCHES)
GRID_Z = _g.field(LAUNCHES)
BLOCK_X = _g.field(LAUNCHES)
BLOCK_Y = _g.field(LAUNCHES)
BLOCK_Z = _g.field(LAUNCHES)
LAUNCH_WARPS = _g.field(LAUNCHES)
LAUNCH_SHARED = _g.field(LAUNCHES)
LAUNCH_STATIC = _g.field(LAUNCHES)
"""Static shared bytes: where dynamic shared memory begins."""
LAUNCH_REGISTERS = _g.field(LAUNCHES)
"""Registers a warp takes, in 32-bit registers of all its lanes."""
LAUNCH_LOCAL = _g.field(LAUNCHES)
LAUNCH_PARAMS = _g.field(LAUNCHES)
LAUNCH_PARAM_BYTES = _g.field(LAUNCHES)
LAUNCH_TOTAL = _g.field(LAUNCHES)
LAUNCH_STARTED = _g.field(LAUNCHES)
LAUNCH_DONE = _g.field(LAUNCHES)
LAUNCH_GATE = _g.field(LAUNCHES)
"""Gate + 1 whose groups release the CTAs; 0 none."""
LAUNCH_AXIS = _g.field(LAUNCHES)
LAUNCH_ENDING = _g.field(LAUNCHES)
"""Key + 1 of the ending that all GPUs hear of when the launch is done; 0 none."""
LAUNCH_CLOSES = _g.field(LAUNCHES)
"""Key + 1 of the ending that only this GPU hears of."""
LAUNCH_WORKSPACE = _g.field(LAUNCHES)
"""Address of the memory through which the grid of a cooperative launch synchronises; 0 for other launches."""
LAUNCH_ID = _g.field(LAUNCHES)
LAUNCH_INSTRUCTIONS = _g.field(LAUNCHES)
CLUSTER_X = _g.field(LAUNCHES)
"""CTAs of a cluster of the launch, by axis."""
CLUSTER_Y = _g.field(LAUNCHES)
CLUSTER_Z = _g.field(LAUNCHES)
CLUSTER_EXPLICIT = _g.field(LAUNCHES)
CLUSTERS = 8192
CLUSTER_CTAS = 16
CLUSTER_MEMBER = _g.field(CLUSTERS * CLUSTER_CTAS)
"""By rank: the SM's arena index * CTAS + CTA slot; 0: no such rank."""
CLUSTER_LIVE = _g.field(CLUSTERS)
"""Threads of the cluster that have not exited; 0: the record is free."""
CLUSTER_ARRIVED = _g.field(CLUSTERS)
CLUSTER_TIME = _g.field(CLUSTERS)
"""Cycle of the latest arrival."""
CLUSTER_HINT = _g.field()
"""Where to look for a free record first."""
LAUNCH_GROUP_FIRST = _g.field(LAUNCHES)
LAUNCH_GROUP = _g.field(LAUNCHES * GROUPS)
"""CTAs of the group that were started or retired."""
assert _g.words <= GPU_WORDS

# --- a packed instruction: 16 words
(R_HEAD, R_FN, R_OP01, R_OP23, R_OP45, R_WAITS, R_DSTS, R_TIME, R_IMM, R_SUB, R_WAITS2, R_WAITS3, R_WAITS4, R_DSTS2,
 R_SIDE, R_REASON) = range(16)  # fmt: skip
ROW_WORDS = 16
"""HEAD: kind | guard << 8 | flags << 32; guard: byte offset of the predicate (a multiple of 4) | 2 if negated | 1, or 0.
OPxy: two 32-bit operand references, byte offset into the warp's registers or, with bit 31, into the constant pool.
WAITS, DSTS: four 16-bit scoreboard entries. TIME: latency | interval << 16 | pipe << 32. REASON: `Stall` of a consumer."""
FLAG_MORE_WAITS, FLAG_SYNC, FLAG_REMOTE_ONLY, FLAG_STRONG, FLAG_RELEASE, FLAG_ACQUIRE, FLAG_SYS = (
    1 << i for i in range(7)
)


@inline
def sm_base(A, P, gpu, sm):
    """Arena index of an SM's block."""
    return A[SM_ARENA] + (gpu * P[SMS] + sm) * SM_WORDS


def new(gpus: int, sms: int) -> Arena:
    """The arena of a machine without a program: all zero, which is the idle machine."""
    return Arena(MACHINE_WORDS + gpus * GPU_WORDS + gpus * sms * SM_WORDS)
