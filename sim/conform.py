"""Conformance: runs specs (inputs, launches and outputs recorded on a GPU) and says which give the recorded outputs.

A spec is ``NAME.json`` beside the PTX files it names and ``NAME.npz`` with the outputs; tests/conform/README.md describes them.
Specs run in worker processes, so one that brings its process down costs only itself.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from isa.image import Image, Kernel

from . import tensormap
from .config import Config, ConfigError
from .errors import MachineError
from .machine import Machine
from .specdata import DTYPES, differences, initial, scalar
from .state import LOCAL_LANE_BYTES
from .tensormap import TensorMap
from .workers import run_tasks

FORMAT = 1
"""Version of specs; others are refused."""
PATIENCE_S = 300.0
"""Seconds after which a spec counts as hanging."""

Assemble = Callable[[list[Path]], Image]


@dataclass
class Outcome:
    """What became of a spec: ``reason`` says why it failed, ``wall_s`` is how many seconds it took."""

    name: str
    ok: bool
    reason: str = ""
    wall_s: float = 0.0


class SpecError(Exception):
    """The spec asks for what this machine cannot give it, or is no spec."""


def spec_names(folder: Path) -> list[str]:
    """The specs of a folder, sorted by name."""
    return sorted(path.stem for path in folder.glob("*.json"))


# --- one spec


@dataclass
class _Buffers:
    """The buffers and module variables of a spec on its machine: (address, data as first written)."""

    machine: Machine
    items: dict[str, tuple[int, Any]]

    def address(self, name: str) -> int:
        if name not in self.items:
            raise SpecError(f"no buffer `{name}`")
        return self.items[name][0]

    def read(self, name: str) -> Any:
        address, data = self.items[name]
        return np.frombuffer(self.machine.read(address, data.nbytes), data.dtype)


def run_spec(folder: Path, name: str, assemble: Assemble, config: Config, functional: bool) -> Outcome:
    """Run one spec in this process. Everything that goes wrong is a reason of the outcome."""
    begin = time.perf_counter()
    try:
        spec = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        if spec.get("format") != FORMAT:
            raise SpecError(f"format {spec.get('format')} is not {FORMAT}")
        reason = _run(spec, folder, assemble, config, functional)
    except Exception as error:  # a run of many specs goes on whatever one of them meets
        text = str(error).strip().splitlines()
        reason = f"{type(error).__name__}: {text[0] if text else 'no message'}"
    return Outcome(name, not reason, reason, round(time.perf_counter() - begin, 3))


def _run(spec: Mapping[str, Any], folder: Path, assemble: Assemble, config: Config, functional: bool) -> str:
    """Why the spec fails, or nothing."""
    if spec.get("stack", 0) > LOCAL_LANE_BYTES:
        raise SpecError(f"{spec['stack']} bytes of stack per thread are more than the {LOCAL_LANE_BYTES} of the model")
    printed: list[str] = []
    machine = Machine(assemble(_modules(spec, folder)), config, functional=functional, output=printed.append)
    buffers = _fill(spec, machine)
    failed = ""
    try:
        for launch in spec["launches"]:
            _launch(machine, launch, buffers, spec.get("stack", 0))
        machine.run()
    except MachineError as error:
        failed = f"{':'.join(map(str, error.where))}: {error.message}" if error.where else error.message
    if spec.get("expect") == "error":
        return "" if failed else "the launch did not fail, as it should"
    if failed:
        return failed
    return "; ".join(_wrong(spec, folder, buffers, "".join(printed)))


def _modules(spec: Mapping[str, Any], folder: Path) -> list[Path]:
    """The files of the program."""
    names = spec["module"]
    return [folder / name for name in ([names] if isinstance(names, str) else names)]


def _fill(spec: Mapping[str, Any], machine: Machine) -> _Buffers:
    """Allocate and initialise buffers; initialise module variables."""
    items: dict[str, tuple[int, Any]] = {}
    for name, buffer in spec["buffers"].items():
        data = initial(buffer["dtype"], buffer["shape"], buffer["init"])
        items[name] = machine.alloc(0, max(data.nbytes, 1), name), data
        machine.write(items[name][0], data)
    for name, symbol in spec.get("symbols", {}).items():
        address, size = machine.symbol(name)
        data = initial(symbol["dtype"], symbol["shape"], symbol["init"] or {"kind": "zeros"})
        if data.nbytes > size:
            raise SpecError(f"variable `{name}` has {size} bytes, not {data.nbytes}")
        if symbol["init"] is not None:
            machine.write(address, data)
        items[f"sym:{name}"] = address, data
    return _Buffers(machine, items)


def _launch(machine: Machine, launch: Mapping[str, Any], buffers: _Buffers, stack: int) -> None:
    kernel = machine.kernel(launch["kernel"])
    options: dict[str, Any] = {"stack": stack}
    if launch.get("cooperative"):
        options["cooperative"] = True
    if launch.get("cluster"):
        options["cluster"] = tuple(launch["cluster"])
    machine.launch(
        0,
        kernel.name,
        tuple(launch["grid"]),
        tuple(launch["block"]),
        shared=launch.get("shared", 0),
        params=_parameters(kernel, launch["args"], buffers),
        **options,
    )


def _parameters(kernel: Kernel, arguments: list[Mapping[str, Any]], buffers: _Buffers) -> bytes:
    """The kernel's parameter block."""
    if len(arguments) != len(kernel.params):
        raise SpecError(f"`{kernel.name}` has {len(kernel.params)} parameters, not {len(arguments)}")
    block = bytearray(kernel.param_bytes)
    for parameter, argument in zip(kernel.params, arguments, strict=True):
        data = _argument(argument, buffers)
        if len(data) < parameter.size:
            raise SpecError(f"parameter `{parameter.name}` has {parameter.size} bytes, not {len(data)}")
        block[parameter.offset : parameter.offset + parameter.size] = data[: parameter.size]
    return bytes(block)


