"""Conversions between types (PTX ISA 9.0, 9.7.9.21 and 9.7.9.22)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .instr import Instr, Kind, Op
from .rounding import (
    BITS,
    canonical,
    directed,
    flush_always,
    halves,
    joined,
    nan,
    narrow,
    odd,
    raw,
    relu,
    saturate,
    sum_error,
)

V = Any
INTS = ("u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64")
FLOATS = ("f16", "bf16", "f32", "f64")
IRND = ("rni", "rzi", "rmi", "rpi")
FRND = ("rn", "rz", "rm", "rp")
MANTISSA = {"f16": 10, "bf16": 7, "f32": 23, "f64": 52}
_WIDTH = {"f16": 1, "bf16": 1, "f32": 2, "f64": 3}


def extended(d: V) -> V:
    """A narrow integer in the 32 bits of its register: by its sign, so that wider registers read it right."""
    return d if d.t in ("u32", "s32", "u64", "s64") else d.to("s32" if d.t[0] == "s" else "u32")


def int_to_int(op: Op, a: V) -> V:
    return extended(a.to(op.mods["dtype"]))


def int_saturated(op: Op, a: V) -> V:
    """Clamped to the range of the result: compared in the source's type where the limits exist there."""
    t = op.mods["dtype"]
    low, high = limits(t)
    below, above = limits(a.t)
    d = a
    if low > below:
        d = (d < d.const(low)).where(d.const(low), d)
    if high < above:
        d = (d > d.const(high)).where(d.const(high), d)
    return extended(d.to(t))


def limits(t: str) -> tuple[int, int]:
    """Smallest and largest integer of a type."""
    bits = int(t[1:])
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if t[0] == "s" else (0, (1 << bits) - 1)


def _flush32(op: Op, a: V) -> V:
    return flush_always(a) if "ftz" in op.mods and a.t == "f32" else a


def integral(a: V, rnd: str) -> V:
    """`a` rounded to an integral value."""
    return {"rni": a.rint, "rzi": a.trunc, "rmi": a.floor, "rpi": a.ceil}[rnd]()


def float_to_int(op: Op, a: V) -> V:
    t = op.mods["dtype"]
    whole = integral(_flush32(op, a), op.mods["rnd"])
    d = whole.to(t)
    if t in ("u64", "s64") or a.t == "f64":
        d = (a == a).where(d, not_a_number(d))
    return extended(d)


def not_a_number(d: V) -> V:
    """What a NaN becomes in conversions that involve 64 bits, on silicon: the top bit alone (the others give 0)."""
    return d.const(1 << int(d.t[1:]) - 1)


def int_to_float(op: Op, a: V) -> V:
    t, rnd = op.mods["dtype"], op.mods["rnd"]
    if rnd == "rn":
        d = a.to(t)
    elif a.t not in ("u64", "s64"):
        d = narrow(a.to("f64"), t, rnd)
    else:
        d = _wide_int(a, t, rnd)
    return saturate(d) if "sat" in op.mods else d


def _wide_int(a: V, t: str, rnd: str) -> V:
    """A 64-bit integer through the exact sum of its two halves in f64."""
    high = (a >> a.const(32)).to("f64") * a.to("f64").const(2.0**32)
    low = (a & a.const(0xFFFFFFFF)).to("f64")
    total = high + low
    error = sum_error(high, low, total)
    return directed(total, error, rnd) if t == "f64" else narrow(odd(total, error), t, rnd)


def float_to_float(op: Op, a: V) -> V:
    t, rnd = op.mods["dtype"], op.mods.get("rnd", "rn")
    if t == a.t == "f32" and not {"rnd", "ftz", "sat"} & set(op.mods):
        return a
    source = a
    if "ftz" in op.mods and a.t == "f32" and t != "f16":  # on silicon .ftz does nothing to what becomes an f16
        a = canonical(_flush32(op, a))
    if rnd in IRND:
        d = integral(a, rnd)
    elif rnd == "rn":
        d = a.to(t)
    else:
        d = narrow(a.to("f64"), t, rnd)
    d = _flush32(op, d)
    if "sat" in op.mods:
        return saturate(d)
    if "relu" in op.mods:
        return relu(d)
    return _payload(source, d) if _keeps_payload(op, source.t, t) else canonical(d)


def _keeps_payload(op: Op, of: str, to: str) -> bool:
    """Whether NaNs keep the top of their mantissa: on silicon where one instruction converts from f64 or bf16."""
    if of == "bf16":
        return to not in ("f16", of) and "ftz" not in op.mods
    return of == "f64" != to


