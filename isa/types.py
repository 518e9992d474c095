"""PTX types: width, class, register slots, and what the lane algebra sees of them (PTX ISA 9.0, 5.2)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


@dataclass(frozen=True)
class Type:
    """One PTX type.

    `cls` is "u", "s", "f", "b" or "pred"; `slots` counts 32-bit register slots (0 for predicates, which have their own
    file); `lane` is the type of a value in the lane algebra (packed and untyped values read as unsigned integers).
    """

    name: str
    bits: int
    cls: str
    code: int
    lane: str

    @property
    def slots(self) -> int:
        """32-bit register slots a register of this type takes."""
        return 0 if self.cls == "pred" else max(1, self.bits // 32)

    @property
    def bytes(self) -> int:
        """Size in memory; a predicate has none."""
        return self.bits // 8


def _types() -> dict[str, Type]:
    """Every type by name; codes are positions in this list."""
    plain = [("pred", 1, "pred", "pred")]
    plain += [(f"{c}{n}", n, c, f"{c}{n}") for c in "us" for n in (8, 16, 32, 64)]
    plain += [(f"b{n}", n, "b", f"u{n}") for n in (8, 16, 32, 64)] + [("b128", 128, "b", "")]
    plain += [("f16", 16, "f", "f16"), ("bf16", 16, "f", "bf16"), ("f32", 32, "f", "f32"), ("f64", 64, "f", "f64")]
    plain += [("f16x2", 32, "f", "u32"), ("bf16x2", 32, "f", "u32"), ("tf32", 32, "b", "u32")]
    plain += [("u16x2", 32, "u", "u32"), ("s16x2", 32, "s", "u32")]
    plain += [("e4m3", 8, "b", "u8"), ("e5m2", 8, "b", "u8"), ("e4m3x2", 16, "b", "u16"), ("e5m2x2", 16, "b", "u16")]
    return {name: Type(name, bits, cls, code, lane) for code, (name, bits, cls, lane) in enumerate(plain)}


TYPES: dict[str, Type] = _types()
BY_CODE: tuple[Type, ...] = tuple(TYPES.values())
LANE_BITS: dict[str, int] = {t.lane: t.bits for t in BY_CODE if t.lane == t.name}
"""Width of each type of the lane algebra."""


class AtomOp(IntEnum):
    """Operation of an atomic, a reduction or a multimem reduction."""

    ADD = 0
    MIN = 1
    MAX = 2
    INC = 3
    DEC = 4
    AND = 5
    OR = 6
    XOR = 7
    EXCH = 8
    CAS = 9


class ValType(IntEnum):
    """Type of the values of an atomic or reduction."""

    U32 = 0
    S32 = 1
    U64 = 2
    S64 = 3
    F32 = 4
    F64 = 5
    F16 = 6
    BF16 = 7
    F16X2 = 8
    BF16X2 = 9
    U16 = 10
    B32 = 11
    B64 = 12
    B128 = 13


def valtype(name: str) -> ValType:
    """The ValType of a PTX type name; ValueError when values of that type are never reduced."""
    key = "U16" if name == "b16" else name.upper()
    if key not in ValType.__members__:
        raise ValueError(f"no reduction works on values of type .{name}")
    return ValType[key]


def lane_type(name: str) -> str:
    """Type of the lane algebra under which a value of PTX type `name` arrives in a lane function."""
    return TYPES[name].lane
