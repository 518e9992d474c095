"""What compiled blocks know of the machine: words of the arena that are read once, before the first block."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from ..ir.build import FULL, I1, I32, I64, Builder, intrinsic, lanes, load, word
from ..state import (
    CTA_LAUNCH,
    CTA_SHARED,
    CTA_SLOT,
    LAUNCH_PARAMS,
    LINE_LIMIT,
    MEMORY,
    MEMORY_LINES,
    REGS,
    SCRATCH,
    SHARED_STRIDE,
    SM_SHARED,
)

ARGUMENTS = ("sm", "gpu", "params", "who", "mask", "where", "budget", "now")
"""Of a compiled chunk, all i64: host addresses of the words of SM, GPU and parameters; ``warp | number of the GPU <<
8 | has several paths << 7``; lanes; ``first instruction << 32 | instruction to stop before``; instructions after which a
branch ends the warp's turn; cycle."""
WARP_BITS, PATHS_BIT, GPU_SHIFT = 63, 7, 8
TURN_OVER = 62
"""Bit of the result: a branch was executed and the budget is used up."""


class Frame:
    """Values that do not change while a chunk runs; each is computed in the entry block when it is first asked for."""

    def __init__(self, entry: Builder, arguments: list[Any]) -> None:
        self._b = entry
        self._known: dict[str, Any] = {}
        self.sm, self.gpu, self.params, self.who, mask, self.where, self.budget, self.now = arguments
        self.warp = entry.and_(self.who, word(WARP_BITS))
        self.mask = entry.trunc(mask, I32)
        self.active = lanes(entry, self.mask)
        self.is_full = entry.icmp_unsigned("==", self.mask, ir.Constant(I32, FULL))
        self.stop = entry.and_(self.where, word(0xFFFFFFFF))
        self.registers = self.sm_word(REGS, self.warp)

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._known:
            self._known[name] = make()
        return self._known[name]

    def _word(self, base: Any, offset: int, index: Any = None) -> Any:
        b = self._b
        address = b.add(base, word(8 * offset))
        if index is not None:
            address = b.add(address, b.shl(index, word(3)))
        return load(b, address, I64, 8)

    def sm_word(self, offset: int, index: Any = None) -> Any:
        """Word of the SM's block."""
        return self._word(self.sm, offset, index)

    def gpu_word(self, offset: int) -> Any:
        """Word of the GPU's block."""
        return self._once(f"gpu{offset}", lambda: self._word(self.gpu, offset))

    def param(self, index: int) -> Any:
        """A parameter of the machine, such as the address of a library function."""
        return self._once(f"param{index}", lambda: self._word(self.params, index))

    @property
    def cta(self) -> Any:
        """The slot of the warp's CTA."""
        return self._once("cta", lambda: self.sm_word(CTA_SLOT, self.warp))

    @property
    def launch(self) -> Any:
        """The number of the CTA's launch."""
        return self._once("launch", lambda: self.cta_word(CTA_LAUNCH))

    def cta_word(self, offset: int) -> Any:
        """Word of the CTA."""
        cta = self.cta
        return self._once(f"cta{offset}", lambda: self.sm_word(offset, cta))

    def launch_word(self, offset: int) -> Any:
        """Word of the launch."""
        launch = self.launch
        return self._once(f"launch{offset}", lambda: self._word(self.gpu, offset, launch))

    @property
    def has_paths(self) -> Any:
        """i1: other lanes of the warp are elsewhere."""
        return self._once("paths", lambda: self._b.trunc(self._b.lshr(self.who, word(PATHS_BIT)), I1))

    @property
    def gpu_number(self) -> Any:
        """Number of the GPU."""
        return self._once("number", lambda: self._b.lshr(self.who, word(GPU_SHIFT)))

    @property
    def own_region(self) -> Any:
        """Region of the GPU's memory."""
        number = self.gpu_number
        return self._once("own", lambda: self._b.add(number, word(1)))

    @property
    def top(self) -> Any:
        """The highest active lane (i64)."""

        def make() -> Any:
            zeros = intrinsic(self._b, "ctlz", I32, [self.mask, ir.Constant(I1, 0)], I32)
            return self._b.zext(self._b.sub(ir.Constant(I32, 31), zeros), I64)

        return self._once("top", make)

    @property
    def has_first(self) -> Any:
        """i1: lane 0 is active."""
        return self._once("first", lambda: self._b.trunc(self.mask, I1))

    @property
    def scratch(self) -> Any:
        """Host address of the SM's scratch words."""
        return self._once("scratch", lambda: self._b.add(self.sm, word(8 * SCRATCH)))

    @property
    def memory(self) -> Any:
        """Host address of byte 0 of the GPU's memory."""
        return self.gpu_word(MEMORY)

    @property
    def line_limits(self) -> Any:
        """Host address of the table that says how many bytes of a line are allocated."""
        return self.gpu_word(LINE_LIMIT)

    @property
    def memory_lines(self) -> Any:
        """Lines of the GPU's memory."""
        return self.gpu_word(MEMORY_LINES)

    @property
    def shared(self) -> Any:
        """Host address of the CTA's shared memory."""
        b, cta = self._b, self.cta
        return self._once("shared", lambda: b.add(self.sm_word(SM_SHARED), b.mul(cta, word(SHARED_STRIDE))))

    @property
    def shared_bytes(self) -> Any:
        """Bytes of shared memory the CTA has."""
        return self.cta_word(CTA_SHARED)

    def shared_below(self, nbytes: int) -> Any:
        """Offsets below this have ``nbytes`` of the CTA's shared memory behind them."""

        def make() -> Any:
            b, room = self._b, self._b.sub(self.shared_bytes, word(nbytes - 1))
            return b.select(b.icmp_signed(">", room, word(0)), room, word(0))

        return self._once(f"below{nbytes}", make)

    @property
    def kernel_params(self) -> Any:
        """Host address of the kernel's parameters."""
        return self.launch_word(LAUNCH_PARAMS)
