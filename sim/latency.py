"""Latency class of an instruction with its modifiers: a row's class, or a finer one where ptxas writes other machine code.

The classes' numbers are in the presets: latency and interval in cycles and, where ptxas writes several machine
instructions for one, how many issue slots these take (sm.issue_slots). What ptxas writes is what the measured H200
ran (sass_opcodes.json of the measurements).
"""

from isa.instr import Kind, Op

_WIDE = ("b64", "u64", "s64")
_WORDS = ("b32", "u32", "s32")
_INTEGERS = frozenset(("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "b8", "b16", "b32", "b64"))
_HALVES = frozenset(("f16", "bf16", "f16x2", "bf16x2", "tf32", "e4m3x2", "e5m2x2"))
_FLEXIBLE = frozenset(("add", "sub", "mov", "cvta"))
"""Operations that both integer pipes have (IADD3 and IMAD.IADD, MOV and IMAD.MOV): ptxas deals them out in turn."""
_SLOW_MUFU = frozenset(("lg2", "rsqrt", "sqrt"))


def latency_class(op: Op, guards: bool = False, scales: bool = False) -> str:
    """The class of an Op; ``guards``: it writes a predicate that first guards an instruction; ``scales``: it multiplies by
    a constant power of two."""
    row, name = op.instr.latency, op.instr.mnemonic
    wide = any(t in _WIDE for t in op.types)
    if row == "alu":
        return _alu(op, name, wide, guards)
    if row in ("imad", "imad_hi"):
        if "wide" in op.mods.values():
            return "imad_wide"
        if wide:
            return "lea64" if scales and name == "mad" and "lo" in op.mods.values() else "imul64"
        return row
    if row in ("cvt", "cvt64"):
        return _conversion(op, row)
    if row == "mufu":
        return _mufu(op, name)
    if row == "popc":
        return {"clz": "flo", "bfind": "flo", "brev": "brev"}.get(name, row)
    if row == "fdiv32":
        return {"rcp": "frcp32", "sqrt": "fsqrt32"}.get(name, row)
    if row == "idiv32":
        return "irem32" if name == "rem" else "idiv32s" if "s32" in op.types else row
    return "shfl_idx" if row == "shfl" and "idx" in op.mods.values() else row


def _alu(op: Op, name: str, wide: bool, guards: bool) -> str:
    if guards:
        return "setp_guard"
    if name in ("bfe", "bfi"):
        return "field64" if wide else "insert" if name == "bfi" else "field"
    if wide and name not in ("mov", "cvta"):
        return "iadd64" if name in ("add", "sub") else "logic64"
    if name in _FLEXIBLE and not any(t.startswith(("f", "bf")) and name != "mov" for t in op.types):
        return "iadd"
    return "alu"


def _conversion(op: Op, row: str) -> str:
    types = op.types
    if len(types) < 2 or op.kind != Kind.LANE:
        return row
    to, source = types[0], types[1]
    if to in _INTEGERS and source in _INTEGERS:
        return "iadd" if "sat" not in op.mods else "alu"
    if to in _HALVES and source == "f32":
        return "alu"
    if to in _HALVES or source in _HALVES:
        return row if "f64" in types or to in _INTEGERS or source in _INTEGERS else "iadd"
    return "iadd" if to == "f32" and source in ("s32", "u32", "b32") else row


def _mufu(op: Op, name: str) -> str:
    flushed = "ftz" in op.mods
    if any(t in ("f16x2", "bf16x2") for t in op.types):
        return "mufu_pair"
    if name in ("sin", "cos"):
        return "mufu_angle"
    if flushed or name in ("ex2", "tanh") or "f64" in op.types:
        return "mufu" if name != "div" else "div_approx"
    if name in _SLOW_MUFU:
        return "mufu_scaled"
    return {"rcp": "rcp_scaled", "div": "div_full" if "full" in op.mods.values() else "div_approx"}.get(name, "mufu")


PIPES = {
    **{"ffma": 0, "fadd": 0, "half": 0, "alu": 1, "imad": 2, "imad_hi": 2, "fp64": 3, "idiv64": 3, "fdiv64": 3},
    **{"fsqrt64": 3, "mufu": 4, "cvt": 4, "cvt64": 4, "popc": 4, "idiv32": 4, "fdiv32": 4, "redux": 4, "match": 4},
    **dict.fromkeys(("mma", "mma_half", "mma_pair", "mma_f64", "mma_f64x2", "mma_f64x4", "mma_f64x8"), 5),
    **dict.fromkeys(("wgmma", "branch", "barrier", "fence", "misc", "sreg", "param"), 6),
    **{"movmatrix": 16, "vote": 1, "video": 1, "lsu": 16, "shfl": 16, "shfl_idx": 16},
    **dict.fromkeys(("setp_guard", "iadd", "iadd64", "lea64", "logic64", "field", "field64", "insert"), 1),
    **dict.fromkeys(("imad_wide", "imul64"), 2),
    **dict.fromkeys(("flo", "brev", "frcp32", "fsqrt32", "irem32", "idiv32s", "mufu_pair", "mufu_angle"), 4),
    **dict.fromkeys(("mufu_scaled", "rcp_scaled", "div_approx", "div_full"), 4),
}
"""Execution pipe of each class: below 16 every scheduler has one, from 16 on the SM has one."""


class Pipes:
    """Deals instructions out to pipes in the order of the program; what two integer pipes can do goes to the one with less
    work in the block so far, as ptxas chooses between IADD3 and IMAD.IADD."""

    def __init__(self) -> None:
        self._work = {1: 0, 2: 0}

    def take(self, name: str, interval: int) -> int:
        """The pipe of an instruction of a class that occupies it for ``interval`` cycles."""
        pipe = PIPES[name]
        if name == "iadd":
            pipe = 2 if self._work[2] <= self._work[1] else 1
        if pipe in self._work:
            self._work[pipe] += interval
        return pipe

    def block(self) -> None:
        """A block of the program begins."""
        self._work = {1: 0, 2: 0}


FIXED = frozenset((
    "ffma", "fadd", "half", "alu", "imad", "imad_hi", "fp64", "branch", "misc", "param", "mma", "mma_half", "mma_pair",
    "mma_f64", "mma_f64x2", "mma_f64x4", "mma_f64x8", "setp_guard", "iadd", "iadd64", "lea64", "logic64", "field", "field64",
    "insert", "imad_wide", "imul64",
))  # fmt: skip
"""Classes whose latency the compiler knows: waiting for them is no scoreboard's."""
