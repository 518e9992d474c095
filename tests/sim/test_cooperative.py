"""Cooperative launches, and what special registers say of a launch."""

import struct
from pathlib import Path

import numpy as np
import pytest

from assembler import assemble
from sim.config import Config
from sim.errors import MachineError, MachineFault
from sim.machine import Machine

GRID_SYNC = Path(__file__).resolve().parents[1] / "conform" / "coop_grid_sync.ptx"
READ = """.version 9.0
.target sm_90
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.visible .entry read(.param .u64 out)
{
    .reg .b32 %r<8>; .reg .b64 %rd<4>;
    .shared .b8 fixed[40];
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, fixed;
    st.shared.u32 [%r1], 0;
    BODY
    ret;
}
"""
WORDS = {
    "%total_smem_size": 256,
    "%dynamic_smem_size": 100,
    "%aggr_smem_size": 48 + 100 + 1024,
    "%reserved_smem_offset_begin": 0,
    "%reserved_smem_offset_end": 288,
    "%reserved_smem_offset_cap": 1024,
    "%reserved_smem_offset_1": 0,
    "%envreg1": 0,
    "%envreg2": 0,
    "%envreg31": 0,
    "%pm0": 0,
    "%nwarpid": 64,
    "%nsmid": 2,
}
MODES = pytest.mark.parametrize("functional", [True, False], ids=["functional", "timed"])


@pytest.fixture(scope="module")
def config():
    return Config.load("h200", ["sm.count=2"])


def launch(config, functional, blocks, cooperative=True):
    machine = Machine(assemble(GRID_SYNC), config, functional=functional)
    x, y = (machine.alloc(0, 4 * (32 * blocks + 1), name) for name in "xy")
    machine.write(x, np.arange(32 * blocks, dtype=np.uint32))
    params = struct.pack("<QQii", x, y, 32 * blocks, 4)
    for _ in range(2):
        machine.launch(0, "coop_grid_sync", (blocks, 1, 1), (32, 1, 1), params=params, cooperative=cooperative)
    machine.run()
    return np.frombuffer(machine.read(x, 4 * 32 * blocks), np.uint32)


@MODES
def test_a_grid_waits_for_all_its_blocks(config, functional):
    """Two launches of four steps; a step without a barrier would read neighbours too early or too late."""
    want = np.arange(32 * 40, dtype=np.uint32)
    for step in (*range(4), *range(4)):
        want = np.roll(want, 1) + 2 * want + np.roll(want, -1) + np.uint32(step)
    assert (launch(config, functional, 40) == want).all()


def test_a_grid_must_fit_on_the_gpu(config):
    with pytest.raises(MachineError, match="65 thread blocks do not fit on the GPU at once, 64 do") as error:
        launch(config, True, 65)
    assert error.value.exit_code == 2


@MODES
def test_other_launches_have_no_barrier_of_the_grid(config, functional):
    with pytest.raises(MachineFault, match="trap"):
        launch(config, functional, 4, cooperative=False)


@MODES
def test_special_registers(config, functional):
    body = "\n".join(f"mov.u32 %r2, {name}; st.global.u32 [%rd1+{4 * i}], %r2;" for i, name in enumerate(WORDS))
    machine = Machine(assemble(READ.replace("BODY", body)), config, functional=functional)
    out = machine.alloc(0, 4 * len(WORDS), "out")
    machine.launch(0, "read", (1, 1, 1), (1, 1, 1), shared=100, params=struct.pack("<Q", out))
    machine.run()
    got = np.frombuffer(machine.read(out, 4 * len(WORDS)), np.uint32)
    assert dict(zip(WORDS, got.tolist(), strict=True)) == WORDS


@MODES
def test_a_launch_may_have_a_larger_stack(config, functional):
    """Twenty nested calls with frames of 256 bytes."""
    source = """.version 9.0
.target sm_90
.address_size 64
.func (.param .b32 r) sum(.param .b32 n)
{
    .reg .b32 %n, %m, %s; .reg .pred %p; .local .b32 frame[64];
    ld.param.b32 %n, [n];
    st.local.b32 [frame], %n;
    mov.b32 %s, 0;
    setp.eq.s32 %p, %n, 0;
    @%p bra END;
    sub.s32 %m, %n, 1;
    { .param .b32 a; .param .b32 b; st.param.b32 [a], %m; call (b), sum, (a); ld.param.b32 %s, [b]; }
    ld.local.b32 %n, [frame];
    add.s32 %s, %s, %n;
END:
    st.param.b32 [r], %s;
    ret;
}
.visible .entry k(.param .u64 out)
{
    .reg .b32 %s; .reg .b64 %o;
    { .param .b32 a; .param .b32 b; st.param.b32 [a], 20; call (b), sum, (a); ld.param.b32 %s, [b]; }
    ld.param.u64 %o, [out];
    st.global.u32 [%o], %s;
    ret;
}
"""
    for stack in (8192, 0):
        machine = Machine(assemble(source), config, functional=functional)
        out = machine.alloc(0, 4, "out")
        machine.launch(0, "k", (1, 1, 1), (1, 1, 1), params=struct.pack("<Q", out), stack=stack)
        if stack == 0:
            with pytest.raises(MachineFault, match="outside local memory, where the stack is"):
                machine.run()
            continue
        machine.run()
        assert machine.read(out, 4) == struct.pack("<I", 210)
