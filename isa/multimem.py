"""Operations on all memories of a multicast object (PTX ISA 9.0, 9.7.9.13)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .instr import Instr, Kind

Check = Callable[[Mapping[str, str]], str | None]
SCOPE = ("cta", "cluster", "gpu", "sys")
INTEGER = ("u32", "s32", "u64", "s64")
FLOAT = ("f16", "f16x2", "bf16", "bf16x2", "f32", "f64")
TYPES = ("u32", "s32", "u64", "s64", "b32", "b64", *FLOAT)
OPS = ("add", "min", "max", "and", "or", "xor")
_VECTORS = {"f16": ("v2", "v4", "v8"), "bf16": ("v2", "v4", "v8"), "f16x2": ("v2", "v4"), "bf16x2": ("v2", "v4"),
            "f32": ("v2", "v4"), "f64": ()}  # fmt: skip


def reduction_is_defined(mods: Mapping[str, str]) -> str | None:
    """Which types each reduction has, and in which vectors."""
    op, t = mods["op"], mods["type"]
    if (op in ("and", "or", "xor")) != (t in ("b32", "b64")):
        return f".{op} has no .{t} values"
    if (op == "add" and t == "s64") or (op != "add" and t in ("f32", "f64")):
        return f".{op} has no .{t} values"
    if "acc::f32" in mods and (op != "add" or t not in ("f16", "f16x2", "bf16", "bf16x2")):
        return f".acc::f32 is not for .{op}.{t}"
    return store_is_defined(mods)


def red_is_defined(mods: Mapping[str, str]) -> str | None:
    """Like reductions that return a value, but floats can only be added."""
    if mods["op"] != "add" and mods["type"] in FLOAT:
        return f".{mods['op']} has no .{mods['type']} values"
    return reduction_is_defined(mods)


def store_is_defined(mods: Mapping[str, str]) -> str | None:
    """Vectors and scopes."""
    vec, t = mods.get("vec"), mods["type"]
    if t in ("f16", "bf16") and not vec:
        return f".{t} values come in vectors (.v2, .v4, .v8)"
    if vec and vec not in _VECTORS.get(t, ()):
        return f".{t} values do not come in .{vec}"
    if mods.get("sem", "weak") == "weak" and "scope" in mods:
        return f".{mods['scope']} needs .relaxed, .acquire or .release"
    if "scope" not in mods and mods.get("sem", "weak") != "weak":
        return f".{mods['sem']} needs a scope (.cta, .cluster, .gpu, .sys)"
    return None


def _row(syntax: str, sem: tuple[str, ...], kind: Kind, meaning: str, check: Check, data: str) -> Instr:
    slots = {"sem": sem, "scope": SCOPE, "space": ("global",), "op": OPS, "vec": ("v2", "v4", "v8"), "type": TYPES}
    slots = {k: v for k, v in slots.items() if f".{k}" in syntax}
    return Instr(syntax, slots, kind, "lsu", meaning, "PTX ISA 9.0, 9.7.9.13", vector={data: "vec"},
                 check=check)  # fmt: skip


_HEAD = "{.sem}{.scope}{.space}"
ROWS = (
    _row(f"multimem.ld_reduce{_HEAD}.op{{.acc::f32}}{{.vec}}.type d, [a]", ("weak", "relaxed", "acquire"),
         Kind.MM_LDRED, "d = memory[a] of all GPUs of the object, reduced (.acc::f32: summed in f32)",
         reduction_is_defined, "d"),
    _row(f"multimem.st{_HEAD}{{.vec}}.type [a], b", ("weak", "relaxed", "release"), Kind.MM_ST,
         "memory[a] = b on all GPUs of the object", store_is_defined, "b"),
    _row(f"multimem.red{_HEAD}.op{{.vec}}.type [a], b", ("relaxed", "release"), Kind.MM_RED,
         "memory[a] = memory[a] op b on all GPUs of the object", red_is_defined, "b"),
)  # fmt: skip
