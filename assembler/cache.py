"""Assembled programs kept on disk, by the content of everything they were made from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

from assembler.files import cache_root, write_atomically
from isa.image import Image, load, to_bytes
from isa.table import digest

WORTH = 1000
"""Instructions of the smallest program that is kept: less is assembled sooner than read."""
MOST = 100
"""Images kept."""


def folder() -> Path:
    """Where Images are kept: SIMASM_CACHE, else ~/.cache/simasm."""
    return cache_root() / "images"


@lru_cache(maxsize=1)
def _assembler_digest() -> str:
    """Hash of the assembler's and the Image's own sources."""
    here = Path(__file__).parent
    sources = [*sorted(here.glob("*.py")), *sorted(here.glob("*.lark")), here.parent / "isa" / "image.py"]
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in sources)).hexdigest()


def key(
    sources: Sequence[tuple[str, str]],
    include_dirs: Sequence[object],
    defines: Mapping[str, str],
    optimised: bool = False,
) -> str:
    """Name of a program's Image, but for the files it includes."""
    facts = [
        digest(),
        _assembler_digest(),
        sources,
        os.getcwd(),
        list(map(str, include_dirs)),
        sorted(defines.items()),
        optimised,
    ]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def fetch(name: str) -> Image | None:
    """The kept Image of this name, if what it includes is as it was; a damaged one counts as none."""
    path = folder() / f"{name}.npz"
    if not path.exists():
        return None
    try:
        image = load(path)
        included = zip(image.files[1:], image.texts[1:], strict=True)
        fresh = all(Path(file).read_text(encoding="utf-8") == text for file, text in included)
    except (OSError, ValueError, KeyError, TypeError, BadZipFile):
        return None
    return image if fresh else None


def keep(name: str, image: Image) -> None:
    """Keep an Image worth it, in the place of the oldest when there are many; a full or read-only disk is no error."""
    if len(image) < WORTH:
        return
    with suppress(OSError):
        write_atomically(folder() / f"{name}.npz", to_bytes(image))
        kept = sorted(folder().glob("*.npz"), key=lambda path: path.stat().st_mtime)
        for path in kept[:-MOST]:
            path.unlink()
