"""How each kind of instruction is packed: which operand reference, immediate and sub word the core expects.

The core's side of this contract is documented where the instruction is executed (sim/sm).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from isa.image import Operand, OperandKind, Role
from isa.instr import Kind
from isa.special import SPECIAL
from isa.types import BY_CODE, TYPES, AtomOp, valtype

from .net.sums import ACC_F32
from .sm.async_copy import WAIT_ALL
from .sm.barrier import ARRIVE, RED_AND, RED_OR, RED_POPC, SYNC, WARP
from .sm.fences import Scope
from .sm.mbarrier import MbarrierOp
from .sm.special import Special
from .sm.warp_ops import Vote
from .state import FLAG_ACQUIRE, FLAG_RELEASE, FLAG_STRONG, FLAG_SYS, Space

if TYPE_CHECKING:
    from .load import Row

_MEMORY = (OperandKind.MEM_REG, OperandKind.MEM_SYM, OperandKind.MEM_PARAM)
_SPACES = {"": Space.GENERIC, "global": Space.GLOBAL, "shared": Space.SHARED, "local": Space.LOCAL,
           "const": Space.CONST, "param": Space.PARAM}  # fmt: skip
_NAMES = {number.number: name for name, number in SPECIAL.items()}
_STRONG = ("volatile", "relaxed", "acquire", "release", "acq_rel", "mmio", "cg", "cv")
_OPERATIONS = {op.name.lower(): op for op in AtomOp}
_REDUX = {"add": AtomOp.ADD, "min": AtomOp.MIN, "max": AtomOp.MAX, "and": AtomOp.AND, "or": AtomOp.OR, "xor": AtomOp.XOR}


class UnmodelledError(Exception):
    """The program uses something that the machine does not model; the message names it."""


def _address(row: "Row", operand: Operand) -> None:
    """Put a memory operand where load/store units expect it: reference 4, offset in the immediate."""
    if operand.kind == OperandKind.MEM_REG:
        row.refs[4] = row.ref(operand)
        row.imm = operand.offset
        wide = BY_CODE[operand.type].bits == 64
    else:
        row.refs[4] = row.program.constant(0, 64)
        row.imm = operand.offset if operand.kind == OperandKind.MEM_PARAM else row.value(operand)
        wide = True
    row.sub |= wide << 40


def _split(row: "Row") -> tuple[list[list[Operand]], list[list[Operand]]]:
    """Operand groups that are addresses, and the others."""
    groups = row.groups()
    return [g for g in groups if g[0].kind in _MEMORY], [g for g in groups if g[0].kind not in _MEMORY]


def _access(row: "Row", registers: list[Operand]) -> None:
    """Sub word of a memory access: width, signedness, register width, space, elements."""
    type_ = TYPES[row.op.types[-1]]
    size = max(type_.bytes, 1)
    if size > 8:
        raise UnmodelledError(f"`{row.op.text}`: accesses of {size} bytes per element are not modelled")
    wide = any(BY_CODE[r.type].bits == 64 for r in registers if r.kind != OperandKind.SINK)
    row.sub |= size.bit_length() - 1 | (type_.cls == "s") << 4 | wide << 5
    row.sub |= _space(row) << 8 | len(registers) << 16
    for i, register in enumerate(registers):
        if i >= 4:
            raise UnmodelledError(f"`{row.op.text}`: vectors of more than four elements are not modelled")
        row.refs[i] = row.ref(register)


def _space(row: "Row") -> int:
    space = row.op.mods.get("space", "")
    return _SPACES.get(space.split("::")[0], Space.GENERIC)


def _order(row: "Row") -> None:
    """Flags from .volatile, .relaxed, .acquire, .release and their scope."""
    mods = set(row.op.mods.values())
    strong = mods & set(_STRONG)
    row.flags |= FLAG_STRONG if strong else 0
    row.flags |= FLAG_ACQUIRE if mods & {"acquire", "acq_rel"} else 0
    row.flags |= FLAG_RELEASE if mods & {"release", "acq_rel"} else 0
    row.flags |= FLAG_SYS if "sys" in mods or (strong and not mods & {"cta", "cluster", "gpu"}) else 0
    if "cta" in mods and mods & {"release", "acq_rel"}:
        row.flags &= ~FLAG_RELEASE


def _lane(row: "Row") -> None:
    names: dict[str, int] = {}
    position = 0
    for group in row.groups():
        template = row.op.operands[group[0].group] if group[0].group < len(row.op.operands) else None
        if template is not None and template.form == "imm":
            names[template.name] = group[0].value
            continue
        for operand in group:
            if position >= 6:
                raise UnmodelledError(f"`{row.op.text}` has more than six operands")
            if operand.kind == OperandKind.SREG:
                raise UnmodelledError(f"`{row.op.text}` cannot read a special register directly; use mov")
            if operand.kind == OperandKind.NPRED and template is not None and template.negated != "must":
                raise UnmodelledError(f"`{row.op.text}` cannot read a negated predicate here")
            row.refs[position] = row.ref(operand)
            position += 1
    op = row.op.with_imm({**row.op.imm, **names}) if names else row.op
    row.lane_name = op.name


def _mov(row: "Row") -> None:
    """``mov`` of a special register or of a module variable's address is not a lane operation."""
    source = row.operands[-1]
    special = source.kind == OperandKind.SREG
    module = source.kind == OperandKind.SYM and source.value in row.program.offsets
    if not special and not module:
        _lane(row)
        return
    row.kind = Kind.SREG
    row.refs[0] = row.ref(row.operands[0])
    if module:
        what = Special.SYMBOL
        row.imm = row.program.offsets[source.value] + source.offset
    else:
        name = _NAMES[source.value][1:].upper().replace(".", "_")
        what = Special.ENVREG if name.startswith("ENVREG") else Special[name]
    row.sub = what | (BY_CODE[row.operands[0].type].bits == 64) << 32


