"""How this package is compiled: one place for numba's options and for the key of its cache.

Numba keys a cached function on the text of its own file only, so an edit of a constant in another module would be
served stale code. The cache directory is therefore named after a digest of every source that shapes the compiled code.
"""

import hashlib
import os
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parent.parent
_NAMES = [
    "addresses",
    "core",
    "dispatch",
    "far",
    "functional",
    "jit",
    "layout",
    "opaque_layout",
    "params",
    "pipeline",
    "raw",
    "state",
    "tensormap_layout",
    "wgmma_format",
]
_COMPILED = (
    *("sim/sm/*.py", "sim/mem/*.py", "sim/hub/*.py", "sim/net/*.py"),
    *(f"sim/{name}.py" for name in _NAMES),
    "sim/translate/frame.py",
    *("isa/instr.py", "isa/types.py", "traces/records.py"),
)
"""Compiled code, and the constants it takes from elsewhere."""


def cache_root() -> Path:
    """Directory for everything that may be rebuilt: ``SIMASM_CACHE`` or ``~/.cache/simasm``."""
    return Path(os.environ.get("SIMASM_CACHE") or Path.home() / ".cache" / "simasm")


def source_digest() -> str:
    """Digest of the sources that shape compiled code, and of numba's own settings."""
    digest = hashlib.sha256()
    for pattern in _COMPILED:
        for path in sorted(_ROOT.glob(pattern)):
            digest.update(str(path.relative_to(_ROOT)).encode())
            digest.update(path.read_bytes())
    for key in sorted(k for k in os.environ if k.startswith("NUMBA_") and k != "NUMBA_CACHE_DIR"):
        digest.update(f"{key}={os.environ[key]}".encode())
    return digest.hexdigest()[:16]


def _cache_dir() -> str:
    path = cache_root() / f"numba-{source_digest()}"
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        return ""
    return str(path)


# The core's loops are over lanes through library calls: more optimisation than this only costs compile time.
os.environ.setdefault("NUMBA_OPT", "1")
os.environ.setdefault("NUMBA_LOOP_VECTORIZE", "0")
# Numba makes a coloured message for each signature that does not fit, of the many it tries; nobody sees them.
os.environ.setdefault("NUMBA_DISABLE_ERROR_MESSAGE_HIGHLIGHTING", "1")
if _dir := _cache_dir():
    os.environ["NUMBA_CACHE_DIR"] = _dir

from numba import config, njit, types  # noqa: E402  the cache directory must be set first

from .pipeline import Pipeline  # noqa: E402

if _dir:
    config.CACHE_DIR = _dir

JIT = not config.DISABLE_JIT
"""False under NUMBA_DISABLE_JIT=1: everything below then runs as plain Python."""

# _nrt=False: no reference counts in compiled code; they cost more than the simulation itself.
OPTIONS: dict[str, Any] = {"_nrt": False, "error_model": "numpy", "pipeline_class": Pipeline}
_inline = njit(forceinline=True, **OPTIONS)
_outline = njit(**OPTIONS)
entry = njit(cache=bool(_dir), nogil=True, **OPTIONS)
"""For the few functions Python calls."""
HELPERS: list[Any] = []


def inline(function: Any) -> Any:
    """A helper that becomes part of every caller."""
    return _helper(_inline(function))


def outline(function: Any) -> Any:
    """A helper that a module has once, unless the optimiser prefers to inline it."""
    return _helper(_outline(function))


def _helper(dispatcher: Any) -> Any:
    """Compile the helper once: literals, enum members and truth values are all int64 to it."""
    if JIT:
        template = dispatcher.get_call_template
        dispatcher.get_call_template = lambda args, kws: template(tuple(map(_as_int64, args)), kws)
        HELPERS.append(dispatcher)
    return dispatcher


def _as_int64(typ: Any) -> Any:
    plain = types.unliteral(typ)
    return types.int64 if isinstance(plain, types.Integer | types.Boolean | types.IntEnumMember) else typ


def cache_dir() -> str:
    """Directory of compiled code; empty if it cannot be kept."""
    return _dir
