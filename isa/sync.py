"""Barriers, fences and mbarriers (PTX ISA 9.0, 9.7.13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind, Op

_PTX = "PTX ISA 9.0, 9.7.13."
SCOPE = ("cta", "cluster", "gpu", "sys")


def _barrier(syntax: str, ops: tuple[str, ...], text: str, **more: Any) -> list[Instr]:
    """A CTA barrier in its two spellings; the .aligned of barrier says that all threads of the warp are there."""
    source = _PTX + "1"
    opcode, _, operands = syntax.partition(" ")
    slots = {"op": ops}
    spellings = (
        f"bar{{.cta}}{opcode} {operands}",
        f"barrier{{.cta}}{opcode.replace('.op', '.op{.aligned}')} {operands}",
    )
    return [Instr(s, slots, Kind.BAR, "barrier", text, source, **more) for s in spellings]


def _barriers() -> list[Instr]:
    words = {"a": "b32", "b": "b32"}
    plain, counted = {"a": "b32", "c": "pred"}, {**words, "c": "pred"}
    number = {"d": "u32"}
    popc, both = (
        "wait at barrier a; d = number of threads where c holds",
        "wait at barrier a; p = c in all threads, or in any",
    )
    return [
        *_barrier(".op a{, b}", ("sync",), "wait at barrier a for b threads (all of the CTA)", operand_types=words),
        *_barrier(".op a, b", ("arrive",), "count towards barrier a of b threads without waiting", operand_types=words),
        *_barrier(".red.op.u32 d, a, {!}c", ("popc",), popc, operand_types={**number, **plain}),
        *_barrier(".red.op.u32 d, a, b, {!}c", ("popc",), popc, operand_types={**number, **counted}, form="count"),
        *_barrier(".red.op.pred p, a, {!}c", ("and", "or"), both, operand_types=plain),
        *_barrier(".red.op.pred p, a, b, {!}c", ("and", "or"), both, operand_types=counted, form="count"),
    ]


_RESTRICT = {"acquire": "sync_restrict::shared::cluster", "release": "sync_restrict::shared::cta"}


def _restricted(mods: Mapping[str, str]) -> str | None:
    """An acquire is restricted to the cluster's shared memory, a release to the CTA's."""
    wanted = _RESTRICT[mods["sem"]]
    return None if mods["restrict"] == wanted else f".{mods['sem']} goes with .{wanted}"


def _fences() -> list[Instr]:
    text = "earlier memory operations of this thread come before later ones, as seen in the scope"
    proxies = "order accesses through different proxies"
    kinds = ("alias", "async")
    spaces = ("global", "shared::cta", "shared::cluster")
    source = _PTX + "4"
    restricted = {"sem": ("acquire", "release"), "restrict": tuple(_RESTRICT.values())}
    return [
        Instr("membar.level", {"level": ("cta", "gl", "sys")}, Kind.FENCE, "fence", text, source),
        Instr("fence{.sem}.scope", {"sem": ("sc", "acq_rel", "acquire", "release"), "scope": SCOPE}, Kind.FENCE,
              "fence", text,
              source),
        Instr("membar.proxy.kind", {"kind": kinds[:1]}, Kind.FENCE, "fence", proxies, source),
        Instr("fence.proxy.kind{.space}", {"kind": kinds, "space": spaces}, Kind.FENCE, "fence", proxies, source,
              check=lambda m: "the state space goes with .async" if "space" in m and m["kind"] != "async" else None),
        Instr("fence.proxy.tensormap::generic.release.scope", {"scope": SCOPE}, Kind.FENCE, "fence", proxies, source),
        Instr("fence.proxy.tensormap::generic.acquire.scope [a], size", {"scope": SCOPE}, Kind.FENCE, "fence",
              "accesses to the tensor map at a come after those that its release saw", source,
              operand_types={"size": "b32"}, forms={"size": "imm"}, allowed={"size": (128,)}),
        Instr("fence.proxy.async::generic.sem.restrict.cluster", restricted, Kind.FENCE, "fence", proxies, source,
              check=_restricted),
        Instr("fence.sem.restrict.cluster", restricted, Kind.FENCE, "fence",
              "the fence for mbarriers or shared memory of the cluster only", source, check=_restricted),
        Instr("fence.mbarrier_init.release.cluster", {}, Kind.FENCE, "fence",
              "an earlier mbarrier.init comes before later operations of the cluster", source),
    ]  # fmt: skip


def order_has_scope(mods: Mapping[str, str]) -> str | None:
    """An ordering and its scope come together."""
    return None if ("sem" in mods) == ("scope" in mods) else "an ordering and its scope (.cta, .cluster) go together"


def _remote_order(mods: Mapping[str, str]) -> str | None:
    """Distributed shared memory has no mbarrier operation that reports the state."""
    if mods.get("space") == "shared::cluster" and "noComplete" in mods:
        return ".noComplete is for .shared::cta"
    return order_has_scope(mods)


def pending_count(op: Op, a: Any) -> Any:
    """Arrivals that a phase waits for: the low bits of the object as simulated (sim/sm/mbarrier_object.py)."""
    return (a & a.const((1 << 20) - 1)).to("u32")


def _mbarriers() -> list[Instr]:
    b64 = {"type": ("b64",)}
    own, any_ = {"space": ("shared",)}, {"space": ("shared", "shared::cluster")}
    sem = {"sem": ("release", "relaxed"), "scope": ("cta", "cluster")}
    wait = {"sem": ("acquire", "relaxed"), "scope": ("cta", "cluster")}
    source = _PTX + "15"
    arrive = {"op": ("arrive", "arrive_drop")}

    def row(syntax: str, slots: dict[str, tuple[str, ...]], text: str, types: dict[str, str], **more: Any) -> Instr:
        return Instr(
            syntax, slots, Kind.MBARRIER, "lsu", text, source, operand_types=types, check=_remote_order, **more
        )

    def arrivals(space: str, spaces: Mapping[str, tuple[str, ...]], **more: Any) -> list[Instr]:
        slots = {**sem, **spaces, **b64, **arrive}
        types = {"count": "u32", "tx": "u32", "d": "b64"}
        plain, tx = {k: types[k] for k in ("count", "d")}, {k: types[k] for k in ("tx", "d")}
        return [
            row(f"mbarrier.op{{.sem}}{{.scope}}{space}.type d, [a]{{, count}}", slots,
                "arrive count (1) times at the phase; d = its state", plain, allowed={"count": range(1, 1 << 20)}, **more),
            row(f"mbarrier.op.expect_tx{{.sem}}{{.scope}}{space}.type d, [a], tx", slots,
                "expect tx more bytes and arrive; d = the phase's state", tx, **more),
        ]  # fmt: skip

    count = {"count": "u32"}
    bytes_ = {**sem, **any_, **b64, "sem": ("relaxed",)}
    waits = {**wait, **own, **b64}
    return [
        row("mbarrier.init{.space}.type [a], count", {**own, **b64}, "make an mbarrier that expects count arrivals",
            count),
        row("mbarrier.inval{.space}.type [a]", {**own, **b64}, "the mbarrier's memory may be used otherwise", {}),
        row("mbarrier.expect_tx{.sem}{.scope}{.space}.type [a], tx", bytes_, "the phase waits for tx more bytes",
            {"tx": "u32"}),
        row("mbarrier.complete_tx{.sem}{.scope}{.space}.type [a], tx", bytes_, "tx bytes of the phase are there",
            {"tx": "u32"}),
        *arrivals("{.space}", own),
        *arrivals(".space", {"space": ("shared::cluster",)}, forms={"d": "sink"}),
        row("mbarrier.op.noComplete{.sem}{.scope}{.space}.type d, [a], count",
            {**sem, **own, **b64, **arrive, "sem": ("release",), "scope": ("cta",)},
            "arrive count times without completing the phase", count),
        *(row(f"mbarrier.{op}{which}{{.sem}}{{.scope}}{{.space}}.type p, [a], {name}{hint}", waits,
              f"p = the phase of that {name} is complete{text}", {name: type_, **({"hint": "u32"} if hint else {})})
          for op, hint, text in (("test_wait", "", ""), ("try_wait", "{, hint}", ", after waiting up to hint ns"))
          for which, name, type_ in (("", "state", "b64"), (".parity", "parity", "u32"))),
        Instr("mbarrier.pending_count.b64 d, a", {}, Kind.LANE, "alu", "d = arrivals missing in the phase state a",
              source, pending_count, operand_types={"d": "u32", "a": "b64"}),
    ]  # fmt: skip


ROWS = (
    *_barriers(),
    Instr("bar.warp.sync membermask", {}, Kind.BAR, "barrier", "wait for the lanes of the mask", _PTX + "2",
          operand_types={"membermask": "b32"}),
    *_fences(),
    *_mbarriers(),
)  # fmt: skip
