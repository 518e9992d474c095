"""Asynchronous matrix instructions of warpgroups (PTX ISA 9.0, 9.7.15)."""

from __future__ import annotations

from collections.abc import Mapping

from .instr import Instr, Kind

_PTX = "PTX ISA 9.0, 9.7.15."
_ANY = tuple(range(8, 257, 8))
_INTEGER = (8, 16, 24, *range(32, 257, 16))
"""Columns of an instruction: multiples of 8, of integers fewer."""


def columns(mods: Mapping[str, str]) -> int:
    """N of the shape."""
    return int(mods["shape"].partition("n")[2].partition("k")[0])


def _registers(mods: Mapping[str, str]) -> int:
    """Registers of a thread's part of the 64 x N accumulator; two f16 share one."""
    return columns(mods) // (4 if mods["dtype"] == "f16" else 2)


def _same_factors(mods: Mapping[str, str]) -> str | None:
    return None if mods["atype"] == mods["btype"] else "a and b have the same type"


def _row(k: int, inputs: tuple[str, ...], sums: tuple[str, ...], in_registers: bool, trans: bool = False,
         extra: str = "", mixed: bool = False, sparse: bool = False) -> Instr:  # fmt: skip
    """One kind of element: ``k`` elements of B are 32 bytes, 64 if ``sparse``. ``trans``: factors in shared memory may be
    transposed."""
    signs = ", sa, sb" if sums[0] != "s32" else ""
    turns = "" if not trans else ", tb" if in_registers else ", ta, tb"
    a = "{a0, a1, a2, a3}" if in_registers else "a"
    names = [name.strip() for name in (signs + turns).split(",") if name.strip()]
    more = ", e, f" if sparse else ""
    names += ["f"] * sparse
    types = {"e": "b32"} if sparse else {}
    types |= {
        "d": "b32" if sums == ("f16",) else sums[0],
        "a": "b32" if in_registers else "b64",
        "b": "b64",
        "p": "pred",
    }
    shapes = tuple(f"m64n{n}k{k}" for n in (_INTEGER if sums[0] == "s32" else _ANY))
    return Instr(
        f"wgmma.mma_async{'.sp' * sparse}.sync.aligned.shape.dtype.atype.btype{extra} d, {a}, b{more}, p{signs}{turns}",
        {"shape": shapes, "dtype": sums, "atype": inputs, "btype": inputs},
        Kind.WGMMA,
        "wgmma",
        "d = a * b + d for the matrices of four warps, if p, else d = a * b; asynchronously"
        + ("; of four elements along k of a two are stored and e says which" if sparse else ""),
        _PTX + "5.2",
        target="sm_90a",
        operand_types={**types, **dict.fromkeys(names, "s32")},
        forms=dict.fromkeys(names, "imm"),
        allowed={name: (1, -1) if name[0] == "s" else range(2) for name in names},
        counts={"d": _registers},
        updates=("d",),
        writes=(),
        check=None if mixed else _same_factors,
        form="registers" if in_registers else "",
    )


_ROWS = (
    (16, ("f16", "bf16"), ("f32",), True, "", False),
    (16, ("f16",), ("f16",), True, "", False),
    (8, ("tf32",), ("f32",), False, "", False),
    (32, ("e4m3", "e5m2"), ("f32",), False, "", True),
    (32, ("e4m3", "e5m2"), ("f16",), False, "", True),
    (32, ("s8", "u8"), ("s32",), False, "{.satfinite}", True),
    (256, ("b1",), ("s32",), False, ".and.popc", False),
)
ROWS = (
    *(
        _row(k, inputs, sums, in_registers, trans, extra, mixed)
        for k, inputs, sums, trans, extra, mixed in _ROWS
        for in_registers in (False, True)
    ),
    *(
        _row(2 * k, inputs, sums, in_registers, trans, extra, mixed, True)
        for k, inputs, sums, trans, extra, mixed in _ROWS
        if inputs != ("b1",)
        for in_registers in (False, True)
    ),
    Instr("wgmma.fence.sync.aligned", {}, Kind.WGMMA_FENCE, "misc",
          "registers and shared memory written before are seen by the following wgmma", _PTX + "7.1", target="sm_90a"),
    Instr("wgmma.commit_group.sync.aligned", {}, Kind.WGMMA_COMMIT, "misc", "the wgmma since the last one form a group",
          _PTX + "7.2", target="sm_90a"),
    Instr("wgmma.wait_group.sync.aligned n", {}, Kind.WGMMA_WAIT, "misc",
          "wait until at most n groups are not complete", _PTX + "7.3", target="sm_90a", operand_types={"n": "b32"},
          forms={"n": "imm"}, allowed={"n": range(8)}),
)  # fmt: skip
