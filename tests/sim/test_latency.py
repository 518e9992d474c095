"""Latency classes: every instruction has one, and the preset has its numbers."""

import pytest

from isa.table import ROWS, instances, resolve
from sim.config import Config
from sim.latency import FIXED, PIPES, Pipes, latency_class


def test_every_instruction_has_numbers_and_a_pipe() -> None:
    config = Config.load()
    for name in {
        latency_class(op, g, s) for row in ROWS for op in instances(row) for g in (False, True) for s in (False, True)
    }:
        latency, interval, slots = config.timing(name)
        assert latency > 0 and interval > 0 and slots > 0 and PIPES[name] >= 0
    assert set(PIPES) >= FIXED


@pytest.mark.parametrize(
    ("opcode", "name"),
    [
        ("add.s32", "iadd"), ("add.s64", "iadd64"), ("xor.b32", "alu"), ("shl.b64", "logic64"), ("mul.wide.s32", "imad_wide"),
        ("mad.lo.s32", "imad"), ("mul.lo.u64", "imul64"), ("cvt.u64.u32", "iadd"), ("cvt.rn.f32.s32", "iadd"),
        ("bfi.b32", "insert"), ("cvt.rn.f16x2.f32", "alu"),
        ("cvt.rzi.s32.f32", "cvt"), ("rsqrt.approx.f32", "mufu_scaled"), ("rsqrt.approx.ftz.f32", "mufu"),
        ("div.full.f32", "div_full"), ("bfe.u32", "field"), ("clz.b32", "flo"), ("add.f32", "fadd"), ("rem.s32", "irem32"),
    ],
)  # fmt: skip
def test_classes(opcode: str, name: str) -> None:
    assert latency_class(resolve(opcode)) == name


def test_a_comparison_that_guards_takes_longer() -> None:
    op = resolve("setp.lt.s32", ("r", "r", "r"))
    assert (latency_class(op), latency_class(op, guards=True)) == ("alu", "setp_guard")


def test_an_address_takes_what_two_scaled_additions_do() -> None:
    op = resolve("mad.lo.s64")
    assert (latency_class(op), latency_class(op, scales=True)) == ("imul64", "lea64")


def test_additions_go_to_the_integer_pipe_with_less_work() -> None:
    pipes = Pipes()
    assert [pipes.take("iadd", 2) for _ in range(4)] == [2, 1, 2, 1]
    assert [pipes.take(name, 2) for name in ("alu", "iadd") * 3] == [1, 2] * 3
    pipes.take("imad", 2)
    assert pipes.take("iadd", 2) == 1
    pipes.take("imad", 2)
    pipes.block()
    assert pipes.take("iadd", 2) == 2