def _argument(argument: Mapping[str, Any], buffers: _Buffers) -> bytes:
    """One argument as bytes; the members of a structure at their natural alignment, as C lays them out."""
    kind, value = next((k, v) for k, v in argument.items() if k != "align")
    if kind == "struct":
        data = bytearray()
        for dtype, members in value:
            for member in members if isinstance(members, list) else [members]:
                item = _item(dtype, member, buffers)
                data += bytes(-len(data) % len(item)) + item
        return bytes(data) + bytes(-len(data) % argument.get("align", 1))
    if kind == "bytes":
        return bytes.fromhex(value)
    if kind == "tensormap":
        return _tensor_map(value, buffers)
    return _item(kind, value, buffers)


def _item(dtype: str, value: Any, buffers: _Buffers) -> bytes:
    if dtype == "buf":
        return buffers.address(value).to_bytes(8, "little")
    if dtype not in DTYPES:
        raise SpecError(f"unknown type of argument `{dtype}`")
    return scalar(dtype, value)


def _tensor_map(value: Mapping[str, Any], buffers: _Buffers) -> bytes:
    """A tensor map. Modes are numbers, as cuTensorMapEncodeTiled takes them; what is not given is 0."""

    def mode(name: str, table: Mapping[str, int]) -> str:
        number = value.get(name, 0)
        return next((word for word, code in table.items() if code == number), str(number))

    try:
        return TensorMap(
            buffers.address(value["buf"]),
            value["dtype"],
            value["dims"],
            value["strides"][: len(value["dims"]) - 1],
            value["box"],
            value.get("estride", ()),
            mode("interleave", tensormap.INTERLEAVES),
            mode("swizzle", tensormap.SWIZZLES),
            mode("l2", tensormap.PROMOTIONS),
            mode("oob", tensormap.FILLS),
        ).encode()
    except tensormap.TensorMapError as error:
        raise SpecError(f"tensor map of `{value['buf']}`: {error}") from None


def _wrong(spec: Mapping[str, Any], folder: Path, buffers: _Buffers, printed: str) -> Iterator[str]:
    """What differs from the recorded outputs."""
    recorded = np.load(folder / f"{spec['name']}.npz")
    dtypes = {name: buffer["dtype"] for name, buffer in spec["buffers"].items()}
    dtypes |= {f"sym:{name}": symbol["dtype"] for name, symbol in spec.get("symbols", {}).items()}
    for rule in spec["compare"]:
        name = rule["buf"]
        if difference := differences(rule, dtypes[name], buffers.read(name), recorded[name]):
            yield f"{name}: {difference}"
    if spec.get("stdout"):
        want = bytes(recorded["__stdout__"]).decode("utf-8", "replace").splitlines()
        if lost := Counter(want) - Counter(line for line in printed.splitlines() if line):
            yield f"{lost.total()} of {len(want)} lines were not printed, first {next(iter(lost))!r}"
        elif more := Counter(line for line in printed.splitlines() if line) - Counter(want):
            yield f"{more.total()} lines too many were printed, first {next(iter(more))!r}"


# --- many specs


def run_specs(
    folder: Path,
    names: list[str],
    assemble: Assemble,
    preset: str,
    settings: list[str],
    functional: bool,
    jobs: int = 2,
    patience_s: float = PATIENCE_S,
) -> Iterator[Outcome]:
    """Run specs in ``jobs`` worker processes; outcomes come in the order of ``names``."""
    work = (folder, assemble, preset, settings, functional)
    for name, outcome, reason, seconds in run_tasks(names, _task, work, jobs, patience_s):
        yield outcome or Outcome(name, False, reason, seconds)


def _task(name: str, folder: Path, assemble: Assemble, preset: str, settings: list[str], functional: bool) -> Outcome:
    return run_spec(folder, name, assemble, Config.load(preset, settings), functional)


def run_command(options: Any, assemble: Assemble) -> bool:
    """``simasm conform``: run the specs and print outcomes; whether all passed."""
    folder = Path(options.directory)
    names = options.only.split(",") if options.only else spec_names(folder)
    unknown = [name for name in names if not (folder / f"{name}.json").is_file()]
    if unknown or not names:
        raise ConfigError(f"{folder}: no spec {', '.join(unknown) or 'there'}")
    Config.load(options.preset, options.set)
    outcomes = []
    for outcome in run_specs(
        folder, names, assemble, options.preset, options.set, options.functional, options.jobs, options.timeout
    ):
        outcomes.append(outcome)
        if not options.json:
            state = "ok  " if outcome.ok else "FAIL"
            print(f"{state} {outcome.name:24} {outcome.wall_s:7.2f} s  {outcome.reason}".rstrip(), flush=True)
    passed = sum(outcome.ok for outcome in outcomes)
    if options.json:
        print(json.dumps({"passed": passed, "total": len(outcomes), "specs": [asdict(o) for o in outcomes]}))
    else:
        print(f"{passed} of {len(outcomes)} specs passed")
    return passed == len(outcomes)
