"""Barriers, fences and mbarriers (PTX ISA 9.0, 9.7.13)."""

from __future__ import annotations

from collections.abc import Mapping

from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7.13."
_BAR = {"a": "b32", "b": "b32"}
SCOPE = ("cta", "cluster", "gpu", "sys")


def _barriers() -> list[Instr]:
    """bar and barrier in their spellings: CTA barriers a with, if given, b threads."""
    rows = []
    for head in ("bar{.cta}", "barrier{.cta}"):
        aligned = "{.aligned}" if head.startswith("barrier") else ""
        for op, operands, text in (
            ("sync", "a{, b}", "wait at barrier a for b threads (all of the CTA)"),
            ("arrive", "a, b", "count towards barrier a of b threads without waiting"),
        ):
            rows.append(Instr(f"{head}.op{aligned} {operands}", {"op": (op,)}, Kind.BAR, "barrier", text, _PTX + "1",
                              operand_types=_BAR))  # fmt: skip
        for type_, ops, text in (
            ("u32", ("popc",), "wait at barrier a; d = number of threads where c holds"),
            ("pred", ("and", "or"), "wait at barrier a; p = c in all threads, or in any"),
        ):
            dest = "d" if type_ == "u32" else "p"
            for count in ("", "b, "):
                rows.append(Instr(f"{head}.op.red{aligned}.type {dest}, a, {count}{{!}}c".replace(".op.red", ".red.op"),
                                  {"op": ops, "type": (type_,)}, Kind.BAR, "barrier", text, _PTX + "1",
                                  operand_types={"d": "u32", "a": "b32", "c": "pred"} | ({"b": "b32"} if count else {})
                                  if type_ == "u32" else {"a": "b32", "c": "pred"} | ({"b": "b32"} if count else {}),
                                  form="count" if count else ""))  # fmt: skip
    return rows


def fence_is_defined(mods: Mapping[str, str]) -> str | None:
    return None


def _fences() -> list[Instr]:
    text = "earlier memory operations of this thread come before later ones, as seen in the scope"
    order = ("sc", "acq_rel", "acquire", "release")
    proxy = ("alias", "async", "async.global", "async.shared::cta")
    proxies = ("alias", "async")
    rows = [
        Instr("membar.level", {"level": ("cta", "gl", "sys")}, Kind.FENCE, "fence", text, _PTX + "4"),
        Instr("fence{.sem}.scope", {"sem": order, "scope": SCOPE}, Kind.FENCE, "fence", text, _PTX + "4"),
        Instr("membar.proxy.kind", {"kind": proxies}, Kind.FENCE, "fence", "order accesses through different proxies",
              _PTX + "4"),
        Instr("fence.proxy.kind{.space}", {"kind": proxies, "space": ("global", "shared", "shared::cluster")}, Kind.FENCE,
              "fence", "order accesses through different proxies", _PTX + "4",
              check=lambda m: "the state space goes with .async" if "space" in m and m["kind"] != "async" else None),
        Instr("fence.mbarrier_init.release.cluster", {}, Kind.FENCE, "fence",
              "an earlier mbarrier.init comes before later operations of the cluster", _PTX + "4"),
    ]  # fmt: skip
    assert proxy
    return rows


def _mbarriers() -> list[Instr]:
    b64 = {"type": ("b64",)}
    space = {"space": ("shared",)}
    sem = {"sem": ("release", "relaxed"), "scope": ("cta", "cluster")}
    wait = {"sem": ("acquire", "relaxed"), "scope": ("cta", "cluster")}
    source = _PTX + "15"

    def row(syntax: str, slots: dict[str, tuple[str, ...]], text: str, types: dict[str, str], form: str = "") -> Instr:
        return Instr(syntax, slots, Kind.MBARRIER, "lsu", text, source, operand_types=types, form=form)

    both = {**sem, **space, **b64}
    waits = {**wait, **space, **b64, "op": ("test_wait", "try_wait")}
    count, phase = {"count": "u32"}, {"state": "b64", "hint": "u32"}
    return [
        row("mbarrier.init{.space}.type [a], count", {**space, **b64}, "make an mbarrier that expects count arrivals", count),
        row("mbarrier.inval{.space}.type [a]", {**space, **b64}, "the mbarrier's memory may be used otherwise", {}),
        row("mbarrier.expect_tx{.sem}{.scope}{.space}.type [a], tx",
            {**both, "sem": ("relaxed",)}, "the phase waits for tx more bytes", {"tx": "u32"}),
        row("mbarrier.complete_tx{.sem}{.scope}{.space}.type [a], tx",
            {**both, "sem": ("relaxed",)}, "tx bytes of the phase are there", {"tx": "u32"}),
        row("mbarrier.op{.sem}{.scope}{.space}.type d, [a]{, count}", {**both, "op": ("arrive", "arrive_drop")},
            "arrive count (1) times at the phase; d = its state", count),
        row("mbarrier.op.expect_tx{.sem}{.scope}{.space}.type d, [a], tx", {**both, "op": ("arrive", "arrive_drop")},
            "expect tx more bytes and arrive; d = the phase's state", {"tx": "u32"}),
        row("mbarrier.op.noComplete{.sem}{.scope}{.space}.type d, [a], count",
            {**both, "op": ("arrive", "arrive_drop"), "sem": ("release",), "scope": ("cta",)},
            "arrive count times without completing the phase", count),
        row("mbarrier.op{.sem}{.scope}{.space}.type p, [a], state{, hint}", waits,
            "p = the phase of that state is complete (try_wait: after waiting up to hint ns)", phase),
        row("mbarrier.op.parity{.sem}{.scope}{.space}.type p, [a], parity{, hint}", waits,
            "p = the phase of that parity is complete (try_wait: after waiting up to hint ns)",
            {"parity": "u32", "hint": "u32"}),
        row("mbarrier.pending_count.type d, state", b64, "d = arrivals missing in a phase's state",
            {"d": "u32", "state": "b64"}),
    ]  # fmt: skip


ROWS = (
    *_barriers(),
    Instr("bar.warp.sync membermask", {}, Kind.BAR, "barrier", "wait for the lanes of the mask", _PTX + "2",
          operand_types={"membermask": "b32"}),
    *_fences(),
    *_mbarriers(),
)  # fmt: skip
