"""Operands to entries: registers, constants, symbols, special registers, vectors and addresses, each checked."""

from __future__ import annotations

from dataclasses import replace

from assembler.operands import Plan, Spec, constant_bits, fits
from assembler.problems import Problems
from assembler.program import READ, WRITE, Body, Entry, Register, Variable
from assembler.scope import Scope
from assembler.syntax import Address, Binary, Name, Not, Number, Operand, PredPair, Sink, Vector
from assembler.variables import integer, kernel_address, symbol_and_offset
from isa.image import OperandKind
from isa.instr import Kind
from isa.special import WARP_SZ, SpecialReg
from isa.types import TYPES, Type

REG, PRED, NPRED, CONST, SREG, LABEL, FUNC, SYM, MEM_REG, MEM_SYM, MEM_PARAM, SINK = range(12)
_OF_ADDRESSES = ("mov", "cvta", "mapa", "getctarank")
"""Instructions whose operand may be a variable, for its address."""
assert OperandKind.SINK == SINK
B32, B64 = TYPES["b32"].code, TYPES["b64"].code


class EntryWriter:
    """Writes the entries of one operand after the other; what is wrong goes to `problems`."""

    def __init__(self, problems: Problems, scope: Scope):
        self.problems, self.scope = problems, scope

    def pair(self, operand: PredPair, specs: tuple[Spec, ...], found: Plan, entries: list[Entry]) -> None:
        """`p|q`."""
        if isinstance(operand.p, Sink) and found.kind == Kind.SHFL:
            self.problems.error("bad-sink", f"`{found.op.text}` needs a register for its result", operand.p.span)
        elif isinstance(operand.p, Sink):
            self._sink(operand.p, specs[0], found, entries, joined=True)
        else:
            self.value(operand.p, specs[0], found, entries)
        self.value(operand.q, specs[1], found, entries)

    def value(self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """A register, or what may stand for one when it is read."""
        if isinstance(operand, Vector) and len(operand.items) == 1:
            if found.kind not in (Kind.LD, Kind.ST):
                message = f"operand `{spec.wanted.name}` of `{found.op.text}` is no vector"
                self.problems.error("bad-operand", message, operand.span)
            operand = operand.items[0]
        if isinstance(operand, Name):
            thing = self.scope.names.get(operand.name) or self.scope.find(operand.name)
            if isinstance(thing, Register):
                self._fit(operand, thing, spec, entries, REG if thing.bits else PRED)
            else:
                self._named(operand, thing, spec, found, entries)
        elif isinstance(operand, Number):
            self._constant(operand, spec, found, entries)
        elif isinstance(operand, Not):
            predicate = self.register(operand.name, "predicate register")
            if predicate is not None and (predicate.bits or spec.role != READ):
                self.problems.error("bad-negation", "`!` inverts a predicate that is read", operand.span)
            elif predicate is not None:
                plain = spec.wanted.negated == "must" or found.inverted
                self._fit(operand.name, predicate, spec, entries, PRED if plain else NPRED)
        elif isinstance(operand, Sink):
            self._sink(operand, spec, found, entries)
        else:
            self._symbol_expression(operand, spec, found, entries)

    def _fit(self, name: Name, register: Register, spec: Spec, entries: list[Entry], kind: int) -> None:
        wanted = spec.type
        assert wanted is not None
        bits = register.bits
        if not fits(wanted.name, bits, register.type, spec.wide):
            self._mismatch(name, register, spec)
            return
        code = spec.code if not bits or bits == wanted.bits else TYPES[f"b{bits}"].code
        entries.append((kind, spec.role, code, spec.group, register.number, 0))

    def _mismatch(self, name: Name, register: Register, spec: Spec) -> None:
        assert spec.type is not None
        what = "a predicate" if spec.type.cls == "pred" else f"a .{spec.type.name} register"
        have = "a predicate" if not register.bits else f".{register.type}"
        message = f"`{name.name}` is {have}, operand `{spec.wanted.name}` wants {what}"
        self.problems.error("type-mismatch", message, name.span, f"expected {what}")

    def register(self, name: Name, what: str = "register") -> Register | None:
        """The register `name` means; None after an error."""
        thing = self.scope.find(name.name)
        if isinstance(thing, Register):
            return thing
        if thing is None:
            self.problems.unknown(what, name.name, name.span, self.scope.suggestion(name.name, (Register,)))
        else:
            self.problems.error("not-a-register", f"`{name.name}` is not a register", name.span)
        return None

    def _named(self, name: Name, thing: object, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """A name that is no plain register."""
        problems, wanted = self.problems, spec.type
        assert wanted is not None
        if name.name == "WARP_SZ" and thing is None and spec.role == READ:
            entries.append((CONST, READ, spec.code, spec.group, WARP_SZ, 0))
        elif thing is None:
            kinds = (Register, Variable, SpecialReg) if spec.role == READ else (Register,)
            what = "register" if name.name.startswith("%") or spec.role != READ else "name"
            problems.unknown(what, name.name, name.span, self.scope.suggestion(name.name, kinds))
        elif spec.role != READ:
            problems.error("not-a-register", f"`{name.name}` cannot be written: it is not a register", name.span)
        elif isinstance(thing, SpecialReg):
            if found.op.instr.mnemonic != "mov":
                problems.error("special-register", f"`{found.op.instr.mnemonic}` cannot read `{name.name}`", name.span,
                               help=f"read it with `mov.{thing.type}` first")  # fmt: skip
            elif (
                wanted.cls == "f"
                or (wanted.cls == "pred") != (thing.type == "pred")
                or (wanted.bits == 64) != (TYPES[thing.type].bits == 64)
            ):
                problems.error("type-mismatch", f"`{name.name}` is .{thing.type}, not .{wanted.name}", name.span)
            else:
                entries.append((SREG, READ, spec.code, spec.group, thing.number, 0))
        else:
            self._symbol(name, thing, 0, spec, found, entries)

    def _symbol(self, name: Name, thing: object, offset: int, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """The address of a variable or function as a value."""
        wanted, mods = spec.type, found.op.mods
        assert wanted is not None
        space = mods.get("space", "").partition("::")[0]
        if found.op.instr.mnemonic == "cvta" and isinstance(thing, Variable) and space not in ("", thing.space):
            message = f"`{name.name}` is in .{thing.space}, `{found.op.text}` converts addresses in .{space}"
            self.problems.error("space-mismatch", message, name.span, f"a .{thing.space} variable")
        elif "to" in mods or not _takes_address(found, wanted):
            message = f"operand `{spec.wanted.name}` of `{found.op.text}` must be a register or a constant"
            help = f"put the address into a register: `mov.u64 …, {name.name}`"
            self.problems.error("not-a-register", message, name.span, help=help)
        elif isinstance(thing, Variable) and thing.space != "reg":
            entries.append((SYM, READ, spec.code, spec.group, thing.number, offset))
        elif isinstance(thing, Body) and not thing.is_kernel:
            thing.address_taken = True
            entries.append((FUNC, READ, spec.code, spec.group, thing.number, 0))
        elif isinstance(thing, Body):
            self.problems.error("unmodelled", kernel_address(name.name), name.span)
        else:
            self.problems.error("not-a-value", f"`{name.name}` has no address that can be moved", name.span)

    def _symbol_expression(self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        pair = symbol_and_offset(operand) if isinstance(operand, Binary) else None
        if pair is None or spec.role != READ:
            self.problems.error(
                "bad-operand", f"not an operand `{spec.wanted.name}` of `{found.op.text}`", operand.span
            )
            return
        name, offset = pair
        thing = self.scope.find(name.name)
        if thing is None:
            self.problems.unknown("symbol", name.name, name.span, self.scope.suggestion(name.name, (Variable,)))
        else:
            self._symbol(name, thing, offset, spec, found, entries)

    def _constant(self, number: Number, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        assert spec.type is not None
        if spec.role != READ:
            self.problems.error(
                "not-a-register", f"operand `{spec.wanted.name}` is written: it must be a register", number.span
            )
            return
        self._range(number, spec, found)
        bits, complaint = constant_bits(number, spec.type)
        if bits is None:
            self.problems.error("type-mismatch", f"`{found.op.text}` does not take this constant", number.span,
                                f"not a .{spec.type.name}", complaint)  # fmt: skip
            return
        if complaint:
            self.problems.warning("constant-cut", complaint, number.span)
        entries.append((CONST, READ, spec.code, spec.group, bits - (1 << 64) if bits >> 63 else bits, 0))

    def _range(self, number: Number, spec: Spec, found: Plan) -> None:
        """Report a constant that the instruction does not take."""
        allowed = found.op.instr.allowed.get(spec.wanted.name)
        if allowed is None or number.kind != "int" or number.value in allowed:
            return
        if isinstance(allowed, range):
            step = f", a multiple of {allowed.step}" if allowed.step > 1 else ""
            help = f"it must be from {allowed.start} to {allowed[-1]}{step}"
        else:
            few = tuple(allowed) if isinstance(allowed, tuple) else ()
            help = "it must be a power of two" if len(few) > 8 else f"it must be {' or '.join(map(str, few))}"
        message = f"operand `{spec.wanted.name}` of `{found.op.text}` cannot be {number.value}"
        self.problems.error("out-of-range", message, number.span, "out of range", help)

    def _sink(self, sink: Operand, spec: Spec, found: Plan, entries: list[Entry], joined: bool = False) -> None:
        assert spec.type is not None
        plain = found.kind in (Kind.LANE, Kind.LD) and spec.type.cls != "pred" and not joined
        if spec.role != WRITE or plain:
            self.problems.error(
                "bad-sink", f"operand `{spec.wanted.name}` of `{found.op.text}` cannot be `_`", sink.span
            )
            return
        entries.append((SINK, WRITE, spec.code, spec.group, 0, 0))

    def vector(self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """`{a, b, …}`: one entry an element."""
        items: tuple[Operand, ...] = operand.items if isinstance(operand, Vector) else (operand,)
        if not isinstance(operand, Vector) and spec.wanted.count == 1:
            message = f"operand `{spec.wanted.name}` of `{found.op.text}` is a vector of one element"
            self.problems.error("vector-size", message, operand.span, help=f"write `{{{operand.span.text}}}`")
        if len(items) != spec.wanted.count:
            message = f"operand `{spec.wanted.name}` of `{found.op.text}` has {spec.wanted.count} elements"
            self.problems.error("vector-size", message, operand.span, f"{len(items)} here")
            return
        for item in items:
            if type(item) is Sink:
                self._sink(item, spec, found, entries, joined=True)
            else:
                self.value(item, spec, found, entries)
        widths = {self.bits(item) for item in items} - {-1}
        if len(widths) > 1:
            self.problems.error("vector-size", "the elements of a vector have one width", operand.span)

    def predicate(self, operand: Operand) -> tuple[Name, Register] | None:
        """The predicate that `p` or `!p` names; None for anything else."""
        name = operand.name if isinstance(operand, Not) else operand
        thing = self.scope.find(name.name) if isinstance(name, Name) else None
        return (name, thing) if isinstance(name, Name) and isinstance(thing, Register) and not thing.bits else None

    def bits(self, operand: Operand) -> int:
        """Width of a register, -1 of anything else."""
        thing = self.scope.find(operand.name) if isinstance(operand, Name) else None
        return thing.bits if isinstance(thing, Register) else -1

    def immediate(
        self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry], immediates: dict[str, int]
    ) -> None:
        """A constant that the instruction's form needs: an entry, or part of the op's name if it shapes its code."""
        if type(operand) is not Number or operand.kind != "int":
            message = f"operand `{spec.wanted.name}` of `{found.op.text}` must be a constant"
            self.problems.error("not-a-constant", message, operand.span)
        elif found.immediates:
            assert spec.type is not None
            self._range(operand, spec, found)
            immediates[spec.wanted.name] = operand.value % (1 << spec.type.bits)
        else:
            self._constant(operand, spec, found, entries)

    # -- addresses

    def address(self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """`[register+constant]`, `[variable+constant]`, `[constant]`."""
        assert isinstance(operand, Address)
        offset = operand.offset if isinstance(operand.offset, int) else integer(operand.offset)
        if operand.extra or offset is None:
            self.problems.error("bad-address", f"`{found.op.text}` takes an address [register+constant]", operand.span)
        elif operand.base is None:
            self._absolute(operand, spec, found)
            entries.append((MEM_SYM, READ, B64, spec.group, -1, _wrapped(offset)))
        else:
            offset = _wrapped(offset)
            thing = self.scope.names.get(operand.base.name) or self.scope.find(operand.base.name)
            if type(thing) is Register:
                self._address_register(operand.base, thing, offset, spec, found, entries)
            elif isinstance(thing, Variable):
                self._address_variable(operand.base, thing, offset, spec, found, entries)
            else:
                self._no_address(operand.base, thing)

    def _absolute(self, operand: Address, spec: Spec, found: Plan) -> None:
        """`[4]` is an address in local memory; a disassembly names places of its parameters so, too."""
        physical = self.scope.body is not None and self.scope.body.physical is not None
        if spec.space != "local" and not physical:
            message = f"`{found.op.text}` takes no constant as an address: only .local memory has such addresses"
            self.problems.error("bad-address", message, operand.span, help="put it into a register")

    def tensor(self, operand: Operand, spec: Spec, found: Plan, entries: list[Entry]) -> None:
        """`[tensor map, {coordinates}]`: the address, then the coordinates as further entries of the operand."""
        assert isinstance(operand, Address)
        coordinates = operand.extra[0] if len(operand.extra) == 1 else None
        count = spec.wanted.count
        if not isinstance(coordinates, Vector) or len(coordinates.items) != count:
            message = f"`{found.op.text}` takes [tensor map, {{{count} coordinate{'s' * (count > 1)}}}]"
            self.problems.error("bad-address", message, operand.span)
            return
        self.address(replace(operand, extra=()), spec, found, entries)
        each = replace(spec, type=TYPES["s32"], code=TYPES["s32"].code)
        for item in coordinates.items:
            self.value(item, each, found, entries)

    def _address_register(
        self, name: Name, register: Register, offset: int, spec: Spec, found: Plan, entries: list[Entry]
    ) -> None:
        if register.bits not in (32, 64) or TYPES[register.type].cls == "f":
            message = f"`{name.name}` is .{register.type}, an address is 32 or 64 integer bits"
            self.problems.error("type-mismatch", message, name.span)
            return
        if register.bits == 32 and spec.space in ("", "global"):
            message = f"`{name.name}` has 32 bits, an address in {spec.space or 'generic'} memory 64"
            self.problems.error("type-mismatch", message, name.span)
            return
        if found.kind == Kind.ST and spec.space.startswith("param"):
            self.problems.error(
                "bad-address", f"`{found.op.text}` takes the name of a parameter, no register", name.span
            )
            return
        entries.append((MEM_REG, READ, B64 if register.bits == 64 else B32, spec.group, register.number, offset))

    def _address_variable(
        self, name: Name, variable: Variable, offset: int, spec: Spec, found: Plan, entries: list[Entry]
    ) -> None:
        want = {
            "shared::cta": "shared",
            "shared::cluster": "shared",
            "param::entry": "param",
            "param::func": "param",
        }.get(spec.space, spec.space)
        have = "param" if variable.space == "entry" else variable.space
        generic = not want and found.kind in (Kind.LD, Kind.ST, Kind.ATOM, Kind.RED) and have in ("const", "param")
        if (want and want != have) or have == "reg" or generic:
            message = f"`{name.name}` is in .{have}, `{found.op.text}` accesses .{want or 'global'}"
            self.problems.error("space-mismatch", message, name.span, f"a .{have} variable")
        elif variable.space == "entry" and want == "param":
            if found.kind == Kind.ST:
                self.problems.error("read-only", f"kernel parameter `{name.name}` cannot be written", name.span)
            entries.append((MEM_PARAM, READ, B64, spec.group, 0, variable.offset + offset))
        else:
            entries.append((MEM_SYM, READ, B64, spec.group, variable.number, offset))

    def _no_address(self, name: Name, thing: object) -> None:
        if thing is not None:
            self.problems.error("bad-address", f"`{name.name}` is neither a register nor a variable", name.span)
            return
        what = "register" if name.name.startswith("%") else "symbol"
        self.problems.unknown(what, name.name, name.span, self.scope.suggestion(name.name, (Register, Variable)))


def _wrapped(offset: int) -> int:
    """An offset as 64 signed bits."""
    return (offset + (1 << 63)) % (1 << 64) - (1 << 63)


def _takes_address(found: Plan, wanted: Type) -> bool:
    """Whether an operand may be the address of a variable or function."""
    return found.op.instr.mnemonic in _OF_ADDRESSES and wanted.cls not in ("f", "pred") and wanted.bits >= 32