def _load(row: "Row") -> None:
    memory, data = _split(row)
    registers = [o for g in data for o in g if o.role != Role.READ]
    _access(row, registers)
    _address(row, memory[0][0])
    _order(row)
    if memory[0][0].kind == OperandKind.MEM_PARAM:
        row.sub = row.sub & ~(0xFF << 8) | Space.UNIFORM << 8
    if "cais" in row.op.mods.values():
        row.program.approximations.add("ld.cais: in-switch merging is not modelled; timed as a plain load")


def _store(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    _address(row, memory[0][0])
    _order(row)


def _operation(row: "Row") -> int:
    name = next(m for m in row.op.mods.values() if m in _OPERATIONS)
    type_ = row.op.types[-1]
    bits = TYPES[type_].bits
    value = valtype(type_)
    if name in ("exch", "cas", "and", "or", "xor") and bits in (32, 64):
        value = valtype(f"b{bits}")
    return _OPERATIONS[name] | value << 8


def _atomic(row: "Row") -> None:
    memory, data = _split(row)
    written = [o for g in data for o in g if o.role != Role.READ]
    read = [o for g in data for o in g if o.role == Role.READ]
    if len(written) > 1 or len(read) > 2:
        raise UnmodelledError(f"`{row.op.text}`: vector atomics are not modelled")
    size = TYPES[row.op.types[-1]].bytes
    if size > 8:
        raise UnmodelledError(f"`{row.op.text}`: atomics of {size} bytes are not modelled")
    row.sub = size.bit_length() - 1 | (size == 8) << 5 | _space(row) << 8 | 1 << 16 | _operation(row) << 48
    for i, operand in enumerate([*(written or [None]), *read]):
        if operand is not None:
            row.refs[i] = row.ref(operand)
    _address(row, memory[0][0])
    _order(row)
    if "cais" in row.op.mods.values():
        row.program.approximations.add("red.cais: in-switch merging is not modelled; timed as a plain reduction")


def _branch(row: "Row") -> None:
    row.imm = next(o.value for o in row.operands if o.kind == OperandKind.LABEL)


def _branch_indexed(row: "Row") -> None:
    row.refs[0] = row.ref(next(o for o in row.operands if o.kind == OperandKind.REG))
    row.side = [o.value for o in row.operands if o.kind == OperandKind.LABEL]
    row.sub = len(row.side)


def _call(row: "Row") -> None:
    target = next((o for o in row.operands if o.kind == OperandKind.FUNC), None)
    if target is None:
        raise UnmodelledError("indirect calls are not modelled")
    entry = row.program.image.functions[target.value].entry
    if entry < 0:
        name = row.program.image.functions[target.value].name
        raise UnmodelledError(f"`{name}` has no body in this program and is not modelled")
    row.imm = entry


def _barrier(row: "Row") -> None:
    mods = row.op.mods
    values = set(mods.values())
    named = row.named()
    if "warp" in values:
        row.sub = WARP
        row.refs[5] = row.ref(row.operands[-1])
        return
    form = ARRIVE if "arrive" in values else SYNC
    if "red" in values:
        form = RED_POPC if "popc" in values else RED_AND if "and" in values else RED_OR
    row.sub = form
    zero = row.program.constant(0, 32)
    row.refs[3] = row.ref(named["a"][0]) if "a" in named else zero
    row.refs[4] = row.ref(named["b"][0]) if "b" in named else zero
    for operand in row.operands:
        if operand.role != Role.READ:
            row.refs[0] = row.ref(operand)
        elif operand.kind in (OperandKind.PRED, OperandKind.NPRED):
            row.refs[1] = row.ref(operand)
            row.sub |= (operand.kind == OperandKind.NPRED) << 8


def _shuffle(row: "Row") -> None:
    written = [o for o in row.operands if o.role != Role.READ]
    read = [o for o in row.operands if o.role == Role.READ]
    mode = {"up": 0, "down": 1, "bfly": 2, "idx": 3}
    row.sub = next(v for k, v in mode.items() if k in row.op.mods.values()) | (len(written) > 1) << 8
    for i, operand in enumerate(written):
        row.refs[i] = row.ref(operand)
    for i, operand in enumerate(read):
        row.refs[2 + i] = row.ref(operand)


def _vote(row: "Row") -> None:
    modes = {"all": Vote.ALL, "any": Vote.ANY, "uni": Vote.UNI, "ballot": Vote.BALLOT}
    d, a, members = row.operands
    row.sub = next(v for k, v in modes.items() if k in row.op.mods.values()) | (a.kind == OperandKind.NPRED) << 8
    row.refs[0], row.refs[1], row.refs[5] = row.ref(d), row.ref(a), row.ref(members)


def _match(row: "Row") -> None:
    written = [o for o in row.operands if o.role != Role.READ]
    a, members = [o for o in row.operands if o.role == Role.READ]
    row.sub = ("all" in row.op.mods.values()) | (TYPES[row.op.types[-1]].bits == 64) << 1 | (len(written) > 1) << 8
    for i, operand in enumerate(written):
        row.refs[i] = row.ref(operand)
    row.refs[2], row.refs[5] = row.ref(a), row.ref(members)


def _redux(row: "Row") -> None:
    d, a, members = row.operands
    name = next(m for m in row.op.mods.values() if m in _REDUX)
    row.sub = _REDUX[name] | valtype(row.op.types[-1]) << 8
    row.refs[0], row.refs[2], row.refs[5] = row.ref(d), row.ref(a), row.ref(members)


def _one(row: "Row") -> None:
    """Operands in order: a single destination or source."""
    for i, operand in enumerate(row.operands[:2]):
        row.refs[i] = row.ref(operand)


def _elect(row: "Row") -> None:
    for i, operand in enumerate(o for o in row.operands if o.role != Role.READ):
        row.refs[i] = row.ref(operand)
    row.refs[5] = row.ref(row.operands[-1])


def _fence(row: "Row") -> None:
    mods = set(row.op.mods.values())
    row.sub = Scope.SYS if mods & {"sys"} else Scope.CTA if mods & {"cta"} else Scope.GPU


def _mma(row: "Row") -> None:
    types = row.op.types
    row.side = [row.ref(o) for o in row.operands]
    fmt = (2 if types[0] == "f16" else 1 if "bf16" in types else 0) | (row.op.mods["shape"] == "m16n8k8") << 2
    row.sub = fmt | len(row.side) << 16


def _load_matrix(row: "Row") -> None:
    memory, data = _split(row)
    registers = [o for g in data for o in g]
    row.side = [row.ref(o) for o in registers]
    _address(row, memory[0][0])
    row.sub |= len(registers) | ("trans" in row.op.mods.values()) << 8 | len(registers) << 16


def _copy_async(row: "Row") -> None:
    named = row.named()
    memory, data = _split(row)
    target, source = memory[0][0], memory[1][0]
    numbers = [g[0] for g in data]
    size = numbers[0].value
    if size not in (4, 8, 16):
        raise UnmodelledError(f"`{row.op.text}`: a copy of {size} bytes")
    _address(row, source)
    row.refs[0] = row.ref(target) if target.kind == OperandKind.MEM_REG else row.program.constant(0, 32)
    wide = target.kind == OperandKind.MEM_REG and BY_CODE[target.type].bits == 64
    offset = target.offset if target.kind == OperandKind.MEM_REG else row.value(target)
    row.sub |= size.bit_length() - 1 | wide << 41 | offset << 48
    extra = [g for name, g in named.items() if name not in ("d", "a", "size", "cp")][1:] if len(numbers) > 1 else []
    if len(numbers) > 1 and not extra:
        extra = [data[1]]
    if extra:
        row.refs[1] = row.ref(extra[0][0])
        row.sub |= 1 << 42


def _wait_group(row: "Row") -> None:
    row.imm = row.operands[0].value if row.operands else WAIT_ALL


_MBARRIER = {"init": MbarrierOp.INIT, "inval": MbarrierOp.INVAL, "arrive": MbarrierOp.ARRIVE, "expect_tx": MbarrierOp.EXPECT_TX,
             "complete_tx": MbarrierOp.COMPLETE_TX, "arrive_drop": MbarrierOp.ARRIVE_DROP}  # fmt: skip


def _mbarrier(row: "Row") -> None:
    words = row.op.text.split(".")
    memory, data = _split(row)
    if "test_wait" in words or "try_wait" in words:
        what = MbarrierOp.TEST_WAIT_PARITY if "parity" in words else MbarrierOp.TEST_WAIT
    elif "arrive" in words and "expect_tx" in words:
        what = MbarrierOp.ARRIVE_EXPECT_TX
    else:
        what = next(v for k, v in _MBARRIER.items() if k in words)
    _address(row, memory[0][0])
    written = [o for g in data for o in g if o.role != Role.READ]
    read = [o for g in data for o in g if o.role == Role.READ]
    row.sub |= what
    if written and written[0].kind != OperandKind.SINK:
        row.refs[0] = row.ref(written[0])
        row.sub |= 1 << 8
    if read:
        row.refs[1] = row.ref(read[0])
        row.sub |= 1 << 9


def _reduction(row: "Row") -> int:
    """Operation of an in-switch reduction; half types may be added up in f32."""
    return _operation(row) | (ACC_F32 if "acc::f32" in row.op.mods.values() else 0)


def _multimem(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    row.sub &= ~(0xFF << 8)
    if row.op.kind != Kind.MM_ST:
        row.sub |= _reduction(row) << 48
    _address(row, memory[0][0])


def _row_store(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    row.sub &= ~(0xFF << 8)
    row.sub |= ("nop" in row.op.mods.values()) << 32
    _address(row, memory[0][0])


def _dynamic_multimem(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    row.sub &= ~(0xFF << 8)
    if row.op.kind == Kind.DYMM_LDRED:
        row.sub |= _reduction(row) << 48
    _address(row, memory[0][0])
    row.refs[5] = row.ref(data[1][0])
    targets = memory[1][0]
    if targets.kind == OperandKind.MEM_REG:
        wide = BY_CODE[targets.type].bits == 64
        row.side = [row.ref(targets), targets.offset, int(not wide)]
        row.sub |= wide << 41
    else:
        row.side = [row.program.constant(0, 64), row.value(targets), 1]
        row.sub |= 1 << 41


def _row_malloc(row: "Row") -> None:
    raise UnmodelledError("`rowspMalloc` as an instruction is not modelled; use the host statement `rowsp`")


def _nothing(row: "Row") -> None:
    """No operand matters to the core."""


PACKERS: dict[Kind, Callable[["Row"], None]] = {
    Kind.LANE: lambda row: _mov(row) if row.op.instr.mnemonic == "mov" else _lane(row),
    Kind.LD: _load,
    Kind.ST: _store,
    Kind.ATOM: _atomic,
    Kind.RED: _atomic,
    Kind.BRA: _branch,
    Kind.BRX: _branch_indexed,
    Kind.CALL: _call,
    Kind.BAR: _barrier,
    Kind.SHFL: _shuffle,
    Kind.VOTE: _vote,
    Kind.MATCH: _match,
    Kind.REDUX: _redux,
    Kind.ACTIVEMASK: _one,
    Kind.ELECT: _elect,
    Kind.FENCE: _fence,
    Kind.MMA: _mma,
    Kind.LDMATRIX: _load_matrix,
    Kind.CPASYNC: _copy_async,
    Kind.CPASYNC_WAIT: _wait_group,
    Kind.MBARRIER: _mbarrier,
    Kind.MM_LDRED: _multimem,
    Kind.MM_ST: _multimem,
    Kind.MM_RED: _multimem,
    Kind.ROWSP_ST: _row_store,
    Kind.ROWSP_MALLOC: _row_malloc,
    Kind.DYMM_ST: _dynamic_multimem,
    Kind.DYMM_LDRED: _dynamic_multimem,
    Kind.NANOSLEEP: _one,
    **{kind: _nothing for kind in (Kind.RET, Kind.EXIT, Kind.TRAP, Kind.BRKPT, Kind.NOP, Kind.CPASYNC_COMMIT)},
}
