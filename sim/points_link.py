"""Figures of two GPUs (nvlink_p2p.json) as cases: GPU 0 accesses the memory of GPU 1."""

from collections.abc import Mapping
from typing import Any

from .points import Builder, Sketch
from .points_cases import (
    RANGE,
    SMS,
    atomic_chain,
    atomics,
    beside,
    bulk,
    bulk_latency,
    chase,
    copy,
    fences,
    ping,
    ping_words,
    rows,
    segments,
    stream,
)

Cond = Mapping[str, Any]
PEER = 1
LOADS = {
    "ld.global.ca": "ca", "ld.global.cg": "cg", "ld.relaxed.gpu": "relaxed_gpu", "ld.acquire.gpu": "acquire_gpu",
    "ld.relaxed.sys": "relaxed_sys", "ld.acquire.sys": "acquire_sys", "ld.volatile": "volatile", "ld.global.nc": "nc",
}  # fmt: skip
"""Kernels of chase.s by the measurements' names of loads."""
CHAINS = {
    "atom.add.u32": "add_u32", "atom.cas.b32": "cas_b32", "atom.sys.add.u32": "sys_add_u32",
    "atom.acq_rel.sys.add.u32": "acq_rel_sys_add_u32", "atom.acq_rel.gpu.add.u32": "acq_rel_gpu_add_u32",
    "atom.add.f32": "add_f32",
}  # fmt: skip
FENCES = {
    "fence.acq_rel.sys": "acq_rel_sys", "fence.acq_rel.gpu": "acq_rel_gpu", "fence.sc.sys": "sc_sys", "membar.cta": "cta",
    "membar.gl": "gl", "membar.sys": "sys", "fence.proxy.async": "proxy",
}  # fmt: skip
FLAGS = {
    "st.release.sys / ld.acquire.sys, flag in receiver's memory": "release",
    "st.relaxed.sys / ld.relaxed.sys": "relaxed",
    "st.volatile / ld.volatile": "volatile",
    "red.release.sys.add / ld.acquire.sys": "red",
    "atom.release.sys.exch / ld.acquire.sys": "exch",
}
PULL = "pull: flag in sender's memory, ld.acquire.sys over the link"
BACKGROUNDS = {
    "store, same direction as the requests": ("store", 0, PEER),
    "load (responses on the return path)": ("load", 0, PEER),
    "peer GPU stores towards us": ("store", PEER, 0),
}
"""What streams, on which GPU, to which."""
MOST_PAYLOAD = 65536


def _few(sms: int, one: tuple[int, int] = (2, 5)) -> tuple[int, int]:
    """Rounds for so many SMs: more where the link is not full."""
    return one if sms <= 4 else (1, 3) if sms <= 16 else (1, 2)


def _flag(cond: Cond) -> Sketch | None:
    return ping("release", pull=True) if cond["mode"] == PULL else ping(FLAGS[cond["mode"]])


def _put(cond: Cond) -> Sketch | None:
    if cond["payload"] > MOST_PAYLOAD:
        return None
    return ping("release", nbytes=cond["payload"], threads=cond["threads"], rounds=14)


def _width(how: str, cond: Cond) -> Sketch | None:
    width = cond["bytes_per_lane"]
    return stream(f"{how}_{width}", PEER, SMS, 1024, width, 8, (1, 2) if width > 4 else (2, 4))


def _by_sms(how: str, cond: Cond) -> Sketch | None:
    return stream(f"{how}_16", PEER, cond["sms"], 1024, 16, 8, _few(cond["sms"]))


def _bulk_by_sms(kernel: str, cond: Cond) -> Sketch | None:
    return bulk(kernel, PEER, cond["sms"], 1, 8192, (8, 32) if cond["sms"] < 32 else (8, 16))


