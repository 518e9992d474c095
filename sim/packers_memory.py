"""How instructions that touch memory are packed: address, width, space, order, and what the hub needs to know.

Reference 4 is the address, references 0 to 3 are data; the sub word says how they are used (sim/sm/lsu.py).
"""

from typing import TYPE_CHECKING

from isa.image import Operand, OperandKind, Role
from isa.instr import Kind
from isa.types import BY_CODE, TYPES, AtomOp, valtype

from .errors import UnmodelledError
from .net.sums import ACC_F32
from .sm.async_copy import WAIT_ALL
from .sm.cache_hints import Hint, Priority
from .sm.copy_arrive import NOINC
from .sm.mbarrier import HAS_HINT, HAS_STATE, HAS_VALUE, PARITY_WAIT, RELEASE, MbarrierOp
from .sm.prefetch import Level
from .sm.store_async import REDUCTION
from .state import FLAG_ACQUIRE, FLAG_RELEASE, FLAG_STRONG, FLAG_SYS, Space

if TYPE_CHECKING:
    from .load import Row

_MEMORY = (OperandKind.MEM_REG, OperandKind.MEM_SYM, OperandKind.MEM_PARAM)
_SPACES = {"": Space.GENERIC, "global": Space.GLOBAL, "shared": Space.SHARED, "local": Space.LOCAL,
           "const": Space.CONST, "param": Space.PARAM}  # fmt: skip
_STRONG = ("volatile", "relaxed", "acquire", "release", "acq_rel", "mmio", "cv")
_OPERATIONS = {op.name.lower(): op for op in AtomOp}


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
    if size == 16:
        row.sub |= 3 | 1 << 5 | _space(row) << 8 | 2 << 16
        row.refs[:2] = row.halves(registers[0])
        return
    wide = any(BY_CODE[r.type].bits == 64 for r in registers if r.kind != OperandKind.SINK)
    row.sub |= size.bit_length() - 1 | (type_.cls == "s") << 4 | wide << 5
    row.sub |= _space(row) << 8 | len(registers) << 16
    if len(registers) > 4:
        row.side = [row.ref(register) for register in registers]
        return
    for i, register in enumerate(registers):
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


_PRIORITY = {"evict_normal": Priority.NORMAL, "evict_first": Priority.FIRST, "evict_last": Priority.LAST,
             "evict_unchanged": Priority.UNCHANGED, "no_allocate": Priority.BYPASS}  # fmt: skip
_FETCH = {"L2::64B": 1, "L2::128B": 2, "L2::256B": 3}


def _hints(row: "Row") -> None:
    """Flags from cache operators, eviction priorities, prefetch sizes and a policy operand (sim/sm/cache_hints.py)."""
    for mod in row.op.mods.values():
        level, _, priority = mod.partition("::")
        if mod in ("cs", "lu"):
            row.flags |= Priority.FIRST << Hint.L1 | Priority.FIRST << Hint.L2
        elif mod == "cg":
            row.flags |= Priority.BYPASS << Hint.L1
        elif priority in _PRIORITY and level in ("L1", "L2"):
            row.flags |= _PRIORITY[priority] << (Hint.L1 if level == "L1" else Hint.L2)
        row.flags |= _FETCH.get(mod, 0) << Hint.FETCH
    policy = row.named().get("policy")
    if policy:
        row.flags |= 1 << Hint.POLICY
        row.refs[5] = row.ref(policy[0])


def prefetch(row: "Row") -> None:
    memory, data = _split(row)
    name = row.op.instr.mnemonic
    if data and data[0][0].value != 128:
        raise UnmodelledError(f"`{row.op.text}` is for 128 bytes")
    into_l1 = row.op.mods["level"] == "L1"
    level = {"discard": Level.DISCARD, "applypriority": Level.PRIORITY}.get(name, Level.L1 if into_l1 else Level.L2)
    row.sub = 1 << 16 | _space(row) << 8 | level << 48
    _address(row, memory[0][0])
    _hints(row)


def load(row: "Row") -> None:
    memory, data = _split(row)
    registers = [o for g in data for o in g if o.role != Role.READ]
    _access(row, registers)
    _address(row, memory[0][0])
    _order(row)
    _hints(row)
    if memory[0][0].kind == OperandKind.MEM_PARAM:
        row.sub = row.sub & ~(0xFF << 8) | Space.UNIFORM << 8
    if "cais" in row.op.mods.values():
        row.program.approximations.add("ld.cais: in-switch merging is not modelled; timed as a plain load")


