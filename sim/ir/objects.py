"""From a module of LLVM IR to addresses of compiled functions, with the object code kept on disk.

An object is keyed by what it was made from: the sources that generate its IR, the version of LLVM, the CPU, and the
names of its functions. A warm start reads one file and links it. Objects stay loaded until the process ends.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding, ir

REQUIRED = ("avx2", "f16c", "fma")
"""Without these LLVM calls functions we do not have (half conversions) or a slow libm (fma)."""
_ROOT = Path(__file__).resolve().parents[2]
_SOURCES = ("isa/*.py", "sim/ir/*.py")
_loaded: list[Any] = []


class UnsupportedCpu(RuntimeError):
    """The CPU lacks vector instructions that compiled operations are made of."""


@dataclass(frozen=True)
class Cpu:
    """The machine that code is made for: LLVM's CPU name, its feature string, and the features that are on."""

    name: str
    features: str
    has: frozenset[str]


@cache
def host() -> Cpu:
    """The CPU we run on. Raises UnsupportedCpu when it cannot run compiled operations."""
    found = binding.get_host_cpu_features()
    missing = [name for name in REQUIRED if not found.get(name)]
    if missing:
        raise UnsupportedCpu(
            f"this CPU ({binding.get_host_cpu_name()}) lacks {', '.join(missing).upper()}; "
            "simulation needs an x86-64 CPU with AVX2, F16C and FMA (x86-64-v3, any since about 2015)"
        )
    return Cpu(binding.get_host_cpu_name(), found.flatten(), frozenset(k for k, on in found.items() if on))


PORTABLE = Cpu("x86-64-v3", "", frozenset(REQUIRED))
"""The least CPU that is supported; tests compile for it too."""


def _target_machine(cpu: Cpu) -> Any:
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    return target.create_target_machine(cpu=cpu.name, features=cpu.features, opt=2, jit=True)


@cache
def sources_digest() -> str:
    """Digest of every source that shapes generated code."""
    digest = hashlib.sha256(llvmlite.__version__.encode())
    for pattern in _SOURCES:
        for path in sorted(_ROOT.glob(pattern)):
            digest.update(path.name.encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def cache_path(kind: str, cpu: Cpu, names: Iterable[str]) -> Path:
    """Where the object with these functions is kept: in ``SIMASM_CACHE`` or ``~/.cache/simasm``."""
    root = Path(os.environ.get("SIMASM_CACHE") or Path.home() / ".cache" / "simasm")
    text = "\n".join((sources_digest(), cpu.name, cpu.features, *names))
    return root / "objects" / f"{kind}-{hashlib.sha256(text.encode()).hexdigest()[:32]}.o"


def compile_object(module: ir.Module, cpu: Cpu, loops: bool) -> bytes:
    """Optimised object code of a module. ``loops``: run the whole pipeline, not only what straight code needs."""
    machine = _target_machine(cpu)
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    parsed = binding.parse_assembly(str(module))
    parsed.verify()
    builder = binding.create_pass_builder(machine, binding.create_pipeline_tuning_options(speed_level=2))
    if loops:
        passes = builder.getModulePassManager()
    else:
        passes = binding.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.add_instruction_combine_pass()
        passes.add_simplify_cfg_pass()
    passes.run(parsed, builder)
    return bytes(machine.emit_object(parsed))


def _read(path: Path) -> bytes | None:
    """A kept object, or None when there is none that is whole. It begins with a digest of the rest."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    return data[32:] if data[:32] == hashlib.sha256(data[32:]).digest() else None


def _keep(path: Path, data: bytes) -> None:
    """Keep an object: whole or not at all. A directory that cannot be written to means no caching."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".new-")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(data).digest() + data)
        os.replace(name, path)
    except OSError:
        return


def _link(data: bytes, symbols: list[str]) -> list[int]:
    # the engine owns its target machine
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), _target_machine(host()))
    engine.add_object_file(binding.ObjectFileRef.from_data(data))
    engine.finalize_object()
    _loaded.append(engine)
    return [engine.get_function_address(symbol) for symbol in symbols]


def load(
    kind: str, names: list[str], emit: Callable[[ir.Module], None], loops: bool, cpu: Cpu | None = None
) -> list[int]:
    """Addresses of functions ``f0``, ``f1``, … that ``emit`` adds to a module, one for each of ``names``, in order."""
    cpu = cpu or host()
    path = cache_path(kind, cpu, names)
    data = _read(path)
    if data is None:
        module = ir.Module(name=kind)
        emit(module)
        data = compile_object(module, cpu, loops)
        _keep(path, data)
    return _link(data, [f"f{i}" for i in range(len(names))])
