"""What can go wrong while a program runs, with what the user needs to see."""

from dataclasses import dataclass, field


@dataclass
class MachineError(Exception):
    """The run ended early. ``exit_code`` as the command line documents; ``where`` is (file, line, column) or None."""

    message: str
    exit_code: int = 5
    where: tuple[str, int, int] | None = None
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return self.message


class MachineFault(MachineError):
    """A simulated program did something that stops the machine: bad address, trap, misused barrier."""


class Deadlock(MachineError):
    """No warp can ever run again. ``notes`` has a line for every waiting warp (at most a few dozen)."""


class LimitReached(MachineError):
    """``--max-cycles`` was reached."""


class UnmodelledError(Exception):
    """The program uses something that the machine does not model; the message names it."""
