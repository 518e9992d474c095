"""Options of the commands that compare with recordings (conform), measured times (validate) or published figures."""

import argparse
from collections.abc import Callable
from pathlib import Path

PRESET = "h200"
ROOT = Path(__file__).resolve().parents[1]


def number(low: int, high: int | None = None) -> Callable[[str], int]:
    """A reader of whole numbers for argparse."""

    def read(text: str) -> int:
        limits = f"from {low} to {high}" if high is not None else f"of at least {low}"
        try:
            value = int(text, 0)
        except ValueError:
            value = low - 1
        if value < low or (high is not None and value > high):
            raise argparse.ArgumentTypeError(f"`{text}` is not a whole number {limits}")
        return value

    return read


def config_options(parser: argparse.ArgumentParser) -> None:
    """Preset and single numbers of the machine."""
    parser.add_argument("--preset", default=PRESET, help=f"machine, default {PRESET}; see simasm config presets")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a number; see simasm config show"
    )


def conform_options(parser: argparse.ArgumentParser) -> None:
    """Of ``simasm conform``."""
    parser.add_argument("directory", metavar="DIR", help="specs: NAME.json, NAME.npz and the PTX they name")
    parser.add_argument("--only", metavar="NAME,...", help="these specs; default: all of DIR")
    parser.add_argument("--functional", action="store_true", help="results only, no timing")
    config_options(parser)
    parser.add_argument("--jobs", type=number(1), default=2, metavar="N", help="worker processes, default 2")
    parser.add_argument("--timeout", type=number(1), default=300, metavar="S", help="seconds per spec, default 300")
    parser.add_argument("--json", action="store_true", help="print outcomes as JSON")


def validate_options(parser: argparse.ArgumentParser) -> None:
    """Of ``simasm validate``."""
    default = ROOT / "tests" / "validation"
    parser.add_argument("directory", metavar="DIR", nargs="?", default=default, help="default: tests/validation")
    parser.add_argument("--only", metavar="NAME,...", help="cases KERNEL/CASE that begin so; default: all of DIR")
    parser.add_argument("--plot", metavar="FILE", default="out/validation.svg", help="default out/validation.svg")
    config_options(parser)
    parser.add_argument("--jobs", type=number(1), default=2, metavar="N", help="worker processes, default 2")
    parser.add_argument("--timeout", type=number(1), default=1200, metavar="S", help="seconds per case, default 1200")
    parser.add_argument("--json", action="store_true", help="print results as JSON")


def figure_options(parser: argparse.ArgumentParser) -> None:
    """Of ``simasm figure``."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="a figure; see --list")
    parser.add_argument("--list", action="store_true", help="names and titles of all figures")
    parser.add_argument("--quick", action="store_true", help="smaller shapes and fewer runs, about two minutes")
    parser.add_argument("--jobs", type=int, default=0, metavar="N", help="worker processes, default all cores")
    parser.add_argument("--json", action="store_true", help="print the points as JSON")


def calibrate_options(parser: argparse.ArgumentParser) -> None:
    """Of ``simasm calibrate``."""
    parser.add_argument("file", metavar="FILE", help="measurements, JSON as h200_microbench.json")
    parser.add_argument("--table", action="store_true", help="simulate the instructions of programs/calibrate")
    parser.add_argument(
        "--points", action="store_true", help="simulate memory and links: every figure that has a kernel"
    )
    parser.add_argument(
        "--only",
        metavar="NAME",
        default="",
        help="with --table: operations whose names have this in them; with --points: a list of what points begin with",
    )
    parser.add_argument("--jobs", type=number(1), default=2, metavar="N", help="worker processes, default 2")
    parser.add_argument("--timeout", type=number(1), default=300, metavar="S", help="seconds per point, default 300")
    config_options(parser)
    parser.add_argument("--json", action="store_true", help="print results as JSON")
