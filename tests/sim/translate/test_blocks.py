"""Compiled blocks give what the core gives: results, numbers of instructions, faults; on every CPU, for every pattern."""

import random
from typing import Any

import numpy as np
import pytest
from kernels import new_machine, place, ptx, read_back, run_kernel

from sim.errors import MachineFault
from sim.ir.objects import PORTABLE, host
from sim.translate import translator

REGISTERS = "b32 r<16>; b64 rd<8>; f32 f<6>; pred p<6>"
HEAD = "mov.u32 %r0, %tid.x; ld.param.u64 %rd0, [x]; ld.param.u64 %rd1, [y];"


@pytest.fixture(params=["host", "portable"])
def eager(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is compiled when a program is loaded, for this CPU or for the least one."""
    monkeypatch.setattr(translator, "EAGER", True)
    monkeypatch.setattr(translator, "_known", {})
    monkeypatch.setattr(translator, "host", host if request.param == "host" else lambda: PORTABLE)


def both(body: str, monkeypatch: pytest.MonkeyPatch, block: int = 32, **options: Any) -> list[Any]:
    """Outputs and instructions of a kernel on buffers x and y: by compiled blocks, and by the core."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 1 << 32, 4096, np.uint32)
    out = []
    for eager in (True, False):
        monkeypatch.setattr(translator, "EAGER", eager)
        monkeypatch.setattr(translator, "_known", {})
        text = ptx("u64 x, u64 y", REGISTERS, f".shared .align 16 .b8 s[4096];\n{HEAD}\n{body}\nret;")
        ran = run_kernel(
            text, {"x": x, "y": np.zeros(4096, np.uint32)}, block=(block, 1, 1), functional=True, **options
        )
        out.append((ran.out["x"].tobytes(), ran.out["y"].tobytes(), ran.machine.instructions))
        compiled = ran.machine._translator._visits > 0
        assert compiled.any() == eager
    return out


PLACES = {
    "consecutive": "mov.u32 %r1, %r0;",
    "not from the start of a line": "add.u32 %r1, %r0, 5;",
    "the same": "mov.u32 %r1, 7;",
    "two rows": "and.b32 %r1, %r0, 15;",
    "backwards": "sub.u32 %r1, 100, %r0;",
    "every third": "mul.lo.u32 %r1, %r0, 3;",
    "scattered": "mad.lo.u32 %r1, %r0, 1103515245, 12345; shr.u32 %r1, %r1, 7; and.b32 %r1, %r1, 127;",
}
LANES = {
    "all": "setp.ge.u32 %p0, %r0, 0;",
    "the first": "setp.lt.u32 %p0, %r0, 19;",
    "odd ones": "and.b32 %r2, %r0, 1; setp.ne.u32 %p0, %r2, 0;",
    "none": "setp.gt.u32 %p0, %r0, 999;",
}
TYPES = ["u8", "s8", "u16", "s16", "u32", "u64", "v2.u32", "v4.u32", "v2.u64"]


def _registers(type_: str, first: int) -> str:
    """Operands of a type from a register on."""
    n = int(type_[1]) if type_[0] == "v" else 1
    names = [f"%{'rd' if '64' in type_ else 'r'}{first + i}" for i in range(n)]
    return "{" + ", ".join(names) + "}" if n > 1 else names[0]


@pytest.mark.parametrize("space", ["global", "shared"])
@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.usefixtures("eager")
def test_every_pattern_of_every_type(space: str, lanes: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Loads, then stores what was loaded: through registers of both widths."""
    lines = [LANES[lanes]]
    for i in range(0, 1024, 32):  # shared memory gets what x holds
        lines.append(f"mad.wide.u32 %rd2, %r0, 4, %rd0; ld.global.u32 %r3, [%rd2+{4 * i}];")
        lines.append(f"mov.u32 %r4, s; mad.lo.u32 %r4, %r0, 4, %r4; st.shared.u32 [%r4+{4 * i}], %r3;")
    lines.append("bar.sync 0;")
    cases = [(p, t) for i, p in enumerate(PLACES.values()) for k, t in enumerate(TYPES) if (i + k + len(lanes)) % 2]
    for number, (place_, type_) in enumerate(cases):
        size = int(type_[-2:].lstrip("su")) // 8 * (int(type_[1]) if type_[0] == "v" else 1)
        data = _registers(type_, 4 if "64" in type_ else 8)
        lines.append(f"mov.u64 %rd4, 1; mov.u64 %rd5, 2; mov.u32 %r8, 3; mov.u32 %r9, 4; {place_}")
        lines.append(f"mad.lo.u32 %r5, %r1, {size}, {size * (number % 3)}; mov.u32 %r6, s; add.u32 %r6, %r6, %r5;")
        lines.append("cvt.u64.u32 %rd2, %r5; add.u64 %rd3, %rd2, %rd0; add.u64 %rd2, %rd2, %rd1;")
        at = "[%rd3]" if space == "global" else "[%r6]"
        lines.append(f"@%p0 ld.{space}.{type_} {data}, {at};")
        lines.append(f"@!%p0 bra L{number}; st.{space}.{type_} {at.replace('%rd3', '%rd2')}, {data}; L{number}:")
        lines.append("add.u64 %rd1, %rd1, 64; mad.wide.u32 %rd2, %r0, 8, %rd1; cvt.u32.u64 %r9, %rd4;")
        lines.append("st.global.b32 [%rd2], %r8; st.global.b32 [%rd2+4], %r9;")
    first, second = both("\n".join(lines), monkeypatch)
    assert first == second


OPERATIONS = [
    "add.u32 {d}, {a}, {b};",
    "mad.lo.s32 {d}, {a}, {b}, {c};",
    "xor.b32 {d}, {a}, {b};",
    "shr.u32 {d}, {a}, 3;",
    "popc.b32 {d}, {a};",
    "div.u32 {d}, {a}, {b};",
    "selp.b32 {d}, {a}, {b}, {p};",
    "setp.lt.s32 {p}, {a}, {b};",
    "setp.gt.u32 {p}, {a}, {b};",
    "mul.wide.u32 %rd4, {a}, {b}; shr.u64 %rd4, %rd4, 9; cvt.u32.u64 {d}, %rd4;",
    "cvt.rn.f32.u32 %f1, {a}; cvt.rn.f32.s32 %f2, {b}; fma.rn.f32 %f3, %f1, %f2, %f1; mov.b32 {d}, %f3;",
    "mov.b32 %f1, {a}; mov.b32 %f2, {b}; div.rn.f32 %f3, %f1, %f2; mov.b32 {d}, %f3;",
    "@{p} add.u32 {d}, {a}, {c};",
    "@!{p} sub.u32 {d}, {b}, {c};",
    "cvt.u8.u32 {d}, {a};",
    "and.b32 %r1, {a}, 1020; cvt.u64.u32 %rd5, %r1; add.u64 %rd5, %rd5, %rd0; ld.global.u32 {d}, [%rd5];",
    "and.b32 %r1, {a}, 1020; mov.u32 %r2, s; add.u32 %r1, %r1, %r2; atom.shared.add.u32 {d}, [%r1], {b};",
    "and.b32 %r1, {a}, 1020; cvt.u64.u32 %rd5, %r1; add.u64 %rd5, %rd5, %rd1; red.global.max.u32 [%rd5], {b};",
    "mov.u32 {d}, %laneid;",
    "vote.sync.ballot.b32 {d}, {p}, -1;",
    "shfl.sync.bfly.b32 {d}, {a}, 5, 31, -1;",
    "shfl.sync.up.b32 {d}|{p}, {a}, {b}, 0, -1;",
    "shfl.sync.idx.b32 {d}, {a}, {b}, 0x181f, 0xffffffff;",
    "redux.sync.add.u32 {d}, {a}, -1;",
    "vote.sync.any.pred {p}, !{p}, -1;",
]


def _program(seed: int) -> str:
    """Straight code, guarded instructions, divergent branches, and loops that lanes leave at different times."""
    pick = random.Random(seed)
    lines = [f"mad.lo.u32 %r{i}, %r0, {pick.randrange(1 << 30)}, {pick.randrange(1 << 30)};" for i in range(4, 12)]
    lines += [f"setp.lt.u32 %p{i}, %r{4 + i}, {1 << 31};" for i in range(3)]
    label = 0
    for _ in range(12):
        shape = pick.choice(["straight", "straight", "skip", "loop"])
        label += 1
        if shape == "skip":
            lines.append(f"@%p{pick.randrange(3)} bra L{label};")
        if shape == "loop":
            lines.append(f"and.b32 %r12, %r{pick.randrange(4, 12)}, 7; L{label}:")
        for _ in range(pick.randrange(2, 9)):
            d, a, b, c = (f"%r{pick.randrange(4, 12)}" for _ in range(4))
            text = pick.choice(OPERATIONS)
            if shape != "straight" and "sync" in text:
                continue
            lines.append(text.format(d=d, a=a, b=b, c=c, p=f"%p{pick.randrange(3)}"))
        if shape == "skip":
            lines.append(f"L{label}:")
        if shape == "loop":
            lines.append(f"sub.s32 %r12, %r12, 1; setp.gt.s32 %p3, %r12, 0; @%p3 bra L{label};")
        lines.append("bar.warp.sync -1;")
    lines.append("mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mad.lo.u32 %r0, %r1, %r2, %r0;")
    for i in range(4, 12):
        lines.append(f"mad.wide.u32 %rd2, %r0, 4, %rd1; st.global.u32 [%rd2+{1024 * (i - 3)}], %r{i};")
    return "\n".join(lines)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.usefixtures("eager")
def test_random_programs(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One warp of 32 lanes and one of 20."""
    first, second = both(_program(seed), monkeypatch, block=52)
    assert first == second


FAULTS = {
    "an address behind the buffer": "mad.wide.u32 %rd2, %r0, 4, %rd0; ld.global.u32 %r3, [%rd2+16320];",
    "a misaligned address": "mad.wide.u32 %rd2, %r0, 3, %rd0; ld.global.u32 %r3, [%rd2];",
    "shared memory behind the block's": "mad.lo.u32 %r4, %r0, 4, 5024; st.shared.u32 [%r4], %r0;",
    "an atomic without memory": "mul.wide.u32 %rd2, %r0, 4; atom.global.add.u32 %r3, [%rd2], 1;",
    "one lane of many": "mul.lo.u32 %r4, %r0, %r0; mad.wide.u32 %rd2, %r4, 32, %rd0; st.global.u32 [%rd2], %r0;",
}


@pytest.mark.parametrize("what", FAULTS)
@pytest.mark.usefixtures("eager")
def test_faults_name_instruction_lane_and_address(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the middle of a block, after instructions whose results are not stored yet."""
    said = []
    for driver in ("translated", "functional", "timing"):
        monkeypatch.setattr(translator, "EAGER", driver == "translated")
        monkeypatch.setattr(translator, "_known", {})
        body = f"mov.u32 %r0, %tid.x; ld.param.u64 %rd0, [x]; add.u32 %r9, %r0, 1; {FAULTS[what]}\nadd.u32 %r9, %r9, 1; ret;"
        text = ptx("u64 x", REGISTERS, f".shared .align 16 .b8 s[4096];\n{body}")
        with pytest.raises(MachineFault) as caught:
            run_kernel(text, {"x": np.zeros(4096, np.uint32)}, functional=driver != "timing")
        said.append((str(caught.value), caught.value.notes))
    assert said[0] == said[1]
    assert said[0][0] == said[2][0]


def test_what_is_hot_is_compiled_while_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kernel of many blocks: the core begins, compiled code goes on; the sum does not depend on when."""
    monkeypatch.setattr(translator, "_known", {})
    monkeypatch.setattr(translator, "HOT", 64)
    body = """ld.param.u64 %rd0, [x]; mov.u32 %r1, 0; mov.u32 %r2, 0;
    AGAIN: add.u32 %r2, %r2, %r1; add.u32 %r1, %r1, 1; setp.lt.u32 %p0, %r1, 1000; @%p0 bra AGAIN;
    red.global.add.u32 [%rd0], %r2; ret;"""
    machine = new_machine(ptx("u64 x", REGISTERS, body), functional=True)
    at = place(machine, 0, "x", np.zeros(1, np.uint32))
    machine.launch(0, "k", (64, 1, 1), (64, 1, 1), params=at.to_bytes(8, "little"))
    machine.run()
    assert read_back(machine, at, np.zeros(1, np.uint32))[0] == 64 * 64 * 499500 % (1 << 32)
    assert machine.instructions == 128 * (3 + 4 * 1000 + 2)
    assert (machine._translator._visits > 0).any()
