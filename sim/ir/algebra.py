"""The lane algebra read as code: a Value wraps an LLVM vector with one element per lane.

Has the methods of ``isa.algebra`` and the same results, bit for bit (any NaN is as good as another). Values of f16 and
bf16 are kept as their bits; their arithmetic is exact in a wider format with one rounding at the end. Nothing traps and
nothing calls a library function. The number of lanes is the vector's: atomics use the same rules with one lane, and
reductions of a memory line with as many as fit the line.
"""

from typing import Any

import numpy as np
from llvmlite import ir

from . import floats
from .build import F32, F64, I1, I16, I64, I128, Builder, constant, gather, intrinsic, splat, table_address, vector

_INT = {f"{s}{width}": ir.IntType(width) for s in "us" for width in (8, 16, 32, 64)}
_ELEMENT: dict[str, ir.Type] = {"pred": I1, **_INT, "f16": I16, "bf16": I16, "f32": F32, "f64": F64}


def element_type(t: str) -> ir.Type:
    """The LLVM type that holds one lane of type ``t``."""
    return _ELEMENT[t]


def width_of(t: str) -> int:
    """Bits of a type."""
    return {"pred": 1, "f16": 16, "bf16": 16, "f32": 32, "f64": 64}.get(t) or _INT[t].width


def _constant_bits(number: Any, t: str) -> int:
    if t not in ("f16", "bf16", "f32", "f64"):
        return int(number) & (1 << width_of(t)) - 1
    with np.errstate(over="ignore"):
        if t != "bf16":
            width = width_of(t)
            return int(np.asarray(number, f"f{width // 8}").view(f"u{width // 8}"))
        raw = int(np.asarray(number, np.float32).view(np.uint32))
    return floats.BF16_NAN if number != number else (raw + 0x7FFF + (raw >> 16 & 1)) >> 16


