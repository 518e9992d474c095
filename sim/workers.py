"""Worker processes that do one named task after the other, so that one that brings its process down costs only itself."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

Task = Callable[..., Any]
"""Called in a worker as ``task(name, *arguments)``; its result must be picklable."""


def run_tasks(
    names: list[str], task: Task, arguments: tuple[Any, ...], jobs: int, patience_s: float
) -> Iterator[tuple[str, Any, str, float]]:
    """Run ``task`` for each name in ``jobs`` processes: (name, result, "", seconds) in the order of ``names``.

    A worker that dies, or takes more than ``patience_s``, gives (name, None, reason, seconds).
    """
    left, done, running = list(names), {}, [_Worker(task, arguments)]
    try:
        for name in names:
            while name not in done:
                for worker in running:
                    if worker.name == "" and left:
                        worker.start(left.pop(0), patience_s)
                for outcome in _outcomes(running):
                    done[outcome[0]] = outcome
                running = [worker if worker.alive else _Worker(task, arguments) for worker in running]
                # the first task may compile the core, which the other workers then find in the cache
                more = min(jobs, len(names)) - len(running) if done else 0
                running += [_Worker(task, arguments) for _ in range(more)]
            yield done[name]
    finally:
        for worker in running:
            worker.stop()


class _Worker:
    """A process that does one task after the other."""

    def __init__(self, task: Task, arguments: tuple[Any, ...]) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, other = context.Pipe()
        self.process = context.Process(target=_work, args=(other, task, arguments), daemon=True)
        self.process.start()
        other.close()
        self.name, self.deadline, self.begin, self.alive = "", 0.0, 0.0, True

    def start(self, name: str, patience_s: float) -> None:
        """Give it a task."""
        self.name, self.begin = name, time.monotonic()
        self.deadline = self.begin + patience_s
        self.pipe.send(name)

    def outcome(self) -> tuple[str, Any, str, float] | None:
        """What became of its task, if that is known."""
        name, seconds = self.name, round(time.monotonic() - self.begin, 3)
        try:
            if self.pipe.poll():
                found = self.pipe.recv()
                self.name = ""
                return name, found, "", seconds
            if time.monotonic() < self.deadline:
                return None
            reason = f"no result after {self.deadline - self.begin:.0f} s"
        except (EOFError, ConnectionError):
            self.process.join()
            code = self.process.exitcode or 0
            reason = f"the simulator ended with signal {-code}" if code < 0 else f"the simulator ended with code {code}"
        self.stop()
        return name, None, reason, seconds

    def stop(self) -> None:
        """End the process."""
        self.alive = False
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _outcomes(workers: list[_Worker]) -> Iterator[tuple[str, Any, str, float]]:
    """Wait until a worker has a result, ended, or took too long."""
    busy = [worker for worker in workers if worker.name]
    wait([worker.pipe for worker in busy], max(0.0, min(w.deadline for w in busy) - time.monotonic()))
    for worker in busy:
        if outcome := worker.outcome():
            yield outcome


def _work(pipe: Connection, task: Task, arguments: tuple[Any, ...]) -> None:
    """A worker process: takes names, gives results, until the other end is closed."""
    while True:
        try:
            name = pipe.recv()
        except EOFError:
            return
        pipe.send(task(name, *arguments))
