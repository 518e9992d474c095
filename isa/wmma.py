"""Fragments of matrices held by a warp: `wmma` (PTX ISA 9.0, 9.7.14.4). The assembler writes them as other rows.

PTX leaves open which lane holds which element. Here a fragment is the registers of `mma.sync` tiles on which the
product is computed, as ptxas has it for this GPU; m8n32k16 is the transposed product of m32n8k16.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .floats import RND
from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7.14.4."
_WIDE = ("m16n16k16", "m32n8k16", "m8n32k16")
_SHAPES = {
    **dict.fromkeys(("f16", "bf16", "s8", "u8"), _WIDE),
    "tf32": ("m16n16k8",), **dict.fromkeys(("s4", "u4"), ("m8n8k32",)), "b1": ("m8n8k128",), "f64": ("m8n8k4",),
}  # fmt: skip
"""Shapes of each type of factors."""
_SUM_SHAPES = {
    "f16": _WIDE, "f32": (*_WIDE, "m16n16k8"), "s32": (*_WIDE, "m8n8k32", "m8n8k128"), "f64": ("m8n8k4",),
}  # fmt: skip
_SUMS = {"bf16": "f32", "tf32": "f32", "f64": "f64"}
BITS = {"b1": 1, "s4": 4, "u4": 4, "s8": 8, "u8": 8, "f16": 16, "bf16": 16, "tf32": 32, "f32": 32, "s32": 32, "f64": 64}
"""Bits of an element in memory."""


@dataclass(frozen=True)
class Geometry:
    """The tiles of one shape: a warp has `down` times `across` tiles of 16 x 8 (8 x 8 if `low`) sums.

    `swapped`: they are those of the transposed product, in which b is the left factor.
    """

    m: int
    n: int
    k: int
    swapped: bool
    low: bool
    down: int
    across: int


def geometry(shape: str) -> Geometry:
    """Tiles of a shape as it is written (`m16n16k16`)."""
    m, n, k = (int(x) for x in shape[1:].replace("n", "k").split("k"))
    swapped = m < n
    rows, columns = (n, m) if swapped else (m, n)
    return Geometry(m, n, k, swapped, rows == 8, max(1, rows // 16), columns // 8)


def places(matrix: str, shape: str, kind: str) -> list[tuple[int, int]]:
    """(outer, inner) of the first element of each group of a fragment, in lane 0; see `run` for what a group is.

    Inner counts along k for a and b, else along the columns of the (transposed) product. Lane l has its first element
    l / 4 further outside and `run` times l % 4 further inside.
    """
    g = geometry(shape)
    halves = (0,) if g.low else (0, 8)
    if matrix in "cd":
        return [(16 * i + h, 8 * j) for i in range(g.down) for j in range(g.across) for h in halves]
    step = 4 * run(matrix, kind)
    inner = range(0, g.k, step)
    if (matrix == "a") != g.swapped:
        return [(16 * i + h, k) for i in range(g.down) for k in inner for h in halves]
    return [(8 * j, k) for j in range(g.across) for k in inner]


def run(matrix: str, kind: str) -> int:
    """Elements of a group, neighbours along the inner direction: two sums, or what one register holds of a factor."""
    return 2 if matrix in "cd" else max(1, 32 // BITS[kind])


def registers(matrix: str, shape: str, kind: str) -> int:
    """Registers of a fragment; those of f16 factors that the tiles do not need are copies."""
    if matrix in "ab" and kind == "f16":
        return 8
    each = 2 if matrix in "cd" and kind != "f16" else 1
    return each * len(places(matrix, shape, kind))


def _fragment(mods: Mapping[str, str]) -> int:
    return registers(mods.get("matrix", "c"), mods["shape"], mods["type"])


def _loaded(mods: Mapping[str, str]) -> str | None:
    """Types and shapes that go together, and the layouts of narrow types."""
    kind, matrix = mods["type"], mods.get("matrix", "c")
    shapes = (_SUM_SHAPES if matrix == "c" else _SHAPES)[kind]
    if mods["shape"] not in shapes:
        return f".{kind} goes with " + ", ".join(f".{s}" for s in shapes)
    if matrix != "c" and BITS[kind] < 8 and mods["layout"] != {"a": "row", "b": "col"}[matrix]:
        return f"elements of .{kind} of a are in .row order, those of b in .col order"
    return None


def _multiplied(mods: Mapping[str, str]) -> str | None:
    kind = mods["atype"]
    wanted = _SUMS.get(kind, "s32")
    if mods["btype"] != kind:
        return "a and b have the same type"
    if mods["shape"] not in _SHAPES[kind]:
        return f".{kind} goes with " + ", ".join(f".{s}" for s in _SHAPES[kind])
    if (mods["dtype"], mods["ctype"]) != (wanted, wanted):
        return f"sums of .{kind} are .{wanted}"
    if BITS[kind] < 8 and (mods["alayout"], mods["blayout"]) != ("row", "col"):
        return f".{kind} is for .row.col"
    return ".satfinite is for integers" if "satfinite" in mods and wanted != "s32" else None


_LAYOUT, _ANY = ("row", "col"), (*_WIDE, "m16n16k8", "m8n8k32", "m8n8k128")
_SPACE = {"layout": _LAYOUT, "space": ("global", "shared")}
_FACTORS, _SUM = ("f16", "bf16", "s8", "u8", "tf32", "s4", "u4", "b1"), ("f16", "f32", "s32")
_HEAD = ".sync.aligned.layout.shape{.space}.type"


def _load(matrix: tuple[str, ...], shapes: tuple[str, ...], types: tuple[str, ...], word: str, what: str) -> Instr:
    return Instr(f"wmma.load.matrix{_HEAD} d, [a]{{, stride}}",
                 {"matrix": matrix, **_SPACE, "shape": shapes, "type": types}, Kind.WMMA, "lsu", f"d = the fragment of {what}",
                 _PTX + "3", operand_types={"d": word, "stride": "u32"}, counts={"d": _fragment}, check=_loaded)  # fmt: skip


def _store(shapes: tuple[str, ...], types: tuple[str, ...], word: str) -> Instr:
    return Instr(f"wmma.store.d{_HEAD} [a], r{{, stride}}", {**_SPACE, "shape": shapes, "type": types}, Kind.WMMA, "lsu",
                 "the matrix d at a = the fragment r", _PTX + "4", operand_types={"r": word, "stride": "u32"},
                 counts={"r": _fragment}, check=_loaded)  # fmt: skip


def _mma(head: str, types: str, slots: Mapping[str, tuple[str, ...]], words: tuple[str, str, str]) -> Instr:
    """A product; `words`: types of the registers of d, of a and b, and of c."""

    def count(matrix: str) -> Callable[[Mapping[str, str]], int]:
        return lambda mods: registers(matrix, mods["shape"], mods.get(f"{matrix}type", "f16"))

    d, factor, c = words
    return Instr(f"wmma.mma{head}{types} d, a, b, c", slots, Kind.WMMA, "mma", "d = a * b + c for fragments", _PTX + "5",
                 operand_types={"d": d, "a": factor, "b": factor, "c": c},
                 counts={x: count(x) for x in "abcd"},
                 check=_multiplied if "atype" in slots and "bitop" not in slots else None)  # fmt: skip


_ORDER = {"alayout": _LAYOUT, "blayout": _LAYOUT}
_PLAIN, _TYPED = ".sync.aligned.alayout.blayout.shape", ".dtype.atype.btype.ctype"


def _typed(types: tuple[str, ...], sums: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    return {"dtype": sums, "atype": types, "btype": types, "ctype": sums}


ROWS = (
    _load(("a", "b"), _ANY, _FACTORS, "b32", "a factor"),
    _load(("c",), _ANY, _SUM, "b32", "a matrix of sums"),
    _load(("a", "b", "c"), ("m8n8k4",), ("f64",), "f64", "a matrix of .f64"),
    _store(_ANY, _SUM, "b32"),
    _store(("m8n8k4",), ("f64",), "f64"),
    _mma(_PLAIN, ".dtype.ctype", {**_ORDER, "shape": _WIDE, "dtype": _SUM[:2], "ctype": _SUM[:2]}, ("b32",) * 3),
    _mma(_PLAIN, _TYPED + "{.satfinite}", {**_ORDER, "shape": _ANY[:-1], **_typed(_FACTORS[1:-1], ("f32", "s32"))},
         ("dtype", "b32", "ctype")),
    _mma(_PLAIN, "{.rnd}" + _TYPED, {**_ORDER, "shape": ("m8n8k4",), "rnd": RND, **_typed(("f64",), ("f64",))}, ("f64",) * 3),
    _mma(".bitop.popc.sync.aligned.row.col.shape", _TYPED,
         {"bitop": ("xor", "and"), "shape": ("m8n8k128",), **_typed(("b1",), ("s32",))}, ("s32", "b32", "s32")),
)  # fmt: skip
