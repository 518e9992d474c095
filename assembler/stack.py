"""Recursion: frames at a stack pointer, and registers kept across calls that may run the same function again.

Functions that cannot run twice in one thread have their registers and frames at fixed places. A recursive function has
its frame at the stack pointer, a register that kernels set to the end of the fixed frames. Around a call it saves what
is live, moves the pointer past its own frame, and restores.
"""

from __future__ import annotations

from collections.abc import Sequence

from assembler import moves
from assembler.alloc import bit_numbers, liveness
from assembler.dynamic_stack import lower_allocations
from assembler.liveness import accesses, body_blocks, entry_set, exit_set
from assembler.program import (
    KIND,
    NEXT_MEM,
    OFFSET,
    OUTER_MEM,
    READ,
    ROLE,
    TYPE,
    VALUE,
    WRITE,
    Body,
    Entry,
    Place,
    Program,
    Register,
    Step,
    Variable,
)
from isa.image import OperandKind
from isa.types import BY_CODE

DEFAULT_STACK_BYTES = 1024
"""Stack of a thread beyond its fixed frames (CUDA's default cudaLimitStackSize)."""

REG, SYM, MEM_SYM = int(OperandKind.REG), int(OperandKind.SYM), int(OperandKind.MEM_SYM)


def lower_stack(program: Program, reaching: Sequence[bool]) -> None:
    """Give recursive functions their frames; `reaching`: bodies that may come to one or to a body that allocates."""
    if not any(reaching):
        return
    pointer = program.stack_pointer = Register("%sp", "b32", 32, -1)
    for body in program.bodies:
        if body.recursive:
            _Frame(program, body, pointer).save_across_calls(reaching)
    for body in program.bodies:
        lower_allocations(body, pointer)
        _address_frames(program, body, pointer)
        if body.is_kernel and reaching[body.number]:
            start = moves.step(
                "mov.u32", [moves.register(None, pointer, WRITE, "u32"), moves.constant(0, "u32")], body.place
            )
            body.steps.insert(0, start)
            body.labels = [at + 1 for at in body.labels]
            body.stack_start = start


