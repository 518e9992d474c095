"""Files the command line names: sources to read, texts to write."""

import sys
from pathlib import Path

from .command_line import UsageError, did_you_mean


def existing(path: str | Path) -> Path:
    """The path, if there is such a file; else an error that names a similar one."""
    found = Path(path)
    if found.is_file():
        return found
    if found.is_dir():
        raise UsageError(f"{found}: is a directory, not a program")
    folder = found.parent if found.parent.is_dir() else None
    names = [other.name for other in folder.iterdir()] if folder else []
    raise UsageError(f"{found}: no such file{did_you_mean(found.name, names)}")


def write(output: str, text: str) -> None:
    """Write a text to a file, whose folder is made, or to standard output if that is ``-``."""
    if output == "-":
        sys.stdout.write(text)
    else:
        Path(output).parent.mkdir(parents=True, exist_ok=True)
        Path(output).write_text(text, encoding="utf-8")
