"""Bulk copies and tensor copies: the tensor memory accelerator (PTX ISA 9.0, 9.7.9.25 and 9.7.9.27)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind
from .memory import HINT

_PTX = "PTX ISA 9.0, 9.7.9."
_MBARRIER = "mbarrier::complete_tx::bytes"
_HINT = {"hint": HINT}
_DIMS = ("1d", "2d", "3d", "4d", "5d")
_TYPES = {"size": "b32", "policy": "b64", "mask": "b16", "o": "b16"}
_NEEDS = {"policy": "hint", "mask": "multicast"}
_EXTRA = "{, mask}{, policy}"
_THEN = "; then the mbarrier m gets complete_tx of these bytes"

_LOGIC = ("and", "or", "xor")
_SHARED_TYPES = {
    "add": ("u32", "s32", "u64"), "min": ("u32", "s32"), "max": ("u32", "s32"), "inc": ("u32",), "dec": ("u32",),
    **dict.fromkeys(_LOGIC, ("b32",)),
}  # fmt: skip
_ORDERED = ("u32", "s32", "u64", "s64", "f16", "bf16")
_GLOBAL_TYPES = {
    "add": ("u32", "s32", "u64", "f16", "bf16", "f32", "f64"), "min": _ORDERED, "max": _ORDERED, "inc": ("u32",),
    "dec": ("u32",), **dict.fromkeys(_LOGIC, ("b32", "b64")),
}  # fmt: skip
_TYPE_NAMES = tuple(dict.fromkeys(t for types in _GLOBAL_TYPES.values() for t in types))


def _row(syntax: str, slots: Mapping[str, tuple[str, ...]], text: str, source: str, **more: Any) -> Instr:
    """A copy: operands as in `_TYPES`, those of `_NEEDS` that it has."""
    operands = syntax.partition(" ")[2]
    types = {
        k: v for k, v in _TYPES.items() if k in more.get("named", ()) or f" {k}" in operands or f"{{, {k}" in operands
    }
    needs = {k: v for k, v in _NEEDS.items() if k in types}
    more.pop("named", None)
    sizes = {"size": range(0, 1 << 32, 16)} if "size" in types else {}
    return Instr(syntax, {**slots}, Kind.BULK, "lsu", text, _PTX + source, operand_types=types, needs=needs,
                 allowed=sizes, **more)  # fmt: skip


def _shared_reduction(mods: Mapping[str, str]) -> str | None:
    types = _SHARED_TYPES[mods["op"]]
    return None if mods["type"] in types else f".{mods['op']} takes " + ", ".join(f".{t}" for t in types)


def _global_reduction(mods: Mapping[str, str]) -> str | None:
    op, type_ = mods["op"], mods["type"]
    if type_ not in _GLOBAL_TYPES[op]:
        return f".{op} takes " + ", ".join(f".{t}" for t in _GLOBAL_TYPES[op])
    if (op == "add" and type_ in ("f16", "bf16")) != ("noftz" in mods):
        return f".{op}.{type_} is written with .noftz" if "noftz" not in mods else f".noftz is not for .{op}.{type_}"
    return None


def _bulk() -> list[Instr]:
    multicast = {"multicast": ("multicast::cluster",)}
    reduce_ = {"op": tuple(_GLOBAL_TYPES), "type": _TYPE_NAMES}
    return [
        _row(f"cp.async.bulk.shared::cluster.global.{_MBARRIER}{{.multicast}}{{.hint}} [d], [a], size, [m]" + _EXTRA,
             {**multicast, **_HINT}, "copy size bytes from global memory a to the cluster's shared memory d" + _THEN,
             "25.4.1"),
        _row(f"cp.async.bulk.shared::cta.global.{_MBARRIER}{{.hint}} [d], [a], size, [m]{{, policy}}", _HINT,
             "copy size bytes from global memory a to shared memory d" + _THEN, "25.4.1"),
        _row(f"cp.async.bulk.shared::cluster.shared::cta.{_MBARRIER} [d], [a], size, [m]", {},
             "copy size bytes from shared memory a to that of another CTA" + _THEN, "25.4.1"),
        _row("cp.async.bulk.global.shared::cta.bulk_group{.hint} [d], [a], size{, policy}", _HINT,
             "copy size bytes from shared memory a to global memory d", "25.4.1"),
        _row(f"cp.reduce.async.bulk.shared::cluster.shared::cta.{_MBARRIER}.op.type [d], [a], size, [m]", reduce_,
             "d = d op a for each element, in the shared memory of another CTA" + _THEN, "25.4.2",
             check=_shared_reduction),
        _row("cp.reduce.async.bulk.global.shared::cta.bulk_group{.hint}.op{.noftz}.type [d], [a], size{, policy}",
             {**_HINT, **reduce_}, "d = d op a for each element in global memory", "25.4.2", check=_global_reduction),
        _row("cp.async.bulk.prefetch.L2.global{.hint} [a], size{, policy}", _HINT, "bring size bytes at a into L2",
             "25.4.3"),
    ]  # fmt: skip


def _tensors() -> list[Instr]:
    multicast = {"multicast": ("multicast::cluster",)}
    reduce_ = {"op": tuple(_GLOBAL_TYPES)}
    dims, deep = {"dim": _DIMS}, {"dim": _DIMS[2:]}
    offsets: dict[str, Any] = {"vector": {"o": "dim"}, "form": "im2col"}
    out: list[Instr] = []
    for mode, slots, more in (("{.tile}", dims, {}), (".im2col", deep, offsets)):
        offset = "" if mode == "{.tile}" else ", {o}"
        box = "box of the tensor map t at coordinates"
        for space, cast in (("shared::cluster", "{.multicast}"), ("shared::cta", "")):
            mask = "{, mask}" if cast else ""
            out.append(_row(
                f"cp.async.bulk.tensor.dim.{space}.global{mode}.{_MBARRIER}{cast}{{.hint}} "
                f"[d], [t, c], [m]{offset}{mask}{{, policy}}",
                {**slots, **(multicast if cast else {}), **_HINT},
                f"copy the {box} c to shared memory d, elements outside as the map says" + _THEN, "27.1.2",
                named=("o",) if offset else (), **more))  # fmt: skip
        out.append(_row(f"cp.async.bulk.prefetch.tensor.dim.L2.global{mode}{{.hint}} [t, c]{offset}{{, policy}}",
                        {**slots, **_HINT}, f"bring the {box} c into L2", "27.1.4", named=("o",) if offset else (),
                        **more))  # fmt: skip
    for mode, slots in (("{.tile}", dims), (".im2col_no_offs", deep)):
        out += [
            _row(f"cp.async.bulk.tensor.dim.global.shared::cta{mode}.bulk_group{{.hint}} [t, c], [a]{{, policy}}",
                 {**slots, **_HINT}, "copy shared memory a to the box of the tensor map t at coordinates c", "27.1.2"),
            _row(f"cp.reduce.async.bulk.tensor.dim.global.shared::cta.op{mode}.bulk_group{{.hint}} [t, c], [a]{{, policy}}",
                 {**slots, **reduce_, **_HINT}, "box = box op a for each element of the tensor map's type", "27.1.3"),
        ]  # fmt: skip
    return out


_FIELDS = {
    "global_address": "b64", "rank": "b32", "box_dim": "b32", "global_dim": "b32", "global_stride": "b64",
    "element_stride": "b32", "elemtype": "b32", "interleave_layout": "b32", "swizzle_mode": "b32", "fill_mode": "b32",
}  # fmt: skip
_INDEXED = ("box_dim", "global_dim", "global_stride", "element_stride")
_CONSTANT = {"elemtype": range(13), "interleave_layout": range(3), "swizzle_mode": range(4), "fill_mode": range(2)}
"""Fields that take constants only, and those they take."""


def _replacements() -> list[Instr]:
    """tensormap.replace: some fields have a number, some take constants only."""
    rows = []
    for name, type_ in _FIELDS.items():
        operands = "[a], n, b" if name in _INDEXED else "[a], b"
        constants = {"b": "imm"} if name in _CONSTANT else {"n": "imm"} if name in _INDEXED else {}
        allowed = {"b": _CONSTANT[name]} if name in _CONSTANT else {"n": range(5)} if name in _INDEXED else {}
        types = {"b": type_, **({"n": "b32"} if name in _INDEXED else {})}
        rows.append(Instr(f"tensormap.replace.tile.{name}{{.space}}.b1024.{type_} {operands}",
                          {"space": ("global", "shared::cta")}, Kind.TENSORMAP, "lsu",
                          f"{name} of the tensor map at a = b", _PTX + "27.3", operand_types=types,
                          forms=constants, allowed=allowed))  # fmt: skip
    return rows


ROWS = (
    *_bulk(),
    Instr("cp.async.bulk.commit_group", {}, Kind.BULK_COMMIT, "misc", "the bulk copies since the last one form a group",
          _PTX + "25.5"),
    Instr("cp.async.bulk.wait_group{.read} n", {}, Kind.BULK_WAIT, "misc",
          "wait until at most n bulk groups of this thread are missing; .read: have not read their source",
          _PTX + "25.5", operand_types={"n": "b32"}, forms={"n": "imm"}),
    *_tensors(),
    *_replacements(),
    Instr("tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.scope.sync.aligned [d], [a], size",
          {"scope": ("cta", "cluster", "gpu", "sys")}, Kind.TENSORMAP, "lsu",
          "copy a tensor map from shared to global memory and make it known", _PTX + "27.4",
          operand_types={"size": "b32"}, forms={"size": "imm"}, allowed={"size": (128,)}),
    Instr("prefetch{.space}.tensormap [a]", {"space": ("const", "param")}, Kind.NOP, "misc",
          "bring the tensor map at a into the cache of descriptors", _PTX + "16"),
)  # fmt: skip
