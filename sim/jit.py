"""How this package is compiled: one place for numba's options and for the key of its cache.

Numba keys a cached function on the text of its own file only, so an edit of a constant in another module would be
served stale code. The cache directory is therefore named after a digest of every source that shapes the compiled code.
"""

import hashlib
import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_COMPILED = (
    *("sim/sm/*.py", "sim/mem/*.py", "sim/hub/*.py", "sim/net/*.py"),
    *(f"sim/{name}.py" for name in ("addresses", "core", "dispatch", "functional", "jit", "layout", "params", "raw", "state")),
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


if _dir := _cache_dir():
    os.environ["NUMBA_CACHE_DIR"] = _dir

from numba import config, njit  # noqa: E402  the cache directory must be set first

if _dir:
    config.CACHE_DIR = _dir

JIT = not config.DISABLE_JIT
"""False under NUMBA_DISABLE_JIT=1: everything below then runs as plain Python."""

# _nrt=False: no reference counts in compiled code; they cost more than the simulation itself.
inline = njit(forceinline=True, _nrt=False, error_model="numpy")
outline = njit(_nrt=False, error_model="numpy")
entry = njit(cache=bool(_dir), nogil=True, _nrt=False, error_model="numpy")
"""``inline`` for helpers, ``outline`` for cold or shared code, ``entry`` for the few functions Python calls."""
