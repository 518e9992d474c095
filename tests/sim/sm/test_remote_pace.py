"""The port from an SM to the hub: what packets of all its warps take together."""

import struct

import numpy as np
import pytest
from kernels import new_machine, place, ptx

REGISTERS = "b32 r<8>; b64 rd<8>; pred p<2>"
ACCESSES = {
    "stores of whole lines": ("st.global.v4.u32 [%rd1], {%r1, %r1, %r1, %r1};", 16, 4, 5),
    "stores of words of different lines": ("st.global.u32 [%rd1], %r1;", 128, 32, 2),
    "reductions": ("red.relaxed.sys.global.add.u32 [%rd1], %r1;", 128, 32, 1),
}


@pytest.mark.parametrize("what", ACCESSES)
def test_warps_that_wait_for_the_port_do_not_share_it(what):
    """16 warps with 8 instructions each; cycles per packet are those of the preset, and little more in all. The last ones are
    still on their way when their instruction has issued."""
    access, stride, packets, cycles = ACCESSES[what]
    body = f"""
    mov.u32 %r1, %tid.x; ld.param.u64 %rd1, [y]; ld.param.u64 %rd2, [out]; mul.wide.u32 %rd3, %r1, {stride};
    add.u64 %rd1, %rd1, %rd3; mov.u64 %rd4, %clock64;
    {access * 8}
    mov.u64 %rd5, %clock64; sub.u64 %rd5, %rd5, %rd4; mul.wide.u32 %rd3, %r1, 8; add.u64 %rd2, %rd2, %rd3;
    st.global.u64 [%rd2], %rd5; ret;"""
    machine = new_machine(ptx("u64 y, u64 out", REGISTERS, body), gpus=2)
    at = place(machine, 1, "y", np.zeros(512 * 32, np.uint32)), place(machine, 0, "out", np.zeros(512, np.uint64))
    machine.launch(0, machine.image.kernels[0].name, (1, 1, 1), (512, 1, 1), params=struct.pack("<2Q", *at))
    machine.run()
    took = int(np.frombuffer(machine.read(at[1], 512 * 8), np.uint64).max())
    least = 16 * 8 * packets * cycles
    assert 0.85 * least <= took <= 1.4 * least + 400  # warps out of credits try again once a quantum
