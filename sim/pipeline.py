"""A lean way through numba for the core: only the steps that code over int64 needs, machine code only for what is called.

Numba's front end is most of the cold compile time. The core has no arrays, closures, literals or objects, so the steps that
look for them are left out; a helper is linked into its callers and never called from Python, so it gets no wrappers and is
not optimised on its own. The version of numba is pinned because this reaches into it.
"""

import gc
from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import codegen
from numba.core import types as numba_types
from numba.core.compiler import CompilerBase
from numba.core.compiler_machinery import PassManager
from numba.core.typed_passes import (
    IRLegalization,
    NativeLowering,
    NoPythonBackend,
    NopythonTypeInference,
    PreLowerStripPhis,
)
from numba.core.untyped_passes import FixupArgs, IRProcessing, ReconstructSSA, TranslateByteCode

_PASSES = (
    *(TranslateByteCode, FixupArgs, IRProcessing, ReconstructSSA, NopythonTypeInference),
    *(PreLowerStripPhis, IRLegalization, NativeLowering, NoPythonBackend),
)
types: Any = numba_types
"""Without its partial annotations, which lack half of what is in it."""
_NO_WRAPPERS = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}


class Pipeline(CompilerBase):
    """Bytecode to machine code without numba's rewriting of arrays, closures, literals and branches."""

    def define_pipelines(self) -> list[Any]:
        """The passes, in order."""
        manager = PassManager("core")
        for step in _PASSES:
            manager.add_pass(step, step._name)
        manager.finalize()
        return [manager]


@contextmanager
def light_helpers(final: Container[str], helpers: list[Any]) -> Iterator[None]:
    """While code is compiled: only functions named in ``final`` become machine code, ``helpers`` are just linked in."""
    with _no_wrappers(helpers), _final_only(final), _remembered_types(), _no_collection():
        yield


_linkable: dict[Any, dict[Any, Any]] = {}
"""What has been compiled of each helper so far. It has no machine code: Python must not find it when it calls the helper."""


@contextmanager
def _no_wrappers(helpers: list[Any]) -> Iterator[None]:
    """Helpers are compiled without the code through which Python calls them."""
    for helper in helpers:
        helper.targetoptions.update(_NO_WRAPPERS)
        helper.overloads.update(_linkable.get(helper, {}))
    try:
        yield
    finally:
        for helper in helpers:
            for option in _NO_WRAPPERS:
                helper.targetoptions.pop(option, None)  # helpers share the dictionary
            if helper.overloads:
                _linkable[helper] = dict(helper.overloads)
                helper._reset_overloads()


@contextmanager
def _final_only(final: Container[str]) -> Iterator[None]:
    """Functions are optimised and turned into machine code only if they are named in ``final``."""
    library, target = codegen.JITCodeLibrary, codegen.JITCPUCodegen
    names = ("_optimize_functions", "_optimize_final_module", "_finalize_final_module")
    kept = {name: getattr(library, name) for name in names}
    set_env = target.set_env

    def optimize_functions(self: Any, module: Any) -> None:
        module.data_layout = self._codegen._data_layout

    def optimize_final(self: Any) -> None:
        if self.name in final:
            manager, builder = self._codegen._module_pass_manager()
            manager.run(self._final_module, builder)

    def finish_final(self: Any) -> None:
        if self.name in final:
            kept["_finalize_final_module"](self)
        else:
            self._finalize_dynamic_globals()
            self._finalized = True

    def set_env_of_final(self: Any, env_name: str, env: Any) -> None:
        if self._engine.is_symbol_defined(env_name):
            set_env(self, env_name, env)

    for name, replacement in zip(names, (optimize_functions, optimize_final, finish_final), strict=True):
        setattr(library, name, replacement)
    target.set_env = set_env_of_final
    try:
        yield
    finally:
        for name, original in kept.items():
            setattr(library, name, original)
        target.set_env = set_env


_known_types: dict[Any, Any] = {}


@contextmanager
def _remembered_types() -> Iterator[None]:
    """What an operator gives for operands of some types is looked for once: each search asks a dozen templates."""
    resolve = types.BaseFunction.get_call_type

    def get_call_type(self: Any, context: Any, args: Any, kws: Any) -> Any:
        plain = tuple(types.unliteral(a) for a in args)
        if kws or any(isinstance(a, types.BaseTuple) for a in plain):
            return resolve(self, context, args, kws)
        if (self, plain) not in _known_types:
            _known_types[self, plain] = resolve(self, context, plain, kws)
        return _known_types[self, plain]

    types.BaseFunction.get_call_type = get_call_type
    try:
        yield
    finally:
        types.BaseFunction.get_call_type = resolve


@contextmanager
def _no_collection() -> Iterator[None]:
    """The garbage collector would go over the syntax trees of all functions again and again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
