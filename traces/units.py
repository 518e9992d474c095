"""Numbers as people read them: 12.3k, 4.5 MB, 1.2 µs, 43.1%."""

from __future__ import annotations

NOTHING = "-"


def count(value: float | None) -> str:
    """A number in at most six characters: 123, 12.3k, 4.56M."""
    if value is None:
        return NOTHING
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            return f"{_three(value / (limit if letter != 'k' else 1e3))}{letter}"
    return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"


def size(value: float | None) -> str:
    """Bytes: 512 B, 12.3 kB, 4.56 MB."""
    if value is None:
        return NOTHING
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= limit:
            return f"{_three(value / limit)} {unit}"
    return f"{value:.0f} B"


def duration(ns: float | None) -> str:
    """Nanoseconds: 850 ns, 12.3 µs, 4.56 ms, 1.20 s."""
    if ns is None:
        return NOTHING
    for limit, unit in ((1e9, "s"), (1e6, "ms"), (1e3, "µs")):
        if abs(ns) >= limit:
            return f"{_three(ns / limit)} {unit}"
    return f"{ns:.0f} ns"


def percent(share: float | None) -> str:
    """A share of 1."""
    return NOTHING if share is None else f"{100 * share:.1f}%"


def grouped(value: float | None) -> str:
    """A whole number in full: 1,234,567."""
    return NOTHING if value is None else f"{value:,.0f}"


def _three(value: float) -> str:
    """Three digits."""
    digits = 2 if abs(value) < 9.995 else 1 if abs(value) < 99.95 else 0
    return f"{value:.{digits}f}"
