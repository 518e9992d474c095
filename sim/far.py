"""Functions compiled on their own and called through a pointer, so that no caller compiles them again.

Numba compiles what a function calls once more with every caller; four layers of big functions then take minutes. A ``far``
function is compiled (and cached) once. Its address is a word of the parameter arena. As with the lazy binding of shared
libraries, that word first holds the address of a resolver, so only what a run really calls is ever compiled.
"""

import ctypes
import inspect
import threading
from collections.abc import Callable
from typing import Any

from .jit import HELPERS, JIT, OPTIONS, cache_dir, inline
from .params import PARAMS, Param
from .pipeline import light_helpers
from .raw import Arena

NAMES = (
    *("load", "store", "atomic", "copy_async", "hub_instruction", "tensor", "wgmma", "mbarrier", "barrier_instruction"),
    *("warp_instruction", "special_register", "control_instruction", "run_sm", "start_cta", "end_warp", "dispatch"),
    *("memory_step", "hub_egress", "hub_enter", "hub_advance", "hub_ingress", "hub_end", "flush", "hub_next"),
    *("gather", "arrivals", "release", "record"),
    *("cluster_left", "cluster_instruction", "store_async", "deliver", "prefetch", "bulk", "bulk_wait"),
    *("tensormap", "copy_arrive", "tma_send", "tma_answer", "opaque_operands"),
)
_FIRST = len(PARAMS)
PARAMS.extend(Param(f"code.{name}", "address of compiled code", lambda get: 0) for name in NAMES)

_failures: list[BaseException] = []


def check_links() -> None:
    """Raise what went wrong in a resolver since the last call: it cannot pass through compiled code."""
    if _failures:
        raise _failures.pop()


if JIT:
    from llvmlite import ir
    from numba import cfunc, types
    from numba.extending import intrinsic

    from .raw import arena_type

    _INT = ir.IntType(64)

    class _Far:
        """A far function: its word in the parameter arena, its code once there is any, and its resolver."""

        def __init__(self, function: Callable[..., Any]) -> None:
            self.function = function
            self.word = _FIRST + NAMES.index(function.__name__)
            self._code: Any = None
            self._type = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * _arity(function))
            self._resolver = self._type(self._resolve)

        def address(self) -> int:
            """Of the code, or of what makes it."""
            return int(self._code.address if self._code else ctypes.cast(self._resolver, ctypes.c_void_p).value or 0)

        def compile(self) -> None:
            """Compile the function, or load it from the cache."""
            name, cache = self.function.__name__, bool(cache_dir())
            with _compiling, light_helpers({name}, HELPERS):
                if self._code is None:
                    self._code = cfunc(_signature(self.function), cache=cache, **OPTIONS)(self.function)

        def _resolve(self, A: int, P: int, *rest: int) -> int:
            """The first call: later ones find the code itself in the arena."""
            try:
                self.compile()
                ctypes.c_int64.from_address(P + 8 * self.word).value = self.address()
                return int(self._type(self.address())(A, P, *rest))
            except BaseException as failure:
                _failures.append(failure)
                return 0

    _FUNCTIONS: list[_Far] = []
    _compiling = threading.Lock()
    """Host threads may meet the same function."""

    def _arity(function: Callable[..., Any]) -> int:
        return len(inspect.signature(function).parameters)

    def _signature(function: Callable[..., Any]) -> Any:
        return types.int64(arena_type, arena_type, *[types.int64] * (_arity(function) - 2))

    def _caller(arity: int) -> Any:
        """An intrinsic that calls the function at an address with A, P and ``arity`` integers."""

        def codegen(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            function = ir.FunctionType(_INT, [_INT] * (arity + 2))
            return builder.call(builder.inttoptr(args[0], function.as_pointer()), list(args[1:]))

        signature = types.int64(types.int64, arena_type, arena_type, *[types.int64] * arity)
        names = ", ".join(f"a{i}" for i in range(arity))
        scope: dict[str, Any] = {"result": (signature, codegen)}
        exec(f"def call_far(typingctx, fn, A, P, {names}):\n    return result\n", scope)
        return intrinsic(scope["call_far"])

    def far(function: Callable[..., Any]) -> Any:
        """Compile ``function(A, P, …integers) -> integer`` on its own. Its name must be in ``NAMES``."""
        _FUNCTIONS.append(_Far(function))
        names = ", ".join(list(inspect.signature(function).parameters)[2:])
        scope = {"call_far": _caller(_arity(function) - 2), "WORD": _FUNCTIONS[-1].word}
        exec(f"def stub(A, P, {names}):\n    return call_far(P[WORD], A, P, {names})\n", scope)
        return inline(scope["stub"])

    def link(P: Arena, entries: tuple[Any, ...] = ()) -> None:
        """Write the addresses of all far functions to ``P``, compile ``entries`` (or load them from the cache)."""
        for function in _FUNCTIONS:
            P[function.word] = function.address()
        for entry in entries:
            if not entry.signatures:
                with _compiling, light_helpers({entry.py_func.__name__}, HELPERS):
                    entry.compile(_signature(entry.py_func).args)

else:

    def far(function: Callable[..., Any]) -> Any:
        """Plain Python: call it as it is."""
        return function

    def link(P: Arena, entries: tuple[Any, ...] = ()) -> None:
        """Plain Python: nothing to link."""
