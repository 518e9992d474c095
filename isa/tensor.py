"""Warp-level matrix instructions (PTX ISA 9.0, 9.7.14)."""

from __future__ import annotations

from collections.abc import Mapping

from .floats import RND
from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7.14."


def _same_factors(mods: Mapping[str, str]) -> str | None:
    if mods["atype"] != mods["btype"]:
        return "a and b have the same type"
    return None if mods["dtype"] == mods["ctype"] else "d and c have the same type here"


def _mma(
    shape: str,
    inputs: tuple[str, ...],
    sums: str,
    n: tuple[int, int, int],
    mixed: bool = False,
    latency: str = "mma",
    form: str = "",
    extra: str = "",
) -> Instr:
    """One shape; ``n``: registers of a, of b and of c and d. ``mixed``: a and b may differ in type."""
    vectors = [
        ", ".join(f"{name}{i}" for i in range(k)) for name, k in zip("dabc", (n[2], n[0], n[1], n[2]), strict=True)
    ]
    operands = ", ".join(f"{{{v}}}" for v in vectors)
    word = sums if sums in ("f32", "f64", "s32") else "b32"
    factor = "f64" if sums == "f64" else "b32"
    slots = {"shape": (shape,), "dtype": (sums,), "atype": inputs, "btype": inputs, "ctype": (sums,)}
    if form:
        slots["bitop"] = ("xor", "and")
    if sums == "f64":
        slots["rnd"], extra = RND, "{.rnd}"
    return Instr(
        f"mma.sync.aligned.shape.row.col{extra}.dtype.atype.btype.ctype{form} {operands}",
        slots,
        Kind.MMA,
        latency,
        "d = a * b + c for matrices spread over the warp",
        _PTX + "5",
        operand_types={"d": word, "a": factor, "b": factor, "c": word},
        check=None if mixed else _same_factors,
    )


def _sparse(shape: str, inputs: tuple[str, ...], sums: str, n: tuple[int, int, int], latency: str) -> Instr:
    """As `_mma`, with half of A's numbers, metadata e and its selector f."""
    dense = _mma(shape, inputs, sums, n, inputs[0] in ("s8", "s4", "e4m3"), latency)
    extra = "{.satfinite}" if sums == "s32" else ""
    operands = dense.syntax.partition(" ")[2]
    return Instr(
        f"mma.sp.sync.aligned.shape.row.col{extra}.dtype.atype.btype.ctype {operands}, e, f",
        {**dense.slots, "sp": ("sp", "sp::ordered_metadata")},
        Kind.MMA,
        latency,
        "d = a * b + c; of four elements along k of a two are stored and e says which",
        _PTX + "6.3",
        operand_types={**dense.operand_types, "e": "b32", "f": "b32"},
        forms={"f": "imm"},
        allowed={"f": range(4)},
        writes=("d",),
        check=dense.check,
    )


def _quads(sums: str, n: int) -> Instr:
    """Four products of .f16, each in eight lanes; the assembler writes them as other rows (quads.py). ``n``: registers of c."""
    vectors = [", ".join(f"{name}{i}" for i in range(k)) for name, k in zip("dabc", (n, 2, 2, n), strict=True)]
    word = "f32" if sums == "f32" else "b32"
    return Instr(
        "mma.sync.aligned.m8n8k4.alayout.blayout.dtype.atype.btype.ctype " + ", ".join(f"{{{v}}}" for v in vectors),
        {
            "alayout": ("row", "col"),
            "blayout": ("row", "col"),
            "dtype": (sums,),
            "atype": ("f16",),
            "btype": ("f16",),
            "ctype": (sums,),
        },
        Kind.WMMA,
        "mma",
        "d = a * b + c for four matrices, computed without tensor cores",
        _PTX + "5.1",
        operand_types={"d": word, "a": "b32", "b": "b32", "c": word},
    )


