"""Warp-level matrix instructions (PTX ISA 9.0, 9.7.14)."""

from __future__ import annotations

from collections.abc import Mapping

from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7.14."


def _halves_agree(mods: Mapping[str, str]) -> str | None:
    if mods["atype"] != mods["btype"]:
        return "a and b have the same type"
    if mods["atype"] == "bf16" and mods["dtype"] == "f16":
        return ".bf16 products are summed in .f32"
    return None if mods["dtype"] == mods["ctype"] else "d and c have the same type here"


def _mma(shape: str, inputs: tuple[str, ...], sums: str, a: int, b: int) -> Instr:
    """One shape: registers of a and b per lane; sums in f32 take four registers, in f16 two."""
    count = 4 if sums == "f32" else 2
    vectors = [
        ", ".join(f"{name}{i}" for i in range(n)) for name, n in (("d", count), ("a", a), ("b", b), ("c", count))
    ]
    operands = ", ".join(f"{{{v}}}" for v in vectors)
    word = "f32" if sums == "f32" else "b32"
    slots = {"shape": (shape,), "dtype": (sums,), "atype": inputs, "btype": inputs, "ctype": (sums,)}
    return Instr(f"mma.sync.aligned.shape.row.col.dtype.atype.btype.ctype {operands}", slots, Kind.MMA, "mma",
                 "d = a * b + c for matrices spread over the warp", _PTX + "5",
                 operand_types={"d": word, "a": "b32", "b": "b32", "c": word}, check=_halves_agree)  # fmt: skip


_NUM = {"num": ("x1", "x2", "x4")}
_SPACE = {"space": ("shared",)}
ROWS = (
    _mma("m16n8k16", ("f16", "bf16"), "f32", 4, 2),
    _mma("m16n8k16", ("f16",), "f16", 4, 2),
    _mma("m16n8k8", ("f16", "bf16"), "f32", 2, 1),
    _mma("m16n8k8", ("f16",), "f16", 2, 1),
    Instr("ldmatrix.sync.aligned.m8n8.num{.trans}{.space}.type d, [a]", {**_NUM, **_SPACE, "type": ("b16",)},
          Kind.LDMATRIX,
          "lsu", "d = 8x8 matrices of 16-bit elements, rows at the addresses of lanes 0-7, 8-15, …", _PTX + "5.15",
          operand_types={"d": "b32"}, vector={"d": "num"}),
)  # fmt: skip
