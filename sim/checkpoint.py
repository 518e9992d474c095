"""Checkpoints: a run that stopped early goes on later, in another process, as if nothing had happened.

The machine's memory lies at fixed addresses (places.py), so its pages are saved as they are. The host program is not saved:
on resuming it runs again from its beginning, and until the point where it stopped the machine only tells it what it saw the
first time (`Journal`): when launches ended, and what was read.
"""

from __future__ import annotations

import io
import json
import mmap
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from isa import image as image_file

from . import state as st
from .command_line import UsageError
from .dispatch import DONE
from .errors import MachineError
from .hub.ingress import RECORD_ADDRESS
from .jit import source_digest
from .layout import gpu_base
from .places import forget

if TYPE_CHECKING:
    from .machine import Machine

FORMAT = "simasm checkpoint 1"
_PAGE = mmap.PAGESIZE
_BLOCK = 1 << 15
"""Pages looked at, and written, at a time."""


@dataclass
class Saved:
    """A checkpoint that was read: how the run was started, what the host saw, where the pages are."""

    path: Path
    meta: dict[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """Arguments of `simasm.run` but the source."""
        options: dict[str, Any] = self.meta["options"]
        return options

    @contextmanager
    def trace_aside(self) -> Iterator[None]:
        """Moves the trace so far out of the way of the one that goes on from it, and removes it in the end."""
        trace = self.meta["trace"]
        if trace is None:
            yield
            return
        here = Path(trace["directory"])
        aside = here.with_name(here.name + ".before")
        here.rename(aside)
        trace["directory"] = str(aside)
        try:
            yield
        finally:
            if trace["taken"]:
                shutil.rmtree(aside)

    def image(self) -> Any:
        """The assembled program."""
        with zipfile.ZipFile(self.path) as archive:
            return image_file.load(io.BytesIO(archive.read("image.npz")))  # type: ignore[arg-type]


def read(path: str | Path) -> Saved:
    """The checkpoint in a file; `UsageError` if it is none, or one of another version of simasm."""
    try:
        with zipfile.ZipFile(path) as archive:
            meta = json.loads(archive.read("meta.json"))
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise UsageError(f"{path}: not a checkpoint of simasm") from None
    if meta.get("format") != FORMAT or meta.get("version") != source_digest():
        raise UsageError(f"{path}: the checkpoint is of another version of simasm; run the program from its beginning")
    return Saved(Path(path), meta)


@dataclass
class Journal:
    """What the host saw of the machine so far, and what it is shown again after resuming.

    ``path``: where a checkpoint goes when the run stops early, or None. ``saved``: what is resumed, or None.
    """

    path: str | Path | None
    saved: Saved | None = None
    options: dict[str, Any] = field(default_factory=dict)
    runs: list[list[list[int]]] = field(default_factory=list)
    """Launches that a call of `Machine.run` finished: number, begin, end, instructions."""
    reads: list[bytes] = field(default_factory=list)
    _runs_shown: int = 0
    _reads_shown: int = 0
    _replays: bool = False

    def __post_init__(self) -> None:
        if self.saved:
            self._replays = True
            self.runs = self.saved.meta["runs"]
            with zipfile.ZipFile(self.saved.path) as archive:
                self.reads = [archive.read(f"read{i}") for i in range(self.saved.meta["reads"])]

    def read(self, machine: Machine, address: int, nbytes: int) -> bytes:
        """What `Machine.read` gives."""
        if self._replays:
            self._reads_shown += 1
            return self.reads[self._reads_shown - 1]
        data: bytes = machine.view(address, nbytes).tobytes()
        if self.path:
            self.reads.append(data)
        return data

    def begins(self, machine: Machine) -> bool:
        """A call of `Machine.run` begins: whether it has to simulate. The one that was interrupted gets its state back."""
        if not self._replays:
            return True
        if self._runs_shown == len(self.runs):
            assert self.saved is not None
            _restore(machine, self.saved)
            self._replays = False
            return True
        for number, *values in self.runs[self._runs_shown]:
            launch = machine.launches.log[number]
            at = gpu_base(launch.gpu) + launch.slot
            machine.A[at + st.LAUNCH_STATE] = DONE
            for word, value in zip((st.LAUNCH_BEGIN, st.LAUNCH_END, st.LAUNCH_INSTRUCTIONS), values, strict=True):
                machine.A[at + word] = value
        self._runs_shown += 1
        return False

    def ended(self, machine: Machine) -> None:
        """A call of `Machine.run` has simulated to its end."""
        known = {row[0] for run in self.runs for row in run}
        log = [launch for launch in machine.launches.log if launch.done and launch.id not in known]
        self.runs.append([[launch.id, launch.begin, launch.end, launch.instructions] for launch in log])

    def save(self, machine: Machine) -> None:
        """Write the checkpoint, if one was asked for."""
        if self.path is None:
            return
        if machine.runtime or machine.functional:
            what = "that use the device runtime (printf, malloc, assertions)" if machine.runtime else "without timing"
            raise MachineError(f"no checkpoint written: runs {what} have none", 2)
        trace = machine.tracer.writer.unfinished() if machine.tracer and machine.tracer.writer else None
        meta = {
            "format": FORMAT, "version": source_digest(), "options": self.options, "runs": self.runs,
            "reads": len(self.reads), "regions": {name: list(_place(array)) for name, array in machine.regions().items()},
            "trace": trace and {**trace, "taken": False, "parts": [[*key, part] for key, (part, _) in trace["parts"].items()]},
        }  # fmt: skip
        path = Path(self.path)
        temporary = path.with_name(path.name + ".part")
        with zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
            archive.writestr("meta.json", json.dumps(meta, default=str))
            archive.writestr("image.npz", image_file.to_bytes(machine.image))
            for i, data in enumerate(self.reads):
                archive.writestr(f"read{i}", data)
            for (gpu, stream), (_, rows) in (trace["parts"] if trace else {}).items():
                archive.writestr(f"trace/{gpu}/{stream}", rows.tobytes())
            for name, array in machine.regions().items():
                _write_region(archive, name, array)
        temporary.replace(path)


def _place(array: Any) -> tuple[int, int]:
    return int(array.ctypes.data), int(array.nbytes)


def _touched(array: Any) -> Iterator[Any]:
    """Numbers of the pages of an array that are in use, block by block."""
    address, size = _place(array)
    pages = -(-size // _PAGE)
    with open("/proc/self/pagemap", "rb", buffering=0) as file:
        for first in range(0, pages, _BLOCK):
            count = min(_BLOCK, pages - first)
            file.seek((address // _PAGE + first) * 8)
            entries = np.frombuffer(file.read(8 * count), np.uint64)
            used = np.flatnonzero(entries >> np.uint64(62))  # present, or swapped out
            if used.size:
                yield first + used


def _write_region(archive: zipfile.ZipFile, name: str, array: Any) -> None:
    """The pages of an array that are not zero, and their numbers."""
    data = array.view(np.uint8)
    whole = data.size // _PAGE
    paged = data[: whole * _PAGE].reshape(whole, _PAGE)
    numbers: list[Any] = []
    with archive.open(f"{name}.pages", "w", force_zip64=True) as file:
        for used in _touched(array):
            for some in np.array_split(used[used < whole], max(1, used.size // 1024)):
                kept = some[paged[some].any(axis=1)]
                numbers.append(kept)
                file.write(paged[kept].tobytes())
        file.write(data[whole * _PAGE :].tobytes())
    archive.writestr(f"{name}.numbers", np.concatenate([np.zeros(0, np.int64), *numbers]).astype(np.int64).tobytes())


def _read_region(archive: zipfile.ZipFile, name: str, array: Any) -> None:
    data = array.view(np.uint8)
    whole = data.size // _PAGE
    forget(*_place(array))
    paged = data[: whole * _PAGE].reshape(whole, _PAGE)
    numbers = np.frombuffer(archive.read(f"{name}.numbers"), np.int64)
    with archive.open(f"{name}.pages") as file:
        for first in range(0, numbers.size, 1024):
            some = numbers[first : first + 1024]
            paged[some] = np.frombuffer(file.read(some.size * _PAGE), np.uint8).reshape(-1, _PAGE)
        data[whole * _PAGE :] = np.frombuffer(file.read(), np.uint8)


def _restore(machine: Machine, saved: Saved) -> None:
    """Give the machine, whose host program has got as far as before, the state it had."""
    regions = machine.regions()
    places = {name: list(_place(array)) for name, array in regions.items()}
    if places != saved.meta["regions"]:
        raise MachineError(
            f"{saved.path}: the addresses of its memory are taken in this process; resume in a new one", 2
        )
    kept = _own_words(machine)
    with zipfile.ZipFile(saved.path) as archive:
        for name, array in regions.items():
            _read_region(archive, name, array)
        trace = saved.meta["trace"]
        if trace and machine.tracer and machine.tracer.writer:
            parts = {(g, s): (part, archive.read(f"trace/{g}/{s}")) for g, s, part in trace["parts"]}
            machine.tracer.writer.go_on(Path(trace["directory"]), trace["records"], parts)
            trace["taken"] = True
    for first, words in kept:
        machine.A.words[first : first + words.size] = words


def _own_words(machine: Machine) -> list[tuple[int, Any]]:
    """Words of the arena that belong to this process: packed code, which has addresses of compiled code, and the rings."""
    A = machine.A
    spans = [(A[st.CODE], machine.code.rows.size)]
    for gpu in range(machine.gpus):
        spans += [(gpu_base(gpu) + word, 1) for word in (st.TRACE_ADDRESS, st.WARP_RECORDS, RECORD_ADDRESS)]
    return [(first, A.words[first : first + count].copy()) for first, count in spans]