def _payload(a: V, d: V) -> V:
    """Where `a` is NaN, `d` with the top of its mantissa: on silicon conversions from f64, and from bf16 to f32, keep it."""
    here, there = BITS[a.t], BITS[d.t]
    bits = a.bits(f"u{here}")
    magnitude = (bits & bits.const((1 << here - 1) - 1)).to("u64")
    shift = magnitude.const(abs(MANTISSA[a.t] - MANTISSA[d.t]))
    fraction = magnitude >> shift if MANTISSA[a.t] > MANTISSA[d.t] else magnitude << shift
    sign = (bits.to("u64") >> shift.const(here - 1)) << shift.const(there - 1)
    quiet = fraction.const((1 << there - 1) - (1 << MANTISSA[d.t] - 1))  # exponent and top of the mantissa all ones
    kept = (fraction & fraction.const((1 << MANTISSA[d.t]) - 1)) | quiet | sign
    return (a == a).where(d, kept.to(f"u{there}").bits(d.t))


def _half(op: Op, a: V, t: str) -> V:
    """An f32 as one half of a packed result."""
    rnd = op.mods["rnd"]
    d = canonical(a.to(t) if rnd == "rn" else narrow(a.to("f64"), t, rnd))
    if "satfinite" in op.mods:
        largest = raw(d).const(0x7BFF if t == "f16" else 0x7F7F).bits(t)
        d = (d > largest).where(largest, (d < -largest).where(-largest, d))
    return relu(d) if "relu" in op.mods else d


def to_half_satfinite(op: Op, a: V) -> V:
    return _half(op, a, op.mods["dtype"])


def to_packed(op: Op, a: V, b: V) -> V:
    t = op.mods["dtype"][:-2]
    return joined(_half(op, b, t), _half(op, a, t))


def to_tf32(op: Op, a: V) -> V:
    """19 of the 32 bits: rna is to nearest, ties away from zero."""
    bits = raw(a)
    keep = bits.const(0xFFFFE000)
    half = {"rna": bits.const(0x1000), "rz": bits.const(0)}.get(op.mods["rnd"])
    if half is None:
        half = bits.const(0xFFF) + ((bits >> bits.const(13)) & bits.const(1))
    rounded = (bits + half) & keep
    infinity = bits.const(0x7F800000)
    d = ((bits & infinity) == infinity).where(bits & keep, rounded)
    if "satfinite" in op.mods:
        over = (d & bits.const(0x7FFFFFFF)) >= infinity
        return over.where(d - bits.const(0x2000), d)  # on silicon also for NaN
    if op.mods["rnd"] != "rna":
        d = (a == a).where(d, d.const(0x7FFFE000))
    negative_number = (d >= d.const(0x80000000)) & (a == a)
    return negative_number.where(d.const(0), d) if "relu" in op.mods else d


# ---------------------------------------------------------------------------------------------------- 8-bit floats
_FP8 = {"e4m3": (3, 7, 0x7E), "e5m2": (2, 15, 0x7B)}
"""Mantissa bits, exponent bias and largest finite code."""


def to_fp8(a: V, t: str) -> V:
    """An f32 as the code of an 8-bit float in a u32: nearest even, saturated to the largest finite value."""
    mantissa, bias, largest = _FP8[t]
    mag = raw(a) & raw(a).const(0x7FFFFFFF)
    limit = mag.const(0x43E00000 if t == "e4m3" else 0x47600000)
    mag = (mag > limit).where(limit, mag)
    lowest = mag.const(127 - bias + 1 << 23)
    exponent = mag & mag.const(0x7F800000)
    exponent = (exponent < lowest).where(lowest, exponent)
    grid = (exponent + exponent.const(23 - mantissa << 23)).bits("f32")
    value = mag.bits("f32")
    rounded = raw((value + grid) - grid)
    normal = (rounded >> rounded.const(23 - mantissa)) - rounded.const(127 - bias << mantissa)
    scale = value.const(2.0 ** (bias - 1 + mantissa))
    code = (rounded < lowest).where((rounded.bits("f32") * scale).to("u32"), normal)
    code = (a == a).where((code > code.const(largest)).where(code.const(largest), code), code.const(0x7F))
    sign = (raw(a) >> mag.const(24)) & mag.const(0x80)
    return (a == a).where(code | sign, code)