def store(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    _address(row, memory[0][0])
    _order(row)
    _hints(row)


def _operation(row: "Row") -> int:
    name = next(m for m in row.op.mods.values() if m in _OPERATIONS)
    type_ = row.op.types[-1]
    bits = TYPES[type_].bits
    value = valtype(type_)
    if name in ("exch", "cas", "and", "or", "xor") and bits in (32, 64):
        value = valtype(f"b{bits}")
    return _OPERATIONS[name] | value << 8


def atomic(row: "Row") -> None:
    memory, data = _split(row)
    written = [o for g in data for o in g if o.role != Role.READ]
    read = [o for g in data for o in g if o.role == Role.READ]
    if row.op.instr.templates[-1].name == "policy":
        read = [o for o in read if row.op.operands[o.group].name != "policy"]
    n = int(row.op.mods.get("vec", "v1")[1:])
    size = TYPES[row.op.types[-1]].bytes
    row.sub = size.bit_length() - 1 | (size >= 8) << 5 | _space(row) << 8 | n << 16 | _operation(row) << 48
    if n > 1:
        row.side = [row.ref(operand) for operand in (*written, *read)]
    else:
        for i, operand in enumerate(read, start=1):
            row.refs[i] = row.ref(operand)
        if written:
            row.refs[0] = row.ref(written[0])
    _address(row, memory[0][0])
    _order(row)
    _hints(row)
    if "cais" in row.op.mods.values():
        row.program.approximations.add("red.cais: in-switch merging is not modelled; timed as a plain reduction")


def move_matrix(row: "Row") -> None:
    memory, data = _split(row)
    registers = [o for g in data for o in g]
    row.side = [row.ref(o) for o in registers]
    _address(row, memory[0][0])
    row.sub |= len(registers) | ("trans" in row.op.mods.values()) << 8 | len(registers) << 16


def copy_async(row: "Row") -> None:
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
    row.sub |= size.bit_length() - 1 | wide << 41 | offset << 43
    extra = [g for name, g in named.items() if name not in ("d", "a", "size", "cp")][1:] if len(numbers) > 1 else []
    if len(numbers) > 1 and not extra:
        extra = [data[1]]
    if extra:
        row.refs[1] = row.ref(extra[0][0])
        row.sub |= 1 << 42


def copy_arrive(row: "Row") -> None:
    _address(row, row.operands[0])
    row.sub |= ("noinc" in row.op.text.split(".")) << NOINC


def wait_group(row: "Row") -> None:
    row.imm = row.operands[0].value if row.operands else WAIT_ALL


def _reduction(row: "Row") -> int:
    """Operation of an in-switch reduction; half types may be added up in f32."""
    return _operation(row) | (ACC_F32 if "acc::f32" in row.op.mods.values() else 0)


def multimem(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    row.sub &= ~(0xFF << 8)
    if row.op.kind != Kind.MM_ST:
        row.sub |= _reduction(row) << 48
    _address(row, memory[0][0])


def row_store(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    row.sub &= ~(0xFF << 8)
    row.sub |= ("nop" in row.op.mods.values()) << 32
    _address(row, memory[0][0])


def dynamic_multimem(row: "Row") -> None:
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


_MBARRIER = {
    "init": MbarrierOp.INIT, "inval": MbarrierOp.INVAL, "arrive": MbarrierOp.ARRIVE, "arrive_drop": MbarrierOp.ARRIVE_DROP,
    "expect_tx": MbarrierOp.EXPECT_TX, "complete_tx": MbarrierOp.COMPLETE_TX, "test_wait": MbarrierOp.TEST_WAIT,
    "try_wait": MbarrierOp.TRY_WAIT,
}  # fmt: skip
_WITH_TX = {MbarrierOp.ARRIVE: MbarrierOp.ARRIVE_EXPECT_TX, MbarrierOp.ARRIVE_DROP: MbarrierOp.ARRIVE_DROP_EXPECT_TX}


def mbarrier(row: "Row") -> None:
    words = row.op.text.split(".")
    memory, data = _split(row)
    what = _MBARRIER[words[1]]
    if "expect_tx" in words:
        what = _WITH_TX.get(what, what)
    _address(row, memory[0][0])
    written = [o for g in data for o in g if o.role != Role.READ]
    read = [o for g in data for o in g if o.role == Role.READ]
    row.sub |= what | ("parity" in words) << PARITY_WAIT | ("release" in words and "cluster" in words) << RELEASE
    if written and written[0].kind != OperandKind.SINK:
        row.refs[0] = row.ref(written[0])
        row.sub |= 1 << HAS_STATE
    for i, operand in enumerate(read):
        row.refs[1 + i] = row.ref(operand)
        row.sub |= 1 << (HAS_HINT if i else HAS_VALUE)


def _second_address(row: "Row", operand: Operand, position: int) -> int:
    """Put another address into a reference, its width into bit 41; its offset, for the side table."""
    if operand.kind == OperandKind.MEM_REG:
        row.refs[position] = row.ref(operand)
        row.sub |= (BY_CODE[operand.type].bits == 64) << 41
        return operand.offset
    row.refs[position] = row.program.constant(0, 64)
    row.sub |= 1 << 41
    return row.value(operand)


def store_async(row: "Row") -> None:
    memory, data = _split(row)
    _access(row, data[0])
    _address(row, memory[0][0])
    row.side = [_second_address(row, memory[1][0], 5)]
    if row.op.instr.mnemonic == "red":
        row.sub |= 1 << REDUCTION | _operation(row) << 48


def row_malloc(row: "Row") -> None:
    raise UnmodelledError("`rowspMalloc` as an instruction is not modelled; use the host statement `rowsp`")
