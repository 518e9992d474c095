"""Sums of floating-point products as tensor cores form them, in rational numbers; the rule is in sim/ir/aligned.py."""

import math
from fractions import Fraction

import numpy as np

LOWEST = {"f16": -14, "e5m2": -14, "e4m3": -6}


def exponent(x, lowest):
    return max(math.frexp(x)[1] - 1, lowest)


def cut(total, dropped=0):
    """Towards zero to f32; an f32 with ``dropped`` low bits zero."""
    near = np.float32(float(total))
    if abs(Fraction(float(near))) > abs(total):
        near = np.nextafter(near, np.float32(0))
    raw = near.view(np.uint32) & np.uint32(0x100000000 - (1 << dropped))
    return raw.view(np.float32) if raw & 0x7FFFFFFF else np.float32(0)


def group_sum(a, b, c, types, kept):
    """Exact sum of the terms after each was cut off."""
    terms = [(Fraction(float(c)), exponent(float(c), -126))] if c else []
    for x, y in zip(a.astype(float), b.astype(float), strict=True):
        if x and y:
            top = exponent(x, LOWEST.get(types[0], -126)) + exponent(y, LOWEST.get(types[1], -126))
            terms.append((Fraction(x) * Fraction(y), top))
    if not terms:
        return Fraction(0)
    unit = Fraction(2) ** (max(top for _, top in terms) - kept)
    return sum(math.trunc(value / unit) for value, _ in terms) * unit


def one_sum(a, b, c, types, group, kept=25, dropped=0, half=False):
    for k in range(0, len(a), group):
        total = group_sum(a[k : k + group], b[k : k + group], c, types, kept)
        c = np.float16(float(total)) if half and k + group == len(a) else cut(total, dropped)
    return c


def mma(a, b, c, types, d):
    """``mma.sync``: A [rows, k], B [columns, k]; factors of eight bits in two halves, added to c apart."""
    depth, half = a.shape[1], d == "f16"
    if types[0] not in ("e4m3", "e5m2"):
        return np.array([[one_sum(x, y, z, types, depth, half=half) for y, z in zip(b, row, strict=True)]
                         for x, row in zip(a, c, strict=True)])  # fmt: skip
    order = np.lexsort((np.arange(depth), np.arange(depth) % 4 // 2))
    a, b = a[:, order], b[:, order]
    zero = np.float16(0) if half else np.float32(0)
    sums = [[two_sums(x, y, zero, depth // 2, half) for y in b] for x in a]
    return np.array(sums) + c


def two_sums(a, b, c, group, half):
    """Halves of k one after the other, converted to f16."""
    for k in (0, group):
        c = one_sum(a[k : k + group], b[k : k + group], c, ("f16", "f16"), group, half=half)
    return c


def wgmma(a, b, c, types, d):
    """``wgmma``: all k at once."""
    half, narrow = d == "f16", types[0] in ("e4m3", "e5m2")
    kept, dropped = (13, 0 if half else 10) if narrow else (25, 0)
    return np.array([[one_sum(x, y, z, types, a.shape[1], kept, dropped, half) for y, z in zip(b, row, strict=True)]
                     for x, row in zip(a, c, strict=True)])  # fmt: skip
