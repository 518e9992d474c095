"""Figures of one GPU's memory (h200_microbench.json) as cases of the kernels of programs/calibrate."""

from collections.abc import Mapping
from typing import Any

from .points import Builder, Sketch
from .points_cases import (
    IN_L2,
    SMS,
    atomic_chain,
    atomics,
    beside,
    bulk,
    bulk_latency,
    chase,
    copy,
    fences,
    segments,
    stream,
)
from .points_link import CHAINS, FENCES, LOADS

Cond = Mapping[str, Any]
OWN = 0


def _chase_spread(cond: Cond) -> Sketch | None:
    return chase("cg", OWN, 512, cond["range"] // 512, 512, 512) if cond["range"] <= 1 << 26 else None


def _chase_cold(cond: Cond) -> Sketch | None:
    return chase("cg", OWN, 4096, cond["range"] // 4096, 0, 1024) if cond["range"] <= 1 << 26 else None


def _chase_l1(cond: Cond) -> Sketch | None:
    lines = cond["working_set"] // 128
    return chase("ca", OWN, lines, 128, lines, 8 * max(32, min(lines // 8, 256)))


def _hbm(how: str, cond: Cond) -> Sketch | None:
    grid, block = cond["grid"], cond["block"]
    each = grid * block * 128
    short = max(1, (96 << 20) // each) if how == "write" else 1
    return stream(f"{how}_16", OWN, grid, block, 16, 8, (short, short + max(2, (48 << 20) // each)))


def _hbm_copy(cond: Cond) -> Sketch | None:
    grid, block = cond["grid"], cond["block"]
    each = grid * block * 64
    short = max(1, (96 << 20) // each)
    return copy(OWN, OWN, grid, block, (short, short + max(2, (32 << 20) // each)), 2)


def _width(how: str, cond: Cond) -> Sketch | None:
    width = cond["bytes_per_lane"]
    each = SMS * 1024 * width * 8
    short = max(1, (64 << 20) // each) if how == "write" else 1
    return stream(f"{how}_{width}", OWN, SMS, 1024, width, 8, (short, short + max(2, (24 << 20) // each)))


def _hbm_by_sms(how: str, cond: Cond) -> Sketch | None:
    sms = cond["sms"]
    each = sms * 1024 * 128
    # writes come to memory when L2 is full of them
    short = (96 << 20) // each if how == "write" and sms > 32 else 2
    return stream(f"{how}_16", OWN, sms, 1024, 16, 8, (short, short + max(2, (16 << 20) // each)))


def _l2_by_sms(how: str, cond: Cond) -> Sketch | None:
    return stream(f"{how}_16", OWN, cond["sms"], 1024, 16, 8, (2, 6), IN_L2, warm=True)


def _l2_set(how: str, cond: Cond) -> Sketch | None:
    size = cond["working_set"]
    if size > 1 << 26 or size & (size - 1):
        return None
    block = 1024 if size >= 1 << 24 else size // SMS // 128 // 32 * 32
    return stream(f"{how}_16", OWN, SMS, block, 16, 8, (2, 6) if size <= 1 << 24 else (4, 8), size, warm=True)


def _one_sm(how: str, in_flight: str, warm: bool, cond: Cond) -> Sketch | None:
    n = cond[in_flight]
    kernel = f"{how}_16" if n == 8 else f"{how}_16_by_{n}"
    short = max(4, 64 // n // cond["warps"])
    return stream(kernel, OWN, 1, 32 * cond["warps"], 16, n, (short, 3 * short), 1 << 22 if warm else 1 << 30, warm)


def _segment(how: str, cond: Cond) -> Sketch | None:
    width, nbytes, in_l2 = cond["bytes_per_lane"], cond["segment_bytes"], cond["memory"] == "l2"
    rounds = (2, 4) if how == "load" or in_l2 else (6, 9)
    footprint = IN_L2 if in_l2 else 1 << 28
    kernel = f"seg_{how}_{width}"
    return segments(
        kernel, OWN, SMS, 1024, width, nbytes, rounds, cond["misaligned_by"], footprint=footprint, warm=in_l2
    )


def _atomics(cond: Cond) -> Sketch | None:
    pattern, grid = cond["pattern"], cond["blocks"]
    block = 64 if pattern == "one address, all lanes" and grid > 1 else cond["block"]
    return atomics(cond["op"], pattern, OWN, grid, block, (1, 2) if grid > 1 else (2, 5))


def _fence(cond: Cond) -> Sketch | None:
    known = cond["fence"] in FENCES and cond["blocks"] == 1
    return fences(FENCES[cond["fence"]], OWN, cond["outstanding_warp_stores"]) if known else None


def _bulk_latency(cond: Cond) -> Sketch | None:
    return bulk_latency("bulk_load_latency", OWN, cond["bytes"]) if cond["source"] == "l2" else None


def _bulk(kernel: str, place: str, cond: Cond) -> Sketch | None:
    nbytes, grid, warps = cond["bytes"], cond["blocks"], cond["issuing_warps"]
    if cond[place] != "l2" or (kernel == "bulk_load" and nbytes * warps * 8 > 200000):
        return None
    each = grid * warps * nbytes
    rounds = max(10, min(64, (1 << 22) // each))
    return bulk(kernel, OWN, grid, warps, nbytes, (rounds, 3 * rounds))


def _loaded(streams_in_l2: bool, cond: Cond) -> Sketch | None:
    how = "load" if "read" in cond["background"] else "store"
    streams = cond["background_sms"]
    if streams == 0 or not streams_in_l2:
        return None
    return beside(how, OWN, streams, OWN, OWN, 64)


MEMORY: dict[str, Builder] = {
    "chase_ca": _chase_l1,
    "chase_cg_sparse": _chase_spread,
    "chase_cold": _chase_cold,
    "ld_variant_latency": lambda c: chase(LOADS[c["op"]], OWN, 512, 128, 512, 512),
    "atom_latency": lambda c: atomic_chain(CHAINS[c["op"]], OWN, 64),
    "fence": _fence,
    "hbm_read": lambda c: _hbm("read", c),
    "hbm_write": lambda c: _hbm("write", c),
    "hbm_copy": _hbm_copy,
    "hbm_read_by_width": lambda c: _width("read", c),
    "hbm_write_by_width": lambda c: _width("write", c),
    "hbm_read_by_sms": lambda c: _hbm_by_sms("read", c),
    "hbm_write_by_sms": lambda c: _hbm_by_sms("write", c),
    "l2_read_by_sms": lambda c: _l2_by_sms("read", c),
    "l2_write_by_sms": lambda c: _l2_by_sms("write", c),
    "l2_read": lambda c: _l2_set("read", c),
    "l2_write": lambda c: _l2_set("write", c),
    "one_sm_l2_read": lambda c: _one_sm("read", "loads_in_flight_per_thread", True, c),
    "one_sm_hbm_read": lambda c: _one_sm("read", "loads_in_flight_per_thread", False, c),
    "one_sm_l2_write": lambda c: _one_sm("write", "stores_per_batch", True, c),
    "seg_store": lambda c: _segment("store", c),
    "seg_load": lambda c: _segment("load", c),
    "atomic_throughput": _atomics,
    "bulk_load_latency": _bulk_latency,
    "bulk_store_read_done": lambda c: bulk_latency("bulk_store_read_done", OWN, c["bytes"]),
    "bulk_store_done": lambda c: bulk_latency("bulk_store_done", OWN, c["bytes"]),
    "bulk_load_bandwidth": lambda c: _bulk("bulk_load", "source", c),
    "bulk_store_bandwidth": lambda c: _bulk("bulk_store", "target", c),
    "bulk_reduce_f32_bandwidth": lambda c: _bulk("bulk_reduce", "target", c),
    "loaded_latency_l2": lambda c: _loaded(True, c),
}
