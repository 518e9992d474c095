"""Configuration of a machine: TOML presets with the source of every value, inheritance, overrides, the parameter array.

A preset is a file of tables; an entry is ``key = value`` or ``key = [value, "source"]``, and ``base = "h200"`` takes
everything else from another preset. The name of a key ends in its unit: ``_cycles``, ``_ns``, ``_ghz``, ``_gbps``,
``_bytes``, ``_ticks``; ``_per_ns`` is a rate; other keys are counts. Only presets without a base may introduce keys.
"""

from __future__ import annotations

import difflib
import hashlib
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .addresses import MAX_GPUS
from .params import PARAMS

PRESETS = Path(__file__).resolve().parent / "presets"
DEFAULT_PRESET = "h200"
_UNITS = {"_cycles": "cycles", "_per_ns": "1/ns", "_ns": "ns", "_ghz": "GHz", "_gbps": "GB/s", "bytes": "bytes"}
_UNITS |= {"_ticks": "cycles/1024"}
_FRACTIONS = ("_ns", "_ghz", "_gbps")
_LIMITS = {
    "memory.bytes": (4096, 1 << 38), "sm.count": (1, 1024), "sm.max_warps": (1, 64), "sm.max_ctas": (1, 32),
    "sm.outstanding_loads": (1, 512), "sm.remote_pages": (1, 64),
    "sm.clock_ghz": (0.01, 100), "sm.remote_credits": (1, 256), "l1.lines": (1, 2048), "l1.ways": (1, 2048),
    "l2.slices": (1, 1024), "l2.ways": (1, 64), "hbm.channels": (1, 1024), "hbm.bandwidth_gbps": (1, 1e6),
    "machine.gpus": (1, MAX_GPUS), "nvlink.planes": (1, 18), "nvlink.links": (1, 1024),
    "nvlink.link_gbps": (0.001, 1e6),
    "hub.reply_latency_cycles": (128, 1e9), "rpm.enabled": (0, 1), "rpm.entries": (1, 1024),
    "aau.rat_entries": (1, 16384), "aau.rat_banks": (1, 64), "aau.apt_entries": (1, 4096),
    "multimem.al_tlb_entries": (1, 4096), "multimem.outstanding_misses": (1, 64), "trace.packets": (0, 1),
}  # fmt: skip
"""Smallest and largest value the simulator's tables allow; other keys may be anything from 0 on."""


class ConfigError(Exception):
    """A configuration that cannot be: an unknown key or preset, a value of the wrong kind. `hint` may suggest a fix."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(f"{message} ({hint})" if hint else message)
        self.message, self.hint = message, hint


class Setting(NamedTuple):
    """One effective value: its unit follows from the key, `source` says where it was decided and on what grounds."""

    key: str
    value: int | float
    unit: str
    source: str


def unit_of(key: str) -> str:
    """Unit of a key from the end of its name; "" for counts."""
    return next((unit for end, unit in _UNITS.items() if key.endswith(end)), "")


def preset_names() -> list[str]:
    """Names of the presets that come with simasm."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def _suggest(word: str, words: Iterable[str]) -> str:
    close = difflib.get_close_matches(word, list(words), n=1, cutoff=0.6)
    return f"did you mean `{close[0]}`?" if close else ""


