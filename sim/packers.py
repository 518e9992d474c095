"""How each kind of instruction is packed: which operand reference, immediate and sub word the core expects.

The core's side of this contract is documented where the instruction is executed (sim/sm).
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from isa.cache import FRACTION_BIT, FRACTIONAL, policy_head
from isa.image import OperandKind, Role
from isa.instr import Kind
from isa.special import SPECIAL
from isa.types import BY_CODE, TYPES, AtomOp, valtype

from .addresses import function_address
from .errors import UnmodelledError
from .ir.tensor import mma_format
from .packers_bulk import bulk, bulk_wait, tensormap
from .packers_memory import (
    atomic,
    copy_arrive,
    copy_async,
    dynamic_multimem,
    load,
    mbarrier,
    move_matrix,
    multimem,
    prefetch,
    row_malloc,
    row_store,
    store,
    store_async,
    wait_group,
)
from .packers_wgmma import wgmma, wgmma_wait
from .runtime import OPCODES
from .sm.barrier import ARRIVE, RED_AND, RED_OR, RED_POPC, SYNC, WARP
from .sm.cluster_barrier import ARRIVE as CLUSTER_ARRIVE
from .sm.cluster_barrier import ARRIVE_RELEASE, WAIT
from .sm.fences import Scope
from .sm.special import Special
from .sm.warp_ops import Vote

if TYPE_CHECKING:
    from .load import Row

_NAMES = {number.number: name for name, number in SPECIAL.items()}
_CONSTANTS = {
    **{f"RESERVED_SMEM_OFFSET_{name}": 0 for name in ("BEGIN", "0", "1")},
    **{"RESERVED_SMEM_OFFSET_END": 288, "RESERVED_SMEM_OFFSET_CAP": 1024, "CURRENT_GRAPH_EXEC": 0},
}
"""Special registers that never change, as on an H100 outside of graphs."""
_REDUX = {
    "add": AtomOp.ADD,
    "min": AtomOp.MIN,
    "max": AtomOp.MAX,
    "and": AtomOp.AND,
    "or": AtomOp.OR,
    "xor": AtomOp.XOR,
}


def _lane(row: "Row") -> None:
    names: dict[str, int] = {}
    position = 0
    for group in row.groups():
        template = row.op.operands[group[0].group] if group[0].group < len(row.op.operands) else None
        if template is not None and template.form == "imm":
            names[template.name] = group[0].value
            continue
        for operand in group:
            if template is not None and template.form == "mem":
                continue
            if position >= 6:
                raise UnmodelledError(f"`{row.op.text}` has more than six operands")
            if operand.kind == OperandKind.SREG:
                raise UnmodelledError(f"`{row.op.text}` cannot read a special register directly; use mov")
            if operand.kind == OperandKind.NPRED and template is not None and template.negated != "must":
                raise UnmodelledError(f"`{row.op.text}` cannot read a negated predicate here")
            refs = row.halves(operand) if BY_CODE[operand.type].bits == 128 else [row.ref(operand)]
            row.refs[position : position + len(refs)] = refs
            position += len(refs)
    op = row.op.with_imm({**row.op.imm, **names}) if names else row.op
    row.lane_name = op.name


def _policy(row: "Row") -> None:
    """A cache policy for all accesses: a constant."""
    row.refs[0] = row.ref(row.operands[0])
    row.imm = policy_head(row.op, FRACTIONAL) | 15 << FRACTION_BIT
    row.sub = Special.VALUE | 1 << 32


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
        if name in _CONSTANTS or name.startswith("PM"):
            what, row.imm = Special.VALUE, _CONSTANTS.get(name, 0)
        elif name.startswith("ENVREG"):
            what, row.imm = Special.ENVREG, int(name.removeprefix("ENVREG"))
        else:
            what = Special[name]
    row.sub = what | (BY_CODE[row.operands[0].type].bits == 64) << 32


def _branch(row: "Row") -> None:
    row.imm = next(o.value for o in row.operands if o.kind == OperandKind.LABEL)


def _branch_indexed(row: "Row") -> None:
    row.refs[0] = row.ref(next(o for o in row.operands if o.kind == OperandKind.REG))
    row.side = [o.value for o in row.operands if o.kind == OperandKind.LABEL]
    row.sub = len(row.side)


def _call(row: "Row") -> None:
    functions = row.program.image.functions
    target = row.operands[0]
    if target.kind != OperandKind.FUNC:
        row.refs[0] = row.ref(target)
        row.side = [
            function_address(functions[o.value].entry) for o in row.operands[1:] if functions[o.value].entry >= 0
        ]
        row.sub = len(row.side)
        if not row.sub:
            raise UnmodelledError(
                "a call through a register with no function it may reach in this program is not modelled"
            )
        return
    entry = functions[target.value].entry
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


def _cluster_barrier(row: "Row") -> None:
    words = row.op.text.split(".")
    row.sub = WAIT if "wait" in words else CLUSTER_ARRIVE if "relaxed" in words else ARRIVE_RELEASE


def _cta_rank(row: "Row") -> None:
    d, a = row.operands
    row.refs[0], row.refs[4] = row.ref(d), row.ref(a)
    row.sub = (BY_CODE[a.type].bits == 64) << 40


def _fence(row: "Row") -> None:
    mods = set(row.op.mods.values())
    cheap = mods & {"cta", "mbarrier_init"}
    row.sub = Scope.PROXY if "proxy" in mods else Scope.SYS if "sys" in mods else Scope.CTA if cheap else Scope.GPU


def _mma(row: "Row") -> None:
    """Operands in the side table; what they are in the immediate (sim/ir/tensor.py)."""
    named = row.named()
    selector = named["f"][0].value if "f" in named else 0
    row.side = [row.ref(o) for name, group in named.items() if name != "f" for o in group]
    row.sub = len(row.side) << 16
    row.imm = mma_format(row.op.mods, {name: len(group) for name, group in named.items()}, selector)


def _service(row: "Row") -> None:
    row.sub = OPCODES.index(row.op.text)
    for i, operand in enumerate(row.operands):
        row.refs[i] = row.ref(operand)


def _registers(row: "Row") -> None:
    row.side = [row.ref(o) for o in row.operands]
    row.sub = len(row.side) << 16


def _nothing(row: "Row") -> None:
    """No operand matters to the core."""


PACKERS: dict[Kind, Callable[["Row"], None]] = {
    Kind.LANE: lambda row: _mov(row) if row.op.instr.mnemonic == "mov" else _lane(row),
    Kind.SREG: _policy,
    Kind.LD: load,
    Kind.PREFETCH: prefetch,
    Kind.ST: store,
    Kind.ATOM: atomic,
    Kind.RED: atomic,
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
    Kind.LDMATRIX: move_matrix,
    Kind.STMATRIX: move_matrix,
    Kind.MOVMATRIX: _registers,
    Kind.WGMMA: wgmma,
    Kind.WGMMA_WAIT: wgmma_wait,
    Kind.CPASYNC: copy_async,
    Kind.CPASYNC_WAIT: wait_group,
    Kind.MBARRIER: mbarrier,
    Kind.MM_LDRED: multimem,
    Kind.MM_ST: multimem,
    Kind.MM_RED: multimem,
    Kind.ROWSP_ST: row_store,
    Kind.ROWSP_MALLOC: row_malloc,
    Kind.DYMM_ST: dynamic_multimem,
    Kind.DYMM_LDRED: dynamic_multimem,
    Kind.NANOSLEEP: _one,
    Kind.CLUSTER_BAR: _cluster_barrier,
    Kind.CTA_RANK: _cta_rank,
    Kind.ST_ASYNC: store_async,
    Kind.SERVICE: _service,
    Kind.BULK: bulk,
    Kind.BULK_WAIT: bulk_wait,
    Kind.TENSORMAP: tensormap,
    Kind.CPASYNC_ARRIVE: copy_arrive,
    **{
        kind: _nothing
        for kind in (
            Kind.RET,
            Kind.EXIT,
            Kind.TRAP,
            Kind.BRKPT,
            Kind.NOP,
            Kind.CPASYNC_COMMIT,
            Kind.BULK_COMMIT,
            Kind.WGMMA_FENCE,
            Kind.WGMMA_COMMIT,
        )
    },
}
