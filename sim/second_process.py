"""The cold compile on two cores: a second process fills the cache from the other end. Run as a module, this is it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .jit import cache_dir

_ROOT = Path(__file__).resolve().parent.parent
_COMPLETE = "complete"
"""File in the cache directory of a core that has been compiled."""


@contextmanager
def second_process() -> Iterator[None]:
    """While the core is linked: if it is not in the cache and there is another core to run on, a process that helps."""
    complete = Path(cache_dir()) / _COMPLETE
    if not cache_dir() or complete.exists():
        yield
        return
    helper = _start() if (os.cpu_count() or 1) > 1 else None
    try:
        yield
    finally:
        if helper:
            helper.terminate()
            helper.wait()
    complete.touch()


def _start() -> subprocess.Popen[bytes] | None:
    """The process, or None where that is not possible: then this one does everything."""
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    quiet = subprocess.DEVNULL
    try:
        return subprocess.Popen(
            [sys.executable, "-m", __name__],
            env={**os.environ, "PYTHONPATH": path},
            stdin=quiet,
            stdout=quiet,
            stderr=quiet,
        )
    except OSError:
        return None


if __name__ == "__main__":
    from . import core, functional
    from .far import fill_cache_backwards

    fill_cache_backwards((core.run, functional.run))
