"""Registers of a warp while a block runs: read from storage once, kept as values, written back where they may be needed."""

from typing import Any

from llvmlite import ir

from ..ir.build import I32, Builder, constant, lanes, load, load_slot, store, word
from ..load import CONSTANT
from ..state import SINK, SLOTS
from .blocks import SLOT
from .frame import Frame

Key = tuple[str, int]
"""("p", predicate), ("r", slot) or ("d", first slot of a 64-bit register)."""


def set_of(key: Key) -> int:
    """The registers of a key as a set (blocks.py)."""
    kind, number = key
    return 1 << number if kind == "p" else (3 if kind == "d" else 1) << SLOT + number


def _offset(key: Key) -> int:
    """Where a warp's storage has the register, bytes."""
    kind, number = key
    return 4 * number if kind == "p" else SLOTS + 128 * number


def splat_constant(value: int, width: int) -> ir.Constant:
    """A constant in all lanes, as a vector of ``width``-bit integers."""
    return constant(ir.IntType(width), value & (1 << width) - 1)


class Registers:
    """Values of registers by key: vectors of i32 or i64, masks (i32) of predicates. Lanes outside the frame's mask may
    hold anything until the value is written back."""

    def __init__(self, b: Builder, frame: Frame, pool: bytes) -> None:
        self.b, self.frame, self._pool = b, frame, pool
        self._values: dict[Key, Any] = {}
        self._dirty: dict[Key, None] = {}
        self.derived: dict[tuple[Any, ...], Any] = {}
        """What was computed from values of registers and may be used again in the block."""

    def _overlapping(self, key: Key) -> list[Key]:
        return [other for other in self._values if other != key and set_of(other) & set_of(key)]

    def _give_up(self, key: Key, is_overwritten: bool) -> None:
        """Forget what overlaps a register under another width."""
        for other in self._overlapping(key):
            if other in self._dirty and not (is_overwritten and set_of(other) & ~set_of(key) == 0):
                self._store(self.b, other, self._values[other], False)
            self._dirty.pop(other, None)
            del self._values[other]

    @staticmethod
    def key(ref: int, width: int) -> Key:
        """The register behind an operand reference."""
        return ("p", ref // 4) if ref < SINK else ("d" if width == 64 else "r", (ref - SLOTS) // 128)

    def read(self, ref: int, width: int) -> Any:
        """An operand: a vector of i32 or i64 for ``width`` 32 or 64, a mask for 1."""
        if ref & CONSTANT:
            return self._constant(ref - CONSTANT, width)
        key = self.key(ref, width)
        if key not in self._values:
            self._give_up(key, False)
            b = self.b
            address = b.add(self.frame.registers, word(_offset(key)))
            self._values[key] = load(b, address, I32, 4) if width == 1 else load_slot(b, address, ir.IntType(width))
        return self._values[key]

    def _constant(self, offset: int, width: int) -> ir.Constant:
        size = 8 if width == 64 else 4
        value = int.from_bytes(self._pool[offset : offset + size], "little")
        return ir.Constant(I32, value) if width == 1 else splat_constant(value, width)

    def write(self, ref: int, value: Any, guard: Any) -> None:
        """Set a register in the lanes of ``guard`` (i32), or in all if it is None."""
        if ref == SINK:
            return
        b = self.b
        width = 1 if value.type == I32 else value.type.element.width
        key = self.key(ref, width)
        if guard is not None:
            old = self.read(ref, width)
            if width == 1:
                value = b.or_(b.and_(value, guard), b.and_(old, b.not_(guard)))
            else:
                value = b.select(lanes(b, guard), value, old)
        self._give_up(key, True)
        self._values[key] = value
        self._dirty[key] = None

    def _store(self, b: Builder, key: Key, value: Any, is_full: bool) -> None:
        """Store a register in the lanes of the mask; ``is_full``: it is known to have all lanes."""
        address = b.add(self.frame.registers, word(_offset(key)))
        if key[0] == "p":
            if not is_full:
                old = load(b, address, I32, 4)
                value = b.or_(b.and_(value, self.frame.mask), b.and_(old, b.not_(self.frame.mask)))
            store(b, value, address, 4)
            return
        if not is_full:
            value = b.select(self.frame.active, value, load_slot(b, address, value.type.element))
        store(b, value, address, 64)

    def changed(self, live: int) -> list[tuple[Key, Any]]:
        """Registers that are in the set ``live`` and whose storage is out of date, with their values."""
        return [(key, self._values[key]) for key in self._dirty if set_of(key) & live]

    def write_back(self, live: int) -> None:
        """Store what changed and is in the set ``live``."""
        wanted = self.changed(live)
        if not wanted:
            return
        with self.b.if_else(self.frame.is_full) as (full, partial):
            with full:
                for key, value in wanted:
                    self._store(self.b, key, value, True)
            with partial:
                for key, value in wanted:
                    self._store(self.b, key, value, False)

    def write_back_rarely(self, b: Builder, changed: list[tuple[Key, Any]]) -> None:
        """Store what `changed` gave, in code that is kept small."""
        for key, value in changed:
            self._store(b, key, value, False)
