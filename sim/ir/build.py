"""Words for writing LLVM IR over vectors of lanes: types, constants, memory at an address, loops over lanes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

I1, I8, I16, I32, I64, I128 = (ir.IntType(width) for width in (1, 8, 16, 32, 64, 128))
HALF, F32, F64, VOID = ir.HalfType(), ir.FloatType(), ir.DoubleType(), ir.VoidType()
LANES = 32
FULL = 0xFFFFFFFF
"""The mask of all lanes."""


class Builder(ir.IRBuilder):
    """An IR builder that knows what its CPU can do."""

    def __init__(self, block: ir.Block, features: frozenset[str]) -> None:
        super().__init__(block)
        self.avx512 = {"avx512f", "avx512bw", "avx512vl"} <= features
        """Masked vector instructions, gather and permutation of 32 lanes."""


def vector(element: ir.Type, n: int = LANES) -> ir.VectorType:
    """The type of ``n`` values."""
    return ir.VectorType(element, n)


def constant(element: ir.Type, value: int | Sequence[int], n: int = LANES) -> ir.Constant:
    """A constant vector: one integer in every lane, or one for each lane."""
    values = [value] * n if isinstance(value, int) else list(value)
    return ir.Constant(vector(element, len(values)), values)


def iota(element: ir.Type, step: int = 1, n: int = LANES) -> ir.Constant:
    """0, step, 2*step, …"""
    return constant(element, [i * step for i in range(n)])


def word(value: int) -> ir.Constant:
    """A constant i64."""
    return ir.Constant(I64, value)


def undefined(type_: ir.Type) -> ir.Constant:
    """A value that does not matter."""
    return ir.Constant(type_, ir.Undefined)


def splat(b: Builder, value: Any, n: int = LANES) -> Any:
    """The same value in every lane."""
    type_ = vector(value.type, n)
    one = b.insert_element(undefined(type_), value, ir.Constant(I32, 0))
    return b.shuffle_vector(one, undefined(type_), constant(I32, 0, n))


def shuffle(b: Builder, x: Any, y: Any, picks: Sequence[int]) -> Any:
    """Elements ``picks`` of ``x`` followed by ``y``."""
    return b.shuffle_vector(x, y, constant(I32, picks))


def suffix(type_: ir.Type) -> str:
    """How intrinsics name a type: v32i64, f32, …"""
    if isinstance(type_, ir.VectorType):
        return f"v{type_.count}{suffix(type_.element)}"
    return {str(F32): "f32", str(F64): "f64", str(HALF): "f16"}.get(str(type_), str(type_))


def intrinsic(b: Builder, name: str, result: ir.Type, args: Sequence[Any], *types: ir.Type) -> Any:
    """Call ``llvm.name.<types>``; without ``types`` the name is complete."""
    full = ".".join(("llvm", name, *(suffix(t) for t in types)))
    function = b.module.globals.get(full)
    if function is None:
        function = ir.Function(b.module, ir.FunctionType(result, [a.type for a in args]), full)
    return b.call(function, args)


def pointer(b: Builder, address: Any, type_: ir.Type) -> Any:
    """An address as a pointer."""
    return b.inttoptr(address, type_.as_pointer())


def load(b: Builder, address: Any, type_: ir.Type, align: int) -> Any:
    """Read at an address."""
    return b.load(pointer(b, address, type_), align=align)


def store(b: Builder, value: Any, address: Any, align: int) -> None:
    """Write at an address."""
    b.store(value, pointer(b, address, value.type), align=align)


def load_slot(b: Builder, address: Any, element: ir.Type = I32) -> Any:
    """A register: 32 lanes of 32 or 64 bits."""
    return load(b, address, vector(element), 64)


def store_slot(b: Builder, value: Any, address: Any, mask: Any) -> None:
    """Write a register in the lanes of ``mask`` (i32)."""
    old = load_slot(b, address, value.type.element)
    store(b, b.select(lanes(b, mask), value, old), address, 64)


def store_predicate(b: Builder, value: Any, address: Any, mask: Any) -> None:
    """Write a predicate (i32, one bit per lane) in the lanes of ``mask``."""
    old = load(b, address, I32, 4)
    store(b, b.or_(b.and_(value, mask), b.and_(old, b.not_(mask))), address, 4)


def lanes(b: Builder, mask: Any) -> Any:
    """Bits of an integer as a vector of i1."""
    return b.bitcast(mask, vector(I1, mask.type.width))


def bits(b: Builder, flags: Any) -> Any:
    """A vector of i1 as the bits of an integer."""
    return b.bitcast(flags, ir.IntType(flags.type.count))


def reduce(b: Builder, name: str, value: Any) -> Any:
    """Combine the lanes: and, or, xor, add, umin, umax, smin, smax."""
    return intrinsic(b, f"vector.reduce.{name}", value.type.element, [value], value.type)


def nonzero(b: Builder, value: Any) -> Any:
    """i1: the integer is not zero."""
    return b.icmp_unsigned("!=", value, ir.Constant(value.type, 0))


def every(b: Builder, flags: Any) -> Any:
    """i1: all lanes are true."""
    return b.icmp_unsigned("==", bits(b, flags), ir.Constant(ir.IntType(flags.type.count), -1))


def lane_of(b: Builder, base: Any, lane: Any, size: int) -> Any:
    """Address of element ``lane`` (i64) of an array of ``size``-byte elements."""
    return b.add(base, b.mul(lane, word(size)))


@contextmanager
def each_lane(b: Builder, mask: Any) -> Iterator[Any]:
    """A loop over the set bits of ``mask`` (i32), lowest first; yields the lane number (i64)."""
    before, loop, after = b.block, b.append_basic_block("lane"), b.append_basic_block("done")
    b.cbranch(nonzero(b, mask), loop, after)
    b.position_at_end(loop)
    left = b.phi(I32)
    left.add_incoming(mask, before)
    yield b.zext(b.cttz(left, ir.Constant(I1, 1)), I64)
    rest = b.and_(left, b.sub(left, ir.Constant(I32, 1)))
    left.add_incoming(rest, b.block)
    b.cbranch(nonzero(b, rest), loop, after)
    b.position_at_end(after)


def dispatch(b: Builder, value: Any, cases: Mapping[int, Callable[[], Any]], default: int = 0) -> Any:
    """``switch``: run the case that ``value`` selects. Returns what it returned (i64, or 0), else ``default``."""
    end = b.append_basic_block("end")
    other = b.append_basic_block("other")
    switch = b.switch(value, other)
    results = [(word(default), other)]
    for number, case in cases.items():
        block = b.append_basic_block(f"case{number}")
        switch.add_case(ir.Constant(value.type, number), block)
        b.position_at_end(block)
        result = case()
        results.append((word(0) if result is None else result, b.block))
        b.branch(end)
    b.position_at_end(other)
    b.branch(end)
    b.position_at_end(end)
    phi = b.phi(I64)
    for result, block in results:
        phi.add_incoming(result, block)
    return phi


def masked_load(b: Builder, address: Any, element: ir.Type, flags: Any) -> Any:
    """Consecutive elements at an address of any alignment; only lanes of ``flags`` are touched, the others read 0."""
    type_ = vector(element, flags.type.count)
    zero = ir.Constant(type_, [0] * type_.count)
    args = [pointer(b, address, type_), ir.Constant(I32, 1), flags, zero]
    return intrinsic(b, f"masked.load.{suffix(type_)}.p0", type_, args)


def masked_store(b: Builder, value: Any, address: Any, flags: Any) -> None:
    """Write the lanes of ``flags`` to consecutive elements at an address of any alignment."""
    args = [value, pointer(b, address, value.type), ir.Constant(I32, 1), flags]
    intrinsic(b, f"masked.store.{suffix(value.type)}.p0", VOID, args)


def gather(b: Builder, addresses: Any, element: ir.Type, flags: Any) -> Any:
    """Elements at a vector of addresses; only lanes of ``flags`` are touched, the others read 0."""
    type_ = vector(element, flags.type.count)
    pointers = b.inttoptr(addresses, vector(element.as_pointer(), type_.count))
    args = [pointers, ir.Constant(I32, 1), flags, ir.Constant(type_, [0] * type_.count)]
    return intrinsic(b, f"masked.gather.{suffix(type_)}.v{type_.count}p0", type_, args)


def table_address(b: Builder, element: ir.Type, values: tuple[Any, ...]) -> Any:
    """Address of a constant array of the module, as an i64; equal arrays are one."""
    type_ = ir.ArrayType(element, len(values))
    for known in b.module.global_values:
        if (
            isinstance(known, ir.GlobalVariable)
            and known.type.pointee == type_
            and known.initializer.constant == values
        ):
            return b.ptrtoint(known, I64)
    array = ir.GlobalVariable(b.module, type_, b.module.get_unique_name("table"))
    array.global_constant, array.linkage = True, "internal"
    array.initializer = ir.Constant(type_, values)
    return b.ptrtoint(array, I64)
