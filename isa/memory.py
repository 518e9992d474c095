"""Loads, stores, prefetches and atomics (PTX ISA 9.0, 9.7.9 and 9.7.13)."""

from __future__ import annotations

from collections.abc import Mapping

from .instr import Instr, Kind

Mods = Mapping[str, str]
VALUES = ("b8", "b16", "b32", "b64", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64")
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
    sem, scope = mods.get("sem"), mods.get("scope")
    if sem in ("relaxed", "acquire", "release") and not scope:
        return f".{sem} needs a scope (.cta, .cluster, .gpu, .sys)"
    if scope and sem not in ("relaxed", "acquire", "release"):
        return f".{scope} needs .relaxed, .acquire or .release"
    if width(mods) > (32 if mods.get("space", "global") == "global" else 16) or (
        mods.get("vec") == "v8" and width(mods) < 32
    ):
        return "a vector is at most 16 bytes wide (32 in global memory, .v8 of 32-bit elements)"
    if "cop" in mods and (sem not in (None, "weak") or set(mods) & {"level1", "level2", "hint", "prefetch"}):
        return f".{mods['cop']} goes with neither another ordering than .weak nor cache hints"
    if mods.get("space") in ("local", "param", "const") and sem in ("acquire", "release"):
        return f".{sem} is not for .{mods['space']}"
    return None


def load_is_defined(mods: Mapping[str, str]) -> str | None:
    if "nc" in mods and mods.get("space", "global") != "global":
        return ".nc is for .global"
    if "mmio" in mods and (mods.get("sem"), mods.get("scope")) != ("relaxed", "sys"):
        return ".mmio needs .relaxed.sys"
    return access_is_defined(mods)


def store_is_defined(mods: Mapping[str, str]) -> str | None:
    if "mmio" in mods and (mods.get("sem"), mods.get("scope")) != ("relaxed", "sys"):
        return ".mmio needs .relaxed.sys"
    return access_is_defined(mods)


def _load_slots() -> dict[str, tuple[str, ...]]:
    return {"sem": LOAD_ORDER, "scope": SCOPE, "space": SPACES, "cop": ("ca", "cg", "cs", "lu", "cv"), "level1": L1,
            "level2": L2, "hint": HINT, "prefetch": PREFETCH, "vec": VEC, "type": VALUES}  # fmt: skip


LOAD = "ld{.mmio}{.sem}{.scope}{.space}{.nc}{.cop}{.level1}{.level2}{.hint}{.prefetch}{.vec}.type d, [a]{, policy}"
STORE = "st{.mmio}{.sem}{.scope}{.space}{.cop}{.level1}{.level2}{.hint}{.vec}.type [a], b{, policy}"
_STORE_SLOTS = {"sem": STORE_ORDER, "scope": SCOPE, "space": SPACES[:5], "cop": ("wb", "cg", "cs", "wt"), "level1": L1,
                "level2": L2, "hint": HINT, "vec": VEC, "type": VALUES}  # fmt: skip

# ------------------------------------------------------------------------------------------------ atomics
INTEGER = ("u32", "s32", "u64", "s64")
ATOM_TYPES: dict[str, tuple[str, ...]] = {
    "add": ("u32", "s32", "u64", "f32", "f64", "f16", "f16x2", "bf16", "bf16x2"),
    "min": (*INTEGER,), "max": (*INTEGER,), "inc": ("u32",), "dec": ("u32",),
    "and": ("b32", "b64"), "or": ("b32", "b64"), "xor": ("b32", "b64"), "exch": ("b32", "b64"),
    "cas": ("b16", "b32", "b64"),
}  # fmt: skip
PACKED = ("f16", "f16x2", "bf16", "bf16x2")
ATOM_SEM = ("relaxed", "acquire", "release", "acq_rel")
VECTOR_RED = {"v2": ("f32", *PACKED), "v4": ("f32", *PACKED), "v8": ("f16", "bf16")}


def atom_is_defined(mods: Mapping[str, str]) -> str | None:
    """Which types each atomic operation has."""
    op, t, vec = mods["op"], mods["type"], mods.get("vec")
    if vec:
        if mods.get("space", "global") != "global":
            return "vectors of atomics are for .global"
        if not (t in VECTOR_RED[vec] and (op == "add" or (op in ("min", "max") and t in PACKED))):
            return f".{op}.{vec} has no .{t} values"
        if width(mods) > 16:
            return "a vector is at most 16 bytes wide"
    elif t not in ATOM_TYPES[op]:
        return f".{op} takes " + ", ".join(f".{x}" for x in ATOM_TYPES[op])
    if (t in PACKED and op == "add") != ("noftz" in mods) and not (vec and t in PACKED):
        return f".add.{t} is written with .noftz" if t in PACKED else f".noftz is not for .{t}"
    return None


_MERGED = "; the switch may merge it with those of other GPUs"


def _atomics(target: str = "") -> list[Instr]:
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
        Instr(f"atom{head}.op{{.hint}}.type d, [a], b, c{{, policy}}", {k: v for k,
                                                                        v in slots.items() if k != "noftz"} |
              {"op": ("cas",)}, Kind.ATOM, "lsu", "d = memory[a]; memory[a] = c where d equals b, atomically",
              source.format(6), operand_types=_POLICY, needs=_NEEDS, check=atom_is_defined),
        red,
    ]  # fmt: skip


