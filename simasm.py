"""simasm: assemble programs in a superset of PTX and simulate them on 1 to 64 GPUs. Python API and command line.

    import simasm

    result = simasm.run("programs/vecadd.s", gpus=2, defines={"n": 4096})
    result.ok, result.stats["cycles"], result.machine

`run` does what ``simasm run`` does; `assemble`, `Machine` and the machine's methods are the pieces it is made of. This
is the only module that imports everything; slow imports are inside functions, so that help and messages come at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sim.command_line import CHECK, INTERRUPTED, OK, USAGE, UsageError, did_you_mean, pairs, parse, report, say
from sim.host_block import host_block
from sim.named_files import existing, write
from sim.recorded_options import PRESET

if TYPE_CHECKING:
    from isa.image import Image

__all__ = ["Machine", "Result", "assemble", "disassemble", "main", "resume", "run"]

ROOT = Path(__file__).resolve().parent
SCHEMA = 1
"""Version of the JSON that ``run --json`` prints."""

# --- Python API


def assemble(
    source: str | Path | Sequence[str | Path], defines: Mapping[str, Any] | None = None, optimised: bool = True
) -> Image:
    """Assemble a file, or the text of a module if ``source`` has more than one line; or load an assembled Image.

    Several sources are modules of one program. ``defines`` override ``.set`` names of the program; ``optimised`` false
    keeps all instructions as written. Raises ``assembler.AssemblyError`` with all errors, `UsageError` for no such file.
    """
    sources = [source] if isinstance(source, str | Path) else source
    texts = [one if isinstance(one, str) and "\n" in one else existing(one) for one in sources]
    images = [path for path in texts if isinstance(path, Path) and path.read_bytes()[:2] == b"PK"]
    if images and len(texts) > 1:
        raise UsageError(f"{images[0]}: is an assembled program; only sources can be linked")
    if images:
        from isa.image import load

        return load(images[0])
    from assembler import assemble as assemble_source

    return assemble_source(texts, defines=dict(defines or {}), optimised=optimised)


def disassemble(image: Image) -> str:
    """Text of an Image with physical registers; assembling it gives the same Image."""
    from assembler import disassemble as to_text

    return to_text(image)


def Machine(
    image: Image,
    preset: str = PRESET,
    settings: Mapping[str, Any] | None = None,
    gpus: int = 1,
    seed: int = 0,
    threads: int | None = None,
    trace: str | Path | None = None,
    functional: bool = False,
    **options: Any,
) -> Any:
    """A machine of ``gpus`` GPUs with the program loaded: a ``sim.machine.Machine``.

    ``settings`` override keys of the preset (``{"nvlink.link_gbps": 25}``). ``threads``: default all cores; results do
    not depend on it. ``trace``: a directory to record into. ``functional``: no timing. Other options are those of
    ``sim.machine.Machine``. Raises ``sim.config.ConfigError`` for unknown presets and keys.
    """
    from sim.config import Config
    from sim.machine import Machine as Simulated

    config = Config.load(preset, [f"{key}={value}" for key, value in (settings or {}).items()])
    workers = min(threads or len(os.sched_getaffinity(0)), gpus)
    return Simulated(
        image,
        config,
        gpus=gpus,
        seed=seed,
        trace=trace,
        program=image.files[0] if image.files else "",
        threads=workers,
        functional=functional,
        **options,
    )


@dataclass
class Result:
    """What a run gave: ``stats`` (the keys of traces/README.md), ``checks`` (name, ok, max_error), and the machine.

    ``stats["wall_s"]`` is the time the machine ran, in seconds; assembling and filling buffers come on top of it.
    """

    machine: Any
    stats: dict[str, Any]
    checks: list[dict[str, Any]]

    @property
    def ok(self) -> bool:
        """True if every check of the program passed."""
        return all(check["ok"] for check in self.checks)

    def json(self) -> dict[str, Any]:
        """What ``simasm run --json`` prints; ``schema`` changes when a name does."""
        keys = ("cycles", "instructions", "wall_s", "memory_hash", "stats_hash", "trace")
        checks = [{k: check[k] for k in ("name", "ok", "max_error", "skipped") if k in check} for check in self.checks]
        return {"schema": SCHEMA, "checks": checks, **{key: self.stats.get(key) for key in keys}}


def run(
    source: str | Path | Sequence[str | Path] | Image,
    gpus: int = 1,
    preset: str = PRESET,
    settings: Mapping[str, Any] | None = None,
    defines: Mapping[str, Any] | None = None,
    seed: int = 0,
    threads: int | None = None,
    trace: str | Path | None = None,
    functional: bool = False,
    host: str | None = None,
    max_cycles: int | None = None,
    optimised: bool = True,
    checkpoint: str | Path | None = None,
    progress: Callable[..., None] | None = None,
    output: Callable[[str], None] = print,
    _resumed: Any = None,
) -> Result:
    """Assemble a program and do what its ``.host`` block (the one called ``host``) says.

    ``trace``: a directory, or filters (``"gpu=0,cycles=1000:5000"``), or both with a comma; None records nothing.
    ``checkpoint``: a file that gets the state if the run stops early (at ``max_cycles``, or by Ctrl-C), for `resume`.
    ``output`` gets the lines the program and its kernels print. Raises what `assemble` and `Machine` do, ``HostError``,
    ``MachineFault``, ``Deadlock`` and ``LimitReached``; a trace is kept in every case.
    """
    image = assemble(source, defines, optimised) if isinstance(source, str | Path | Sequence) else source
    program = host_block(image, host)
    from sim.checkpoint import Journal
    from sim.host import host_rows, run_host
    from sim.runtime import Lines

    (directory, capture), lines = _trace_target(trace, image), Lines(output)
    machine = Machine(
        image, preset, settings, gpus, seed, threads, directory, functional, capture=capture, output=lines.write
    )
    options = {"gpus": gpus, "preset": preset, "settings": dict(settings or {}), "defines": dict(defines or {})}
    machine.journal = Journal(checkpoint, _resumed, {**options, "seed": seed, "host": host, "trace": trace})
    try:
        done = run_host(machine, program, defines, progress=progress, output=output, max_cycles=max_cycles)
        if machine.tracer:
            machine.tracer.writer.table("host", host_rows(done.log))
    finally:
        lines.end()
        recorded = machine.close_trace()
    stats = {**machine.stats(), "checks": done.checks, "host": host_rows(done.log), "trace": recorded}
    stats |= {"wall_s": machine.wall_s, "memory_hash": machine.memory_hash(), "stats_hash": machine.stats_hash()}
    return Result(machine, stats, done.checks)


def resume(
    checkpoint: str | Path,
    threads: int | None = None,
    max_cycles: int | None = None,
    next_checkpoint: str | Path | None = None,
    progress: Callable[..., None] | None = None,
    output: Callable[[str], None] = print,
) -> Result:
    """Go on with a run that stopped early; result and trace are those of an unbroken run. Arguments and errors as of `run`,
    and ``MachineError`` in a process in which another machine has taken the addresses."""
    from sim.checkpoint import read

    saved = read(existing(checkpoint))
    options: dict[str, Any] = {"progress": progress, "output": output, "threads": threads, "max_cycles": max_cycles}
    with saved.trace_aside():
        return run(saved.image(), checkpoint=next_checkpoint, _resumed=saved, **options, **saved.options)


def _trace_target(trace: str | Path | None, image: Image) -> tuple[Path | None, Any]:
    """Directory and filter of ``DIR,key=value,...``, where each part may be missing; (None, None) for no trace."""
    if trace is None:
        return None, None
    from traces.capture import parse_capture

    pieces = str(trace).split(",")
    default = Path("out") / f"{Path(image.files[0]).stem if image.files else 'program'}.trace"
    directory = Path(pieces.pop(0)) if pieces[0] and "=" not in pieces[0] else default
    return directory, parse_capture(",".join(pieces))


# --- command line


def _run(options: Any) -> int:
    from sim.progress import Progress
    from traces.summary import print_summary

    text = sys.stderr if options.json else sys.stdout
    trace = _trace_option(options)
    with Progress(sys.stderr, quiet=options.quiet) as progress:
        both = {"threads": options.threads, "max_cycles": options.max_cycles, "progress": progress.update}
        both["output"] = lambda line: progress.print(line, text)
        if options.resume:
            result = resume(options.resume, next_checkpoint=options.checkpoint, **both)
        else:
            image = _assembled(options.files, options, options.optimised)
            names = ("gpus", "preset", "seed", "functional", "host", "checkpoint")
            both |= {"settings": pairs(options.set, "--set"), "defines": pairs(options.define, "-D")}
            result = run(image, trace=trace, **both, **{name: getattr(options, name) for name in names})
    if options.json:
        print(json.dumps(result.json()))
    elif not options.quiet:
        print_summary(result.stats, sys.stdout)
    for line in sorted(result.machine.program.approximations):
        say(f"approximate: {line}")
    for check in result.checks:
        if not check["ok"]:
            say(f"check failed: {check['name']}" + (f": {check['detail']}" if check.get("detail") else ""))
    return OK if result.ok else CHECK


def _trace_option(options: Any) -> str | None:
    """The value of --trace; ``--trace FILE`` with nothing after it means the program, not a directory."""
    if not options.files and options.trace and Path(options.trace).is_file():
        options.files, options.trace = [options.trace], ""
    if not options.files and not options.resume:
        raise UsageError("run: which program? simasm FILE [options]")
    return options.trace  # type: ignore[no-any-return]


def _assembled(files: list[str], options: Any, optimised: bool = False) -> Image:
    """The program of a command. What it is warned of goes to standard error."""
    image = assemble(files, pairs(options.define, "-D"), optimised)
    print(*image.warnings, sep="", end="", file=sys.stderr)
    return image


def _asm(options: Any) -> int:
    if options.emit_ptx:
        from assembler import emit_ptx

        if len(options.files) > 1:
            raise UsageError("asm: --emit-ptx writes one module: name one file")
        write(options.output or "-", emit_ptx(existing(options.files[0]), defines=pairs(options.define, "-D")))
        return OK
    from assembler import resource_lines
    from isa.image import save

    image = _assembled(options.files, options, options.optimised)
    output = Path(options.output or Path("out") / f"{Path(options.files[0]).stem}.npz")
    output.parent.mkdir(parents=True, exist_ok=True)
    save(image, output)
    print(*resource_lines(image), f"{' '.join(options.files)}: {len(image)} instructions -> {output}", sep="\n")
    return OK


def _dis(options: Any) -> int:
    write(options.output, disassemble(_assembled(options.files, options, options.optimised)))
    return OK


def _check(options: Any) -> int:
    code = OK
    for files in [options.files] if options.link else [[file] for file in options.files]:
        try:
            image = _assembled(files, options)
        except Exception as error:  # every file is looked at; what is not the user's is raised again
            code = max(code, report(error, _colored))
        else:
            print(f"{' '.join(files)}: ok, {len(image.kernels)} kernels, {len(image)} instructions")
    return code


def _trace(options: Any) -> int:
    from traces.command import run_command

    return CHECK if run_command(options, sys.stdout) else OK


def _recorded(options: Any) -> int:
    from functools import partial
    from importlib import import_module

    from assembler import assemble as assemble_source

    command = import_module(f"sim.{options.command}").run_command
    return OK if command(options, partial(assemble_source, optimised=True)) else CHECK


def _figure(options: Any) -> int:
    from sim.figure import run_command

    return OK if run_command(options, run) else CHECK


def _isa(options: Any) -> int:
    from isa.generate import describe
    from isa.instr import IsaError
    from isa.table import CHAPTERS, ROWS

    if options.action == "show":
        try:
            print(describe(options.name))
        except IsaError as error:
            hint = f"; did you mean `{error.suggestion}`?" if error.suggestion else ""
            raise UsageError(f"isa show: {error}{hint}") from None
        return OK
    chapters = {chapter.__name__.rpartition(".")[2]: chapter for chapter in CHAPTERS}
    if options.name and options.name not in chapters:
        hint = did_you_mean(options.name, chapters)
        raise UsageError(f"isa list: no chapter `{options.name}`{hint}; there are {', '.join(chapters)}")
    for row in chapters[options.name].ROWS if options.name else ROWS:
        print(f"{row.syntax:64}  {row.meaning.partition('. ')[0]}")
    return OK


def _config(options: Any) -> int:
    from sim.config import Config, preset_names

    if options.action == "presets":
        print("\n".join(preset_names()))
        return OK
    for key, value, unit, source in Config.load(options.preset, options.set).show():
        print(f"{key:36} {value!s:>14} {unit:12} {source}".rstrip())
    return OK


def _doctor(options: Any) -> int:
    from sim.doctor import findings

    found = list(findings(ROOT))
    for ok, what in found:
        print(f"{'ok ' if ok else 'BAD'} {what}")
    return OK if all(ok for ok, _ in found) else USAGE


def _test(options: Any) -> int:
    try:
        import pytest
    except ImportError:
        raise UsageError(
            "test: pytest is not installed here; use `./simasm test`, or pip install -e '.[test]'"
        ) from None
    os.chdir(ROOT)
    return int(pytest.main(options.pytest))


def _colored(error: Any) -> str:
    """The messages of an AssemblyError for a terminal."""
    from assembler.diagnostics import render

    return render(error.diagnostics, color=True)


COMMANDS: dict[str, Callable[[Any], int]] = {
    "run": _run,
    "asm": _asm,
    "dis": _dis,
    "check": _check,
    "trace": _trace,
    **dict.fromkeys(("conform", "validate", "calibrate"), _recorded),
    "figure": _figure,
    **{"isa": _isa, "config": _config, "doctor": _doctor, "test": _test},
}


def main(words: list[str] | None = None) -> int:
    """Run the command line; returns the exit code. Users never see a traceback."""
    try:
        options = parse(sys.argv[1:] if words is None else words)
        code = COMMANDS[options.command](options)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except Exception as error:
        return report(error, _colored)


if __name__ == "__main__":
    sys.exit(main())
