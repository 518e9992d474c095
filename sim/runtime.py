"""The device runtime: what a program calls and the driver provides. printf, malloc and free, failed assertions.

Compiled code calls `Runtime.serve` through a pointer, with the warp that asks; operands and memory are read and written
where the core has them. What is printed is collected per GPU and written out in the order of simulated time, so it does
not depend on host threads.
"""

import ctypes
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from isa.image import Image
from isa.instr import Kind
from isa.runtime import SERVICES
from isa.table import resolve

from . import state as st
from .addresses import LOCAL_REGION, OFFSET_MASK, OWN_REGION, PARAM_REGION, REGION_BITS, SHARED_REGION
from .dispatch import QUEUED
from .errors import MachineFault
from .heap import Heap
from .layout import gpu_base
from .printf import Arguments, formatted
from .raw import BIG
from .reports import TRAP, thread_name
from .sm.services import ASSERTED

if TYPE_CHECKING:
    from .machine import Machine

OPCODES = [service.opcode for service in SERVICES.values()]
"""The sub word of a SERVICE row is an index into this list."""
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 8)
_CONSTANT = 1 << 31
_MOST_BYTES = 1 << 20
"""A string longer than this is taken for one without an end."""


class _BadAddress(Exception):
    """Memory that the thread cannot read."""

    def __init__(self, address: int) -> None:
        super().__init__(f"{address:#x}")
        self.address = address


def needed(image: Image) -> bool:
    """Whether a program calls the runtime."""
    return any(resolve(name).kind == Kind.SERVICE for name in image.ops)


class Runtime:
    """The runtime of a machine. ``output`` gets what device code prints; default: standard output."""

    def __init__(self, machine: "Machine", output: Callable[[str], object] | None) -> None:
        self.machine = machine
        self.output = output or sys.stdout.write
        self.error: Exception | None = None
        """What went wrong in `serve`, if that was no fault of the simulated program."""
        self._printed: list[list[tuple[int, int, int, bytes]]] = [[] for _ in range(machine.gpus)]
        """By GPU: (cycle, SM, sequence, text)."""
        self.assertions: list[tuple[int, int, int, int, int, str]] = []
        """Of each warp with a failed assertion: cycle, GPU, SM, warp slot, instruction, who its first thread is."""
        self._messages: list[tuple[int, int, int, int, str]] = []
        self._callback = _CALLBACK(self._serve)
        self.address = int(ctypes.cast(self._callback, ctypes.c_void_p).value or 0)
        config, self._heaps = machine.config, []
        names = machine.image.ops
        if any(name.startswith("runtime.malloc") for name in names):
            self._heaps = [Heap(memory, config["runtime.heap_bytes"]) for memory in machine.memory]
        self._cost = {
            name: (config[f"runtime.{name}_cycles"], config[f"runtime.{name}_lane_cycles"])
            for name in ("vprintf", "malloc", "free")
        }

    def flush(self, until: int = BIG) -> None:
        """Write out what was printed before cycle ``until``."""
        lines = [
            (cycle, gpu, sm, n, text)
            for gpu, printed in enumerate(self._printed)
            for cycle, sm, n, text in printed
            if cycle < until
        ]
        for *_, text in sorted(lines):
            self.output(text.decode("utf-8", "replace"))
        self._printed = [[record for record in printed if record[0] >= until] for printed in self._printed]

    def _hold_back(self, gpu: int) -> None:
        """Launches that have not begun do not begin any more: the program has failed."""
        A, g = self.machine.A, gpu_base(gpu)
        for slot in range(st.LAUNCHES):
            if A[g + st.LAUNCH_STATE + slot] == QUEUED:
                A[g + st.LAUNCH_READY + slot] = BIG

    def failure(self) -> MachineFault:
        """The fault of the first failed assertion; the message of every failing thread goes to standard error."""
        for *_, text in sorted(self._messages):
            print(text, file=sys.stderr)
        cycle, _, _, _, pc, thread = min(self.assertions)
        notes = [f"{thread}, cycle {cycle}", f"{len(self._messages)} threads failed an assertion"]
        return MachineFault("assertion failed", TRAP, self.machine.image.source(pc), notes)

    # --- calls from compiled code

    def _serve(self, gpu: int, s: int, w: int, row: int, mask: int, t: int, *_: int) -> int:
        """Cycles the call takes; or minus a `Fault`, the lane above its low byte, the address in the lane's scratch word."""
        call = _Warp(self.machine, gpu, s, w, row)
        what = OPCODES[self.machine.A[row + st.R_SUB]].partition(".")[2]
        lanes = [lane for lane in range(32) if mask >> lane & 1]
        lane = 0
        try:
            for lane in lanes:
                if code := getattr(self, f"_{what}")(call, lane, t):
                    return -(code | lanes[0] << 8)
        except _BadAddress as bad:
            self.machine.A[s + st.SCRATCH + lane] = bad.address
            return -(st.Fault.ADDRESS | lane << 8)
        except Exception as error:  # raised again when the core has returned: it cannot pass through compiled code
            self.error = error
            return -st.Fault.TRAP
        if what.startswith("assert"):
            self._hold_back(gpu)
            pc = (row - int(self.machine.A[st.CODE])) // st.ROW_WORDS
            self.assertions.append((t, gpu, call.sm, w, pc, call.thread(lanes[0])))
            return ASSERTED
        base, each = self._cost[what]
        return int(base + (len(lanes) - 1) * each)

    def _vprintf(self, call: "_Warp", lane: int, t: int) -> int:
        form, address = call.get(1, lane, 8), call.get(2, lane, 8)
        if form == 0:
            call.put(0, lane, 4, 0xFFFFFFFF)
            return 0
        arguments = Arguments(address, lambda at, count: call.read(lane, at, count))
        text = formatted(call.string(lane, form), arguments, lambda at: call.string(lane, at))
        printed = self._printed[call.gpu]
        printed.append((t, call.sm, len(printed), text))
        call.put(0, lane, 4, arguments.taken)
        return 0

    def _malloc(self, call: "_Warp", lane: int, t: int) -> int:
        call.put(0, lane, 8, self._heaps[call.gpu].malloc(call.get(1, lane, 8)))
        return 0

    def _free(self, call: "_Warp", lane: int, t: int) -> int:
        address = call.get(0, lane, 8)
        owner = address >> REGION_BITS
        if address == 0:
            return 0
        if 1 <= owner <= len(self._heaps) and self._heaps[owner - 1].free(address):
            return 0
        self.machine.A[call.s + st.SCRATCH + lane] = address
        return st.Fault.FREE

    def _assertfail(self, call: "_Warp", lane: int, t: int) -> int:
        message, file, function = (call.text(lane, call.get(i, lane, 8)) for i in (0, 1, 3))
        block, thread = call.place(lane)
        where = f"{file}:{call.get(2, lane, 4)}: {function}: block: {_triple(block)}, thread: {_triple(thread)}"
        self._messages.append((t, call.gpu, call.sm, len(self._messages), f"{where} Assertion `{message}` failed."))
        return 0

    _assert_fail = _assertfail


