"""Special registers, and the windows of the generic address space (PTX ISA 9.0, chapter 10)."""

from __future__ import annotations

from typing import NamedTuple

REGION_BITS = 38
"""A virtual address is region << 38 | offset."""
WINDOWS = {"shared": 96, "local": 97, "param": 98}
"""Region through which generic addresses reach the own CTA's shared memory, the own thread's local memory, and the own
kernel's parameters."""
RANK_BITS = 24
"""Bits of an offset in the shared window; above them is the rank of the CTA in its cluster + 1, or 0 for the own CTA."""
WARP_SZ = 32
"""Lanes of a warp: the constant WARP_SZ of the language."""


class SpecialReg(NamedTuple):
    """A special register: `kind` says over what it is constant ("lane", "warp", "cta", "grid", "gpu", "clock")."""

    number: int
    name: str
    type: str
    meaning: str
    kind: str


def _axes(name: str, meaning: str, kind: str) -> list[tuple[str, str, str, str]]:
    return [(f"%{name}.{axis}", "u32", f"{meaning}, axis {axis}", kind) for axis in "xyz"]


_LIST = [
    *_axes("tid", "thread index in the CTA", "lane"),
    ("%laneid", "u32", "lane in the warp", "lane"),
    *(
        (f"%lanemask_{c}", "u32", f"mask of the lanes whose number is {what} the own", "lane")
        for c, what in (("eq", "equal to"), ("le", "at most"), ("lt", "below"), ("ge", "at least"), ("gt", "above"))
    ),
    *_axes("ntid", "threads of the CTA", "grid"),
    *_axes("ctaid", "CTA index in the grid", "cta"),
    *_axes("nctaid", "CTAs of the grid", "grid"),
    ("%warpid", "u32", "warp in the CTA", "warp"),
    ("%nwarpid", "u32", "most warps of an SM", "gpu"),
    ("%smid", "u32", "SM that runs the CTA", "cta"),
    ("%nsmid", "u32", "SMs of the GPU", "gpu"),
    ("%gridid", "u64", "number of the launch", "grid"),
    ("%clock", "u32", "cycle counter of the SM, low half", "clock"),
    ("%clock_hi", "u32", "cycle counter of the SM, high half", "clock"),
    ("%clock64", "u64", "cycle counter of the SM", "clock"),
    ("%globaltimer", "u64", "time in ns, the same on all GPUs", "clock"),
    ("%globaltimer_lo", "u32", "time in ns, low half", "clock"),
    ("%globaltimer_hi", "u32", "time in ns, high half", "clock"),
    ("%dynamic_smem_size", "u32", "dynamic shared memory of the launch, bytes", "grid"),
    ("%total_smem_size", "u32", "shared memory of the CTA, bytes", "grid"),
    ("%aggr_smem_size", "u32", "shared memory of the CTA and what the system takes of it, bytes", "grid"),
    *(
        (f"%reserved_smem_offset_{what}", "b32", f"shared memory the system takes: {text}", "grid")
        for what, text in (
            ("begin", "its offset"),
            ("end", "its end"),
            ("cap", "its most bytes"),
            ("0", "offset 0"),
            ("1", "offset 1"),
        )
    ),
    ("%current_graph_exec", "u64", "identifies the running graph; there are none", "grid"),
    *((f"%pm{n}", "u32", f"performance monitor counter {n}; they count nothing", "clock") for n in range(8)),
    *((f"%pm{n}_64", "u64", f"performance monitor counter {n}; they count nothing", "clock") for n in range(8)),
    ("%gpuid", "u32", "number of the GPU in the machine", "gpu"),
    ("%ngpus", "u32", "GPUs of the machine", "gpu"),
    *_axes("cluster_ctaid", "CTA index in the cluster", "cta"),
    *_axes("cluster_nctaid", "CTAs of the cluster", "grid"),
    *_axes("clusterid", "cluster index in the grid", "cta"),
    *_axes("nclusterid", "clusters of the grid", "grid"),
    ("%cluster_ctarank", "u32", "CTA rank in the cluster", "cta"),
    ("%cluster_nctarank", "u32", "CTAs of the cluster, all axes together", "grid"),
    ("%is_explicit_cluster", "pred", "the launch named a cluster", "grid"),
    *((f"%envreg{n}", "b32", f"driver-defined value {n}", "grid") for n in range(32)),
]

SPECIAL: dict[str, SpecialReg] = {name: SpecialReg(i, name, *rest) for i, (name, *rest) in enumerate(_LIST)}
