"""The machine's numbers as compiled code reads them: one row names a word of the parameter arena ``P``.

A row's key is the TOML key of a preset (``table.name``). Keys that end in ``_ns`` are given in nanoseconds and read in
SM cycles; all others are integers and read as they are. A derived row is computed from the configuration.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

TICKS = 1024
"""Link and bandwidth serialisers count in 1/1024 of an SM cycle."""


@dataclass(frozen=True)
class Param:
    """One word of P: its preset key or how it is derived, and what it means."""

    key: str
    doc: str
    derive: Callable[[Callable[[str], Any]], int] | None = None


PARAMS: list[Param] = []


def _row(key: str, doc: str) -> int:
    PARAMS.append(Param(key, doc))
    return len(PARAMS) - 1


def _derived(name: str, doc: str, derive: Callable[[Callable[[str], Any]], int]) -> int:
    PARAMS.append(Param(name, doc, derive))
    return len(PARAMS) - 1


LIBRARY: dict[str, int] = {}
"""Word of P that holds the address of each library function."""


def _library(name: str) -> int:
    LIBRARY[name] = _derived(f"library.{name}", "address of the library function, filled by the loader", lambda get: 0)
    return LIBRARY[name]


def _cycles(get: Callable[[str], Any], key: str) -> int:
    return round(get(key) * get("sm.clock_ghz"))


def _flit_ticks(get: Callable[[str], Any]) -> int:
    rate = get("nvlink.links") * get("nvlink.link_gbps") / get("nvlink.planes")
    return round(16 * TICKS * get("sm.clock_ghz") / rate)


# --- machine
WINDOW_CYCLES = _derived(
    "machine.window_cycles",
    "GPUs exchange packets at the ends of such windows; at most one hop, a multiple of the 128-cycle quantum",
    lambda get: max(128, min(_cycles(get, "nvlink.hop_ns") // 128, 8) * 128),
)
CLOCK_KHZ = _derived("machine.clock_khz", "SM clock", lambda get: round(get("sm.clock_ghz") * 1e6))
SMS = _row("sm.count", "streaming multiprocessors of a GPU")
# --- SM
MAX_WARPS = _row("sm.max_warps", "resident warps of an SM")
MAX_CTAS = _row("sm.max_ctas", "resident CTAs of an SM")
REGISTERS = _row("sm.registers", "32-bit registers of an SM")
SMEM_BYTES = _row("sm.shared_bytes", "shared memory of an SM that CTAs can use")
SMEM_RESERVED_BYTES = _row("sm.shared_reserved_bytes", "shared memory the system takes per CTA")
SMEM_CYCLES = _row("sm.shared_latency_cycles", "shared load, no conflict")
SMEM_ATOM_CYCLES = _row("sm.shared_atomic_latency_cycles", "shared atomic, no conflict")
BAR_CYCLES = _row("sm.barrier_latency_cycles", "last arrival to release of bar.sync")
BAR_WARP_CYCLES = _row("sm.barrier_per_warp_cycles", "added to a barrier's release per participating warp")
BRANCH_CYCLES = _row("sm.branch_latency_cycles", "issue of a taken branch to the next instruction of the warp")
MSHRS = _row("sm.outstanding_loads", "load instructions an SM may have in flight to L2 or a peer")
REMOTE_CREDITS = _row("sm.remote_credits", "packets an SM may have waiting in the hub")
REMOTE_INTERVAL = _row("sm.remote_interval_ticks", "LSU to hub: 1/1024 cycles per packet with 128 bytes")
REMOTE_RED = _row(
    "sm.remote_red_cycles", "LSU to hub: cycles per packet of a reduction of at most 16 bytes, or of a load"
)
REMOTE_PAGES = _row("sm.remote_pages", "2 MB pages of peers' memory that an SM has at hand")
REMOTE_PAGE = _row("sm.remote_page_cycles", "LSU: added to a store to another page of a peer's memory")
REMOTE_PAGE_LOAD = _row("sm.remote_page_load_cycles", "LSU: cycles of a load or atomic there at least")
REMOTE_REQUEST = _row("sm.remote_request_cycles", "LSU to hub: cycles per packet with at most 32 bytes")
MEM_INTERVAL = _row("sm.line_interval_cycles", "LSU: cycles per 128-byte line of a global access")
LOAD_TICKS_EACH = _row("sm.load_interval_ticks", "1/1024 cycles of the LSU that a warp's load takes at least")
RED_CYCLES = _row("sm.red_interval_cycles", "LSU: cycles of a reduction in global memory at least")
ATOM_CYCLES = _row("sm.atom_interval_cycles", "LSU: cycles of an atomic in global memory at least")
SMEM_FLOAT_CYCLES = _row("sm.shared_float_latency_cycles", "shared sum of floats, a loop of compare-and-swap")
SMEM_FLOAT_ROUND = _row("sm.shared_float_round_cycles", "added by each further lane on the same bank")
SMEM_FLOAT_INTERVAL = _row("sm.shared_float_interval_cycles", "LSU: cycles of one round of that loop")
STORE_INTERVAL = _row("sm.store_sector_interval_cycles", "SM to L2: cycles per 32-byte sector stored")
CTA_START_CYCLES = _row("sm.cta_start_cycles", "CTA assigned to an SM to the first issue of its warps")
CTA_INTERVAL_TICKS = _row("gpu.cta_interval_ticks", "1/1024 cycles between two CTAs leaving the work distributor")
MBARRIER_CYCLES = _row("sm.mbarrier_wait_cycles", "test_wait or try_wait of a complete phase to its predicate")
MBARRIER_LIMIT = _row("sm.mbarrier_suspend_ns", "try_wait without a hint: longest suspension")
# --- tensor cores
TENSOR_CHAINED = _derived("tensor.chained", "1: tensor.exact_sums is 0", lambda get: int(not get("tensor.exact_sums")))
WGMMA_COLUMNS = _row("wgmma.columns_per_cycle", "columns of the accumulator that the tensor cores finish per cycle")
WGMMA_REGISTER_CYCLES = _row("wgmma.registers_cycles", "added to the latency when A is in registers")
WGMMA_LINE_BYTES = _row("wgmma.shared_bytes_per_cycle", "shared memory the tensor cores read per cycle")
# --- tensor memory accelerator
TMA_START = _row("tma.start_cycles", "issue of a bulk copy to its first request")
TMA_ISSUE_CYCLES = _row("tma.load_issue_cycles", "a thread's bulk load to its next instruction")
TMA_LINE_TICKS = _row("tma.line_interval_ticks", "1/1024 cycles between two 128-byte lines of a load")
TMA_SECTOR_TICKS = _row("tma.store_sector_interval_ticks", "1/1024 cycles a 32-byte sector of a store takes")
TMA_REDUCE_TICKS = _row("tma.reduce_sector_interval_ticks", "1/1024 cycles a 32-byte sector of a reduction takes")
TMA_PEER_TICKS = _row("tma.peer_line_interval_ticks", "1/1024 cycles a line of a store to another GPU takes")
TMA_COPY_CYCLES = _row("tma.copy_interval_cycles", "two copies start at least so far apart")
TMA_READ_CYCLES = _row("tma.store_read_cycles", "last sector of a store to its source being free")
TMA_WRITTEN_CYCLES = _row("tma.store_written_cycles", "the source of a store being free to the store being complete")
# --- clusters
GPCS = _row("gpu.gpcs", "graphics processing clusters; the CTAs of a cluster run on the SMs of one")
CLUSTER_BAR_CYCLES = _row("cluster.barrier_latency_cycles", "barrier.cluster: last arrival to release")
CLUSTER_BAR_STEP = _row("cluster.barrier_per_doubling_cycles", "added to it for each doubling of the cluster")
CLUSTER_RELEASE = _row("cluster.release_cycles", "added by .release of barrier.cluster")
DSMEM_CYCLES = _row("cluster.shared_latency_cycles", "load from the shared memory of another CTA of the cluster")
DSMEM_OWN_CYCLES = _row("cluster.own_shared_latency_cycles", "load of own shared memory through a mapped address")
DSMEM_SEND_CYCLES = _row("cluster.signal_cycles", "remote store or mbarrier arrival to its effect")
DSMEM_BYTE_TICKS = _row("cluster.byte_interval_ticks", "1/1024 cycles an SM's port is busy with a byte")
# --- L1
L1_LINES = _row("l1.lines", "128-byte lines of L1 beside shared memory")
L1_WAYS = _row("l1.ways", "associativity")
L1_FREE_SHARED = _row("l1.free_shared_bytes", "shared memory that takes nothing of these lines")
L1_CYCLES = _row("l1.hit_latency_cycles", "load that hits L1")
# --- L2 and HBM
L2_CYCLES = _row("l2.hit_latency_cycles", "load that hits L2, issue to use")
L2_REQUEST_CYCLES = _row("l2.request_cycles", "the part of that latency before the slice is reached")
L2_SLICES = _row("l2.slices", "slices; the address hash picks one")
L2_LINES = _row("l2.lines", "128-byte lines in all slices together")
L2_WAYS = _row("l2.ways", "associativity")
L2_SECTOR_TICKS = _row("l2.sector_interval_ticks", "1/1024 cycles a slice is busy with a 32-byte sector read")
L2_REQUEST_TICKS = _row("l2.request_interval_ticks", "1/1024 cycles a slice is busy with a read at least")
L2_SIDE_CYCLES = _row(
    "l2.side_cycles", "what the latency of a line on the SM's side of the GPU is below the mean, or above"
)
L2_WRITE_TICKS = _row("l2.write_sector_interval_ticks", "1/1024 cycles a slice is busy with a 32-byte sector written")
L2_WRITE_REQUEST_TICKS = _row(
    "l2.write_request_ticks", "1/1024 cycles a slice is busy with a write besides its sectors"
)
L2_ATOMIC_TICKS = _row("l2.atomic_interval_ticks", "1/1024 cycles a slice is busy with the atomics on a 32-byte sector")
L2_ATOMIC_SAME_TICKS = _row("l2.atomic_same_ticks", "1/1024 cycles each further operation on the same address takes")
L2_ATOMIC_FLOAT_TICKS = _row("l2.atomic_float_ticks", "the same for sums of floating-point numbers")
L2_ATOMIC_RETURN_TICKS = _row(
    "l2.atomic_return_ticks", "1/1024 cycles added for a sector whose old values are returned"
)
L2_ATOMIC_CYCLES = _row("l2.atomic_latency_cycles", "atomic that returns a value, issue to use")
L2_STORE_QUEUE = _row(
    "l2.store_queue_cycles", "a store or reduction that a slice takes later than this holds up the SM"
)
HBM_WRITE_QUEUE = _row(
    "hbm.write_queue_cycles", "a line written back later than this holds up what takes its place in L2"
)
HBM_CYCLES = _row("hbm.latency_cycles", "load that misses L2, issue to use")
HBM_CHANNELS = _row("hbm.channels", "independent channels")
HBM_SECTOR_TICKS = _derived(
    "hbm.sector_interval_ticks",
    "1/1024 cycles a channel is busy with 32 bytes",
    lambda get: round(32 * TICKS * get("hbm.channels") * get("sm.clock_ghz") / get("hbm.bandwidth_gbps")),
)
HBM_ACCESS_TICKS = _row("hbm.access_interval_ticks", "1/1024 cycles a channel is busy with a read at least")
HBM_WRITE_TICKS = _row("hbm.write_access_ticks", "1/1024 cycles a channel is busy with a write at least")
HBM_TURN_TICKS = _row("hbm.turn_ticks", "1/1024 cycles a channel needs to change between reading and writing")
# --- fences and launch
FENCE_GPU_INTERVAL = _row("fence.gpu_interval_cycles", "two fences of an SM with .gpu or .cluster scope, or of a proxy")
FENCE_SYS_INTERVAL = _row("fence.sys_interval_cycles", "two fences of an SM with .sys scope")
FENCE_CTA_CYCLES = _row("fence.cta_cycles", "membar.cta")
FENCE_GPU_CYCLES = _row("fence.gpu_cycles", "membar.gl with nothing outstanding")
FENCE_PROXY_CYCLES = _row("fence.proxy_cycles", "fence.proxy.*")
FENCE_SYS_CYCLES = _row("fence.sys_cycles", "membar.sys with nothing outstanding")
KERNEL_GAP = _row("launch.stream_gap_ns", "end of a kernel to the start of the next one of its stream")
LAUNCH_CYCLES = _row("launch.latency_ns", "host call to the first CTA on an idle stream")
# --- addresses of library functions, filled when a program is loaded
FN_ADDRESSES, FN_LOAD, FN_STORE, FN_ATOM, FN_ATOM_ONE, FN_REDUCE_BYTES, FN_SHFL, FN_MATCH, FN_REDUX = (
    _library(name)
    for name in ("addresses", "load", "store", "atom", "atom_one", "reduce_bytes", "shfl", "match", "redux")
)
FN_SPLAT32, FN_SPLAT64, FN_FILL_TID, FN_FILL_LANE, FN_GATHER_LINE, FN_LINE_MASKS, FN_COALESCE = (
    _library(name)
    for name in (
        "splat32",
        "splat64",
        "fill_tid",
        "fill_lane",
        "gather_line",
        "line_masks",
        "coalesce",
    )
)
FN_SERVICE = _derived("runtime.service", "address of the device runtime, filled by the machine", lambda get: 0)
FN_FETCH_GLOBAL, FN_SCATTER_GLOBAL, FN_FETCH_SHARED, FN_SCATTER_SHARED, FN_CHECK_GLOBAL, FN_CHECK_SHARED = (
    _library(name)
    for name in ("fetch_global", "scatter_global", "fetch_shared", "scatter_shared", "check_global", "check_shared")
)
BLOCKS = _derived("translate.blocks", "address of the table of compiled blocks, filled by the machine", lambda get: 0)
FN_MMA, FN_LDMATRIX, FN_STMATRIX, FN_MOVMATRIX, FN_WGMMA = (
    _library(name) for name in ("mma", "ldmatrix", "stmatrix", "movmatrix", "wgmma")
)
# --- links and switches
HOP = _row("nvlink.hop_ns", "GPU to switch or switch to GPU, one way")
PLANES = _row(
    "nvlink.planes", "switch planes simulated apart; the address hash picks one. 1: all links as one fat link"
)
FLIT_TICKS = _derived(
    "nvlink.flit_ticks",
    "1/1024 cycles a 16-byte flit occupies a plane's share of the links in one direction",
    _flit_ticks,
)
REQUEST_TICKS = _derived(
    "nvlink.request_ticks",
    "1/1024 cycles from one request of a plane's uplink to the next at least, from nvlink.requests_per_ns (0: no limit)",
    lambda get: (
        round(TICKS * get("sm.clock_ghz") * get("nvlink.planes") / get("nvlink.requests_per_ns"))
        if get("nvlink.requests_per_ns")
        else 0
    ),
)
ACK_TICKS = _derived(
    "nvlink.ack_ticks",
    "1/1024 cycles an acknowledgement occupies a plane's links, from nvlink.ack_flits",
    lambda get: get("nvlink.ack_flits") * _flit_ticks(get),
)
CREDIT_FLITS = _derived(
    "nvlink.credit_flits",
    "input buffer of a plane for one GPU and class, in flits: links * VCs of the class * flits per VC / planes",
    lambda get: get("nvlink.links") * get("nvlink.vcs_per_class") * get("nvlink.vc_flits") // get("nvlink.planes"),
)
SWITCH_REDUCE_CYCLES = _row("switch.reduce_latency_cycles", "added by the reduction logic (DySHARP: 1)")
SWITCH_REDUCE_TICKS = _row("switch.reduce_interval_ticks", "1/1024 cycles a port's reduction logic needs per response")
SWITCH_REDUCE_ENTRIES = _derived(
    "switch.reduction_entries",
    "reductions a plane's port can hold: switches * bytes per port / 160 (128 of payload, 32 of state) / planes",
    lambda get: get("switch.count") * get("switch.reduction_bytes") // 160 // get("nvlink.planes"),
)
# --- hub
HUB_LOCAL_CYCLES = _row(
    "hub.local_latency_cycles", "a row store to the own GPU: from the SM to the hub's receiving side"
)
HUB_REPLY = _row(
    "hub.reply_latency_cycles", "a reply from a peer: from the hub to the SM's registers; at least a quantum"
)
HUB_REQUEST = _row(
    "hub.request_latency_cycles", "what a request takes longer than a response from the link to the memory"
)
HUB_NEAR = _row("hub.near_cycles", "what the hub's way to the memory and back takes less than an SM's")
HUB_ATOMIC_TICKS = _row(
    "hub.atomic_interval_ticks", "1/1024 cycles a slice is busy with another GPU's atomics on a line at least"
)
HUB_QUEUE = _row(
    "hub.queue_packets", "packets of all SMs in the hub; more wait at their SMs, which take turns; 0: no limit"
)
RPM_ENABLED = _row("rpm.enabled", "0: plain and row stores go out unmerged and in order")
RPM_ENTRIES = _row("rpm.entries", "128-byte entries of a peer's partition, at most 1024 (assumption: 128)")
RPM_TIMER = _row("rpm.timer_cycles", "an entry that is not full may leave after this time (assumption: 256)")
RPM_PEER_FLITS = _row("rpm.peer_flits", "RPM holds back a peer with so many flits before the switch's output; 0: never")
RAT_ENTRIES = _row("aau.rat_entries", "rows the RAT holds, at most 16384 (assumption: 8192)")
RAT_CYCLES = _row(
    "aau.rat_latency_cycles", "lookup, hit or new row (assumption: 2); a spilled row adds l2.hit_latency_cycles"
)
RAT_BANKS = _row("aau.rat_banks", "banks, one lookup per cycle each, at most 64 (MoE-Hub: 16)")
APT_ENTRIES = _row("aau.apt_entries", "regions of a GPU, at most 4096 (assumption: 256)")
DAM_CYCLES = _row("dam.release_latency_ns", "last byte acknowledged to the thread block scheduler (assumption: 100 ns)")
DAM_INTERVAL = _row("dam.lookup_interval_cycles", "cycles per acknowledgment (assumption: 1)")
AL_TLB_ENTRIES = _row("multimem.al_tlb_entries", "entries, at most 4096 (DySHARP: 512)")
AL_TLB_CYCLES = _row("multimem.al_tlb_latency_cycles", "lookup (assumption: 2); a miss reads the AL table through L2")
AL_TLB_MISSES = _row("multimem.outstanding_misses", "AL table reads in flight, at most 64 (assumption: 16)")
TRACE_PACKETS = _row("trace.packets", "1: record every packet that arrives")
RPM_MERGING = _row("rpm.merging", "0: a store that hits an entry pushes it out instead of joining it")
RPM_PRIORITIES = _row("rpm.priorities", "0: `.nop` makes no difference to the scheduler")
RPM_ROW_ORDER = _row("rpm.row_order", "0: oldest first instead of smallest RowID first")
RPM_ROUND_ROBIN = _row("rpm.round_robin", "0: the best entry of all partitions instead of the next peer's best")
DAM_EARLY_RELEASE = _row(
    "dam.early_release", "0: groups are released only when their gate closes, not at the threshold"
)
DAM_ENTRIES = _row("dam.entries", "thread block groups the status counters of a GPU have room for")
MALLOCID_CYCLES = _row("hub.mallocid_cycles", "side logic at the L1 TLB that finds the GPU of a MallocID")