def _suggest_key(key: str, keys: Iterable[str]) -> str:
    """The known key most like `key`; one with the same last part counts as close."""
    known = list(keys)
    same_end = [k for k in known if k.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
    return _suggest(key, known) or (f"did you mean `{same_end[0]}`?" if same_end else "")


@dataclass
class Config:
    """The effective configuration. Values by key, ``config["nvlink.hop_ns"]``, in the unit of the key."""

    name: str
    settings: dict[str, Setting] = field(default_factory=dict)

    @classmethod
    def load(cls, preset: str | Path = DEFAULT_PRESET, overrides: Iterable[str] = ()) -> Config:
        """Preset by name or by path of a TOML file, then overrides ``table.key=value`` in order. ConfigError."""
        config = cls("")
        for path, document in reversed(_chain(_find_preset(preset))):
            root = not config.settings
            config.name = str(document.get("name", path.stem))
            for key, entry in _entries(document, path):
                value, source = _value_and_source(key, entry, path)
                config._set(key, value, source, new=root)
        config._check_complete()
        for text in overrides:
            config.override(text)
        return config

    def override(self, text: str) -> None:
        """Set ``table.key=value`` as the command line does."""
        key, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not key or not value:
            raise ConfigError(f"`{text}` is not of the form table.key=value")
        try:
            number: int | float = int(value, 0)
        except ValueError:
            try:
                number = float(value)
            except ValueError:
                words = {"true": 1, "on": 1, "false": 0, "off": 0}
                if value.lower() not in words:
                    raise ConfigError(f"`{key}` is a number, not `{value}`") from None
                number = words[value.lower()]
        self._set(key, number, "command line")

    def _set(self, key: str, value: int | float, source: str, new: bool = False) -> None:
        if not new and key not in self.settings:
            raise ConfigError(f"unknown key `{key}`", _suggest_key(key, self.settings))
        if isinstance(value, float) and not key.endswith(_FRACTIONS):
            if value != int(value):
                raise ConfigError(f"`{key}` must be a whole number, not {value}")
            value = int(value)
        low, high = _LIMITS.get(key, (0, 1 << 48))
        if not low <= value <= high:
            raise ConfigError(f"`{key}` must be from {low} to {high}, not {value}")
        self.settings[key] = Setting(key, value, unit_of(key), source)

    def _check_complete(self) -> None:
        """Every parameter of the machine must have a value."""
        for param in PARAMS:
            if param.derive is None and param.key not in self.settings:
                raise ConfigError(f"preset `{self.name}` has no `{param.key}`: {param.doc}", "give it, or a base")

    def __getitem__(self, key: str) -> int | float:
        if key not in self.settings:
            raise ConfigError(f"unknown key `{key}`", _suggest_key(key, self.settings))
        return self.settings[key].value

    def cycles(self, key: str) -> int:
        """A key that is in nanoseconds, in SM cycles."""
        return round(self[key] * self["sm.clock_ghz"])

    def ns(self, cycles: float) -> float:
        """SM cycles in nanoseconds."""
        return cycles / self["sm.clock_ghz"]

    def timing(self, latency_class: str) -> tuple[int, int, int]:
        """Latency, interval and issue slots of a latency class of instructions, in cycles."""
        name = f"{latency_class}_cycles"
        slots = self.settings.get(f"sm.issue_slots.{name}")
        return int(self[f"sm.latency.{name}"]), int(self[f"sm.interval.{name}"]), int(slots.value) if slots else 1

    def show(self) -> list[Setting]:
        """All effective values in the order of the presets: (key, value, unit, source) each."""
        return list(self.settings.values())

    def params(self, gpus: int = 1) -> Any:
        """The parameter array of a machine with `gpus` GPUs, int64: one word per row of sim/params.py."""
        if not 1 <= gpus <= MAX_GPUS:
            raise ConfigError(f"a machine has 1 to {MAX_GPUS} GPUs, not {gpus}")
        words = np.zeros(len(PARAMS), np.int64)
        for i, param in enumerate(PARAMS):
            if param.derive is not None:
                words[i] = param.derive(self.__getitem__)
            elif param.key.endswith("_ns"):
                words[i] = self.cycles(param.key)
            else:
                words[i] = int(self[param.key])
        return words

    @property
    def digest(self) -> str:
        """Hash of all effective values, not of their sources: equal machines have equal digests."""
        text = "\n".join(f"{key}={self.settings[key].value!r}" for key in sorted(self.settings))
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def _find_preset(preset: str | Path) -> Path:
    """File of a preset, given by name or by path."""
    path = Path(preset)
    if path.suffix == ".toml":
        if not path.is_file():
            raise ConfigError(f"no such preset file: {path}")
        return path
    path = PRESETS / f"{preset}.toml"
    if not path.is_file():
        names = preset_names()
        raise ConfigError(f"unknown preset `{preset}`", _suggest(str(preset), names) or "presets: " + ", ".join(names))
    return path


def _chain(path: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The preset and its bases, the preset itself first."""
    chain: list[tuple[Path, dict[str, Any]]] = []
    while True:
        if any(path == seen for seen, _ in chain):
            raise ConfigError(f"preset {path} is its own base")
        try:
            document = tomllib.loads(path.read_text("utf-8"))
        except tomllib.TOMLDecodeError as error:
            raise ConfigError(f"{path}: {error}") from None
        chain.append((path, document))
        base = document.get("base")
        if base is None:
            return chain
        path = path.parent / base if str(base).endswith(".toml") else _find_preset(str(base))


def _entries(table: dict[str, Any], path: Path, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """``(dotted key, entry)`` of all tables."""
    for name, entry in table.items():
        if not prefix and name in ("name", "base"):
            continue
        if isinstance(entry, dict):
            yield from _entries(entry, path, f"{prefix}{name}.")
        else:
            yield prefix + name, entry


def _value_and_source(key: str, entry: Any, path: Path) -> tuple[int | float, str]:
    """An entry is a number, or a number and its source."""
    value, source = entry, path.name
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], str):
        value, source = entry
    if isinstance(value, bool):
        value = int(value)
    if not isinstance(value, int | float):
        raise ConfigError(f'{path}: `{key}` must be a number or [number, "source"], not {entry!r}')
    return value, source