def _triple(xyz: Iterator[int] | tuple[int, ...]) -> str:
    return f"[{','.join(map(str, xyz))}]"


class _Warp:
    """The warp that calls: its operands, and memory as its lanes see it."""

    def __init__(self, machine: "Machine", gpu: int, s: int, w: int, row: int) -> None:
        self.machine, self.gpu, self.s, self.w, self.row = machine, gpu, s, w, row
        self.A, self.g = machine.A, gpu_base(gpu)
        self.cta = self.A[s + st.CTA_SLOT + w]
        self.launch = self.A[s + st.CTA_LAUNCH + self.cta]
        self.sm = self.A[s + st.SM_INDEX]

    def _operand(self, index: int, lane: int, size: int) -> int:
        """Host address of a lane's operand."""
        ref = self.A[self.row + st.R_OP01 + (index >> 1)] >> 32 * (index & 1) & 0xFFFFFFFF
        base = self.A[st.CONSTS] + (ref & _CONSTANT - 1) if ref & _CONSTANT else self.A[self.s + st.REGS + self.w] + ref
        return int(base + size * lane)

    def get(self, index: int, lane: int, size: int) -> int:
        """Operand of 4 or 8 bytes."""
        return int.from_bytes(ctypes.string_at(self._operand(index, lane, size), size), "little")

    def put(self, index: int, lane: int, size: int, value: int) -> None:
        """Set an operand."""
        ctypes.memmove(self._operand(index, lane, size), value.to_bytes(size, "little"), size)

    def thread(self, lane: int) -> str:
        """Who a lane is, for a report."""
        return thread_name(self.machine, self.gpu, self.s, self.w, lane)

    def place(self, lane: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Block and thread of a lane."""
        A, s, at = self.A, self.s, self.g + self.launch
        x, y = A[at + st.BLOCK_X], A[at + st.BLOCK_Y]
        linear = A[s + st.WARP_IN_CTA + self.w] * 32 + lane
        block = tuple(A[s + word + self.cta] for word in (st.CTA_X, st.CTA_Y, st.CTA_Z))
        return block, (linear % x, linear // x % y, linear // (x * y))

    def _host(self, lane: int, address: int) -> tuple[int, int]:
        """Host address of a generic address, and how many bytes are valid from there on."""
        A, region, offset = self.A, address >> REGION_BITS, address & OFFSET_MASK
        if region == OWN_REGION:
            region = self.gpu + 1
        if 1 <= region <= self.machine.gpus:
            memory = self.machine.memory[region - 1]
            return memory.data.address + offset, memory.valid(offset)
        if region == SHARED_REGION:
            base = A[self.s + st.SM_SHARED] + self.cta * st.SHARED_STRIDE
            return base + offset, A[self.s + st.CTA_SHARED + self.cta] - offset
        if region == LOCAL_REGION:
            base = A[self.s + st.LOCAL + self.w] + lane * st.LOCAL_LANE_BYTES
            return base + offset, st.LOCAL_LANE_BYTES - offset
        if region == PARAM_REGION:
            at = self.g + self.launch
            return A[at + st.LAUNCH_PARAMS] + offset, A[at + st.LAUNCH_PARAM_BYTES] - offset
        return 0, 0

    def read(self, lane: int, address: int, count: int) -> bytes:
        """Bytes at a generic address."""
        host, room = self._host(lane, address)
        if room < count:
            raise _BadAddress(address)
        return ctypes.string_at(host, count)

    def string(self, lane: int, address: int) -> bytes:
        """The bytes before the next zero."""
        host, room = self._host(lane, address)
        data = ctypes.string_at(host, min(room, _MOST_BYTES)) if room > 0 else b""
        end = data.find(b"\0")
        if end < 0:
            raise _BadAddress(address + max(room, 0))
        return data[:end]

    def text(self, lane: int, address: int) -> str:
        """A string, for people."""
        return self.string(lane, address).decode("utf-8", "replace") if address else "?"


class Lines:
    """Collects text and passes on whole lines."""

    def __init__(self, output: Callable[[str], Any]) -> None:
        self._output, self._rest = output, ""

    def write(self, text: str) -> None:
        """More text."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._output(line)

    def end(self) -> None:
        """Pass on a last line that has no end."""
        if self._rest:
            self._output(self._rest)
            self._rest = ""
