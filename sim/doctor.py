"""Whether this installation can work: versions, one copy of each package, a writable cache, the processor."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

PACKAGES = ("isa", "assembler", "traces", "sim", "simasm")
Finding = tuple[bool, str]


def findings(root: Path) -> Iterator[Finding]:
    """(is it all right, what was found), one by one; ``root`` is the folder of this installation."""
    yield sys.version_info >= (3, 11), f"Python {platform.python_version()} at {sys.executable}"
    yield from _one_copy(root)
    yield from _versions(root)
    yield _cache()
    yield from _processor()


def _one_copy(root: Path) -> Iterator[Finding]:
    """Another distribution may have installed a package of the same name: then half of us would be somebody else."""
    intruders = []
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec and spec.origin else None
        if origin is None or root not in origin.parents:
            intruders.append(f"{name} comes from {origin or 'nowhere'}")
    yield not intruders, "; ".join(intruders) or f"{', '.join(PACKAGES)} come from {root}"


def _versions(root: Path) -> Iterator[Finding]:
    """The installed version of each dependency, and whether pyproject.toml allows it."""
    for requirement in _requirements(root):
        name = requirement.split("=")[0].split(">")[0].split("<")[0].strip()
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            yield False, f"{name}: not installed; {requirement} is needed"
            continue
        exact = requirement.partition("==")[2]
        yield not exact or version == exact, f"{name} {version}" + (f" ({requirement} is needed)" if exact else "")


def _requirements(root: Path) -> list[str]:
    project = root / "pyproject.toml"
    if project.is_file():
        return list(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"])
    return [r for r in metadata.requires("simasm") or () if "extra ==" not in r]


def _cache() -> Finding:
    from .jit import cache_root

    folder = cache_root()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return False, f"compiled code cannot be kept in {folder} ({error.strerror}): every start compiles for a minute"
    used = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    return True, f"compiled code is kept in {folder}, {used / 1e6:.0f} MB"


def _processor() -> Iterator[Finding]:
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    known = [name for name in ("avx2", "fma", "f16c", "avx512f", "neon", "sve") if features.get(name)]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield True, f"{platform.machine()} {llvm.get_host_cpu_name()}, {cores} cores, {', '.join(known) or 'no vectors'}"
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield memory >= 4, f"{memory:.0f} GiB of memory"
