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


# --- machine
WINDOW_CYCLES = _derived(
    "machine.window_cycles",
    "GPUs exchange packets at the ends of such windows; at most one hop, a multiple of the 128-cycle quantum",
    lambda get: max(128, min(_cycles(get, "nvlink.hop_ns") // 128, 8) * 128),
)
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
REMOTE_INTERVAL = _row("sm.remote_interval_cycles", "LSU to hub: cycles per packet of at most 128 bytes")
MEM_INTERVAL = _row("sm.line_interval_cycles", "LSU: cycles per 128-byte line of a global access")
STORE_INTERVAL = _row("sm.store_sector_interval_cycles", "SM to L2: cycles per 32-byte sector stored")
CTA_START_CYCLES = _row("sm.cta_start_cycles", "CTA assigned to an SM to the first issue of its warps")
CTA_INTERVAL_TICKS = _row("gpu.cta_interval_ticks", "1/1024 cycles between two CTAs leaving the work distributor")
# --- L1
L1_LINES = _row("l1.lines", "128-byte lines of L1 beside shared memory")
L1_WAYS = _row("l1.ways", "associativity")
L1_CYCLES = _row("l1.hit_latency_cycles", "load that hits L1")
# --- L2 and HBM
L2_CYCLES = _row("l2.hit_latency_cycles", "load that hits L2, issue to use")
L2_REQUEST_CYCLES = _row("l2.request_cycles", "the part of that latency before the slice is reached")
L2_SLICES = _row("l2.slices", "slices; the address hash picks one")
L2_LINES = _row("l2.lines", "128-byte lines in all slices together")
L2_WAYS = _row("l2.ways", "associativity")
L2_SECTOR_TICKS = _row("l2.sector_interval_ticks", "1/1024 cycles a slice is busy with a 32-byte sector read")
L2_WRITE_TICKS = _row("l2.write_sector_interval_ticks", "1/1024 cycles a slice is busy with a 32-byte sector written")
L2_ATOMIC_TICKS = _row("l2.atomic_interval_ticks", "1/1024 cycles a slice is busy with one atomic lane operation")
L2_ATOMIC_CYCLES = _row("l2.atomic_latency_cycles", "atomic that returns a value, issue to use")
HBM_CYCLES = _row("hbm.latency_cycles", "load that misses L2, issue to use")
HBM_CHANNELS = _row("hbm.channels", "independent channels")
HBM_SECTOR_TICKS = _derived(
    "hbm.sector_interval_ticks",
    "1/1024 cycles a channel is busy with 32 bytes",
    lambda get: round(32 * TICKS * get("hbm.channels") * get("sm.clock_ghz") / get("hbm.bandwidth_gbps")),
)
# --- fences and launch
FENCE_CTA_CYCLES = _row("fence.cta_cycles", "membar.cta")
FENCE_GPU_CYCLES = _row("fence.gpu_cycles", "membar.gl with nothing outstanding")
FENCE_SYS_CYCLES = _row("fence.sys_cycles", "membar.sys with nothing outstanding")
KERNEL_GAP = _row("launch.stream_gap_ns", "end of a kernel to the start of the next one of its stream")
LAUNCH_CYCLES = _row("launch.latency_ns", "host call to the first CTA on an idle stream")
# --- addresses of library functions, filled when a program is loaded
FN_ADDRESSES, FN_LOAD, FN_STORE, FN_ATOM, FN_ATOM_ONE, FN_REDUCE_BYTES, FN_SHFL, FN_MATCH, FN_REDUX = (
    _library(name)
    for name in ("addresses", "load", "store", "atom", "atom_one", "reduce_bytes", "shfl", "match", "redux")
)
FN_SPLAT32, FN_SPLAT64, FN_FILL_TID, FN_FILL_LANE, FN_MMA, FN_LDMATRIX, FN_GATHER_LINE, FN_LINE_MASKS, FN_COALESCE = (
    _library(name)
    for name in ("splat32", "splat64", "fill_tid", "fill_lane", "mma", "ldmatrix", "gather_line", "line_masks", "coalesce")
)
