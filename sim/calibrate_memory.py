"""Preset values of memory and links from the figures that programs/calibrate measures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .config import Config


@dataclass(frozen=True)
class Rule:
    """``value(figure median, configuration)`` of the figure called ``name`` under the conditions ``where``."""

    key: str
    name: str
    where: Mapping[str, Any]
    value: Callable[[float, Config], float]


def _cycles(key: str, name: str, where: Mapping[str, Any], less: float = 0.0) -> Rule:
    """A latency in cycles, less what else the figure has."""
    return Rule(key, name, where, lambda x, _: x - less)


def _sector_ticks(parts: str, bytes_each: int) -> Callable[[float, Config], float]:
    """1/1024 cycles that each of so many ``parts`` needs for so many bytes at a bandwidth in GB/s."""
    return lambda x, c: 1024 * float(c["sm.clock_ghz"]) * int(c[parts]) * bytes_each / x


def _of_one_sm(nbytes: int, ticks: int = 1) -> Callable[[float, Config], float]:
    """Cycles (or 1/``ticks``) that an SM needs for so many bytes at a bandwidth in GB/s."""
    return lambda x, c: ticks * float(c["sm.clock_ghz"]) * nbytes / x


def _per_ns(ticks: int) -> Callable[[float, Config], float]:
    """Cycles (or 1/``ticks``) between operations that come so often per ns."""
    return lambda x, c: ticks * float(c["sm.clock_ghz"]) / x


def _hop(cycles: float, config: Config) -> float:
    """ns of a hop: a peer load is four of them, L2, what the hub takes over requests, and the reply."""
    others = float(config["l2.hit_latency_cycles"]) - float(config["hub.near_cycles"])
    others += float(config["hub.request_latency_cycles"]) + float(config["hub.reply_latency_cycles"])
    return (cycles - others) / 4 / float(config["sm.clock_ghz"])


def _less_page(per_ns: float, config: Config) -> float:
    """Cycles of a packet of an SM, of which a store of 16 bytes a lane has 32; finding a page is spread over them."""
    return _per_ns(1)(per_ns, config) - float(config["sm.remote_page_cycles"]) / 32


_ONE_SM = {"op": "store", "segment_bytes": 16, "sms": 1}
_ALL_SMS = {"op": "store", "segment_bytes": 16, "sms": 132}
_FULL = {"warps": 32, "stores_per_batch": 8}
MEMORY_RULES = (
    _cycles("l1.hit_latency_cycles", "ld_variant_latency", {"op": "ld.global.ca"}),
    _cycles("l2.hit_latency_cycles", "chase_cg_sparse", {"range": 4194304}),
    _cycles("hbm.latency_cycles", "chase_cold", {"range": 67108864}),
    Rule("hbm.bandwidth_gbps", "hbm_read", {"grid": 264}, lambda x, _: x),
    Rule("l2.sector_interval_ticks", "l2_read", {"working_set": 16777216}, _sector_ticks("l2.slices", 32)),
    Rule("sm.store_sector_interval_cycles", "one_sm_l2_write", _FULL, _of_one_sm(32)),
    Rule("sm.load_interval_ticks", "l1_ld_interval", {"bytes_per_lane": 4, "lane_stride_bytes": 4, "warps": 32},
         lambda x, _: 1024 * x),
    Rule("sm.red_interval_cycles", "atomic_throughput",
         {"op": "red.add.u32", "pattern": "one lane per warp, distinct lines", "blocks": 1}, _per_ns(1)),
    Rule("sm.atom_interval_cycles", "atomic_throughput",
         {"op": "atom.add.u32", "pattern": "one lane per warp, distinct lines", "blocks": 1}, _per_ns(1)),
    _cycles("tma.store_read_cycles", "bulk_store_read_done", {"bytes": 16}, less=3),
    Rule("nvlink.hop_ns", "peer_load_latency", {"op": "ld.relaxed.sys"}, _hop),
    Rule("nvlink.requests_per_ns", "peer_segment_rate_by_sms", _ALL_SMS, lambda x, _: x),
    Rule("sm.remote_request_cycles", "peer_segment_rate_by_sms", _ONE_SM, _less_page),
    Rule("sm.remote_interval_ticks", "one_sm_peer_store", {"warps": 4, "stores_per_batch": 4}, _of_one_sm(128, 1024)),
    Rule("hub.atomic_interval_ticks", "peer_atomic_throughput",
         {"op": "red.add.u32", "pattern": "one address, all lanes", "blocks": 132}, _per_ns(1024)),
    Rule("nvlink.link_gbps", "peer_store_bandwidth", {"bytes_per_lane": 16},
         lambda x, c: x * 144 / 128 / float(c["nvlink.links"])),
)  # fmt: skip
"""Values of memory, of the SM's port to the hub, and of links."""
