"""Writes random programs, deterministic from a seed, as one bundle for record.py and check.py.

PYTHONPATH=. python tests/differential/generate.py --programs 3000 --out out/programs.zip
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

import memory_statements
import statements
import values
from program import Program

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n\n"
PER_MODULE = 20
KINDS = (*statements.TOP, *memory_statements.TOP)


def generate(seed: str, name: str, length: int) -> Program:
    """A program of `length` statements (a branch or loop counts as one)."""
    p = Program(name, seed)
    p.threads = p.rng.choice((32, 32, 32, 64))
    for _ in range(length):
        p.rng.choices([f for f, _ in KINDS], [w for _, w in KINDS])[0](p)
    return p


def refused(text: str) -> list[tuple[int, str]]:
    """(line, message) of what ptxas says about a module; empty when it accepts it."""
    command = [shutil.which("ptxas") or "ptxas", "-arch=sm_90a", "-O0", "-o", "/dev/null", "-"]
    done = subprocess.run([*command[:-1], "/dev/stdin"], input=text, capture_output=True, text=True)
    if done.returncode == 0:
        return []
    said = re.findall(r"line (\d+); (?:error|fatal)\s*: (.*)", done.stderr)
    return [(int(n), message) for n, message in said] or [(0, done.stderr)]


def module(seed: int, number: int, length: int, check: bool) -> tuple[str, list[Program]]:
    """PER_MODULE programs as one module; with `check`, programs that ptxas refuses are drawn again."""
    out = []
    for i in range(PER_MODULE):
        index = number * PER_MODULE + i
        for attempt in range(8):
            p = generate(f"{seed} {index} {attempt}", f"p{index}", length)
            bad = refused(HEAD + p.text()) if check else []
            if not bad:
                out.append(p)
                break
            lines = (HEAD + p.text()).splitlines()
            print(f"ptxas: p{index}: {bad[0][1]}: {lines[bad[0][0] - 1].strip()}", file=sys.stderr)
    return HEAD + "\n".join(p.text() for p in out), out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", type=int, default=3000)
    parser.add_argument("--length", type=int, default=24)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", default="out/programs.zip")
    parser.add_argument("--no-check", action="store_true", help="do not ask ptxas")
    a = parser.parse_args()
    Path(a.out).parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(a.out, "w", zipfile.ZIP_DEFLATED) as bundle:
        for i in range(values.INPUTS):
            bundle.writestr(f"input{i}.bin", values.buffer(i))
        numbers = range(-(-a.programs // PER_MODULE))
        with ThreadPoolExecutor(2) as pool:
            made = pool.map(lambda n: module(a.seed, n, a.length, not a.no_check), numbers)
            for number, (text, programs) in zip(numbers, made, strict=True):
                bundle.writestr(f"m{number:04d}.ptx", text)
                facts = [{"name": p.name, "threads": p.threads, "size": p.size, "input": int(p.name[1:]) % values.INPUTS,
                          "rows": [list(asdict(r).values()) for r in p.rows]} for p in programs]  # fmt: skip
                bundle.writestr(f"m{number:04d}.json", json.dumps(facts))
    print(f"{a.out}: {Path(a.out).stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