def _one_sm(how: str, in_flight: str, cond: Cond) -> Sketch | None:
    n = cond[in_flight]
    kernel = f"{how}_16" if n == 8 else f"{how}_16_by_{n}"
    short = max(2, 64 // n // cond["warps"])
    return stream(kernel, PEER, 1, 32 * cond["warps"], 16, n, (short, 3 * short), 1 << 16, warm=True)


def _segment(how: str, cond: Cond) -> Sketch | None:
    width, nbytes = cond["bytes_per_lane"], cond["segment_bytes"]
    loads = how == "load" and nbytes > 512
    rounds = (1, 3) if nbytes < 1024 else (2, 5) if loads else (1, 2)
    if nbytes >= 2048:
        rounds = (1, 2)
    return segments(f"seg_{how}_{width}", PEER, SMS, 256, width, nbytes, rounds, cond["misaligned_by"])


def _segment_rate(cond: Cond) -> Sketch | None:
    sms, width, nbytes = cond["sms"], cond["bytes_per_lane"], cond["segment_bytes"]
    block, rounds = (1024, (2, 6)) if sms <= 8 else (256, (2, 6)) if sms <= 32 else (256, (1, 3))
    footprint = 1 << 28 if sms <= 8 else RANGE
    kernel = f"seg_{cond['op']}_{width}"
    return segments(kernel, PEER, sms, block, width, nbytes, rounds, per_segment=True, footprint=footprint)


def _atomics(cond: Cond) -> Sketch | None:
    pattern, grid = cond["pattern"], cond["blocks"]
    one = pattern.startswith("one address, ")
    block = 1024 if grid == 1 and not one else 128 if pattern == "one address, all lanes" else 256
    return atomics(cond["op"], pattern, PEER, grid, block, (1, 2) if grid > 1 else (2, 5))


def _bulk(kernel: str, cond: Cond) -> Sketch | None:
    nbytes, grid, warps = cond["bytes"], cond["blocks"], cond["issuing_warps"]
    each = grid * warps * nbytes
    rounds = max(10, min(64, (1 << 20) // each))
    if grid > 1 and rounds * each > 1 << 24:
        rounds = max(4, (1 << 24) // each)
    return bulk(kernel, PEER, grid, warps, nbytes, (rounds, 3 * rounds), cond.get("order") == "random")


def _rows(gather: bool, cond: Cond) -> Sketch | None:
    warps = cond["blocks"] * 32
    each = max(1, 4096 // cond["row_bytes"]) * warps
    if cond["row_bytes"] > 4096 and warps > 2048:
        return None
    return rows(PEER, cond["row_bytes"], cond["blocks"], (each, 3 * each), gather)


def _loaded(cond: Cond) -> Sketch | None:
    how, loader, target = BACKGROUNDS[cond["background"]]
    streams = cond["background_sms"]
    if streams == 0:
        return None
    return beside(how, PEER, streams, loader, target, 24 if streams < 64 else 12)


def _both_ways(cond: Cond) -> Sketch | None:
    how = {"store both ways": "write_16", "load both ways": "read_16"}.get(cond["case"])
    if how is None:
        return None
    made = stream(how, PEER, SMS, 1024, 16, 8, (1, 3))
    made.buffer("back", 0, made.case["buffers"][0]["count"] * 4)
    for launch in list(made.case["launches"]):
        numbers = [p["value"] for p in launch["params"][2:-1]]
        params = ["back", ("u64", (1 << 30) - 1), *numbers]
        made.launch(PEER, how, SMS, 1024, params, launch["phase"])
    return made


def _cold(cond: Cond) -> Sketch | None:
    return chase("cg", PEER, 2048, cond["range"] // 2048, 0, 512, "latency") if cond["range"] <= 1 << 26 else None


def _warm(cond: Cond) -> Sketch | None:
    return chase("cg", PEER, 512, cond["range"] // 512, 512, 512, "latency") if cond["range"] <= 1 << 26 else None


LINK: dict[str, Builder] = {
    "peer_load_latency": lambda c: chase(LOADS[c["op"]], PEER, 512, 128, 512, 512),
    "peer_load_cold_ns": _cold,
    "peer_load_warm_ns": _warm,
    "peer_atom_latency": lambda c: atomic_chain(CHAINS[c["op"]], PEER, 64),
    "peer_store_fence": lambda c: fences(FENCES[c["fence"]], PEER, c["outstanding_warp_stores"]),
    "flag_one_way_ns": _flag,
    "put_with_flag_one_way_ns": _put,
    "ll_put_one_way_ns": lambda c: ping_words(c["data_bytes"], c["threads"], 14),
    "peer_store_bandwidth": lambda c: _width("write", c),
    "peer_load_bandwidth": lambda c: _width("read", c),
    "copy_local_to_peer": lambda c: copy(0, PEER, SMS, 1024, (1, 3)),
    "copy_peer_to_local": lambda c: copy(PEER, 0, SMS, 1024, (1, 3)),
    "peer_store_by_sms": lambda c: _by_sms("write", c),
    "peer_load_by_sms": lambda c: _by_sms("read", c),
    "peer_bulk_store_by_sms": lambda c: _bulk_by_sms("bulk_store", c),
    "copy_local_to_peer_by_sms": lambda c: copy(0, PEER, c["sms"], 1024, (2, 6) if c["sms"] < 32 else (1, 3)),
    "one_sm_peer_load": lambda c: _one_sm("read", "loads_in_flight_per_thread", c),
    "one_sm_peer_store": lambda c: _one_sm("write", "stores_per_batch", c),
    "bidirectional": _both_ways,
    "peer_seg_store": lambda c: _segment("store", c),
    "peer_seg_load": lambda c: _segment("load", c),
    "peer_seg_red": lambda c: _segment("red", c),
    "peer_segment_rate_by_sms": _segment_rate,
    "peer_atomic_throughput": _atomics,
    "peer_bulk_store_read_done": lambda c: bulk_latency("bulk_store_read_done", PEER, c["bytes"]),
    "peer_bulk_store_done": lambda c: bulk_latency("bulk_store_done", PEER, c["bytes"]),
    "peer_bulk_store_bandwidth": lambda c: _bulk("bulk_store", c),
    "moe_row_scatter_peer": lambda c: _rows(False, c),
    "moe_row_gather_peer": lambda c: _rows(True, c),
    "peer_loaded_latency_ns": _loaded,
}