_LEVEL = {"level": ("L1", "L2")}
ROWS = (
    Instr(LOAD, _load_slots(), Kind.LD, "lsu",
          "d = memory[a]; narrow values are extended to the register by their sign",
          "PTX ISA 9.0, 9.7.9.8", vector={"d": "vec"}, operand_types=_POLICY, needs=_NEEDS, check=load_is_defined),
    Instr("ldu{.space}{.vec}.type d, [a]", {"space": ("global",), "vec": VEC[:2], "type": VALUES}, Kind.LD, "lsu",
          "d = memory[a], the same address in all lanes", "PTX ISA 9.0, 9.7.9.10", vector={"d": "vec"},
          check=access_is_defined),
    Instr(STORE, _STORE_SLOTS, Kind.ST, "lsu", "memory[a] = b", "PTX ISA 9.0, 9.7.9.11", vector={"b": "vec"},
          operand_types=_POLICY, needs=_NEEDS, check=store_is_defined),
    *_atomics(),
    Instr("prefetch{.space}.level [a]", {"space": ("global", "local"), "level": ("L1", "L2", *L2[::2])}, Kind.NOP,
          "misc",
          "bring the line at a into a cache", "PTX ISA 9.0, 9.7.9.16"),
    Instr("prefetchu.level [a]", {"level": ("L1",)}, Kind.NOP, "misc", "bring the line at a into the uniform cache",
          "PTX ISA 9.0, 9.7.9.16"),
    Instr("applypriority{.space}.level [a], size", {"space": ("global",), "level": ("L2::evict_normal",)}, Kind.NOP,
          "misc",
          "set the eviction priority of the line at a", "PTX ISA 9.0, 9.7.9.17", operand_types={"size": "b32"},
          forms={"size": "imm"}),
    Instr("discard{.space}.level [a], size", {"space": ("global",), "level": ("L2",)}, Kind.NOP, "misc",
          "the bytes at a need not be kept", "PTX ISA 9.0, 9.7.9.18", operand_types={"size": "b32"},
          forms={"size": "imm"}),
    Instr("createpolicy.fractional.primary{.secondary}.b64 d{, fraction}",
          {"primary": L2, "secondary": ("L2::evict_unchanged",)}, Kind.NOP, "alu",
          "d = a cache policy", "PTX ISA 9.0, 9.7.9.15", operand_types={"d": "b64", "fraction": "f32"}),
)  # fmt: skip