def from_fp8(code: V, t: str) -> V:
    """The f16 value of an 8-bit float code in a u32."""
    sign = (code & code.const(0x80)) << code.const(8)
    if t == "e5m2":
        d = (code << code.const(8)).to("u16").bits("f16")
    else:
        mag = (((code & code.const(0x7F)) << code.const(7)).to("u16")).bits("f16")
        value = mag * mag.const(256)
        value = ((code & code.const(0x7F)) == code.const(0x7F)).where(nan(value), value)
        d = (raw(value) | sign.to("u16")).bits("f16")
    return canonical(d)


def _packed_fp8(op: Op, high: V, low: V) -> V:
    t = op.mods["dtype"][:-2]
    if "relu" in op.mods:
        high, low = relu(high), relu(low)
    return to_fp8(low, t) | (to_fp8(high, t) << raw(low).const(8))


def floats_to_fp8(op: Op, a: V, b: V) -> V:
    return _packed_fp8(op, a, b)


def halves_to_fp8(op: Op, a: V) -> V:
    low, high = halves(a, "f16")
    return _packed_fp8(op, high.to("f32"), low.to("f32"))


def fp8_to_halves(op: Op, a: V) -> V:
    t = op.mods["atype"][:-2]
    wide = a.to("u32")
    low, high = from_fp8(wide & wide.const(255), t), from_fp8(wide >> wide.const(8), t)
    if "relu" in op.mods:
        low, high = relu(low), relu(high)
    return joined(low, high)


# ---------------------------------------------------------------------------------------------------- packed integers
def _clamped(op: Op, a: V) -> V:
    t = op.mods["ctype"]
    low, high = limits(t)
    a = a.to("s64") if a.t == "s32" else a.to("u64").bits("s64")
    d = (a < a.const(low)).where(a.const(low), (a > a.const(high)).where(a.const(high), a))
    return d.to("u32") & d.to("u32").const((1 << int(t[1:])) - 1)


def pack16(op: Op, a: V, b: V) -> V:
    high, low = _clamped(op, a), _clamped(op, b)
    return low | (high << high.const(16))


def pack_below(op: Op, a: V, b: V, c: V) -> V:
    """Bytes, nibbles or pairs of bits below those that are already in c."""
    high, low = _clamped(op, a), _clamped(op, b)
    bits = int(op.mods["ctype"][1:])
    return low | (high << high.const(bits)) | (c << c.const(2 * bits))


# ---------------------------------------------------------------------------------------------------- rows
def _clamping_is_needed(mods: Mapping[str, str]) -> str | None:
    (low, high), (below, above) = limits(mods["dtype"]), limits(mods["atype"])
    return f".{mods['dtype']} holds every .{mods['atype']}: no .sat" if low <= below and above <= high else None


def _int_float_rules(mods: Mapping[str, str]) -> str | None:
    """Conversions between integers and floats."""
    if "ftz" in mods and "f32" not in (mods["dtype"], mods["atype"]):
        return ".ftz is for .f32 values"
    return ".sat is not for .bf16" if "sat" in mods and "bf16" in (mods["dtype"], mods["atype"]) else None


def _float_rules(mods: Mapping[str, str]) -> str | None:
    """Which roundings go with which pair of formats."""
    d, a, rnd = mods["dtype"], mods["atype"], mods.get("rnd")
    if "ftz" in mods and "f32" not in (d, a):
        return ".ftz is for conversions with .f32"
    if "relu" in mods and (a != "f32" or d not in ("f16", "bf16") or rnd not in ("rn", "rz")):
        return ".relu is for .f32 rounded (.rn, .rz) to .f16 or .bf16"
    if "sat" in mods and "bf16" in (d, a):
        return ".sat is not for .bf16"
    if {"relu", "ftz"} <= set(mods):
        return ".relu and .ftz exclude each other"
    if d == a:
        return f".{rnd} is not for conversions within .{d}" if rnd in FRND else None
    if rnd in IRND:
        return f".{rnd} rounds within one format or to an integer"
    if _WIDTH[d] < _WIDTH[a] and rnd is None:
        return "a rounding modifier (.rn, .rz, .rm, .rp) is needed"
    if _WIDTH[d] > _WIDTH[a] and rnd is not None and a != "bf16":
        return "this conversion is exact: no rounding modifier"
    return ".sat and .relu exclude each other" if {"relu", "sat"} <= set(mods) else None


def _row(syntax: str, slots: dict[str, tuple[str, ...]], meaning: str, lane: Any, latency: str = "cvt",
         section: str = "21",
         **more: Any) -> Instr:  # fmt: skip
    types = {"d": "dtype", **{n: "atype" for n in ("a", "b") if f" {n}" in syntax}, **more.pop("types", {})}
    return Instr(syntax, slots, Kind.LANE, latency, meaning, f"PTX ISA 9.0, 9.7.9.{section}", lane, operand_types=types,
                 **more)  # fmt: skip