_HALF, _FP8, _BYTE, _NIBBLE = ("f16", "bf16"), ("e4m3", "e5m2"), ("s8", "u8"), ("s4", "u4")
_NUM = {"num": ("x1", "x2", "x4")}
_SPACE = {"space": ("shared",)}
MMA = (
    _mma("m16n8k16", _HALF, "f32", (4, 2, 4)),
    _mma("m16n8k16", ("f16",), "f16", (4, 2, 2)),
    _mma("m16n8k8", _HALF, "f32", (2, 1, 4), latency="mma_half"),
    _mma("m16n8k8", ("f16",), "f16", (2, 1, 2), latency="mma_half"),
    _mma("m16n8k4", ("tf32",), "f32", (2, 1, 4), latency="mma_half"),
    _mma("m16n8k8", ("tf32",), "f32", (4, 2, 4)),
    _mma("m16n8k32", _FP8, "f32", (4, 2, 4), mixed=True, latency="mma_pair"),
    _mma("m16n8k32", _FP8, "f16", (4, 2, 2), mixed=True, latency="mma_pair"),
    _mma("m16n8k16", _FP8, "f32", (2, 1, 4), mixed=True),
    _mma("m16n8k16", _FP8, "f16", (2, 1, 2), mixed=True),
    _mma("m8n8k4", ("f64",), "f64", (1, 1, 2), latency="mma_f64"),
    _mma("m16n8k4", ("f64",), "f64", (2, 1, 4), latency="mma_f64x2"),
    _mma("m16n8k8", ("f64",), "f64", (4, 2, 4), latency="mma_f64x4"),
    _mma("m16n8k16", ("f64",), "f64", (8, 4, 4), latency="mma_f64x8"),
    *(
        _mma(shape, types, "s32", n, mixed=True, latency=latency, extra="{.satfinite}")
        for shape, types, n, latency in (
            ("m8n8k16", _BYTE, (1, 1, 2), "mma_half"),
            ("m16n8k16", _BYTE, (2, 1, 4), "mma_half"),
            ("m16n8k32", _BYTE, (4, 2, 4), "mma"),
            ("m8n8k32", _NIBBLE, (1, 1, 2), "mma_half"),
            ("m16n8k32", _NIBBLE, (2, 1, 4), "mma"),
            ("m16n8k64", _NIBBLE, (4, 2, 4), "mma_pair"),
        )
    ),
    *(
        _mma(shape, ("b1",), "s32", n, latency="mma", form=".bitop.popc")
        for shape, n in (("m8n8k128", (1, 1, 2)), ("m16n8k128", (2, 1, 4)), ("m16n8k256", (4, 2, 4)))
    ),
)
SPARSE = tuple(
    _sparse(shape, types, sums, n, latency)
    for shape, types, sums, n, latency in (
        ("m16n8k16", _HALF, "f32", (2, 2, 4), "mma_half"),
        ("m16n8k32", _HALF, "f32", (4, 4, 4), "mma"),
        ("m16n8k16", ("f16",), "f16", (2, 2, 2), "mma_half"),
        ("m16n8k32", ("f16",), "f16", (4, 4, 2), "mma"),
        ("m16n8k8", ("tf32",), "f32", (2, 2, 4), "mma_half"),
        ("m16n8k16", ("tf32",), "f32", (4, 4, 4), "mma"),
        ("m16n8k64", _FP8, "f32", (4, 4, 4), "mma_pair"),
        ("m16n8k32", _BYTE, "s32", (2, 2, 4), "mma_half"),
        ("m16n8k64", _BYTE, "s32", (4, 4, 4), "mma"),
        ("m16n8k64", _NIBBLE, "s32", (2, 2, 4), "mma"),
        ("m16n8k128", _NIBBLE, "s32", (4, 4, 4), "mma_pair"),
    )
)
ROWS = (
    *MMA,
    *SPARSE,
    _quads("f32", 8),
    _quads("f16", 4),
    Instr("ldmatrix.sync.aligned.m8n8.num{.trans}{.space}.type d, [a]", {**_NUM, **_SPACE, "type": ("b16",)},
          Kind.LDMATRIX,
          "lsu", "d = 8x8 matrices of 16-bit elements, rows at the addresses of lanes 0-7, 8-15, …", _PTX + "5.15",
          operand_types={"d": "b32"}, vector={"d": "num"}),
    Instr("stmatrix.sync.aligned.m8n8.num{.trans}{.space}.type [a], s", {**_NUM, **_SPACE, "type": ("b16",)},
          Kind.STMATRIX,
          "lsu", "8x8 matrices of 16-bit elements to the rows at the addresses of lanes 0-7, 8-15, …", _PTX + "5.16",
          operand_types={"s": "b32"}, vector={"s": "num"}),
    Instr("movmatrix.sync.aligned.m8n8.trans.b16 d, a", {}, Kind.MOVMATRIX, "movmatrix",
          "d = an 8x8 matrix of 16-bit elements, transposed", _PTX + "5.17", operand_types={"d": "b32", "a": "b32"}),
)  # fmt: skip
