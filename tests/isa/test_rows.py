"""Rows of the table: bad ones are refused, good ones are found again from any spelling of their name."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest

from isa.generate import describe, reference
from isa.instr import Instr, IsaError, Kind, Op
from isa.special import SPECIAL
from isa.table import MNEMONICS, ROWS, did_you_mean, digest, fits, instances, resolve
from isa.types import BY_CODE, TYPES, ValType, valtype
from isa.unmodelled import KNOWN_UNMODELLED

GOOD: dict[str, Any] = {
    "syntax": "foo{.sat}.type d, a", "slots": {"type": ("u32",)}, "kind": Kind.LANE, "latency": "alu",
    "meaning": "d = a", "source": "here", "lane": lambda op, a: a,
}  # fmt: skip


def test_a_good_row_is_accepted():
    row = Instr(**GOOD)
    assert row.mnemonic == "foo"
    assert [(t.name, t.role, t.form) for t in row.templates] == [("d", "w", "reg"), ("a", "r", "reg")]


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"syntax": "foo type d, a"}, "slot .type is not in the syntax"),
        ({"syntax": ".type d, a"}, "not of the form"),
        ({"latency": "warp"}, "unknown latency class"),
        ({"target": "sm_20"}, "unknown target"),
        ({"slots": {"type": ("u32",), "rnd": ("rn",)}}, "slot .rnd is not in the syntax"),
        ({"slots": {"type": ()}}, "has no values"),
        ({"kind": Kind.LD}, "lane function is for Kind.LANE"),
        ({"lane": None}, "needs a lane function"),
        ({"operand_types": {"c": "u32"}}, "operand c is not in the syntax"),
        ({"forms": {"imm": "imm"}}, "operand imm is not in the syntax"),
        ({"vector": {"b": "vec"}}, "operand b is not in the syntax"),
        ({"syntax": "foo{.sat}.b32 d, a", "slots": {}}, "operand d has no type"),
        ({"syntax": "foo{.sat}.type d, a{, b}"}, "fixed number of operands"),
        ({"syntax": "foo{.sat}.type d, {!}a"}, "fixed number of operands"),
        (
            {"syntax": "foo{.one}{.two}.type d, a", "slots": {"type": ("u32",), "one": ("x",), "two": ("x", "y")}},
            "share",
        ),
        ({"meaning": ""}, "meaning and source"),
    ],
)
def test_a_bad_row_is_refused(change: dict[str, Any], complaint: str):
    with pytest.raises(ValueError, match=complaint):
        Instr(**{**GOOD, **change})


def some(row: Instr, count: int = 40) -> list[Op]:
    """Instances of a row: the plain ones first, and a reproducible sample of the others."""
    few = list(itertools.islice(instances(row), 400))
    return few[:count] if len(few) <= count else few[:8] + random.Random(1).sample(few[8:], count - 8)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.syntax}#{row.form}")
def test_names_lead_back_to_their_op(row: Instr):
    rng = random.Random(2)
    found = some(row)
    assert found, "no combination of modifiers is allowed"
    for op in found:
        again = resolve(op.name)
        assert (again.name, again.instr.syntax, again.instr.form) == (op.name, row.syntax, row.form)
        mnemonic, *modifiers = op.text.split(".")
        sharing = [p for p, q in itertools.permutations(row.parts, 2) if set(p.values) & set(q.values)]
        shared = {m for part in sharing for m in part.values}
        in_order = [m for m in modifiers if m in TYPES or m in shared]
        rng.shuffle(modifiers)
        ordered = iter(in_order)
        mixed = ".".join([mnemonic, *(next(ordered) if m in TYPES or m in shared else m for m in modifiers)])
        suffix = op.name[len(op.text) :]
        assert resolve(mixed + suffix).name == op.name


def test_op_names_are_unique():
    names = [op.name for row in ROWS for op in some(row)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("row", [r for r in ROWS if r.kind == Kind.LANE], ids=lambda r: f"{r.syntax}#{r.form}")
def test_lane_rows_know_their_types(row: Instr):
    """Every operand of a lane function has a type of the algebra, and there are at most six."""
    for op in some(row, 12):
        written, read = op.lane_types()
        assert written and len(written) + len(read) <= 6
        assert all(t in {x.lane for x in BY_CODE} - {""} for t in written + read)


@pytest.mark.parametrize(
    ("opcode", "shapes", "name"),
    [
        ("mov.b64", ("r", "r"), "mov.b64"),
        ("mov.b64", ("r", "{2}"), "mov.b64;form=pack2"),
        ("mov.b64", ("{2}", "r"), "mov.b64;form=unpack2"),
        ("mov.b64", ("{4}", "r"), "mov.b64;form=unpack4"),
        ("setp.lt.s32", ("r|r", "r", "r"), "setp.lt.s32;form=both"),
        ("setp.lt.and.s32", ("r", "r", "r", "!r"), "setp.lt.and.s32;form=not"),
        ("setp.s32.lt.and", ("r|r", "r", "r", "r"), "setp.lt.and.s32;form=both"),
        ("ld.v4.global.f32", ("{4}", "[]"), "ld.global.v4.f32"),
        ("ld.global.L2::cache_hint.u32", ("r", "[]", "r"), "ld.global.L2::cache_hint.u32"),
        ("ld.shared::cta.u32", ("r", "[]"), "ld.shared.u32"),
        ("bar.red.popc.u32", ("r", "r", "!r"), "bar.red.popc.u32"),
        ("bar.red.popc.u32", ("r", "r", "r", "r"), "bar.red.popc.u32;form=count"),
        ("atom.global.cas.b32", ("r", "[]", "r", "r"), "atom.global.cas.b32"),
        ("call.uni", ("()", "r", "()"), "call.uni"),
        ("call", ("r",), "call"),
        ("cvt.rn.f16x2.f32", ("r", "r", "r"), "cvt.rn.f16x2.f32"),
        ("red.global.add.noftz.v8.f16", ("[]", "{8}"), "red.global.add.noftz.v8.f16"),
        ("red.cais.global.add.f32", ("[]", "r"), "red.global.cais.add.f32"),
        ("ld.global.cais.v4.u32", ("{4}", "[]"), "ld.global.cais.v4.u32"),
    ],
)
def test_operands_choose_the_row(opcode: str, shapes: tuple[str, ...], name: str):
    assert resolve(opcode, shapes).name == name


@pytest.mark.parametrize(
    ("opcode", "shapes"),
    [
        ("ld.global.v4.f32", ("r", "[]")),
        ("ld.global.L2::cache_hint.u32", ("r", "[]")),
        ("ld.global.u32", ("r", "[]", "r")),
        ("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", ("{3}", "{4}", "{2}", "{4}")),
        ("lop3.b32", ("r", "r", "r", "r")),
        ("add.s32", ("r", "r")),
        ("mov.b32", ("{3}", "r")),
        ("selp.b32", ("r", "r", "r", "!r")),
    ],
)
def test_other_operands_are_refused(opcode: str, shapes: tuple[str, ...]):
    with pytest.raises(IsaError) as caught:
        resolve(opcode, shapes)
    assert caught.value.kind == "operands"
    assert "it is written" in caught.value.message


@pytest.mark.parametrize(
    ("opcode", "kind", "said", "suggestion", "bad"),
    [
        ("ad.u32", "unknown", "unknown instruction `ad`", "add", ""),
        ("tcgen05.fence::before_thread_sync", "unmodelled", "known but not modelled", "", ""),
        ("ld.parm.u64", "modifier", "no modifier `.parm`", "param", "parm"),
        ("add.rx.f32", "modifier", "it takes", "", "rx"),
        ("add.rn.s32", "combination", "does not take `.rn`", "", "rn"),
        ("setp.u32", "missing", "needs a .cmp modifier (.eq", "", ""),
        ("mul.u32", "missing", "needs .lo or .hi or .wide", "", ""),
        ("ex2.f32", "missing", "needs .approx", "", ""),
        ("ld.relaxed.global.u32", "combination", "needs a scope", "", ""),
        ("setp.lo.s32", "combination", "unsigned", "", ""),
        ("ld.global.v8.f32", "combination", "at most .v4", "", ""),
        ("atom.global.add.f16", "combination", ".noftz", "", ""),
        ("cvt.f16.f32", "combination", "rounding modifier", "", ""),
        ("cvt.rn.f64.f32", "combination", "exact", "", ""),
    ],
)
def test_errors_say_what_was_perhaps_meant(opcode: str, kind: str, said: str, suggestion: str, bad: str):
    with pytest.raises(IsaError) as caught:
        resolve(opcode)
    error = caught.value
    assert (error.kind, error.suggestion, error.bad_modifier) == (kind, suggestion, bad)
    assert said in error.message


def test_types_keep_their_order():
    assert resolve("cvt.rn.f16.f32").types == ("f16", "f32")
    assert resolve("cvt.f32.f16").types == ("f32", "f16")


def test_immediates_become_part_of_the_name():
    op = resolve("lop3.b32").with_imm({"immLut": 150})
    assert op.name == "lop3.b32;immLut=150"
    assert resolve(op.name).imm == {"immLut": 150}


def test_optional_trailing_operands():
    bar = resolve("bar.sync")
    assert fits(bar, ("r",)) and fits(bar, ("r", "r")) and not fits(bar, ())


def test_special_registers_are_numbered():
    assert [s.number for s in SPECIAL.values()] == list(range(len(SPECIAL)))
    assert SPECIAL["%tid.x"].type == "u32" and SPECIAL["%globaltimer"].type == "u64"
    assert {"%gpuid", "%ngpus", "%laneid", "%clock64", "%envreg31"} <= set(SPECIAL)


def test_nothing_is_both_modelled_and_not():
    for prefix in KNOWN_UNMODELLED:
        with pytest.raises(IsaError):
            resolve(prefix)


def test_value_types():
    assert valtype("bf16x2") == ValType.BF16X2 and valtype("b64") == ValType.B64
    with pytest.raises(ValueError, match="no reduction"):
        valtype("pred")
    assert [t.code for t in BY_CODE] == list(range(len(BY_CODE)))


def test_suggestions_start_alike():
    assert did_you_mean("mvo", MNEMONICS) == "mov"
    assert did_you_mean("zzzz", MNEMONICS) == ""


def test_the_digest_is_stable_within_a_process():
    assert digest() == digest() and len(digest()) == 16


def test_every_row_is_in_the_reference():
    text = reference()
    assert all(f"`{row.syntax}`".replace("|", "\\|") in text for row in ROWS)


def test_describe_shows_one_opcode_or_all_of_a_mnemonic():
    assert describe("min").count("[PTX ISA") == len(MNEMONICS["min"])
    assert "def minimum" in describe("min.s32")
    assert "4 x .f32, written" in describe("ld.global.v4.f32")
    with pytest.raises(IsaError, match="unknown instruction"):
        describe("ad")
