"""Image to text. Assembling the text gives the same columns again.

Registers are named by their physical slots; a `.pragma "simasm.physical …"` in every body says so and gives the
resources. The host program is not part of the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import groupby

from isa.image import Function, Image, Kernel, Operand, OperandKind, Symbol
from isa.instr import Op
from isa.selectors import negated, selector
from isa.special import SPECIAL
from isa.table import resolve
from isa.types import BY_CODE, TYPES

PREFIX = {8: "%rc", 16: "%rs", 32: "%r", 64: "%rd", 128: "%rq"}
"""Name of a physical register of so many bits, before the number of its first slot."""

PRAGMA = "simasm.physical"


def disassemble(image: Image) -> str:
    """PTX text of `image`."""
    return "\n".join(_Text(image).lines()) + "\n"


@lru_cache(maxsize=4096)
def _op(name: str) -> Op:
    return resolve(name)


class _Text:
    def __init__(self, image: Image):
        self.image = image
        self.sregs = {s.number: s.name for s in SPECIAL.values()}
        self.targets = {int(v) for k, v in zip(image.o_kind, image.o_value, strict=True) if k == OperandKind.LABEL}

    def lines(self) -> Iterator[str]:
        """The lines of the whole text."""
        image = self.image
        yield ".version 9.0"
        yield f".target {', '.join(image.targets)}"
        yield ".address_size 64"
        for function in image.functions:
            yield f".{'func' if function.entry >= 0 else 'extern .func'} {function.name}();"
        yield from self._symbols(-1, -1)
        order: list[Function | Kernel] = sorted(
            [*(f for f in image.functions if f.entry >= 0), *image.kernels], key=lambda body: (body.entry, body.end)
        )
        for body in order:
            yield ""
            yield from self._body(body)

    def _symbols(self, kernel: int, function: int) -> Iterator[str]:
        for symbol in self.image.symbols:
            if (symbol.kernel, symbol.function) == (kernel, function) and symbol.space != "param":
                yield self._symbol(symbol)

    def _symbol(self, symbol: Symbol) -> str:
        linkage = ".extern " if symbol.extern else ""
        opaque = " .opaque" if symbol.opaque else ""
        size = "" if symbol.extern and symbol.size == 0 else symbol.size
        init = f" = {{{', '.join(self._bytes(symbol))}}}" if symbol.init is not None else ""
        return f"{linkage}.{symbol.space}{opaque} .align {symbol.align} .b8 {symbol.name}[{size}]{init};"

    def _bytes(self, symbol: Symbol) -> list[str]:
        data = symbol.init or b""
        items = [str(byte) for byte in data]
        for at, target in symbol.relocs:
            width = min(8, len(data) - at)
            name = self.image.symbols[target].name if target >= 0 else self.image.functions[-1 - target].name
            addend = int.from_bytes(data[at : at + width], "little")
            for i in range(width):
                items[at + i] = f"{hex(0xFF << (8 * i))}({name}{f'+{addend}' if addend else ''})"
        return items

    def _body(self, body: Function | Kernel) -> Iterator[str]:
        image = self.image
        if isinstance(body, Kernel):
            params = ", ".join(_param(*p) for p in body.params)
            limits = [("maxntid", body.maxntid), ("reqntid", body.reqntid), ("reqnctapercluster", body.cluster)]
            perf = "".join(f" .{name} {', '.join(map(str, v))}" for name, v in limits if v)
            yield f".visible .entry {body.name}({params}){perf}"
            numbers = (0, body.nregs, 0, body.npreds, 0, body.local_bytes, body.pressure)
            owner = (image.kernels.index(body), -1)
        else:
            yield f".func {body.name}()"
            numbers = (body.first_reg, body.nregs, body.first_pred, body.npreds, body.frame_offset, body.frame_bytes, 0)
            owner = (-1, image.functions.index(body))
        yield "{"
        yield f'    .pragma "{PRAGMA} {" ".join(map(str, numbers))}";'
        slots, predicates = self._highest(body.entry, body.end)
        for bits, prefix in PREFIX.items():
            if slots[bits]:
                yield f"    .reg .b{bits} {prefix}<{slots[bits]}>;"
        if predicates:
            yield f"    .reg .pred %p<{predicates}>;"
        yield from (f"    {line}" for line in self._symbols(*owner))
        for pc in range(body.entry, body.end):
            yield from self._instruction(pc, body)
        if body.end in self.targets:
            yield f"$L{body.end}:"
        yield "}"

    def _highest(self, start: int, end: int) -> tuple[dict[int, int], int]:
        """Register names needed: for each width, and of predicates, one more than the highest number."""
        slots, predicates = dict.fromkeys(PREFIX, 0), 0
        for pc in range(start, end):
            predicates = max(predicates, abs(int(self.image.guard[pc])))
            for operand in self.image.operands(pc):
                if operand.kind in (OperandKind.REG, OperandKind.MEM_REG):
                    bits = BY_CODE[operand.type].bits
                    slots[bits] = max(slots[bits], operand.value + 1)
                elif operand.kind in (OperandKind.PRED, OperandKind.NPRED):
                    predicates = max(predicates, operand.value + 1)
        return slots, predicates

    def _instruction(self, pc: int, body: Function | Kernel) -> Iterator[str]:
        image = self.image
        if pc in self.targets:
            yield f"$L{pc}:"
        op = _op(image.name(pc))
        guard = int(image.guard[pc])
        prefix = f"@{'!' if guard < 0 else ''}%p{abs(guard) - 1} " if guard else ""
        operands = list(image.operands(pc))
        labels = [f"$L{o.value}" for o in operands if o.kind == OperandKind.LABEL]
        groups = {group: list(items) for group, items in groupby(operands, key=lambda o: o.group)}
        if op.instr.mnemonic == "brx":
            yield f"    $T{pc}: .branchtargets {', '.join(labels)};"
            texts = [self._operand(groups[0][0], body), f"$T{pc}"]
        elif op.instr.mnemonic == "call" and operands[0].kind == OperandKind.REG:
            callees = ", ".join(image.functions[o.value].name for o in operands[1:])
            yield f"    $T{pc}: .calltargets {callees};"
            texts = [self._operand(operands[0], body), f"$T{pc}"]
        else:
            texts = self._texts(op, groups, body)
        yield f"    {prefix}{op.text}{' ' if texts else ''}{', '.join(texts)};"

    def _texts(self, op: Op, groups: Mapping[int, Sequence[Operand]], body: Function | Kernel) -> list[str]:
        """Operand texts; a group's number is the position of its operand in the row."""
        texts: list[str] = []
        for number, shape in enumerate(op.operands):
            if number not in groups:
                texts += [str(op.imm[shape.name])] if shape.name in op.imm else []
                continue
            parts = [self._operand(entry, body) for entry in groups[number]]
            text = f"{{{', '.join(parts)}}}" if shape.form == "vec" else parts[0]
            if shape.form == "tensor":
                text = f"{parts[0][:-1]}, {{{', '.join(parts[1:])}}}]"
            if shape.negated == "must":
                text = "!" + text
            chosen = selector(op, shape.name)
            text = f"{'-' if negated(op, shape.name) else ''}{text}{'.' if chosen else ''}{chosen}"
            if shape.paired:
                texts[-1] += "|" + text
            else:
                texts.append(text)
        return texts

    def _operand(self, o: Operand, body: Function | Kernel) -> str:
        kind, image = o.kind, self.image
        if kind == OperandKind.REG:
            return f"{PREFIX[BY_CODE[o.type].bits]}{o.value}"
        if kind in (OperandKind.PRED, OperandKind.NPRED):
            return f"{'!' if kind == OperandKind.NPRED else ''}%p{o.value}"
        if kind == OperandKind.CONST:
            return constant(o.value, o.type)
        if kind == OperandKind.SREG:
            return self.sregs[o.value]
        if kind == OperandKind.LABEL:
            return f"$L{o.value}"
        if kind == OperandKind.FUNC:
            return image.functions[o.value].name
        if kind == OperandKind.SYM:
            return image.symbols[o.value].name + _offset(o.offset)
        if kind == OperandKind.SINK:
            return "_"
        return f"[{self._address(o, body)}]"

    def _address(self, o: Operand, body: Function | Kernel) -> str:
        if o.kind == OperandKind.MEM_REG:
            return f"{PREFIX[BY_CODE[o.type].bits]}{o.value}{_offset(o.offset)}"
        if o.kind == OperandKind.MEM_SYM:
            return str(o.offset) if o.value < 0 else self.image.symbols[o.value].name + _offset(o.offset)
        assert isinstance(body, Kernel)
        param = max((p for p in body.params if p.offset <= o.offset), key=lambda p: p.offset)
        return param.name + _offset(o.offset - param.offset)


def _offset(value: int) -> str:
    return f"+{value}" if value else ""


def _param(name: str, type_name: str, _offset: int, size: int, align: int) -> str:
    if size != TYPES[type_name].bytes:
        return f".param .align {align} .b8 {name}[{size}]"
    return f".param .{type_name} {name}"


def constant(value: int, type_code: int) -> str:
    """Text of a constant of raw bits `value`."""
    kind = BY_CODE[type_code]
    if kind.name == "f32":
        return f"0f{value & 0xFFFFFFFF:08X}"
    if kind.name == "f64":
        return f"0d{value & (1 << 64) - 1:016X}"
    if kind.bits == 64 and value < 0 and kind.cls != "s":
        return hex(value & (1 << 64) - 1)
    if kind.cls == "s" and value >> (kind.bits - 1) & 1 and value > 0:
        return str(value - (1 << kind.bits))
    return str(value)
