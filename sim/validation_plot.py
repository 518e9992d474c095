"""The scatter plot of a validation as SVG: measured time to the right, simulated time upward, both logarithmic."""

from collections.abc import Mapping
from html import escape
from math import ceil, floor, log10
from typing import Any

SIZE, MARGIN = 560, 70
"""Pixels of a side of the plot, and around it."""


def scatter(kernels: list[Mapping[str, Any]]) -> str:
    """An SVG document with a point per kernel (``name``, ``case``, ``measured_ns``, ``simulated_ns``)."""
    times = [k[key] for k in kernels for key in ("measured_ns", "simulated_ns") if k[key] > 0] or [1.0]
    low, high = floor(log10(min(times))), max(ceil(log10(max(times))), floor(log10(min(times))) + 1)

    def place(nanoseconds: float) -> float:
        return (log10(max(nanoseconds, 10.0**low)) - low) / (high - low) * SIZE

    side = SIZE + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}" font-family="sans-serif" font-size="12">',
        f'<rect width="{side}" height="{side}" fill="white"/>',
        f'<g transform="translate({MARGIN},{MARGIN})"><rect width="{SIZE}" height="{SIZE}" fill="none" stroke="black"/>',
    ]
    for exponent in range(low, high + 1):
        at = place(10.0**exponent)
        parts.append(f'<path d="M{at:.1f} 0V{SIZE}M0 {SIZE - at:.1f}H{SIZE}" stroke="#ddd"/>')
        parts.append(f'<text x="{at:.1f}" y="{SIZE + 18}" text-anchor="middle">{10.0**exponent:,.0f}</text>')
        parts.append(f'<text x="-6" y="{SIZE - at + 4:.1f}" text-anchor="end">{10.0**exponent:,.0f}</text>')
    parts.append(f'<path d="M0 {SIZE}L{SIZE} 0" stroke="#888" stroke-dasharray="4"/>')
    names = sorted({k["name"] for k in kernels})
    for k in kernels:
        hue = 360 * names.index(k["name"]) // len(names)
        label = f"{k['name']}/{k['case']}: measured {k['measured_ns']:,.0f} ns, simulated {k['simulated_ns']:,.0f} ns"
        parts.append(
            f'<circle cx="{place(k["measured_ns"]):.1f}" cy="{SIZE - place(k["simulated_ns"]):.1f}" r="4" '
            f'fill="hsl({hue},70%,45%)" fill-opacity="0.8"><title>{escape(label)}</title></circle>'
        )
    middle = SIZE / 2
    parts.append(f'<text x="{middle}" y="{SIZE + 45}" text-anchor="middle">measured, ns</text>')
    parts.append(f'<text transform="translate(-52,{middle}) rotate(-90)" text-anchor="middle">simulated, ns</text>')
    return "\n".join([*parts, "</g></svg>"]) + "\n"
