"""Which lane instructions the random programs use, and how their results are compared."""

from __future__ import annotations

import itertools
import random
import re

from isa.carry import condition_code
from isa.instr import Kind, Op
from isa.table import ROWS, instances
from isa.types import TYPES

APPROXIMATE = re.compile(r"approx|^(ex2|lg2|sin|cos|tanh|rsqrt|div\.full)")
FUSIBLE = ("add", "sub", "mul")
FREE_NAN = re.compile(r"^(neg|abs|copysign)\b")
SKIPPED = ("cvta", "isspacep")
_MOST_INSTANCES = 4000


def _usable(op: Op) -> bool:
    """Not what PTX leaves to the compiler: a product and a sum without a rounding may become one fma."""
    is_float = op.mods.get("type", "")[:1] == "f" or op.mods.get("type", "")[:2] == "bf"
    if op.instr.mnemonic in FUSIBLE and is_float and "rnd" not in op.mods:
        return False
    parts = {o.type for o in op.operands if o.form == "vec"}
    return not any(condition_code(op.text)) and "b128" not in op.types and "b8" not in parts


def lane_rows() -> list[tuple[str, list[Op]]]:
    """(syntax, instances) of every row a program may draw from, in the order of the table."""
    out = []
    for row in ROWS:
        if row.kind == Kind.LANE and not row.target and row.mnemonic not in SKIPPED:
            ops = [op for op in itertools.islice(instances(row), _MOST_INSTANCES) if _usable(op)]
            if ops:
                out.append((row.syntax, ops))
    return out


def is_approximate(op: Op) -> bool:
    return bool(APPROXIMATE.search(op.text))


def result_type(op: Op) -> str:
    """PTX type of the first destination."""
    return next((o.type for o in op.operands if o.role == "w"), "")


def nan_is_free(op: Op) -> bool:
    """Whether PTX leaves open which NaN the result is: double precision, and signs of NaNs."""
    d = result_type(op)
    floating = TYPES[d].cls == "f" if d in TYPES else False
    return floating and (d == "f64" or bool(FREE_NAN.match(op.text)))


def comparison(op: Op, guarded: bool) -> str:
    """How a result is compared (program.Row), given what compilers of CUDA 13.0 make of the instruction.

    They convert the destination of a guarded set or testp also in threads whose guard does not hold, leave the upper half of a
    register dirty after set to a half, and replace min(x, x) by x, whatever NaN that is.
    """
    d = result_type(op)
    if guarded and op.instr.mnemonic in ("set", "testp"):
        return "skip"
    if op.instr.mnemonic == "set" and d in ("f16", "bf16"):
        return "low16"
    if "tf32" in op.types:
        return "nan32"
    if op.instr.mnemonic in ("min", "max") and d in ("f16", "bf16"):
        return "nan" + ("bf16" if d == "bf16" else "16")
    return "bits"


def choose(rng: random.Random, rows: list[tuple[str, list[Op]]]) -> Op:
    """A row, each as likely, then one of its instances."""
    _, ops = rng.choice(rows)
    return rng.choice(ops)
