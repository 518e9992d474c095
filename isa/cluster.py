"""Clusters of CTAs: distributed shared memory, barrier.cluster, asynchronous stores (PTX ISA 9.0, 9.7.9 and 9.7.13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind, Op
from .special import RANK_BITS, REGION_BITS, WINDOWS

V = Any
CLUSTER = ("shared::cluster",)
COMPLETION = "mbarrier::complete_tx::bytes"


def mapa(op: Op, a: V, b: V) -> V:
    """The address in the CTA of rank b that corresponds to `a`, an address in any CTA's shared memory."""
    offset = a & a.const((1 << RANK_BITS) - 1)
    rank = (b + b.const(1)).to(a.t) << a.const(RANK_BITS)
    window = 0 if "space" in op.mods or op.mods["type"] == "u32" else WINDOWS["shared"] << REGION_BITS
    return (offset | rank | a.const(window)) if window else (offset | rank)


def _vector_is_defined(mods: Mapping[str, str]) -> str | None:
    """st.async moves at most 16 bytes."""
    wide = mods["type"][1:] == "64" and mods.get("vec") == "v4"
    return "vectors are at most 16 bytes wide" if wide else None


_RED_TYPES = {
    "add": ("u32", "s32", "u64", "s64"), "min": ("u32", "s32"), "max": ("u32", "s32"), "inc": ("u32",), "dec": ("u32",),
    "and": ("b32",), "or": ("b32",), "xor": ("b32",),
}  # fmt: skip


def _reduction_is_defined(mods: Mapping[str, str]) -> str | None:
    types = _RED_TYPES[mods["op"]]
    return None if mods["type"] in types else f".{mods['op']} takes " + ", ".join(f".{t}" for t in types)


_ASYNC = "; then the mbarrier m in the same CTA gets complete_tx of these bytes"
_MEMORY: dict[str, Any] = {"space": CLUSTER}
ROWS = (
    Instr("mapa{.space}.type d, a, b", {"space": CLUSTER, "type": ("u32", "u64")}, Kind.LANE, "alu",
          "d = address in the CTA of rank b of the cluster that corresponds to the shared memory address a",
          "PTX ISA 9.0, 9.7.9.22", mapa, operand_types={"b": "u32"}),
    Instr("getctarank{.space}.type d, a", {"space": CLUSTER, "type": ("u32", "u64")}, Kind.CTA_RANK, "alu",
          "d = rank of the CTA whose shared memory contains a", "PTX ISA 9.0, 9.7.9.23", operand_types={"d": "u32"}),
    Instr("barrier.cluster.arrive{.sem}{.aligned}", {"sem": ("release", "relaxed")}, Kind.CLUSTER_BAR, "barrier",
          "arrive at the cluster's barrier without waiting", "PTX ISA 9.0, 9.7.13.3"),
    Instr("barrier.cluster.wait{.acquire}{.aligned}", {}, Kind.CLUSTER_BAR, "barrier",
          "wait until all threads of the cluster that have not exited have arrived", "PTX ISA 9.0, 9.7.13.3"),
    Instr(f"st.async{{.weak}}{{.space}}.{COMPLETION}{{.vec}}.type [a], b, [m]",
          {**_MEMORY, "vec": ("v2", "v4"), "type": ("b32", "b64", "u32", "u64", "s32", "s64", "f32", "f64")},
          Kind.ST_ASYNC, "lsu", "memory[a] = b in another CTA's shared memory" + _ASYNC, "PTX ISA 9.0, 9.7.9.12",
          vector={"b": "vec"}, check=_vector_is_defined),
    Instr(f"red.async.relaxed.cluster{{.space}}.{COMPLETION}.op.type [a], b, [m]",
          {**_MEMORY, "op": tuple(_RED_TYPES), "type": ("u32", "s32", "u64", "s64", "b32")}, Kind.ST_ASYNC, "lsu",
          "memory[a] = memory[a] op b in another CTA's shared memory" + _ASYNC, "PTX ISA 9.0, 9.7.13.8",
          check=_reduction_is_defined),
)  # fmt: skip
