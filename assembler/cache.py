"""Assembled programs kept on disk, by the content of everything they were made from."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

from isa.image import Image, load, save
from isa.table import digest


def folder() -> Path:
    """Where Images are kept: SIMASM_CACHE, else ~/.cache/simasm."""
    return Path(os.environ.get("SIMASM_CACHE") or Path.home() / ".cache" / "simasm") / "images"


@lru_cache(maxsize=1)
def _assembler_digest() -> str:
    """Hash of the assembler's and the Image's own sources."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), *sorted(here.glob("*.lark")), here.parent / "isa" / "image.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def key(
    text: str, files: Sequence[tuple[str, str]], defines: Mapping[str, str], path: str, include_dirs: Sequence[object]
) -> str:
    """Name of a program's Image; `files` are (path, text) of what it includes."""
    facts = [
        digest(),
        _assembler_digest(),
        text,
        list(files),
        sorted(defines.items()),
        path,
        list(map(str, include_dirs)),
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def fetch(name: str) -> Image | None:
    """The kept Image of this name; a damaged one counts as none."""
    try:
        return load(folder() / f"{name}.npz")
    except (OSError, ValueError, KeyError, TypeError, BadZipFile):
        return None


def keep(name: str, image: Image) -> None:
    """Keep an Image; a full or read-only disk is no error."""
    with suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder(), suffix=".part")
        os.close(handle)
        save(image, temporary)
        os.replace(temporary, folder() / f"{name}.npz")
