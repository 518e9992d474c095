"""How far a run is: a bar on a terminal, a plain line every few seconds elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Any, Protocol, TextIO

PLAIN_SECONDS = 5.0
"""Between two lines where there is no terminal."""
SILENT_SECONDS = 3.0
"""Before a word about what takes so long, if the machine has not begun to run."""
FIRST_SECONDS = 1.0
"""Runs shorter than this show nothing."""
STEADY = 0.2
"""Thread blocks say how much is left only while they end one after the other: if the latest ended within this part of the
time so far. Those of a persistent kernel all end at its end."""


class State(Protocol):
    """What the machine tells about itself: cycles, warp instructions, thread blocks finished and launched so far."""

    cycles: int
    instructions: int
    done: int
    total: int


class Progress:
    """Shows what `update` is told. A context manager: leaving it removes the bar."""

    def __init__(self, file: TextIO | None = None, quiet: bool = False) -> None:
        self.file = file or sys.stderr
        self.quiet = quiet
        self._start = self._last = time.perf_counter()
        self._shown = -PLAIN_SECONDS
        self._instructions = 0
        self._rate = 0.0
        self._done, self._ended = 0, self._start
        self._bar: Any = None
        self._task: Any = None
        self._begun = threading.Event()

    def __enter__(self) -> Progress:
        if not self.quiet:
            threading.Thread(target=self._watch_start, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._begun.set()
        if self._bar is not None:
            self._bar.stop()

    def _watch_start(self) -> None:
        """Until the machine runs: say what takes so long. Lines only; the bar comes with the first update."""
        wait = SILENT_SECONDS
        while not self._begun.wait(wait):
            elapsed = time.perf_counter() - self._start
            self.file.write(f"simasm: {elapsed:.0f} s: preparing; the first run compiles the core, 10 to 20 s\n")
            self.file.flush()
            wait = PLAIN_SECONDS * 2

    def update(self, state: State) -> None:
        """Tell where the machine is."""
        if not self._begun.is_set():
            self._begun.set()
            self._start = self._last = time.perf_counter()  # what came before is not the machine's speed
            self._instructions = state.instructions
        instructions = state.instructions
        now = time.perf_counter()
        elapsed = now - self._start
        done = self._part_done(state, now)
        if now > self._last and instructions > self._instructions:
            rate = (instructions - self._instructions) / (now - self._last)
            self._rate = rate if not self._rate else 0.7 * self._rate + 0.3 * rate
            self._last, self._instructions = now, instructions
        if self.quiet or elapsed < FIRST_SECONDS or done == 1:
            return
        text = f"{state.cycles:,} cycles, {instructions / 1e6:.1f} M instr. ({self._rate / 1e6:.2f} M/s)"
        if self.file.isatty():
            self._draw(text, done)
        elif elapsed - self._shown >= PLAIN_SECONDS:
            self._shown = elapsed
            self.file.write(f"simasm: {elapsed:.0f} s: {text}{_left(elapsed, done)}\n")
            self.file.flush()

    def _part_done(self, state: State, now: float) -> float | None:
        """Part of the work that is done, None where nothing tells."""
        if state.done != self._done:
            self._done, self._ended = state.done, now
        if not state.total or (state.done < state.total and now - self._ended > STEADY * (now - self._start)):
            return None
        return state.done / state.total

    def print(self, line: str, file: TextIO) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
        print(line, file=file, flush=True)

    def _draw(self, text: str, done: float | None) -> None:
        if self._bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            from rich.progress import Progress as Bar

            columns = (SpinnerColumn(), BarColumn(24), TextColumn("{task.description}"), TimeElapsedColumn())
            console = Console(file=self.file)
            self._bar = Bar(*columns, TextColumn("left"), TimeRemainingColumn(), console=console, transient=True)
            self._bar.start()
            self._task = self._bar.add_task(text, total=None)
        self._bar.update(self._task, description=text, total=None if done is None else 1.0, completed=done or 0.0)


def _left(elapsed: float, done: float | None) -> str:
    """The time the rest will take, if the work was even."""
    if not done:
        return ""
    return f", {100 * done:.0f}%, {elapsed * (1 - done) / done:.0f} s left"
