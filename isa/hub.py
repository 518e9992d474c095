"""Our superset of PTX: what the hubs and switches of the modelled papers add. Each row has a `.target` switch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind, Op
from .memory import VALUES, VEC, atomics, load_row, width
from .multimem import OPS, TYPES

V = Any
ROWSP = {"mid": 40, "row": 16, "offset": 0}
"""Lowest bit of each field of a row address: MallocID (24 bits: GPU 8, region 16), RowID (24), RowOffset (16)."""
_HUB, _DYSHARP, _CAIS = "MoE-Hub section IV-A1", "DySHARP section III-C", "CAIS section III-A1"


def pack_row(op: Op, mid: V, row: V, offset: V) -> V:
    high = mid & mid.const(0xFFFFFF)
    low = row & row.const(0xFFFFFF)
    eight, sixteen = high.const(8), high.const(16)
    upper = (high << eight) | (low >> sixteen)
    lower = (low << sixteen) | (offset & offset.const(0xFFFF))
    return lower.pack32(upper)


def at_most_16_bytes(mods: Mapping[str, str]) -> str | None:
    return "a vector is at most 16 bytes wide" if width(mods) > 16 else None


def dysharp_is_defined(mods: Mapping[str, str]) -> str | None:
    """DySHARP reductions: types as in multimem, vectors up to 16 bytes."""
    op, t = mods["op"], mods["type"]
    if (op in ("and", "or", "xor")) != (t in ("b32", "b64")):
        return f".{op} has no .{t} values"
    if "acc::f32" in mods and t not in ("f16", "f16x2", "bf16", "bf16x2"):
        return f".acc::f32 is not for .{t}"
    return at_most_16_bytes(mods)


_STORED = (*VALUES, "f16", "bf16", "f16x2", "bf16x2")
_TARGETS = {"count": "u32", "targets": "b64"}
ROWS = (
    Instr("st.rowsp{.nop}{.vec}.type [rd], src", {"vec": VEC[:2], "type": _STORED}, Kind.ROWSP_ST, "lsu",
          "store src into the row that the target GPU's hub allocates for rd = {MallocID, RowID, RowOffset}; .nop: low "
          "priority", _HUB, vector={"src": "vec"}, check=at_most_16_bytes, target="rowsp"),
    Instr("rowsp.pack.b64 rd, mid, row, offset", {}, Kind.LANE, "alu",
          "rd = row address {mid 24, row 24, offset 16 bits}", _HUB, pack_row, operand_types={"rd": "b64", "mid": "b32",
                                                                                              "row": "b32",
                                                                                              "offset": "b32"},
          writes=("rd",),
          target="rowsp"),
    Instr("rowspMalloc mid, gpu, rows, row_bytes", {}, Kind.ROWSP_MALLOC, "misc",
          "mid = a new region of rows in the memory of a GPU, entered in its hub's tables", "MoE-Hub section IV-A2",
          operand_types={"mid": "b32", "gpu": "u32", "rows": "u32", "row_bytes": "u32"}, target="rowsp"),
    Instr("dymultimem.st{.vec}.type [maddr], src, count, [targets]", {"vec": VEC[:2], "type": _STORED}, Kind.DYMM_ST, "lsu",
          "store src at maddr of the count experts whose u32 numbers are at targets", _DYSHARP, vector={"src": "vec"},
          operand_types=_TARGETS, check=at_most_16_bytes, target="dymultimem"),
    Instr("dymultimem.ld_reduce.op{.acc::f32}{.vec}.type dst, [maddr], count, [targets]",
          {"op": OPS, "vec": VEC[:2], "type": TYPES}, Kind.DYMM_LDRED, "lsu",
          "dst = values at maddr of the count experts whose u32 numbers are at targets, reduced in the switch",
          _DYSHARP, vector={"dst": "vec"}, operand_types=_TARGETS, check=dysharp_is_defined, writes=("dst",),
          target="dymultimem"),
    load_row(".cais", "d = memory[a]; the switch may answer it together with those of other GPUs", source=_CAIS,
             target="cais"),
    *atomics("cais"),
)  # fmt: skip