def _by_width(syntax: str, d: tuple[str, ...], a: tuple[str, ...], rnd: tuple[str, ...], meaning: str, lane: Any,
              check: Any = None) -> list[Instr]:  # fmt: skip
    """Two rows: conversions that touch 64 bits are a slower class."""
    rows = []
    wide = ("u64", "s64", "f64")
    narrow_d, narrow_a = tuple(t for t in d if t not in wide), tuple(t for t in a if t not in wide)
    wide_d, wide_a = tuple(t for t in d if t in wide), tuple(t for t in a if t in wide)
    for ds, as_, latency in ((narrow_d, narrow_a, "cvt"), (wide_d, a, "cvt64"), (narrow_d, wide_a, "cvt64")):
        slots = {"dtype": ds, "atype": as_, **({"rnd": rnd} if rnd else {})}
        rows.append(_row(syntax, slots, meaning, lane, latency, check=check))
    return rows


_SAT = "; .sat: clamped to [0, 1]"
ROWS = (
    *_by_width("cvt.dtype.atype d, a", INTS, INTS, (), "d = a, cut or extended", int_to_int),
    *_by_width("cvt.sat.dtype.atype d, a", INTS, INTS, (), "d = a, clamped to the range of d", int_saturated,
               _clamping_is_needed),
    *_by_width("cvt.rnd{.ftz}{.sat}.dtype.atype d, a", INTS, FLOATS, IRND, "d = a rounded to an integer and clamped",
               float_to_int, _int_float_rules),
    *_by_width("cvt.rnd{.ftz}{.sat}.dtype.atype d, a", FLOATS, INTS, FRND, "d = a rounded" + _SAT, int_to_float,
               _int_float_rules),
    *_by_width("cvt{.rnd}{.ftz}{.sat}{.relu}.dtype.atype d, a", FLOATS, FLOATS, (*FRND, *IRND),
               "d = a in another format, or rounded to an integral value" + _SAT, float_to_float, _float_rules),
    _row("cvt.rnd.satfinite{.relu}.dtype.atype d, a", {"rnd": ("rn", "rz"), "dtype": ("f16", "bf16"),
                                                       "atype": ("f32",)},
         "d = a rounded, at most the largest finite value", to_half_satfinite),
    _row("cvt.rnd{.satfinite}{.relu}.dtype.atype d, a, b", {"rnd": ("rn", "rz"), "dtype": ("f16x2", "bf16x2"),
         "atype": ("f32",)}, "d = {a high, b low} rounded", to_packed),
    _row("cvt.rnd{.satfinite}.dtype.atype d, a", {"rnd": ("rna",), "dtype": ("tf32",), "atype": ("f32",)},
         "d = a rounded to 10 bits of mantissa", to_tf32, types={"d": "u32"}),
    _row("cvt.rnd{.relu}.dtype.atype d, a", {"rnd": ("rn", "rz"), "dtype": ("tf32",), "atype": ("f32",)},
         "d = a rounded to 10 bits of mantissa", to_tf32, types={"d": "u32"}),
    _row("cvt.rn.satfinite{.relu}.dtype.atype d, a, b", {"dtype": ("e4m3x2", "e5m2x2"), "atype": ("f32",)},
         "d = {a high, b low} as 8-bit floats", floats_to_fp8, types={"d": "b16"}),
    _row("cvt.rn.satfinite{.relu}.dtype.atype d, a", {"dtype": ("e4m3x2", "e5m2x2"), "atype": ("f16x2",)},
         "d = both halves as 8-bit floats", halves_to_fp8, types={"d": "b16"}),
    _row("cvt.rn{.relu}.dtype.atype d, a", {"dtype": ("f16x2",), "atype": ("e4m3x2", "e5m2x2")},
         "d = two 8-bit floats as halves", fp8_to_halves, types={"a": "b16"}),
    _row("cvt.pack.sat.ctype.atype d, a, b", {"ctype": ("u16", "s16"), "atype": ("s32",)},
         "d = {a high, b low}, each clamped", pack16, section="22", types={"d": "b32"}),
    _row("cvt.pack.sat.ctype.atype.b32 d, a, b, c", {"ctype": ("u8", "s8", "u4", "s4", "u2", "s2"),
                                                       "atype": ("s32",)},
         "d = {low bits of c, a, b}: a and b clamped to .ctype", pack_below, section="22", types={"d": "b32", "c": "b32"}),
)  # fmt: skip
