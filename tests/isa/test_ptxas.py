"""NVIDIA's assembler accepts what the table accepts: instances of every PTX row in one module."""

from __future__ import annotations

import itertools
import random
import shutil
import subprocess
from pathlib import Path

import pytest

from isa.carry import condition_code
from isa.instr import Instr, Kind, Op, Operand
from isa.table import ROWS, instances

PTXAS = shutil.which("ptxas")
EXTENSIONS = ("rowsp", "dymultimem", "cais", "runtime")
IMMEDIATES = {
    "immLut": "150",
    "size": "16",
    "line": "128",
    "src_size": "8",
    "n": "64",
    "a": "1",
    "b": "16",
    "sa": "1",
    "sb": "-1",
    "f": "0",
    "ta": "0",
    "tb": "1",
}
PACKED = ("f16x2", "bf16x2", "u16x2", "s16x2", "tf32")
HEAD = """.version 9.0
.target sm_90a
.address_size 64
.global .align 16 .b8 gmem[256];
.const .align 16 .b8 cmem[256];
.func (.param .b32 out) fun (.param .b32 in) { ret; }
"""
DECLARATIONS = """
.reg .pred %p<9>; .reg .b8 %c<20>; .reg .b128 %q<40>;
.reg .b16 %h<20>; .reg .b32 %r<200>; .reg .b64 %rd<40>; .reg .f32 %f<200>; .reg .f64 %d<40>;
.shared .align 16 .b8 smem[256]; .local .align 16 .b8 lmem[256];
"""


def register(type_: str, number: int) -> str:
    """A register of the width of a type."""
    names = {"pred": "%p", "f32": "%f", "f64": "%d", **dict.fromkeys(PACKED, "%r")}
    wide = {"8": "%c", "16": "%h", "32": "%r", "64": "%rd", "128": "%q"}
    name = names.get(type_) or wide[type_.lstrip("bfus")]
    return f"{name}{number}"


def memory(op: Op, operand: Operand) -> str:
    """An address fit for the op's state space."""
    space = op.mods.get("space", "")
    if op.kind in (Kind.BULK, Kind.TENSORMAP):
        words = [word for word in op.text.split(".") if word in ("global", "shared::cta", "shared::cluster")]
        tensor = any(o.form == "tensor" for o in op.operands)
        first = operand.name == "d" or len(words) == 1
        word = words[0 if first else 1] if words and not tensor else "shared::cta" if tensor else ""
        return "[smem]" if "shared" in word or operand.name == "m" else "[gmem]" if word else "[%rd30]"
    if op.kind == Kind.CPASYNC:
        return "[smem]" if operand.name == "d" else "[gmem]"
    if op.kind in (Kind.LDMATRIX, Kind.STMATRIX, Kind.MBARRIER, Kind.ST_ASYNC):
        return "[smem]"
    return {
        "shared": "[smem]",
        "shared::cluster": "[smem]",
        "local": "[lmem]",
        "const": "[cmem]",
        "param": "[arg]",
    }.get(space, "[gmem]" if space == "global" else "[%rd30]")


def operand_text(op: Op, operand: Operand, first: int) -> str:
    if operand.form == "mem":
        return memory(op, operand)
    if operand.form == "tensor":
        return "[%rd30, {" + ", ".join(register("s32", first + i) for i in range(operand.count)) + "}]"
    if operand.form == "sink":
        return "_"
    if operand.form in ("imm", "label", "targets"):
        if op.kind == Kind.TENSORMAP and operand.name in ("n", "b"):
            return "1"
        sized = op.kind in (Kind.PREFETCH, Kind.NOP, Kind.FENCE, Kind.TENSORMAP)
        if op.kind == Kind.WGMMA_WAIT:
            return "7"
        name = "line" if sized and operand.name == "size" else operand.name
        return {"label": "L", "targets": "T"}.get(operand.form) or IMMEDIATES[name]
    if operand.name in ("a", "b", "membermask") and op.kind == Kind.BAR:
        return "32" if operand.name == "b" else "1"
    if operand.form == "vec":
        return "{" + ", ".join(register(operand.type, first + i) for i in range(operand.count)) + "}"
    return ("!" if operand.negated == "must" else "") + register(operand.type, first)


def statement(op: Op) -> str:
    """A line that uses an op."""
    if op.kind == Kind.CALL:
        return f"{{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; {op.text} (y), fun, (x); }}"
    parts: list[str] = []
    for i, operand in enumerate(op.operands):
        if operand.form == "proto" or (any(condition_code(op.text)) and operand.type == "pred"):
            continue
        text = operand_text(op, operand, (1 + 5 * i) % 16 if operand.type != "pred" else 1 + i)
        if operand.paired:
            parts[-1] += "|" + text
        elif not (operand.optional and op.kind == Kind.BAR):
            parts.append(text)
    opcode = op.text
    if op.mods.get("space") == "param" and op.kind == Kind.ST:
        parts[0] = "[out]"
        return f"{{ .param .align 16 .b8 out[16]; {opcode} {', '.join(parts)}; }}"
    return f"{opcode} {', '.join(parts)};"


def sample(row: Instr) -> list[Op]:
    """The first instances, which have the fewest modifiers, and some others."""
    few = list(itertools.islice(instances(row), 3000))
    return few if len(few) <= 12 else few[:4] + random.Random(3).sample(few[4:], 8)


def entry(name: str, lines: list[str]) -> str:
    body = "\n".join(lines)
    head = f".visible .entry {name}(.param .align 16 .b8 arg[256]) {{{DECLARATIONS}"
    return f"{head}T: .branchtargets L;\n{body}\nL: ret;\n}}\n"


def module(lines: list[str]) -> str:
    """All lines in one kernel, except those of warpgroups: ptxas ends with a segmentation fault on many of them."""
    asynchronous = [line for line in lines if line.startswith("wgmma.")]
    around = ("wgmma.fence.sync.aligned;", "wgmma.commit_group.sync.aligned; wgmma.wait_group.sync.aligned 0;")
    entries = [entry(f"w{i}", [around[0], line, around[1]]) for i, line in enumerate(asynchronous)]
    return HEAD + entry("k", [line for line in lines if line not in asynchronous]) + "".join(entries)


def complaints(path: Path, text: str) -> list[str]:
    """Errors of ptxas, with the lines they are about."""
    path.write_text(text)
    command = [PTXAS or "", "-arch=sm_90a", "-O0", "-o", "/dev/null", str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = text.splitlines()
    out = []
    for message in (done.stderr + done.stdout).splitlines():
        if "error" in message and "line" in message:
            number = int(message.split("line ")[1].split(";")[0])
            out.append(f"{lines[number - 1]}   <- {message.split(':', 1)[-1].strip()}")
    return out or ([] if done.returncode == 0 else [done.stderr])


@pytest.mark.skipif(PTXAS is None, reason="ptxas is not installed")
def test_ptxas_accepts_an_instance_of_every_row(tmp_path: Path):
    rows = [row for row in ROWS if row.target not in EXTENSIONS]
    lines = [statement(op) for row in rows for op in sample(row)]
    assert complaints(tmp_path / "rows.ptx", module(lines)) == []
