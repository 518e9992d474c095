"""Opaque buffers: which instructions may meet opaque values, and the tables the core keeps about them.

A static analysis of each kernel finds the registers that can hold what was read from memory; only instructions that touch
one of these, or memory itself, are looked at while they run (sim/sm/opaque.py).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from isa.image import Image, OperandKind, Role
from isa.instr import Kind
from isa.table import resolve
from isa.types import BY_CODE

from . import opaque_layout as at
from . import state as st
from .addresses import OFFSET_MASK
from .memory import LINE, Bytes

if TYPE_CHECKING:
    from .machine import Machine

_REGISTERS = (OperandKind.REG, OperandKind.MEM_REG)
_PREDICATES = (OperandKind.PRED, OperandKind.NPRED)
_ALL = (Kind.LANE, Kind.MMA, Kind.MOVMATRIX)
_DATA = (
    Kind.ST,
    Kind.ATOM,
    Kind.RED,
    Kind.STMATRIX,
    Kind.ST_ASYNC,
    Kind.ROWSP_ST,
    Kind.DYMM_ST,
    Kind.MM_ST,
    Kind.MM_RED,
)
_FIRST = (Kind.SHFL, Kind.VOTE, Kind.MATCH, Kind.REDUX)
_LONG = 16
"""Results from which on a list is remembered as a whole."""
_KNOWN = ("param", "const")
"""State spaces that hold no opaque values."""
_MEMORY = frozenset(
    (*_DATA, Kind.LD, Kind.LDMATRIX, Kind.MMA, Kind.MOVMATRIX, Kind.WGMMA, Kind.DYMM_LDRED, Kind.MM_LDRED)
)
"""Instructions that always matter: they read or write memory, or pass on values of the tensor cores."""


class Entry:
    """The registers of an instruction, as flags: what decides what it does, values, results, and results that are known."""

    def __init__(self, image: Image, pc: int) -> None:
        op = resolve(image.name(pc))
        self.kind = op.kind
        self.memory = op.kind in _MEMORY and not (
            op.kind == Kind.LD and op.mods.get("space", "").split("::")[0] in _KNOWN
        )
        self.control: list[int] = []
        self.values: list[int] = []
        self.results: list[int] = []
        self.known: list[int] = []
        if guard := int(image.guard[pc]):
            self.control.append(abs(guard) - 1)
        for operand in image.operands(pc):
            if operand.kind not in _REGISTERS and operand.kind not in _PREDICATES:
                continue
            register = operand.kind in _REGISTERS
            ref = st.SLOTS + 128 * operand.value if register else 4 * operand.value
            name = op.operands[operand.group].name if operand.group < len(op.operands) else ""
            self._add(operand, at.flag_index(ref), name)

    def _add(self, operand: Any, flag: int, name: str) -> None:
        if operand.role != Role.READ:
            known = self.kind == Kind.SHFL and operand.kind in _PREDICATES
            (self.known if known else self.results).append(flag)
        if operand.role != Role.WRITE:
            is_value = (
                self.kind in _ALL
                or (
                    self.kind in _DATA
                    and operand.kind not in (OperandKind.MEM_REG,)
                    and name not in ("policy", "count")
                )
                or (self.kind in _FIRST and name == "a")
                or (self.kind == Kind.WGMMA and BY_CODE[operand.type].bits == 32)  # not descriptors
            )
            (self.values if is_value else self.control).append(flag)

    @property
    def propagates(self) -> bool:
        """Whether the results are opaque if the values are."""
        return self.kind in _ALL or self.kind in _FIRST or self.kind == Kind.WGMMA

    def words(self, groups: dict[tuple[Any, ...], int]) -> list[int]:
        """The entry as the core reads it; ``groups`` numbers the long lists of results."""
        lists = [_runs(part) for part in (self.control, self.values, self.results, self.known)]
        group = groups.setdefault(tuple(lists[2]), len(groups) + 1) if len(self.results) >= _LONG else 0
        head = [at.PROPAGATES * self.propagates | group << at.GROUP, *(len(runs) for runs in lists)]
        return head + [number for runs in lists for run in runs for number in run]


def _runs(flags: Iterable[int]) -> list[tuple[int, int]]:
    """Flags as runs: first, count."""
    runs: list[tuple[int, int]] = []
    for flag in sorted(set(flags)):
        if runs and sum(runs[-1]) == flag:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((flag, 1))
    return runs


def _spans(image: Image) -> list[range]:
    """Instructions that share registers: each kernel; all of them when functions are called."""
    if image.functions:
        return [range(len(image))]
    return [range(kernel.entry, kernel.end) for kernel in image.kernels]


def _concerned(entries: list[Entry]) -> list[bool]:
    """Which instructions of a span may meet opaque values or must clear a flag."""
    may: set[int] = set()
    for entry in entries:
        if entry.memory:
            may.update(entry.results)
    grown = True
    while grown:
        before = len(may)
        for entry in entries:
            if entry.propagates and not may.isdisjoint(entry.values):
                may.update(entry.results)
        grown = len(may) > before
    return [
        entry.memory or not may.isdisjoint((*entry.control, *entry.values, *entry.results, *entry.known))
        for entry in entries
    ]


class Opaque:
    """What a machine with opaque buffers has in addition; made when the first one is allocated."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        A, image = machine.A, machine.image
        index = np.zeros(len(image), np.int64)
        words: list[int] = []
        groups: dict[tuple[Any, ...], int] = {}
        for span in _spans(image):
            entries = [Entry(image, pc) for pc in span]
            for pc, entry, concerned in zip(span, entries, _concerned(entries), strict=True):
                if concerned:
                    index[pc] = 8 * len(image) + 4 * len(words)
                    words += entry.words(groups)
                    A[A[st.CODE] + pc * st.ROW_WORDS + st.R_HEAD] |= 1 << at.FLAG_OPAQUE_BIT
        table = np.concatenate([index.view(np.uint8), np.array(words, np.uint32).view(np.uint8)])
        self.table = Bytes(table.size)
        self.table.array[: table.size] = table
        count = machine.gpus * machine.sms
        self.flags = Bytes(count * st.WARPS * at.WARP_FLAGS)
        self.bits = Bytes(count * st.SM_SHARED_BYTES // 32 + 8)
        self.lines = [Bytes(memory.capacity // LINE + 1) for memory in machine.memory]
        A[at.FLAGS], A[at.TABLE] = self.flags.address, self.table.address
        A[at.SHARED_BITS], A[at.SHARED_FIRST] = self.bits.address, machine.shared_address
        for gpu, lines in enumerate(self.lines):
            A[at.LINES + gpu] = lines.address
        A[at.OPAQUE] = 1

    def regions(self) -> dict[str, Any]:
        """Memory of the flags, by name."""
        lines = {f"opaque{gpu}": lines.array for gpu, lines in enumerate(self.lines)}
        return {"flags": self.flags.array, "bits": self.bits.array, **lines}

    def add(self, gpu: int, address: int, nbytes: int) -> None:
        """A range of a GPU's memory is an opaque buffer."""
        first = (address & OFFSET_MASK) // LINE
        self.lines[gpu].array[first : first + -(-nbytes // LINE)] = 1
