"""Lane operations compiled: the table's meaning of an instruction, read as code."""

from typing import Any

from llvmlite import ir

from isa.instr import Kind, Op

from .algebra import Value, element_type, width_of
from .build import I32, I64, VOID, Builder, bits, lanes, load, load_slot, store_predicate, store_slot, vector
from .objects import Cpu, host
from .objects import load as load_functions

POINTERS = 6
"""Operands of a lane operation, vectors counted by element."""
_compiled: dict[str, int] = {}


def _read(b: Builder, address: Any, t: str) -> Value:
    """An operand as the lane algebra sees it."""
    if t == "pred":
        return Value(b, lanes(b, load(b, address, I32, 4)), t)
    element = element_type(t)
    if width_of(t) >= 32:
        return Value(b, load_slot(b, address, element), t)
    return Value(b, b.trunc(load_slot(b, address), vector(element)), t)


def _write(b: Builder, value: Value, address: Any, mask: Any) -> None:
    """A result to its register, in the lanes of ``mask``."""
    if value.t == "pred":
        store_predicate(b, bits(b, value.v), address, mask)
    elif width_of(value.t) >= 32:
        store_slot(b, value.v, address, mask)
    else:
        store_slot(b, b.zext(value.v, vector(I32)), address, mask)


def _fits(have: str, want: str) -> bool:
    """Whether a result can go to an operand: of its type, or all 32 bits of a narrower one's register."""
    return have == want or width_of(have) == 32 > width_of(want) > 1


def lane_results(op: Op, sources: list[Value]) -> tuple[Value, ...]:
    """What the lane function of an Op gives, one value for each destination."""
    assert op.instr.lane is not None
    results = op.instr.lane(op, *sources)
    results = results if isinstance(results, tuple) else (results,)
    written = op.lane_types()[0]
    if not all(_fits(result.t, t) for result, t in zip(results, written, strict=True)):
        raise TypeError(f"{op.name}: the lane function gives {[r.t for r in results]}, the operands are {written}")
    return results


def _emit_op(module: ir.Module, symbol: str, op: Op, cpu: Cpu) -> None:
    """Add ``void symbol(i64 p0..p5, i32 mask)``. All operands are read before a result is written: they may be one."""
    function = ir.Function(module, ir.FunctionType(VOID, [I64] * POINTERS + [I32]), symbol)
    *pointers, mask = function.args
    b = Builder(function.append_basic_block("entry"), cpu.has)
    written, read = op.lane_types()
    if len(written) + len(read) > POINTERS:
        raise ValueError(f"{op.name}: more than {POINTERS} operands")
    sources = [_read(b, p, t) for p, t in zip(pointers[len(written) :], read, strict=False)]
    for result, p in zip(lane_results(op, sources), pointers, strict=False):
        _write(b, result, p, mask)
    b.ret_void()


def _emit(module: ir.Module, names: list[str], cpu: Cpu) -> None:
    from isa.table import resolve  # a warm start does not read the table

    for i, name in enumerate(names):
        op = resolve(name)
        if op.kind != Kind.LANE:
            raise ValueError(f"{name} is not a lane operation")
        _emit_op(module, f"f{i}", op, cpu)


def compile_for(cpu: Cpu, names: list[str]) -> dict[str, int]:
    """Compile lane operations for a CPU, from the cache if they are there. Names as in ``Op.name``."""
    ordered = sorted(set(names))
    if not ordered:
        return {}
    found = load_functions("ops", ordered, lambda module: _emit(module, ordered, cpu), loops=False, cpu=cpu)
    return dict(zip(ordered, found, strict=True))


def compile_ops(names: list[str]) -> dict[str, int]:
    """Addresses of lane operations by ``Op.name``, compiled for this CPU unless this process has them.

    Each is ``void f(i64 p0, …, i64 p5, i32 mask)``: addresses of the operands, destinations first, then sources, each
    in the order of the text; a vector gives one address per element; constants that shape the code (``;immLut=150``)
    have none. A register is 32 lanes of 32 or of 64 bits, 64-byte aligned; a predicate is one 32-bit word. A type below
    32 bits is in the low bits of its lane and is written zero-extended, unless the lane function gives all 32 bits.
    Lanes that are not in ``mask`` keep their destination.
    """
    missing = sorted({name for name in names if name not in _compiled})
    _compiled.update(compile_for(host(), missing))
    return {name: _compiled[name] for name in names}
