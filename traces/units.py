"""Numbers as people read them: 12.3k, 4.5 MB, 1.2 µs, 43.1%."""

from __future__ import annotations

NOTHING = "-"


def count(value: float | None) -> str:
    """A number in at most six characters: 123, 9999, 12.3k, 4.56M."""
    if value is None:
        return NOTHING
    if abs(value) < 1e4:
        return f"{value:.0f}" if float(value).is_integer() else f"{value:.2f}"
    return _scaled(value, ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")), "")


def size(value: float | None) -> str:
    """Bytes: 512 B, 12.3 kB, 4.56 MB."""
    return _scaled(value, ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB")), " B")


def duration(ns: float | None) -> str:
    """Nanoseconds: 850 ns, 12.3 µs, 4.56 ms, 1.20 s."""
    return _scaled(ns, ((1e9, " s"), (1e6, " ms"), (1e3, " µs")), " ns")


def percent(share: float | None) -> str:
    """A share of 1."""
    return NOTHING if share is None else f"{100 * share:.1f}%"


def grouped(value: float | None) -> str:
    """A whole number in full: 1,234,567."""
    return NOTHING if value is None else f"{value:,.0f}"


def _scaled(value: float | None, units: tuple[tuple[float, str], ...], smallest: str) -> str:
    """Three digits and the largest unit that the value reaches; 999,950 is 1.00 M and not 1000 k."""
    if value is None:
        return NOTHING
    for limit, unit in units:
        scaled = abs(value) / limit
        if scaled >= 0.9995:
            digits = 2 if scaled < 9.995 else 1 if scaled < 99.95 else 0
            return f"{value / limit:.{digits}f}{unit}"
    return f"{value:.0f}{smallest}"
