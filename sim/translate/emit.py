"""A chunk of basic blocks as one compiled function.

``i64 f(sm, gpu, params, who, mask, where, budget, now)`` (frame.py) runs the lanes of ``mask`` from the instruction in
``where`` on and returns ``pc | executed << 32 | turn is over << TURN_OVER``. It stays inside while control does: blocks
branch to one another as long as all lanes agree. It returns in front of an instruction that is not in the chunk, or that
the core has to execute: one that is not translated, a branch on which lanes disagree, an access that is not plain.
Registers are in their storage between blocks, and whenever the function returns.
"""

from typing import Any

from llvmlite import ir

from isa.instr import Op

from ..ir.algebra import Value
from ..ir.build import I64, Builder, word
from ..ir.compile import lane_results
from ..ir.objects import Cpu
from .block_writer import BlockWriter
from .blocks import Block
from .frame import ARGUMENTS, TURN_OVER, Frame

_INLINE = 48
"""IR instructions up to which a lane operation is written where it is used; longer ones become functions."""
_RARELY = (1, 2000)


class ChunkWriter:
    """Writes the function of a chunk."""

    def __init__(self, module: ir.Module, symbol: str, blocks: list[Block], pool: bytes, cpu: Cpu) -> None:
        self._module, self._pool, self._cpu = module, pool, cpu
        self._operations: dict[str, tuple[ir.Function, list[str]] | None] = {}
        self._function = ir.Function(module, ir.FunctionType(I64, [I64] * len(ARGUMENTS)), symbol)
        self._entry = self._builder("entry")
        self._frame = Frame(self._entry, list(self._function.args))
        self._count = self._entry.alloca(I64)
        self._entry.store(word(0), self._count)
        self._places = {block.first: self._function.append_basic_block(f"b{block.first}") for block in blocks}
        self._leaving = self._function.append_basic_block("leave")
        self._exits: list[tuple[Any, int, ir.Block]] = []
        for block in blocks:
            BlockWriter(self, block).write()
        self._finish()

    def _builder(self, name: str) -> Builder:
        return Builder(self._function.append_basic_block(name), self._cpu.has)

    def exit(self, b: Builder, pc: int, executed: int = 0, is_turn_over: bool = False) -> None:
        """Leave the chunk in front of ``pc``, ``executed`` instructions after the last count."""
        self._exits.append((word(pc + (executed << 32) + (is_turn_over << TURN_OVER)), pc, b.block))
        b.branch(self._leaving)

    def _finish(self) -> None:
        entry, frame = self._entry, self._frame
        nowhere = self._builder("nowhere")
        self.exit(nowhere, 0)
        pc = entry.lshr(frame.where, word(32))
        switch = entry.switch(pc, nowhere.block)
        for first, place in self._places.items():
            switch.add_case(word(first), place)
        b = Builder(self._leaving, self._cpu.has)
        result = b.phi(I64)
        for value, _, block in self._exits:
            result.add_incoming(value, block)
        b.ret(b.add(result, b.shl(b.load(self._count), word(32))))

    def count(self, b: Builder, executed: int) -> Any:
        """Count instructions. Returns the new number."""
        total = b.add(b.load(self._count), word(executed))
        b.store(total, self._count)
        return total

    def go(self, b: Builder, target: int, total: Any = None) -> None:
        """Continue at ``target``. ``total``: a branch was executed, the turn may be over."""
        place = self._places.get(target)
        if total is not None:
            over, on = b.append_basic_block("over"), b.append_basic_block("on")
            b.cbranch(b.icmp_signed(">=", total, self._frame.budget), over, on).set_weights(_RARELY)
            b.position_at_end(over)
            self.exit(b, target, is_turn_over=True)
            b.position_at_end(on)
        if place is None:
            self.exit(b, target)
            return
        stop = b.append_basic_block("stop")
        b.cbranch(b.icmp_unsigned(">=", word(target), self._frame.stop), stop, place).set_weights(_RARELY)
        b.position_at_end(stop)
        self.exit(b, target)

    def operation(self, b: Builder, op: Op, sources: list[Value]) -> list[Value]:
        """Results of a lane operation: written here if it is short, else by a call."""
        if op.name not in self._operations:
            self._operations[op.name] = self._outlined(op, sources)
        known = self._operations[op.name]
        if known is None:
            return list(lane_results(op, sources))
        function, types = known
        results = b.call(function, [s.v for s in sources])
        if len(types) == 1:
            return [Value(b, results, types[0])]
        return [Value(b, b.extract_value(results, i), t) for i, t in enumerate(types)]

    def _outlined(self, op: Op, sources: list[Value]) -> tuple[ir.Function, list[str]] | None:
        """A function for a lane operation that is too long to be repeated."""
        trial = ir.Module(name="trial")
        probe = ir.Function(trial, ir.FunctionType(ir.VoidType(), [s.v.type for s in sources]), "probe")
        b = Builder(probe.append_basic_block("entry"), self._cpu.has)
        results = lane_results(op, [Value(b, v, s.t) for v, s in zip(probe.args, sources, strict=True)])
        if sum(len(block.instructions) for block in probe.blocks) <= _INLINE:
            return None
        types = [r.v.type for r in results]
        result = types[0] if len(types) == 1 else ir.LiteralStructType(types)
        name = f"op{len(self._operations)}"
        function = ir.Function(self._module, ir.FunctionType(result, [s.v.type for s in sources]), name)
        function.linkage = "internal"
        b = Builder(function.append_basic_block("entry"), self._cpu.has)
        values = lane_results(op, [Value(b, v, s.t) for v, s in zip(function.args, sources, strict=True)])
        if len(values) == 1:
            b.ret(values[0].v)
        else:
            whole: Any = ir.Constant(result, ir.Undefined)
            for i, value in enumerate(values):
                whole = b.insert_value(whole, value.v, i)
            b.ret(whole)
        return function, [r.t for r in results]

    @property
    def frame(self) -> Frame:
        """What the chunk knows of the machine."""
        return self._frame

    @property
    def features(self) -> frozenset[str]:
        """What the CPU can do."""
        return self._cpu.has

    @property
    def pool(self) -> bytes:
        """The program's constants."""
        return self._pool

    def place(self, first: int) -> Builder:
        """A builder at the beginning of a block."""
        return Builder(self._places[first], self._cpu.has)
