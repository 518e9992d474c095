"""Functions compiled on their own and called through a pointer, so that no caller compiles them again.

Numba compiles what a function calls once more with every caller; four layers of big functions then take minutes. A ``far``
function is compiled (and cached) once. Its address is a word of the parameter arena that `link` fills in.
"""

import inspect
from collections.abc import Callable
from typing import Any

from .jit import HELPERS, JIT, OPTIONS, cache_dir, inline
from .params import PARAMS, Param
from .pipeline import light_helpers
from .raw import Arena
from .second_process import second_process

_FUNCTIONS: list[tuple[int, Callable[..., Any]]] = []
NAMES = (
    *("load", "store", "atomic", "copy_async", "hub_instruction", "tensor", "mbarrier", "barrier_instruction"),
    *("warp_instruction", "special_register", "control_instruction", "run_sm", "start_cta", "end_warp", "dispatch"),
    *("memory_step", "hub_egress", "hub_enter", "hub_advance", "hub_ingress", "hub_end", "gather", "release", "record"),
    *("cluster_left", "cluster_instruction", "store_async", "deliver", "prefetch", "bulk", "bulk_wait"),
    *("tensormap", "copy_arrive", "tma_requests", "tma_answer"),
)
_FIRST = len(PARAMS)
PARAMS.extend(Param(f"code.{name}", "address of compiled code", lambda get: 0) for name in NAMES)

if JIT:
    from llvmlite import ir
    from numba import cfunc, types
    from numba.extending import intrinsic

    from .raw import arena_type

    _INT = ir.IntType(64)

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
        word = _FIRST + NAMES.index(function.__name__)
        parameters = list(inspect.signature(function).parameters)
        _FUNCTIONS.append((word, function))
        names = ", ".join(parameters[2:])
        scope = {"call_far": _caller(len(parameters) - 2), "WORD": word}
        exec(f"def stub(A, P, {names}):\n    return call_far(P[WORD], A, P, {names})\n", scope)
        return inline(scope["stub"])

    def link(P: Arena, entries: tuple[Any, ...] = ()) -> None:
        """Compile (or load from the cache) all far functions and write their addresses to ``P``; compile ``entries``."""
        names = {function.__name__ for _, function in _FUNCTIONS} | {e.py_func.__name__ for e in entries}
        with second_process(), light_helpers(names, HELPERS):
            for word, function in _FUNCTIONS:
                P[word] = _compiled(function)
            for entry in entries:
                _compile_entry(entry)

    def fill_cache_backwards(entries: tuple[Any, ...]) -> None:
        """Compile what `link` does, last things first: they meet in the middle, each then loads what the other has."""
        names = {function.__name__ for _, function in _FUNCTIONS} | {e.py_func.__name__ for e in entries}
        with light_helpers(names, HELPERS):
            for entry in entries:
                _compile_entry(entry)
            for _, function in reversed(_FUNCTIONS):
                _compiled(function)

    def _compile_entry(entry: Any) -> None:
        if not entry.signatures:
            entry.compile(_arguments(entry.py_func))

    _KEEP: dict[Any, Any] = {}

    def _arguments(function: Callable[..., Any]) -> tuple[Any, ...]:
        arity = len(inspect.signature(function).parameters) - 2
        return (arena_type, arena_type, *[types.int64] * arity)

    def _compiled(function: Callable[..., Any]) -> int:
        if function not in _KEEP:
            signature = types.int64(*_arguments(function))
            _KEEP[function] = cfunc(signature, cache=bool(cache_dir()), **OPTIONS)(function)
        return int(_KEEP[function].address)

else:

    def far(function: Callable[..., Any]) -> Any:
        """Plain Python: call it as it is."""
        return function

    def link(P: Arena, entries: tuple[Any, ...] = ()) -> None:
        """Plain Python: nothing to link."""