class _Frame:
    """The frame of one recursive function: its variables, then its saved registers."""

    def __init__(self, program: Program, body: Body, pointer: Register):
        self.body, self.pointer = body, pointer
        self.saved: dict[int, int] = {}
        self.bytes = place_variables([v for v in program.variables if v.body == body.number and v.space == "local"], 0)

    def save_across_calls(self, reaching: Sequence[bool]) -> None:
        """Rewrite the body's steps and set its frame size."""
        body = self.body
        plan = [(s, self._live_after(s[1])) for s in body.sequences if any(reaching[c] for c in s[3])]
        before: dict[int, list[Step]] = {}
        after: dict[int, list[Step]] = {}
        adjust: list[Step] = []
        for (start, at, _, _), live in plan:
            place = body.steps[at].place
            down, up = self._move("add.u32", place), self._move("sub.u32", place)
            adjust += (down, up)
            before.setdefault(start, []).extend(s for r in live for s in self._save(r, place))
            before.setdefault(at, []).append(down)
            after[at] = [up, *(s for r in live for s in self._restore(r, place))]
        body.frame_bytes = -(-self.bytes // 16) * 16
        if body.frame_bytes == 0:
            before, after = {}, {}
        for step in adjust:
            step.entries[2] = (*step.entries[2][:VALUE], body.frame_bytes, 0)
        self._insert(before, after)

    def _live_after(self, at: int) -> list[int]:
        """Registers live just after the CALL at `at`, but for those that carry its results."""
        body = self.body
        facts, blocks = accesses(body), body_blocks(body)
        ends = liveness(facts, blocks, entry_set(body), exit_set(body))
        block = next(i for i, b in enumerate(blocks) if b.start <= at < b.end)
        live = ends[block][1]
        for index in range(blocks[block].end - 1, at, -1):
            for register in facts[index].writes:
                live &= ~(0 if facts[index].partial else 1 << register)
            for register in facts[index].reads:
                live |= 1 << register
        return list(bit_numbers(live & ~exit_set(body)))

    def _slot(self, register: Register) -> int:
        if register.number not in self.saved:
            size = max(4, register.bits // 8)
            self.bytes = -(-self.bytes // size) * size
            self.saved[register.number] = self.bytes
            self.bytes += size
        return self.saved[register.number]

    def _move(self, opcode: str, place: Place) -> Step:
        entries = [moves.register(None, self.pointer, role, "u32") for role in (WRITE, READ)]
        return moves.step(opcode, [*entries, moves.constant(0, "u32")], place)

    def _save(self, number: int, place: Place) -> list[Step]:
        register = self.body.registers[number]
        address = moves.at(self.pointer, self._slot(register))
        if register.bits:
            source = moves.register(self.body, register, READ, "b32")
            return [moves.store(address, source, max(32, register.bits), place)]
        word = self.body.new_register("%save", "b32", 32)
        choose = [moves.register(self.body, word, WRITE, "b32"), moves.constant(1, "b32"), moves.constant(0, "b32"),
                  (int(OperandKind.PRED), READ, moves.code("pred"), 0, number, 0)]  # fmt: skip
        return [moves.step("selp.b32", choose, place),
                moves.store(address, moves.register(self.body, word, READ, "b32"), 32, place)]  # fmt: skip

    def _restore(self, number: int, place: Place) -> list[Step]:
        register = self.body.registers[number]
        address = moves.at(self.pointer, self._slot(register))
        if register.bits:
            target = moves.register(self.body, register, WRITE, "b32")
            return [moves.load(target, address, max(32, register.bits), place)]
        word = self.body.new_register("%save", "b32", 32)
        test: list[Entry] = [(int(OperandKind.PRED), WRITE, moves.code("pred"), 0, number, 0),
                             moves.register(self.body, word, READ, "b32"), moves.constant(0, "b32")]  # fmt: skip
        return [moves.load(moves.register(self.body, word, WRITE, "b32"), address, 32, place),
                moves.step("setp.ne.b32", test, place)]  # fmt: skip

    def _insert(self, before: dict[int, list[Step]], after: dict[int, list[Step]]) -> None:
        body, steps, moved = self.body, list[Step](), []
        for index, step in enumerate(body.steps):
            moved.append(len(steps))
            steps.extend(before.get(index, ()))
            steps.append(step)
            steps.extend(after.get(index, ()))
        moved.append(len(steps))
        body.labels = [moved[at] for at in body.labels]
        body.steps = steps


def place_variables(variables: Sequence[Variable], start: int) -> int:
    """Give variables offsets from `start` on, in order, each aligned; returns the end."""
    for variable in variables:
        start = variable.offset = -(-start // variable.align) * variable.align
        start += variable.size
    return start


def _address_frames(program: Program, body: Body, pointer: Register) -> None:
    """Turn names of variables in frames of recursive functions into addresses from the stack pointer."""
    steps, moved = list[Step](), []
    for step in body.steps:
        moved.append(len(steps))
        for i, entry in enumerate(step.entries):
            kind, value = entry[KIND], entry[VALUE]
            if kind not in (SYM, MEM_SYM, NEXT_MEM) or value < 0:
                continue
            variable = program.variables[value]
            if variable.space != "local" or variable.body < 0 or not program.bodies[variable.body].recursive:
                continue
            offset = variable.offset + entry[OFFSET]
            if kind == SYM:
                steps.extend(_address(body, pointer, offset, step, i))
            else:
                offset += body.frame_bytes if kind == NEXT_MEM else 0
                step.entries[i] = (OUTER_MEM, READ, moves.code("b32"), entry[3], pointer, offset)
        steps.append(step)
    moved.append(len(steps))
    body.labels = [moved[at] for at in body.labels]
    body.steps = steps


def _address(body: Body, pointer: Register, offset: int, step: Step, index: int) -> list[Step]:
    """Steps that compute an address in the frame; entry `index` of `step` then names the register with it."""
    entry = step.entries[index]
    width = int(BY_CODE[entry[TYPE]].bits)
    word = body.new_register("%frame", f"b{width}", width)
    step.entries[index] = (REG, entry[ROLE], entry[TYPE], entry[3], word.number, 0)
    target, same = (moves.register(body, word, role, f"u{width}") for role in (WRITE, READ))
    first = moves.copy(target, width, moves.register(None, pointer, READ, "u32"), 32, False, step.place)
    return [first, moves.step(f"add.u{width}", [target, same, moves.constant(offset, f"u{width}")], step.place)]
