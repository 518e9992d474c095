"""Names: which register, variable, label or function a name means at some place, with shadowing and `%r<9>` ranges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from assembler.program import Body, Register, Variable
from assembler.syntax import Callprototype, Targets
from isa.special import SPECIAL, SpecialReg
from isa.table import did_you_mean


@dataclass(frozen=True, slots=True)
class LabelName:
    """A label: its number in its body."""

    number: int


@dataclass(frozen=True, slots=True)
class VectorRegister:
    """A register declared with .v2 or .v4: its elements."""

    elements: tuple[Register, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """`%r<count>`: registers made when first named."""

    type: str
    bits: int
    vec: int
    count: int


Thing: TypeAlias = "Register | VectorRegister | Variable | Body | LabelName | Targets | Callprototype | SpecialReg"


class Scope:
    """Names of one `{ }` block; `parent` is the block around it, at last the module."""

    def __init__(self, parent: Scope | None, body: Body | None):
        self.parent, self.body = parent, body
        self.names: dict[str, Thing] = {}
        self.own: set[str] = set()
        self.ranges: dict[str, Range] = {}

    def declare(self, name: str, thing: Thing) -> bool:
        """Add a name; False if this block already has it."""
        if name in self.own:
            return False
        self.own.add(name)
        self.names[name] = thing
        return True

    def declare_register(self, name: str, type_name: str, bits: int, vec: int, physical: bool) -> bool:
        """Add one register name; False if this block already has it."""
        if name[-1:].isdigit() and self._covered(name):
            return False
        return self.declare(name, self._make(name, Range(type_name, bits, vec, 1), physical))

    def declare_range(self, name: str, type_name: str, bits: int, vec: int, count: int) -> bool:
        """Add `name<count>`; False if this block already has such names."""
        if name in self.ranges or any(_number_in(own, name) in range(count) for own in self.own):
            return False
        self.ranges[name] = Range(type_name, bits, vec, count)
        return True

    def _covered(self, name: str) -> bool:
        """Whether a range of this block has this name."""
        return any(_number_in(name, stem) in range(r.count) for stem, r in self.ranges.items())

    def _make(self, name: str, r: Range, physical: bool) -> Thing:
        assert self.body is not None
        if r.vec:
            made = [self.body.new_register(f"{name}.{axis}", r.type, r.bits) for axis in "xyzw"[: r.vec]]
            return VectorRegister(tuple(made))
        register = self.body.new_register(name, r.type, r.bits)
        if physical:
            register.slot = int(name.lstrip("%abcdefghijklmnopqrstuvwxyz") or -1)
        return register

    def find(self, name: str) -> Thing | None:
        """What `name` means here, None if nothing."""
        thing = self.names.get(name)
        if thing is None:
            thing = self._search(name)
            if thing is not None:
                self.names[name] = thing  # declarations of a block come before its first look-up
        return thing

    def _search(self, name: str) -> Thing | None:
        scope: Scope | None = self
        while scope is not None:
            thing = scope.names.get(name) or scope._in_range(name) or scope._element(name)
            if thing is not None:
                return thing
            scope = scope.parent
        return SPECIAL.get(name)

    def _in_range(self, name: str) -> Thing | None:
        stem = name.rstrip("0123456789")
        for cut in range(len(stem), len(name)):
            r = self.ranges.get(name[:cut])
            digits = name[cut:]
            if r is not None and int(digits) < r.count and (digits == "0" or digits[0] != "0"):
                assert self.body is not None
                thing = self._make(name, r, self.body.physical is not None)
                self.names[name] = thing
                return thing
        return None

    def _element(self, name: str) -> Thing | None:
        base, dot, axis = name.rpartition(".")
        if not dot or axis not in ("x", "y", "z", "w", "r", "g", "b", "a"):
            return None
        vector = self.names.get(base) or self._in_range(base)
        index = "xyzw".find(axis) if axis in "xyzw" else "rgba".find(axis)
        if isinstance(vector, VectorRegister) and index < len(vector.elements):
            return vector.elements[index]
        return None

    def suggestion(self, name: str, kinds: tuple[type, ...]) -> str:
        """A known name of one of these kinds that is close to `name`, or ""."""
        words: list[str] = []
        scope: Scope | None = self
        while scope is not None:
            words += [word for word, thing in scope.names.items() if isinstance(thing, kinds)]
            if Register in kinds:
                words += [f"{stem}{i}" for stem, r in scope.ranges.items() for i in range(min(r.count, 64))]
            scope = scope.parent
        if SpecialReg in kinds:
            words += list(SPECIAL)
        return did_you_mean(name, dict.fromkeys(words))


def _number_in(name: str, stem: str) -> int:
    """n of the name `stem` n, -1 of any other."""
    digits = name[len(stem) :]
    plain = name.startswith(stem) and digits.isdigit() and (digits == "0" or digits[0] != "0")
    return int(digits) if plain else -1
