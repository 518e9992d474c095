"""What the command line understands: commands, options, their help, and the mistakes one can make there.

Only words are looked at here; `simasm.py` does what they ask for.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

from .recorded_options import (
    calibrate_options,
    config_options,
    conform_options,
    figure_options,
    number,
    validate_options,
)

OK, SOURCE, USAGE, CHECK, TRAP, LIMIT, BUG, INTERRUPTED = 0, 1, 2, 3, 5, 6, 70, 130
EXIT_CODES = """exit codes: 0 fine, 1 errors in the source, 2 wrong usage, 3 a check of the program failed, 4 deadlock,
5 trap (bad address, illegal instruction), 6 limit reached, 70 a bug of simasm, 130 interrupted"""
COMMANDS = (
    *("run", "asm", "dis", "check", "trace", "conform", "validate", "calibrate", "figure"),
    *("isa", "config", "doctor", "test"),
)

ERRORS = {"AssemblyError": SOURCE, "UsageError": USAGE, "ConfigError": USAGE, "TraceError": USAGE, "HostError": USAGE}
"""Exceptions that are not our bugs, by name (their modules may not be loaded), and their exit codes.

A ``MachineError`` brings its own.
"""


class UsageError(Exception):
    """The command line or a call of the API asks for something that makes no sense. The message is for the user."""


def did_you_mean(word: str, words: Iterable[str]) -> str:
    """``; did you mean `x`?`` or nothing."""
    close = difflib.get_close_matches(word, list(words), n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


class _Parser(argparse.ArgumentParser):
    """argparse that suggests the option that was perhaps meant."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **options)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse, but unknown options are errors here, where those of the command are known; files may follow options."""
        found, unknown = super().parse_known_args(args, namespace)
        if isinstance(getattr(found, "files", None), list) and not any(word.startswith("-") for word in unknown):
            found.files += unknown
            unknown = []
        if unknown:
            word = unknown[0].partition("=")[0]
            what = "unknown option" if word.startswith("-") else "unexpected argument"
            self.error(f"{what} `{word}`{did_you_mean(word, self._option_string_actions)}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """End with the message and the way to the help."""
        self.exit(USAGE, f"simasm: error: {message}\n  see `{self.prog} --help`\n")


def pairs(words: list[str], option: str) -> dict[str, Any]:
    """``name=value`` words as a dict; values are numbers or booleans where they read as such."""
    found: dict[str, Any] = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not name or not equals:
            raise UsageError(f"{option} {word}: write it as {option} name=value")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for read in (lambda t: int(t, 0), float):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def parse(words: list[str]) -> Any:
    """The options as attributes, ``command`` among them. Leaves with `SystemExit` for --help and wrong options."""
    if words[:1] == ["test"]:
        return argparse.Namespace(command="test", pytest=words[1:])  # argparse would read pytest's options as ours
    return _parser().parse_args(_arguments(words))


def _parser() -> _Parser:
    """The whole command line."""
    top = _Parser(
        prog="simasm",
        description="Assemble programs in a superset of PTX and simulate them on 1 to 64 GPUs.",
        usage="simasm FILE... [options]\n       simasm COMMAND [options]",
        epilog=EXIT_CODES,
    )
    top.add_argument("--version", action="version", version="simasm 0.1.0")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, prog="simasm")

    def command(name: str, help: str) -> argparse.ArgumentParser:
        parser = commands.add_parser(name, help=help, description=help, epilog=EXIT_CODES)
        parser.set_defaults(command=name)
        return parser

    _run_options(command("run", "run a program; `simasm FILE` is the same"))
    asm = command("asm", "assemble, print what each kernel uses, write the image")
    asm.add_argument("-o", "--output", metavar="FILE", help="default out/NAME.npz; - is standard output for --emit-ptx")
    asm.add_argument("--emit-ptx", action="store_true", help="write plain PTX: macros expanded, no host program")
    dis = command("dis", "disassemble an image, or a source after assembling it")
    dis.add_argument("-o", "--output", metavar="FILE", default="-", help="default: standard output")
    for parser in (asm, dis):
        parser.add_argument("files", metavar="FILE", nargs="+", help="several sources are linked to one program")
        _define_option(parser)
    check = command("check", "look for errors in sources, run nothing")
    check.add_argument("files", metavar="FILE", nargs="+", help="each is looked at by itself")
    check.add_argument("--link", action="store_true", help="the files are modules of one program")
    _define_option(check)
    _trace_options(command("trace", "list, query or compare recorded traces"))
    conform_options(command("conform", "run recorded specs and compare with what a GPU gave"))
    validate_options(command("validate", "run kernels with measured times; show simulated beside measured"))
    calibrate_options(
        command("calibrate", "recompute preset values from measurements; instructions beside measured ones")
    )
    figure_options(command("figure", "figures of papers from executed programs, ours beside published"))
    isa = command("isa", "the instruction table")
    isa.add_argument("action", choices=("list", "show"))
    isa.add_argument("name", nargs="?", default="", help="an instruction to show, or a chapter to list")
    config = command("config", "the numbers of the machine, their units, and where each is from")
    config.add_argument("action", choices=("show", "presets"))
    config_options(config)
    command("doctor", "check this installation")
    command("test", "run the tests of simasm; arguments are those of pytest")
    return top


def _define_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "-D", dest="define", action="append", default=[], metavar="NAME=VALUE", help="set a parameter of the program"
    )
    parser.add_argument(
        "--no-opt", dest="optimised", action="store_false", help="keep every instruction as it is written, in its order"
    )


def _run_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", metavar="FILE", nargs="*", help="sources of one program, or an image written by simasm asm"
    )
    parser.add_argument("--gpus", type=number(1, 64), default=1, metavar="N", help="GPUs of the machine, default 1")
    config_options(parser)
    _define_option(parser)
    parser.add_argument("--seed", type=number(0), default=0, help="of everything random, default 0")
    parser.add_argument("--threads", type=number(1), help="default: all cores; results do not depend on it")
    parser.add_argument(
        "--trace",
        nargs="?",
        const="",
        metavar="DIR,FILTERS",
        help="record every instruction, in out/NAME.trace or DIR; filters: gpu=0,sm=0-3,cycles=1000:5000,op=ld.*",
    )
    parser.add_argument("--functional", action="store_true", help="results only, no timing")
    parser.add_argument("--host", metavar="NAME", help="which .host block, if there are several")
    parser.add_argument("--max-cycles", type=number(1), metavar="N", help="stop there, exit code 6")
    parser.add_argument("--checkpoint", metavar="FILE", help="gets the state if the run stops early (limit, Ctrl-C)")
    parser.add_argument(
        "--resume", metavar="FILE", help="go on from a checkpoint; program and machine are as they were"
    )
    parser.add_argument("--json", action="store_true", help="print results as JSON")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, no summary")


def _trace_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("directory", metavar="DIR")
    parser.add_argument("filters", nargs="*", metavar="FILTER", help="gpu=0 sm=0-3 cycles=1000:5000 op=ld.* ...")
    parser.add_argument("--sql", metavar="QUERY", help='for example "SELECT op, count(*) FROM instructions GROUP BY 1"')
    parser.add_argument("--stalls", action="store_true", help="where the cycles of warps went")
    parser.add_argument(
        "--diff", metavar="DIR", help="the first difference from another trace; exit code 3 if there is one"
    )
    parser.add_argument("--perfetto", metavar="FILE", help="write a timeline for ui.perfetto.dev")
    parser.add_argument("--kanata", metavar="FILE", help="write a pipeline view for Konata")
    parser.add_argument("--form", default="auto", choices=("auto", "table", "plain", "csv", "json"))
    parser.add_argument("--limit", type=number(0), default=10_000, help="lines of a listing, 0 for all")


def _arguments(words: list[str]) -> list[str]:
    """The words with ``run`` in front if they do not begin with a command."""
    if not words or words[0] in (*COMMANDS, "-h", "--help", "--version"):
        return words or ["--help"]
    first = words[0]
    if not first.startswith("-") and not Path(first).exists() and not Path(first).suffix and os.sep not in first:
        raise UsageError(f"no command and no file `{first}`{did_you_mean(first, COMMANDS)}\n  see `simasm --help`")
    return ["run", *words]


def say(message: str) -> None:
    """A line on standard error."""
    print(f"simasm: {message}", file=sys.stderr)


def report(error: BaseException, colored: Callable[[Any], str]) -> int:
    """Tell the user about an error; returns the exit code. ``colored`` gives the messages of an AssemblyError."""
    names = [kind.__name__ for kind in type(error).__mro__]
    if isinstance(error, MemoryError):
        say(f"error: not enough memory: {error}" if str(error) else "error: not enough memory on this host")
        return LIMIT
    if "MachineError" in names:
        print(_machine_error(error), file=sys.stderr)
        return int(getattr(error, "exit_code", TRAP))
    code = next((ERRORS[name] for name in names if name in ERRORS), BUG)
    if code == SOURCE:
        color = sys.stderr.isatty() and "NO_COLOR" not in os.environ
        print(str(colored(error) if color else error).rstrip("\n"), file=sys.stderr)
    elif code == BUG:
        _report_bug(error)
    elif getattr(error, "at", None):
        print(error, file=sys.stderr)  # begins with its place, so that editors find it
    else:
        say(f"error: {error}")
    return code


def _machine_error(error: Any) -> str:
    """The message of a run that ended early: the place in the source first, so that editors find it."""
    if error.where is None:
        return "\n".join([f"simasm: error: {error.message}", *(f"  {note}" for note in error.notes)])
    file, line, column = error.where
    margin = " " * len(str(line))
    notes = [f"{margin} = note: {note}" for note in error.notes]
    return "\n".join([f"{file}:{line}:{column}: error: {error.message}", *_excerpt(file, line, column, margin), *notes])


def _excerpt(file: str, line: int, column: int, margin: str) -> list[str]:
    """The source line with a caret; nothing where the source of an image is no longer there."""
    try:
        text = Path(file).read_text(encoding="utf-8", errors="replace").splitlines()[line - 1]
    except (OSError, IndexError):
        return []
    pad = "".join("\t" if c == "\t" else " " for c in text[: column - 1].ljust(column - 1))
    return [f"{margin} |", f"{line} | {text}".rstrip(), f"{margin} | {pad}^"]


def _report_bug(error: BaseException) -> None:
    import tempfile
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="simasm-", suffix=".log", delete=False, encoding="utf-8") as log:
        log.write(f"python {sys.version}\narguments {sys.argv[1:]}\n")
        traceback.print_exception(error, file=log)
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    say(f"internal error: {type(error).__name__}: {error}{place}")
    say(f"this is a bug of simasm, not of your program; the details are in {log.name}")
