"""The folder of what is kept between runs, and files that are whole or not there."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def cache_root() -> Path:
    """SIMASM_CACHE, else ~/.cache/simasm."""
    return Path(os.environ.get("SIMASM_CACHE") or Path.home() / ".cache" / "simasm")


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file of the cache, with its folder; a full or read-only disk is no error."""
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".part")
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
