"""The heap of device code: malloc and free of one GPU, first fit by address, so that addresses are the same in every run."""

from dataclasses import dataclass, field

from .memory import LINE, GpuMemory


@dataclass
class Heap:
    """``size`` bytes of a GPU's memory. What is not allocated is no valid address; blocks begin at 128-byte lines."""

    memory: GpuMemory
    size: int
    used: dict[int, int] = field(default_factory=dict)
    """Lines of each block, by its address."""
    _free: list[tuple[int, int]] = field(default_factory=list)
    """(first line, lines) of the gaps, in order."""

    def __post_init__(self) -> None:
        address = self.memory.alloc(self.size, "device heap")
        offset = self.memory.offset(address)
        self._base = address - offset
        first, lines = offset // LINE, self.size // LINE
        self._free = [(first, lines)]
        self.memory.limits.clear(first, lines)

    def malloc(self, size: int) -> int:
        """Address of ``size`` bytes, 0 if there is no gap for them. They keep what was in them."""
        lines = max(1, -(-size // LINE))
        for i, (first, room) in enumerate(self._free):
            if room >= lines:
                self._free[i : i + 1] = [(first + lines, room - lines)] if room > lines else []
                self.memory.limits.array[first : first + lines] = LINE
                if size % LINE or size == 0:
                    self.memory.limits.array[first + lines - 1] = size % LINE
                self.used[self._base + first * LINE] = lines
                return self._base + first * LINE
        return 0

    def free(self, address: int) -> bool:
        """Give a block back. False if ``address`` is none."""
        lines = self.used.pop(address, 0)
        if lines == 0:
            return False
        first = (address - self._base) // LINE
        self.memory.limits.clear(first, lines)
        gaps = sorted([*self._free, (first, lines)])
        self._free = gaps[:1]
        for start, count in gaps[1:]:
            last, length = self._free[-1]
            if last + length == start:
                self._free[-1] = (last, length + count)
            else:
                self._free.append((start, count))
        return True
