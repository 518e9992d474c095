"""A figure's points as SVG: a row per point, ours as a bar, published as a mark."""

from collections.abc import Sequence
from html import escape
from typing import Any

ROW, LEFT, WIDTH, RIGHT = 22, 330, 420, 150
"""Pixels: height of a row, room for labels, length of the longest bar, room for numbers."""


def bars(title: str, points: Sequence[Any]) -> str:
    """An SVG document; points have ``label``, ``published``, ``ours``, ``ratio``."""
    largest = max([v for p in points for v in (p.ours, p.published) if v] or [1.0])
    height = ROW * len(points) + 70
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {LEFT + WIDTH + RIGHT} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="100%" height="{height}" fill="white"/><text x="10" y="22" font-size="15">{escape(title)}</text>',
        f'<text x="{LEFT}" y="42" fill="#666">bar: ours; line: published</text>',
    ]
    for i, point in enumerate(points):
        y = 52 + ROW * i
        parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(point.label)}</text>')
        if point.ours is not None:
            parts.append(
                f'<rect x="{LEFT}" y="{y + 3}" width="{point.ours / largest * WIDTH:.1f}" height="15" fill="#4a7ebb"/>'
            )
        if point.published is not None:
            x = LEFT + point.published / largest * WIDTH
            parts.append(f'<path d="M{x:.1f} {y}v21" stroke="#c03030" stroke-width="2"/>')
        parts.append(f'<text x="{LEFT + WIDTH + 8}" y="{y + 14}">{escape(numbers(point))}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def numbers(point: Any) -> str:
    """Ours, published and ratio in a few words."""
    ours = "-" if point.ours is None else f"{point.ours:.4g}"
    return ours if point.published is None else f"{ours} / {point.published:g} = {point.ratio or 0:.2f}"
