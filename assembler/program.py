"""The checked program: what `check` hands to `lower`. Names are resolved, registers are still virtual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from assembler.source import Span
from isa.image import OperandKind, Role

Entry: TypeAlias = tuple[int, int, int, int, Any, int]
"""One operand entry: kind, role, type code, group, value, offset, in the meaning of Image columns, except that REG,
PRED, NPRED and MEM_REG hold a virtual register's number, LABEL a label's number in its body, SYM and MEM_SYM a
variable's number; and the kinds below, which never reach an Image."""

Place: TypeAlias = Span
"""Where something stands in the source."""

KIND: Final = 0
ROLE: Final = 1
TYPE: Final = 2
GROUP: Final = 3
VALUE: Final = 4
OFFSET: Final = 5

OUTER = 64
"""Entry kind: a register that is not of this body (a callee's parameter, the stack pointer); value = the Register."""
OUTER_MEM = 65
"""Entry kind: memory at such a register."""
NEXT_MEM = 66
"""Entry kind: memory of variable number `value` in the frame that the next call of a recursive function will have."""

REGISTER_KINDS = frozenset((int(OperandKind.REG), int(OperandKind.MEM_REG)))
PREDICATE_KINDS = frozenset((int(OperandKind.PRED), int(OperandKind.NPRED)))
READ, WRITE, BOTH = int(Role.READ), int(Role.WRITE), int(Role.BOTH)


@dataclass(slots=True, eq=False)
class Register:
    """A virtual register: PTX type without dot, width in bits (0: predicate), and its number in its body (-1: in none).

    `slot` is its physical place; -1 until allocated, or given from the start in text with physical registers.
    """

    name: str
    type: str
    bits: int
    number: int
    slot: int = -1

    @property
    def size(self) -> int:
        """32-bit slots it takes; 1 for a predicate, in the bank of predicates."""
        return max(1, self.bits // 32)


@dataclass(slots=True)
class Step:
    """One machine instruction. `guard`: 0 none, +(n+1) if predicate register n, -(n+1) if not."""

    op: str
    kind: int
    guard: int
    entries: list[Entry]
    place: Place
    early: bool = False  # results must not overlap sources
    sets: tuple[int, ...] = ()  # registers of this body a CALL leaves results in
    added: bool = False  # not in the source: may go if it does nothing


@dataclass(slots=True, eq=False)
class Variable:
    """A symbol before layout; `number` is its index among the program's variables, `body` its body or -1 (module).

    `home`: the register that holds a `.param` variable or `.reg` parameter instead of memory. `abi`: the register
    through which callers pass a parameter or result, None if they use its memory.
    """

    name: str
    space: str  # as in Symbol; kernel parameters are `entry`, those of functions and calls `param`
    type: str
    size: int
    align: int
    number: int
    body: int = -1
    place: Place | None = None
    scalar: bool = True
    init: bytes | None = None
    relocs: list[tuple[int, int]] = field(default_factory=list)  # to variables, or -1-f to bodies
    extern: bool = False
    linkage: str = ""  # visible, weak, common, extern (as long as nothing defines it); "" of its module's own
    initialised: bool = False
    opaque: bool = False
    offset: int = 0
    home: Register | None = None
    abi: Register | None = None


@dataclass(slots=True)
class Call:
    """What a CALL step passes, by position: variables, or entries (registers, constants).

    `callees`: numbers of the bodies it may reach, one for a direct call.
    """

    callees: tuple[int, ...]
    direct: bool
    results: list[tuple[Variable | Entry, Place]]
    arguments: list[tuple[Variable | Entry, Place]]


@dataclass(slots=True)
class Physical:
    """Numbers of a body whose text names physical registers: what a disassembly says of resources."""

    first_reg: int
    nregs: int
    first_pred: int
    npreds: int
    frame_offset: int
    frame_bytes: int
    pressure: int


@dataclass(slots=True, eq=False)
class Body:
    """A kernel or function. `labels` are step indices; `formals` and `results` the variables it is called with."""

    name: str
    number: int
    is_kernel: bool
    place: Place
    defined: bool = False
    linkage: str = ""  # visible, weak, extern; "" of its module's own
    steps: list[Step] = field(default_factory=list)
    registers: list[Register] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    formals: list[Variable] = field(default_factory=list)
    results: list[Variable] = field(default_factory=list)
    calls: dict[int, Call] = field(default_factory=dict)
    sequences: list[tuple[int, int, int, tuple[int, ...]]] = field(default_factory=list)
    """(first step, CALL, step after the last, callees) of each call, once calls are lowered."""
    physical: Physical | None = None
    limits: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # maxntid, reqntid, cluster
    address_taken: bool = False
    recursive: bool = False
    frame_bytes: int = 0
    stack_start: Step | None = None  # sets the stack pointer
    group: list[Register] = field(default_factory=list)  # registers of its signature, if its address is taken

    def new_register(self, name: str, kind: str, bits: int) -> Register:
        """A new virtual register of this body; `bits` 0 makes a predicate."""
        register = Register(name, kind, bits, len(self.registers))
        self.registers.append(register)
        return register


@dataclass(slots=True)
class Program:
    """A whole checked program."""

    targets: list[str]
    bodies: list[Body] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    host: dict[str, Any] | None = None
    stack_pointer: Register | None = None
