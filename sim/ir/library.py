"""The library of compiled functions that the simulator's core calls through pointers.

Each is ``i64 f(i64 a0, …, i64 a7)``; the documentation of a function (in memory, lines, atomics, warp, tensor, wgmma
and access) begins with the arguments it uses, the others are ignored. ``mask`` is a mask of lanes, bit l for lane l.
Addresses are of the host unless said otherwise. A function that has nothing to tell returns 0.
"""

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from llvmlite import ir

from . import access, atomics, lines, memory, tensor, warp, wgmma
from .build import I32, I64, Builder, word
from .objects import Cpu, host, load

FUNCTIONS: dict[str, Callable[..., Any]] = {
    **memory.FUNCTIONS,
    **lines.FUNCTIONS,
    **atomics.FUNCTIONS,
    **warp.FUNCTIONS,
    **tensor.FUNCTIONS,
    **wgmma.FUNCTIONS,
    **access.FUNCTIONS,
}
ARGUMENTS = 8


def _emit(module: ir.Module, cpu: Cpu) -> None:
    for i, build in enumerate(FUNCTIONS.values()):
        function = ir.Function(module, ir.FunctionType(I64, [I64] * ARGUMENTS), f"f{i}")
        b = Builder(function.append_basic_block("entry"), cpu.has)
        names = list(inspect.signature(build).parameters)[1:]
        args = [b.trunc(arg, I32) if name == "mask" else arg for name, arg in zip(names, function.args, strict=False)]
        result = build(b, *args)
        b.ret(word(0) if result is None else result)


def load_library(cpu: Cpu) -> dict[str, int]:
    """The library compiled for a CPU: name to address."""
    names = list(FUNCTIONS)
    addresses = load("library", names, lambda module: _emit(module, cpu), loops=True, cpu=cpu)
    return dict(zip(names, addresses, strict=True))


@cache
def library() -> dict[str, int]:
    """Addresses of the library's functions, compiled for this CPU on first use."""
    return load_library(host())
