"""Loads, stores and atomics (PTX ISA 9.0, 9.7.9 and 9.7.13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind

VALUES = ("b8", "b16", "b32", "b64", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "b128")
SPACES = ("global", "shared", "shared::cluster", "local", "param", "const")
SCOPE = ("cta", "cluster", "gpu", "sys")
VEC = ("v2", "v4", "v8")
L1 = tuple(f"L1::{p}" for p in ("evict_normal", "evict_unchanged", "evict_first", "evict_last", "no_allocate"))
L2 = tuple(f"L2::{p}" for p in ("evict_normal", "evict_first", "evict_last"))
HINT, PREFETCH = ("L2::cache_hint",), ("L2::64B", "L2::128B", "L2::256B")
LOAD_ORDER = ("weak", "volatile", "relaxed", "acquire")
STORE_ORDER = ("weak", "volatile", "relaxed", "release")
_POLICY = {"policy": "b64"}
_NEEDS = {"policy": "hint"}


def width(mods: Mapping[str, str]) -> int:
    """Bytes each lane moves."""
    t = mods["type"]
    bits = {"f16x2": 32, "bf16x2": 32, "bf16": 16}.get(t) or int(t[1:])
    return int(mods.get("vec", "v1")[1:]) * bits // 8


def access_is_defined(mods: Mapping[str, str]) -> str | None:
    """Scopes, vector widths, cache operators and spaces that go together."""
    sem, scope, space = mods.get("sem"), mods.get("scope"), mods.get("space", "global")
    ordered, hints = sem in ("relaxed", "acquire", "release"), set(mods) & {"level1", "hint", "prefetch"}
    if ordered and not scope:
        return f".{sem} needs a scope (.cta, .cluster, .gpu, .sys)"
    if scope and not ordered:
        return f".{scope} needs .relaxed, .acquire or .release"
    if (ordered or sem == "volatile") and space in ("local", "param", "const"):
        return f".{sem} is not for .{space}"
    if width(mods) > 16:
        return "vectors of 32 bytes need a later GPU; here they are at most .v4 and 16 bytes wide"
    if "cop" in mods and (sem not in (None, "weak") or "level1" in mods):
        return f".{mods['cop']} goes with neither another ordering than .weak nor an eviction priority"
    if hints and space != "global":
        return "cache hints are for .global"
    return ".volatile takes no cache hints" if sem == "volatile" and hints - {"prefetch"} else None


def load_is_defined(mods: Mapping[str, str]) -> str | None:
    """Stores take .v8 of bytes and halves; ptxas 13.0 has no such loads for this target."""
    if mods.get("vec") == "v8":
        return "vectors of eight elements need a later GPU; here loads have at most .v4 and 16 bytes"
    return access_is_defined(mods)


_HINTS = {"level1": L1, "hint": HINT, "prefetch": PREFETCH}
_DATA = {"vec": VEC, "type": VALUES}
_LOAD_COP, _STORE_COP = ("ca", "cg", "cs", "lu", "cv"), ("wb", "cg", "cs", "wt")
_PTX_LOAD, _PTX_STORE = "PTX ISA 9.0, 9.7.9.8", "PTX ISA 9.0, 9.7.9.11"


def load_row(switch: str = "", meaning: str = "", **more: Any) -> Instr:
    """ld, or with `switch` one of its variants that may be merged on the way."""
    modifiers = "{.cop}{.level1}{.hint}{.prefetch}{.vec}.type"
    syntax = f"ld{{.sem}}{{.scope}}{{.space}}{switch}{modifiers} d, [a]{{, policy}}"
    slots = {"sem": LOAD_ORDER, "scope": SCOPE, "space": SPACES, "cop": _LOAD_COP, **_HINTS, **_DATA}
    text = meaning or "d = memory[a]; narrow values are extended to the register by their sign"
    return Instr(syntax, slots, Kind.LD, "lsu", text, more.pop("source", _PTX_LOAD), vector={"d": "vec"},
                 operand_types=_POLICY, needs=_NEEDS, check=load_is_defined, **more)  # fmt: skip


def _loads_and_stores() -> list[Instr]:
    memory: dict[str, Any] = {"operand_types": _POLICY, "needs": _NEEDS, "check": access_is_defined}
    store = {"sem": STORE_ORDER, "scope": SCOPE, "space": SPACES[:5], "cop": _STORE_COP, "level1": L1, "hint": HINT}
    constant = "d = memory[a], which nothing writes while the kernel runs"
    device = "memory[a] of a device: exactly this access is made"
    scalar = {"space": ("global",), "type": VALUES}
    return [
        load_row(),
        Instr("ld.space.nc{.cop}{.level1}{.hint}{.prefetch}{.vec}.type d, [a]{, policy}",
              {"space": ("global",), "cop": _LOAD_COP[:3], **_HINTS, **_DATA}, Kind.LD, "lsu", constant,
              "PTX ISA 9.0, 9.7.9.9", vector={"d": "vec"}, **{**memory, "check": load_is_defined}),
        Instr("ld.mmio.relaxed.sys{.space}.type d, [a]", scalar, Kind.LD, "lsu", "d = " + device, _PTX_LOAD),
        Instr("ldu{.space}{.vec}.type d, [a]", {"space": ("global",), **_DATA}, Kind.LD, "lsu",
              "d = memory[a], the same address in all lanes", "PTX ISA 9.0, 9.7.9.10", vector={"d": "vec"},
              check=load_is_defined),
        Instr("st{.sem}{.scope}{.space}{.cop}{.level1}{.hint}{.vec}.type [a], b{, policy}", {**store, **_DATA}, Kind.ST,
              "lsu", "memory[a] = b", _PTX_STORE, vector={"b": "vec"}, **memory),
        Instr("st.mmio.relaxed.sys{.space}.type [a], b", scalar, Kind.ST, "lsu", "b to " + device, _PTX_STORE),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------ atomics
INTEGER = ("u32", "s32", "u64", "s64")
ATOM_TYPES: dict[str, tuple[str, ...]] = {
    "add": ("u32", "s32", "u64", "f32", "f64", "f16", "f16x2", "bf16", "bf16x2"),
    "min": (*INTEGER,), "max": (*INTEGER,), "inc": ("u32",), "dec": ("u32",),
    "and": ("b32", "b64"), "or": ("b32", "b64"), "xor": ("b32", "b64"), "exch": ("b32", "b64", "b128"),
    "cas": ("b16", "b32", "b64", "b128"),
}  # fmt: skip
PACKED = ("f16", "f16x2", "bf16", "bf16x2")
ATOM_SEM = ("relaxed", "acquire", "release", "acq_rel")
VECTOR_RED = {"v2": ("f32", *PACKED), "v4": ("f32", *PACKED), "v8": ("f16", "bf16")}


def atom_is_defined(mods: Mapping[str, str]) -> str | None:
    """Which types each atomic operation has."""
    op, t, vec = mods["op"], mods["type"], mods.get("vec")
    if "hint" in mods and mods.get("space", "global") != "global":
        return "cache hints are for .global"
    if vec:
        if mods.get("space", "global") != "global":
            return "vectors of atomics are for .global"
        if not (t in VECTOR_RED[vec] and (op == "add" or (op in ("min", "max") and t in PACKED))):
            return f".{op}.{vec} has no .{t} values"
        if width(mods) > 16:
            return "a vector is at most 16 bytes wide"
    elif t not in ATOM_TYPES[op]:
        return f".{op} takes " + ", ".join(f".{x}" for x in ATOM_TYPES[op])
    if (t in PACKED) != ("noftz" in mods):
        return f".{op}.{t} is written with .noftz" if t in PACKED else f".noftz is not for .{t}"
    return None


_MERGED = "; the switch may merge it with those of other GPUs"


def atomics(target: str = "") -> list[Instr]:
    """atom and red; the .cais rows may be merged in the switch."""
    types = tuple(dict.fromkeys(t for ts in ATOM_TYPES.values() for t in ts))
    slots = {"sem": ATOM_SEM, "scope": SCOPE, "space": ("global", "shared", "shared::cluster"), "hint": HINT,
             "noftz": ("noftz",), "type": types}  # fmt: skip
    ops = tuple(o for o in ATOM_TYPES if o != "cas")
    vec = {"vec": VEC}
    source = "CAIS section III-A1" if target else "PTX ISA 9.0, 9.7.13.{}"
    head, tail = "{.sem}{.scope}{.space}", "{.noftz}{.hint}{.vec}.type"
    red = Instr(f"red{head}{'.cais' if target else ''}.op{tail} [a], b{{, policy}}",
                {**slots, **vec, "op": ops[:-1], "sem": ("relaxed", "release")}, Kind.RED, "lsu",
                "memory[a] = memory[a] op b, atomically" + (_MERGED if target else ""),
                source.format(7), vector={"b": "vec"}, operand_types=_POLICY, needs=_NEEDS, check=atom_is_defined,
                target=target)  # fmt: skip
    if target:
        return [red]
    return [
        Instr(f"atom{head}.op{tail} d, [a], b{{, policy}}", {**slots, **vec, "op": ops}, Kind.ATOM, "lsu",
              "d = memory[a]; memory[a] = d op b, atomically", source.format(6), vector={"d": "vec", "b": "vec"},
              operand_types=_POLICY, needs=_NEEDS, check=atom_is_defined),
        Instr(f"atom{head}.op.type d, [a], b, c", {k: slots[k] for k in ("sem", "scope", "space", "type")} |
              {"op": ("cas",)}, Kind.ATOM, "lsu", "d = memory[a]; memory[a] = c where d equals b, atomically",
              source.format(6), check=atom_is_defined),
        red,
    ]  # fmt: skip


ROWS = (*_loads_and_stores(), *atomics())
