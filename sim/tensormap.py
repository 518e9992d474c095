"""Tensor maps as the host makes them: what cuTensorMapEncodeTiled takes, checked as it checks, to 128 bytes."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from . import tensormap_layout as at

SWIZZLES = {"none": 0, "32B": 1, "64B": 2, "128B": 3}
INTERLEAVES = {"none": 0, "16B": 1, "32B": 2}
FILLS = {"zeros": 0, "nan": 1}
PROMOTIONS = {"none": 0, "64B": 1, "128B": 2, "256B": 3}
_UNMODELLED = ("f32.ftz", "tf32", "tf32.ftz")


class TensorMapError(ValueError):
    """Fields that no tensor map can have, or that are not modelled."""


@dataclass(frozen=True)
class TensorMap:
    """A tiled tensor map. ``dims``: elements, the contiguous dimension first; ``strides``: bytes of dimensions 1 on;
    ``box``: elements of a box; ``element_strides``: every how many of them are copied (default: all)."""

    address: int
    dtype: str
    dims: Sequence[int]
    strides: Sequence[int]
    box: Sequence[int]
    element_strides: Sequence[int] = ()
    interleave: str = "none"
    swizzle: str = "none"
    promotion: str = "none"
    fill: str = "zeros"
    size: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        rank = len(self.dims)
        if self.dtype not in at.TYPES or self.dtype in _UNMODELLED:
            raise TensorMapError(f"tensor maps have no elements of type {self.dtype} here")
        for name, table in (
            ("interleave", INTERLEAVES),
            ("swizzle", SWIZZLES),
            ("fill", FILLS),
            ("promotion", PROMOTIONS),
        ):
            if getattr(self, name) not in table:
                raise TensorMapError(f"{name} is one of {', '.join(table)}, not {getattr(self, name)}")
        if self.interleave != "none":
            raise TensorMapError("interleaved layouts of tensor maps are not modelled")
        size = 1 << (at.ELEMENT_LOGS >> 4 * at.TYPES.index(self.dtype) & 15)
        object.__setattr__(self, "size", size)
        steps = tuple(self.element_strides) or (1,) * rank
        object.__setattr__(self, "element_strides", steps)
        inner = self.box[0] * size if self.box else 0
        checks = [
            (1 <= rank <= 5, f"a tensor has 1 to 5 dimensions, not {rank}"),
            (len(self.box) == len(steps) == rank and len(self.strides) == rank - 1, "lengths of dims, box and strides differ"),
            (self.address % 16 == 0, "the address is a multiple of 16 bytes"),
            (all(1 <= d <= 1 << 32 for d in self.dims), "dimensions are 1 to 2**32 elements"),
            (all(x % 16 == 0 and 0 < x < 1 << 40 for x in self.strides), "strides are multiples of 16 bytes below 2**40"),
            (all(1 <= b <= 256 for b in self.box), "a box has 1 to 256 elements in each dimension"),
            (all(1 <= e <= 8 for e in steps), "element strides are 1 to 8"),
            (inner % 16 == 0, f"rows of a box are multiples of 16 bytes, not {inner}"),
            (self.swizzle == "none" or inner <= 16 << SWIZZLES[self.swizzle],
             f"rows of a box swizzled by {self.swizzle} have at most as many bytes, not {inner}"),
            (self.fill == "zeros" or self.dtype in ("f16", "bf16", "f32", "f64"), "only floating-point is filled with NaN"),
        ]  # fmt: skip
        for holds, message in checks:
            if not holds:
                raise TensorMapError(message)

    @property
    def box_bytes(self) -> int:
        """Bytes of a box in shared memory, which an mbarrier counts."""
        total = self.size
        for extent, step in zip(self.box, self.element_strides, strict=True):
            total *= -(-extent // step)
        return total

    def encode(self) -> bytes:
        """The 128 bytes that a kernel gets."""

        def five(values: Sequence[int], rest: int) -> list[int]:
            return [*values, *[rest] * (5 - len(values))]

        fields = (at.TYPES.index(self.dtype), len(self.dims), INTERLEAVES[self.interleave], SWIZZLES[self.swizzle],
                  PROMOTIONS[self.promotion], FILLS[self.fill])  # fmt: skip
        data = struct.pack("<Q6B2x5Q4Q", self.address, *fields, *five(self.dims, 1), *five(self.strides, 0)[:4])
        data += struct.pack("<5H6x5H6x", *five(self.box, 1), *five(self.element_strides, 1))
        return data + struct.pack("<Q", at.MAGIC)