class Value:
    """One value per lane: LLVM vector ``v`` of type ``t`` (PTX name without the dot), written through builder ``b``."""

    __slots__ = ("b", "t", "v")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, b: Builder, v: Any, t: str) -> None:
        self.b, self.v, self.t = b, v, t

    # --- helpers
    @property
    def lanes(self) -> int:
        """Elements of the vector."""
        return int(self.v.type.count)

    @property
    def _is_half(self) -> bool:
        return self.t in ("f16", "bf16")

    @property
    def _is_float(self) -> bool:
        return self.t in ("f16", "bf16", "f32", "f64")

    @property
    def _signed(self) -> bool:
        return self.t[0] == "s"

    def _vector(self, t: str) -> ir.VectorType:
        return vector(_ELEMENT[t], self.lanes)

    def _like(self, v: Any, t: str | None = None) -> "Value":
        return Value(self.b, v, t or self.t)

    def _single(self) -> "Value":
        """An f16 or bf16 value as f32, exact."""
        widen = floats.half_to_single if self.t == "f16" else floats.brain_to_single
        return self._like(widen(self.b, self.v), "f32")

    def _narrow(self, t: str) -> "Value":
        """An f32 value as f16 or bf16, nearest even."""
        round_to = floats.single_to_half if t == "f16" else floats.single_to_brain
        return self._like(round_to(self.b, self.v), t)

    def _same(self, *others: "Value") -> None:
        for other in others:
            if other.t != self.t:
                raise TypeError(f"lane operation mixes {self.t} and {other.t}")

    def _arithmetic(self, other: "Value", integer: str, floating: str) -> "Value":
        self._same(other)
        if self._is_half:
            return self._single()._arithmetic(other._single(), integer, floating)._narrow(self.t)
        return self._like(getattr(self.b, floating if self._is_float else integer)(self.v, other.v))

    def _unary(self, name: str) -> "Value":
        if self._is_half:
            return self._single()._unary(name)._narrow(self.t)
        return self._like(intrinsic(self.b, name, self.v.type, [self.v], self.v.type))

    # --- arithmetic
    def __add__(self, other: "Value") -> "Value":
        return self._arithmetic(other, "add", "fadd")

    def __sub__(self, other: "Value") -> "Value":
        return self._arithmetic(other, "sub", "fsub")

    def __mul__(self, other: "Value") -> "Value":
        return self._arithmetic(other, "mul", "fmul")

    def __truediv__(self, other: "Value") -> "Value":
        if not self._is_float:
            raise TypeError("a/b is for floats; integers have div and rem")
        return self._arithmetic(other, "", "fdiv")

    def fma(self, x: "Value", y: "Value") -> "Value":
        """``self * x + y`` with one rounding."""
        self._same(x, y)
        b = self.b
        if self.t == "f16":  # products of f16 are exact in f32
            product = b.fmul(self._single().v, x._single().v)
            return self._like(floats.single_to_half(b, floats.sum_odd(b, product, y._single().v)), "f16")
        if self.t == "bf16":
            total = floats.fma_odd(b, self._single().v, x._single().v, y._single().v)
            return self._like(floats.single_to_brain(b, total), "bf16")
        return self._like(intrinsic(b, "fma", self.v.type, [self.v, x.v, y.v], self.v.type))

    def sqrt(self) -> "Value":
        """Square root, nearest even."""
        return self._unary("sqrt")

    def floor(self) -> "Value":
        """Round to an integer, down."""
        return self._unary("floor")

    def ceil(self) -> "Value":
        """Round to an integer, up."""
        return self._unary("ceil")

    def trunc(self) -> "Value":
        """Round to an integer, towards zero."""
        return self._unary("trunc")

    def rint(self) -> "Value":
        """Round to an integer, nearest even."""
        return self._unary("roundeven")

    def _sign_bit(self) -> ir.Constant:
        return constant(_INT[f"u{width_of(self.t)}"], 1 << width_of(self.t) - 1, self.lanes)

    def __neg__(self) -> "Value":
        if not self._is_float:
            return self._like(self.b.neg(self.v))
        raw = self.bits(f"u{width_of(self.t)}")
        return self._like(self.b.xor(raw.v, self._sign_bit()), raw.t).bits(self.t)

    def abs(self) -> "Value":
        """Magnitude; of the smallest signed integer: itself."""
        if not self._is_float:
            return (self < self.const(0)).where(-self, self) if self._signed else self
        raw = self.bits(f"u{width_of(self.t)}")
        return self._like(self.b.and_(raw.v, self.b.not_(self._sign_bit())), raw.t).bits(self.t)

    def mulhi(self, other: "Value") -> "Value":
        """High half of the product."""
        self._same(other)
        width = width_of(self.t)
        wide = vector(I128 if width == 64 else ir.IntType(2 * width), self.lanes)
        extend = self.b.sext if self._signed else self.b.zext
        product = self.b.mul(extend(self.v, wide), extend(other.v, wide))
        high = self.b.lshr(product, constant(wide.element, width, self.lanes))
        return self._like(self.b.trunc(high, self.v.type))

    # --- integer division
    def div(self, other: "Value") -> "Value":
        """Quotient, truncated; all ones for a zero divisor."""
        self._same(other)
        return (other == other.const(0)).where(self.const(-1), self._quotient(other))

    def rem(self, other: "Value") -> "Value":
        """Remainder with the sign of the dividend; the dividend for a zero divisor."""
        self._same(other)
        rest = self - self._quotient(other) * other
        return (other == other.const(0)).where(self, rest)

    def _quotient(self, other: "Value") -> "Value":
        """Quotient without the special case; a zero divisor counts as one."""
        if self._signed:
            unsigned = "u" + self.t[1:]
            size = self.abs().bits(unsigned)._quotient(other.abs().bits(unsigned)).bits(self.t)
            return ((self ^ other) < self.const(0)).where(-size, size)
        safe = (other == other.const(0)).where(other.const(1), other)
        if width_of(self.t) == 64:
            return self._like(self.b.udiv(self.v, safe.v))
        # f64 holds both operands; a quotient below 2**32 cannot round up to the next integer
        quotient = self.b.fdiv(self.to("f64").v, safe.to("f64").v)
        return self._like(self.b.fptoui(quotient, self.v.type))

    # --- logic
    def _bitwise(self, name: str, other: "Value") -> "Value":
        self._same(other)
        return self._like(getattr(self.b, name)(self.v, other.v))

    def __and__(self, other: "Value") -> "Value":
        return self._bitwise("and_", other)

    def __or__(self, other: "Value") -> "Value":
        return self._bitwise("or_", other)

    def __xor__(self, other: "Value") -> "Value":
        return self._bitwise("xor", other)

    def __invert__(self) -> "Value":
        return self._like(self.b.not_(self.v))

    def __lshift__(self, other: "Value") -> "Value":
        return self._bitwise("shl", other._amount())

    def __rshift__(self, other: "Value") -> "Value":
        return self._bitwise("ashr" if self._signed else "lshr", other._amount())

    def _amount(self) -> "Value":
        """A shift amount, modulo the width: LLVM gives no meaning to more."""
        return self & self.const(width_of(self.t) - 1)

    # --- comparison and choice
    def _compare(self, sign: str, other: "Value") -> "Value":
        self._same(other)
        if self._is_half:
            return self._single()._compare(sign, other._single())
        if self._is_float:
            compare = self.b.fcmp_unordered if sign == "!=" else self.b.fcmp_ordered
        else:
            compare = self.b.icmp_signed if self._signed else self.b.icmp_unsigned
        return self._like(compare(sign, self.v, other.v), "pred")

    def __eq__(self, other: "Value") -> "Value":  # type: ignore[override]
        return self._compare("==", other)

    def __ne__(self, other: "Value") -> "Value":  # type: ignore[override]
        return self._compare("!=", other)

    def __lt__(self, other: "Value") -> "Value":
        return self._compare("<", other)

    def __le__(self, other: "Value") -> "Value":
        return self._compare("<=", other)

    def __gt__(self, other: "Value") -> "Value":
        return self._compare(">", other)

    def __ge__(self, other: "Value") -> "Value":
        return self._compare(">=", other)

    def where(self, yes: "Value", no: "Value") -> "Value":
        """``yes`` in lanes where this predicate holds, else ``no``."""
        yes._same(no)
        return yes._like(self.b.select(self.v, yes.v, no.v))

    def const(self, number: Any) -> "Value":
        """A constant of this value's type, the same in every lane."""
        width = width_of(self.t)
        raw = constant(ir.IntType(width), _constant_bits(number, self.t), self.lanes)
        return self._like(self.b.bitcast(raw, self.v.type) if self.t in ("f32", "f64") else raw)

    def lookup(self, table: tuple[float, ...], t: str) -> "Value":
        """The element of ``table`` at this index (within the table) as type ``t``: 32 or 64 bits."""
        element, b = _ELEMENT[t], self.b
        offset = b.mul(self.to("s64").v, constant(I64, width_of(t) // 8, self.lanes))
        address = b.add(splat(b, table_address(b, element, table), self.lanes), offset)
        return self._like(gather(b, address, element, constant(I1, 1, self.lanes)), t)

    # --- conversion
    def bits(self, t: str) -> "Value":
        """The same bits as another type of the same width."""
        if width_of(t) != width_of(self.t):
            raise TypeError(f"bits of {self.t} as {t}")
        element = _ELEMENT[t]
        return self._like(self.v if element == self.v.type.element else self.b.bitcast(self.v, self._vector(t)), t)

    def to(self, t: str) -> "Value":
        """The same value as another type; see ``isa.algebra``."""
        if t == self.t:
            return self
        if not self._is_float:
            return self._int_to_float(t) if t in ("f16", "bf16", "f32", "f64") else self._int_to_int(t)
        return self._float_to_float(t) if t in ("f16", "bf16", "f32", "f64") else self._float_to_int(t)

    def _int_to_int(self, t: str) -> "Value":
        have, want = width_of(self.t), width_of(t)
        if want == have:
            return self._like(self.v, t)
        change = self.b.trunc if want < have else self.b.sext if self._signed else self.b.zext
        return self._like(change(self.v, self._vector(t)), t)

    def _int_to_float(self, t: str) -> "Value":
        convert = self.b.sitofp if self._signed else self.b.uitofp
        if t in ("f32", "f64"):
            return self._like(convert(self.v, self._vector(t)), t)
        if t == "f16":  # f32 holds every integer below the overflow of f16
            return self._like(convert(self.v, vector(F32, self.lanes)), "f32")._narrow("f16")
        if width_of(self.t) < 64:
            return self._like(convert(self.v, vector(F64, self.lanes)), "f64").to("bf16")
        size = self._like(floats.int_to_double_odd(self.b, self.abs().v), "f64").to("bf16")
        return (self < self.const(0)).where(-size, size) if self._signed else size

    def _float_to_float(self, t: str) -> "Value":
        if self._is_half:
            return self._single().to(t)
        b = self.b
        if self.t == "f32":
            return self._narrow(t) if t != "f64" else self._like(b.fpext(self.v, self._vector(t)), t)
        if t == "f32":
            return self._like(b.fptrunc(self.v, self._vector(t)), t)
        return self._like(floats.double_to_single_odd(b, self.v), "f32")._narrow(t)

    def _float_to_int(self, t: str) -> "Value":
        """Truncated and saturated, NaN to 0. LLVM's saturating conversions do this lane by lane: clamp by compares."""
        if self._is_half:
            return self._single()._float_to_int(t)
        width, signed = width_of(t), t[0] == "s"
        low, high = (-(1 << width - 1), (1 << width - 1) - 1) if signed else (0, (1 << width) - 1)
        if width < 32:
            wide = self._float_to_int(f"{t[0]}32")
            wide = (wide > wide.const(high)).where(wide.const(high), wide)
            return (wide < wide.const(low)).where(wide.const(low), wide).to(t)
        convert = self.b.fptosi if signed else self.b.fptoui
        whole = self._like(convert(self.v, self._vector(t)), t)
        below = (self < self.const(float(high + 1))).where(whole, whole.const(high))
        if not signed:
            return (self > self.const(-1.0)).where(below, whole.const(0))
        inside = (self < self.const(float(low))).where(whole.const(low), below)
        return (self == self).where(inside, whole.const(0))

    # --- bits of integers
    def popc(self) -> "Value":
        """Number of set bits."""
        return self._unary("ctpop")

    def brev(self) -> "Value":
        """Bits in reverse order."""
        return self._unary("bitreverse")

    def clz(self) -> "Value":
        """Zero bits above the highest set bit; the width for zero."""
        zeros = intrinsic(self.b, "ctlz", self.v.type, [self.v, ir.Constant(I1, 0)], self.v.type)
        return self._like(zeros)

    def _part(self, shift: int, width: int) -> "Value":
        v = self.b.lshr(self.v, constant(self.v.type.element, shift, self.lanes)) if shift else self.v
        return self._like(self.b.trunc(v, self._vector(f"u{width}")), f"u{width}")

    def _pack(self, high: "Value", width: int) -> "Value":
        wide = self._vector(f"u{2 * width}")
        upper = self.b.shl(self.b.zext(high.v, wide), constant(wide.element, width, self.lanes))
        return self._like(self.b.or_(self.b.zext(self.v, wide), upper), f"u{2 * width}")

    def lo16(self) -> "Value":
        """Low half of 32 bits."""
        return self._part(0, 16)

    def hi16(self) -> "Value":
        """High half of 32 bits."""
        return self._part(16, 16)

    def pack16(self, high: "Value") -> "Value":
        """32 bits with this as the low half."""
        return self._pack(high, 16)

    def lo32(self) -> "Value":
        """Low half of 64 bits."""
        return self._part(0, 32)

    def hi32(self) -> "Value":
        """High half of 64 bits."""
        return self._part(32, 32)

    def pack32(self, high: "Value") -> "Value":
        """64 bits with this as the low half."""
        return self._pack(high, 32)
