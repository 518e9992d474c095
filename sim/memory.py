"""Memory of the simulated machine on the host: GPU memories with exact bounds, register files, shared and local memory."""

import ctypes
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .addresses import OFFSET_MASK, REGION_BITS, gpu_address
from .places import HUGE, advise, reserve

LINE = 128


class Bytes:
    """Zeroed host memory of ``size`` bytes, page aligned. Untouched pages cost nothing; ``dense``: use large pages."""

    def __init__(self, size: int, dense: bool = False) -> None:
        self.size = max(size, 1)
        self.array: Any = reserve(self.size)
        self.address: int = self.array.ctypes.data
        if dense:
            advise(self.address, self.size, HUGE)

    def clear(self, offset: int, size: int) -> None:
        """Zero a range."""
        ctypes.memset(self.address + offset, 0, size)


@dataclass(frozen=True)
class Allocation:
    """A named range of a GPU's memory; ``address`` is simulated, sizes are bytes."""

    name: str
    address: int
    size: int
    opaque: bool = False


@dataclass
class GpuMemory:
    """Memory of one GPU: a bump allocator with 128-byte alignment, and a limit per line for exact bounds checks."""

    gpu: int
    capacity: int
    data: Bytes = field(init=False)
    limits: Bytes = field(init=False)
    allocations: list[Allocation] = field(default_factory=list)
    top: int = LINE

    def __post_init__(self) -> None:
        self.data = Bytes(self.capacity, dense=True)
        self.limits = Bytes(self.capacity // LINE + 1, dense=True)

    def alloc(self, size: int, name: str, opaque: bool = False) -> int:
        """Reserve ``size`` bytes and return their address. MemoryError if the GPU's memory is exhausted.

        A line between neighbours stays unallocated, so that running off the end of a buffer is noticed.
        """
        offset = self.top
        lines = -(-size // LINE)
        if offset + (lines + 1) * LINE > self.capacity:
            raise MemoryError(f"GPU {self.gpu}: {size} bytes for `{name}` do not fit into its memory")
        first = offset // LINE
        self.limits.array[first : first + lines] = LINE
        if size % LINE:
            self.limits.array[first + lines - 1] = size % LINE
        self.top = offset + (lines + 1) * LINE
        address = gpu_address(self.gpu, offset)
        self.allocations.append(Allocation(name, address, size, opaque))
        return address

    def stored(self) -> list[tuple[int, int]]:
        """Ranges of offsets that hold values: everything up to the top but opaque buffers."""
        ranges, first = [], 0
        for allocation in self.allocations:
            if allocation.opaque:
                ranges.append((first, allocation.address & OFFSET_MASK))
                first = (allocation.address & OFFSET_MASK) + allocation.size
        return [*ranges, (first, self.top)]

    def offset(self, address: int) -> int:
        """Offset of one of this GPU's addresses."""
        return address & OFFSET_MASK

    def valid(self, offset: int) -> int:
        """Bytes that are allocated from ``offset`` on, without a gap."""
        line = offset // LINE
        if line >= self.capacity // LINE:
            return 0
        short = np.flatnonzero(self.limits.array[line : self.top // LINE] < LINE)
        last = line + int(short[0]) if short.size else self.top // LINE
        return max(0, last * LINE + int(self.limits.array[last]) - offset)

    def view(self, address: int, size: int) -> Any:
        """The bytes at a simulated address, as a numpy view."""
        offset = address & OFFSET_MASK
        if address >> REGION_BITS != self.gpu + 1 or offset + size > self.top:
            raise ValueError(f"address {address:#x} (+{size}) is not in the memory of GPU {self.gpu}")
        return self.data.array[offset : offset + size]

    def nearest(self, address: int) -> Allocation | None:
        """The allocation that contains or is closest to an address."""
        return min(
            self.allocations,
            key=lambda a: max(a.address - address, address - (a.address + a.size - 1), 0),
            default=None,
        )
