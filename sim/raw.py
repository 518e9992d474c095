"""Memory as compiled code sees it: an arena of int64 words, raw bytes at an address, calls through a pointer.

Everything is int64, which avoids numba's mixed-width promotions; indices are not checked. With NUMBA_DISABLE_JIT=1 the
same names work in plain Python (through ctypes), so that a unit can be stepped in a debugger.
"""

import ctypes
import operator
from typing import Any

import numpy as np

from .jit import JIT
from .places import HUGE, advise, reserve


class Arena:
    """``words`` zeroed int64 words, 64-byte aligned. Untouched pages cost no memory."""

    def __init__(self, words: int) -> None:
        self.words: Any = reserve(max(words, 1) * 8).view(np.int64)
        self.address: int = self.words.ctypes.data

    def keep_together(self, first: int, count: int) -> None:
        """Words that are mostly used, if any of them is: large pages for them."""
        advise(self.address + 8 * first, 8 * count, HUGE)

    def __getitem__(self, index: int) -> int:
        return int(self.words[index])

    def __setitem__(self, index: int, value: int) -> None:
        self.words[index] = value


BIG = 1 << 56
"""A time that never comes."""

if JIT:
    from llvmlite import ir
    from numba import types
    from numba.core import cgutils
    from numba.core.typing.templates import AbstractTemplate, infer_global, signature
    from numba.extending import NativeValue, intrinsic, lower_builtin, models, register_model, typeof_impl, unbox

    _I8, _I16, _I32, _I64 = ir.IntType(8), ir.IntType(16), ir.IntType(32), ir.IntType(64)

    class ArenaType(types.Type):
        """The numba type of an Arena: just its address."""

        def __init__(self) -> None:
            super().__init__(name="Arena")

    arena_type = ArenaType()

    @typeof_impl.register(Arena)
    def _typeof(value: Arena, context: Any) -> ArenaType:
        return arena_type

    @register_model(ArenaType)
    class _ArenaModel(models.PrimitiveModel):
        def __init__(self, manager: Any, fe_type: Any) -> None:
            super().__init__(manager, fe_type, _I64)

    @unbox(ArenaType)
    def _unbox(typ: Any, obj: Any, c: Any) -> NativeValue:
        attribute = c.pyapi.object_getattr_string(obj, "address")
        value = c.pyapi.long_as_longlong(attribute)
        c.pyapi.decref(attribute)
        return NativeValue(value, is_error=cgutils.is_not_null(c.builder, c.pyapi.err_occurred()))

    @infer_global(operator.getitem)
    class _Get(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if isinstance(args[0], ArenaType) and isinstance(args[1], types.Integer):
                return signature(types.int64, arena_type, types.int64)
            return None

    @infer_global(operator.setitem)
    class _Set(AbstractTemplate):
        def generic(self, args: Any, kws: Any) -> Any:
            if isinstance(args[0], ArenaType) and isinstance(args[1], types.Integer):
                return signature(types.none, arena_type, types.int64, types.int64)
            return None

    def _word(builder: Any, base: Any, index: Any) -> Any:
        address = builder.add(base, builder.shl(index, ir.Constant(_I64, 3)))
        return builder.inttoptr(address, _I64.as_pointer())

    @lower_builtin(operator.getitem, ArenaType, types.int64)
    def _lower_get(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        return builder.load(_word(builder, args[0], args[1]))

    @lower_builtin(operator.setitem, ArenaType, types.int64, types.int64)
    def _lower_set(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        builder.store(args[2], _word(builder, args[0], args[1]))
        return context.get_dummy_value()

    def _loader(width: Any, signed: bool) -> Any:
        def load(typingctx: Any, address: Any) -> Any:
            def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                value = builder.load(builder.inttoptr(args[0], width.as_pointer()), align=1)
                if width is _I64:
                    return value
                return builder.sext(value, _I64) if signed else builder.zext(value, _I64)

            return types.int64(types.int64), codegen

        return intrinsic(load)

    def _storer(width: Any) -> Any:
        def store(typingctx: Any, address: Any, value: Any) -> Any:
            def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
                narrow = args[1] if width is _I64 else builder.trunc(args[1], width)
                builder.store(narrow, builder.inttoptr(args[0], width.as_pointer()), align=1)
                return context.get_dummy_value()

            return types.void(types.int64, types.int64), codegen

        return intrinsic(store)

    load_u8, load_i8 = _loader(_I8, False), _loader(_I8, True)
    load_u16, load_i16 = _loader(_I16, False), _loader(_I16, True)
    load_u32, load_i32 = _loader(_I32, False), _loader(_I32, True)
    load_i64 = _loader(_I64, True)
    store_8, store_16, store_32, store_64 = _storer(_I8), _storer(_I16), _storer(_I32), _storer(_I64)

    @intrinsic
    def address_of(typingctx: Any, arena: Any, index: Any) -> Any:
        """Host address of word ``index`` of an arena."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.add(args[0], builder.shl(args[1], ir.Constant(_I64, 3)))

        return types.int64(arena_type, types.int64), codegen

    @intrinsic
    def prefetch_word(typingctx: Any, arena: Any, index: Any) -> Any:
        """Bring the cache line of ``arena[index]`` near; changes nothing."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = builder.bitcast(_word(builder, args[0], args[1]), ir.IntType(8).as_pointer())
            kind = ir.FunctionType(ir.VoidType(), [pointer.type, _I32, _I32, _I32])
            fn = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0i8")
            builder.call(fn, [pointer, _I32(1), _I32(3), _I32(1)])  # to be written, in all levels, data
            return context.get_dummy_value()

        return types.void(arena_type, types.int64), codegen

    @intrinsic
    def popcount(typingctx: Any, x: Any) -> Any:
        """Number of set bits."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.ctpop(args[0])

        return types.int64(types.int64), codegen

    @intrinsic
    def ctz(typingctx: Any, x: Any) -> Any:
        """Index of the lowest set bit; 64 for zero."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.cttz(args[0], ir.Constant(ir.IntType(1), 0))

        return types.int64(types.int64), codegen

    def _call(builder: Any, pointer: Any, args: Any, result: Any) -> Any:
        function = ir.FunctionType(result, [a.type for a in args])
        return builder.call(builder.inttoptr(pointer, function.as_pointer()), args)

    @intrinsic
    def call(typingctx: Any, fn: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, g: Any, h: Any) -> Any:
        """Call the library function at address ``fn``: eight int64 arguments, int64 result."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return _call(builder, args[0], list(args[1:]), _I64)

        return types.int64(*[types.int64] * 9), codegen

    @intrinsic
    def call_lane(typingctx: Any, fn: Any, a: Any, b: Any, c: Any, d: Any, e: Any, f: Any, mask: Any) -> Any:
        """Call a lane operation: six operand addresses and the lane mask."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            _call(builder, args[0], [*args[1:7], builder.trunc(args[7], _I32)], ir.VoidType())
            return context.get_dummy_value()

        return types.void(*[types.int64] * 8), codegen

    @intrinsic
    def argmin16(typingctx: Any, arena: Any, index: Any) -> Any:
        """``min(words) << 4 | position`` of 16 words at a 64-byte aligned index; ties go to the lowest position."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            vector = ir.VectorType(_I64, 16)
            address = builder.add(args[0], builder.shl(args[1], ir.Constant(_I64, 3)))
            words = builder.load(builder.inttoptr(address, vector.as_pointer()), align=8)
            keys = builder.or_(builder.shl(words, ir.Constant(vector, [4] * 16)), ir.Constant(vector, list(range(16))))
            reduce = cgutils.get_or_insert_function(
                builder.module, ir.FunctionType(_I64, [vector]), "llvm.vector.reduce.smin.v16i64"
            )
            return builder.call(reduce, [keys])

        return types.int64(arena_type, types.int64), codegen

    @intrinsic
    def match8(typingctx: Any, arena: Any, index: Any, shift: Any, value: Any) -> Any:
        """Bits of those of 8 words that, shifted right, are ``value``."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            vector = ir.VectorType(_I64, 8)
            words = builder.load(builder.bitcast(_word(builder, args[0], args[1]), vector.as_pointer()), align=8)
            same = [ir.Constant(ir.VectorType(_I32, 8), None)]

            def every(x: Any) -> Any:
                one = builder.insert_element(ir.Constant(vector, ir.Undefined), x, _I32(0))
                return builder.shuffle_vector(one, one, *same)

            equal = builder.icmp_signed("==", builder.ashr(words, every(args[2])), every(args[3]))
            return builder.zext(builder.bitcast(equal, _I8), _I64)

        return types.int64(arena_type, types.int64, types.int64, types.int64), codegen

    @intrinsic
    def largest16(typingctx: Any, arena: Any, index: Any) -> Any:
        """The largest of 16 words."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            vector = ir.VectorType(_I64, 16)
            words = builder.load(builder.bitcast(_word(builder, args[0], args[1]), vector.as_pointer()), align=8)
            kind = ir.FunctionType(_I64, [vector])
            fn = cgutils.get_or_insert_function(builder.module, kind, "llvm.vector.reduce.smax.v16i64")
            return builder.call(fn, [words])

        return types.int64(arena_type, types.int64), codegen

    @intrinsic
    def atomic_add(typingctx: Any, address: Any, value: Any) -> Any:
        """Add to an int64 shared by host threads; returns the old value. Sequentially consistent."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = builder.inttoptr(args[0], _I64.as_pointer())
            return builder.atomic_rmw("add", pointer, args[1], "seq_cst")

        return types.int64(types.int64, types.int64), codegen

    @intrinsic
    def atomic_load(typingctx: Any, address: Any) -> Any:
        """Read an int64 shared by host threads."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            return builder.load_atomic(builder.inttoptr(args[0], _I64.as_pointer()), "seq_cst", 8)

        return types.int64(types.int64), codegen

    @intrinsic
    def yield_core(typingctx: Any) -> Any:
        """Let another host thread run."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            fn = cgutils.get_or_insert_function(builder.module, ir.FunctionType(_I32, []), "sched_yield")
            builder.call(fn, [])
            return context.get_dummy_value()

        return types.void(), codegen

else:

    def _python_loader(ctype: Any) -> Any:
        return lambda address: int(ctype.from_address(address).value)

    def _python_storer(ctype: Any) -> Any:
        def store(address: int, value: int) -> None:
            ctype.from_address(address).value = value

        return store

    load_u8, load_i8 = _python_loader(ctypes.c_uint8), _python_loader(ctypes.c_int8)
    load_u16, load_i16 = _python_loader(ctypes.c_uint16), _python_loader(ctypes.c_int16)
    load_u32, load_i32 = _python_loader(ctypes.c_uint32), _python_loader(ctypes.c_int32)
    load_i64 = _python_loader(ctypes.c_int64)
    store_8, store_16 = _python_storer(ctypes.c_uint8), _python_storer(ctypes.c_uint16)
    store_32, store_64 = _python_storer(ctypes.c_uint32), _python_storer(ctypes.c_uint64)
    _FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 8)
    _LANE = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 6, ctypes.c_uint32)

    def address_of(arena: Arena, index: int) -> int:
        return arena.address + 8 * index

    def popcount(x: int) -> int:
        return (x & (1 << 64) - 1).bit_count()

    def ctz(x: int) -> int:
        return (x & -x).bit_length() - 1 if x else 64

    def call(fn: int, *args: int) -> int:
        return int(_FUNCTION(fn)(*args))

    def call_lane(fn: int, *args: int) -> None:
        _LANE(fn)(*args)

    def prefetch_word(arena: Arena, index: int) -> None:
        """Nothing without caches."""

    def argmin16(arena: Arena, index: int) -> int:
        return min(arena[index + i] << 4 | i for i in range(16))

    def match8(arena: Arena, index: int, shift: int, value: int) -> int:
        return sum((arena[index + i] >> shift == value) << i for i in range(8))

    def largest16(arena: Arena, index: int) -> int:
        return max(arena[index + i] for i in range(16))

    def atomic_add(address: int, value: int) -> int:
        word = ctypes.c_int64.from_address(address)
        old = word.value
        word.value += value
        return old

    def atomic_load(address: int) -> int:
        return ctypes.c_int64.from_address(address).value

    def yield_core() -> None:
        return None
