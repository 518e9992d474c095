"""Matrix products of warpgroups as programs see them: results, time, and what goes wrong."""

import struct

import numpy as np
import pytest
from kernels import new_machine, read_back, run_kernel

from sim.errors import Deadlock, MachineFault

CONSTANT = (1 << 62) | (64 << 32) | (1 << 16) | (1024 >> 4)
"""Descriptors of rows of 128 bytes, swizzled, where shared memory begins."""


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def vector(n):
    return "{" + ", ".join(f"%c{i}" for i in range(n)) + "}"


def product(n, threads, before="", after="", count=1, p="1", start_b=8192):
    """Bytes to shared memory, ``count`` products of A at 0 and B at ``start_b``, sums to ``out``."""
    regs = n // 2
    mma = f"wgmma.mma_async.sync.aligned.m64n{n}k16.f32.bf16.bf16 {vector(regs)}, %d1, %d2, {p}, 1, 1, 0, 0;"
    zero = "\n".join(f"mov.f32 %c{i}, 0f3F800000;" for i in range(regs))
    stores = "\n".join(f"st.global.f32 [%d4+{4 * threads * i}], %c{i};" for i in range(regs))
    return f"""
.extern .shared .align 1024 .b8 tile[];
.visible .entry k(.param .u64 x, .param .u64 out, .param .u64 cycles)
{{
.reg .b32 %r<9>; .reg .b64 %d<9>; .reg .f32 %c<{regs}>; .reg .pred %p<3>;
mov.u32 %r0, %tid.x;
ld.param.u64 %d3, [x];
mul.wide.u32 %d0, %r0, 4;
add.u64 %d3, %d3, %d0;
ld.param.u64 %d4, [out];
add.u64 %d4, %d4, %d0;
mov.u32 %r1, tile;
shl.b32 %r2, %r0, 2;
add.u32 %r1, %r1, %r2;
mov.u32 %r3, 0;
setp.ge.u32 %p2, %r0, 128;
@%p2 bra FILLED;
FILL:
ld.global.b32 %r4, [%d3];
st.shared.b32 [%r1], %r4;
add.u64 %d3, %d3, 512;
add.u32 %r1, %r1, 512;
add.u32 %r3, %r3, 512;
setp.lt.u32 %p0, %r3, {8192 + 128 * n};
@%p0 bra FILL;
FILLED:
bar.sync 0;
mov.b64 %d1, {CONSTANT};
mov.b64 %d2, {CONSTANT + start_b // 16};
{zero}
setp.eq.u32 %p1, %r0, 99999;
{before}
mov.u32 %r5, %clock;
wgmma.fence.sync.aligned;
{mma * count}
wgmma.commit_group.sync.aligned;
wgmma.wait_group.sync.aligned 0;
mov.u32 %r6, %clock;
{after}
sub.u32 %r6, %r6, %r5;
{stores}
ld.param.u64 %d5, [cycles];
add.u64 %d5, %d5, %d0;
st.global.u32 [%d5], %r6;
ret;
}}
"""


def swizzled(matrix):
    """bf16 bits of rows of 16, 128 bytes apart, as the 128-byte swizzle lays them out."""
    bits = (np.ascontiguousarray(matrix, np.float32).view(np.uint32) >> 16).astype(np.uint16)
    out = np.zeros((len(matrix), 8, 8), np.uint16)
    for row in range(len(matrix)):
        for unit in range(bits.shape[1] // 8):
            out[row, unit ^ row % 8] = bits[row, 8 * unit : 8 * unit + 8]
    return out.reshape(len(matrix), 64)


def sums(out, n):
    """The matrix that the threads of a warpgroup stored, register after register."""
    found = np.zeros((64, n))
    for t in range(128):
        for i in range(n // 2):
            found[16 * (t // 32) + t % 32 // 4 + 8 * (i // 2 % 2), 8 * (i // 4) + t % 4 * 2 + i % 2] = out[i, t]
    return found


def run(n, rng, threads=128, **options):
    text = {k: options.pop(k) for k in ("before", "after", "count", "p", "start_b") if k in options}
    a, b = rng.integers(-9, 10, (64, 16)), rng.integers(-9, 10, (n, 16))
    x = np.concatenate([swizzled(a), swizzled(b)]).view(np.uint32).reshape(-1)
    buffers = {"x": x, "out": np.zeros((n // 2, threads), np.float32), "cycles": np.zeros(threads, np.uint32)}
    options.setdefault("shared", 8192 + 128 * n)
    ran = run_kernel(product(n, threads, **text), buffers, block=(threads, 1, 1), **options)
    return sums(ran.out["out"], n), a @ b.T, ran


@pytest.mark.parametrize("functional", [True, False])
@pytest.mark.parametrize("n", [8, 128, 256])
def test_a_product(rng, n, functional):
    found, want, _ = run(n, rng, functional=functional)
    assert (found == want + 1).all()


def test_products_add_up_and_begin_with_zeros(rng):
    found, want, _ = run(64, rng, count=3)
    assert (found == 3 * want + 1).all()
    found, want, _ = run(64, rng, p="%p1")
    assert (found == want).all()


@pytest.mark.parametrize(("n", "latency"), [(8, 81.2), (32, 94.2), (64, 110.2), (128, 143.3), (256, 208.3)])
def test_time_is_as_measured(rng, n, latency):
    """wgmma_latency and wgmma_interval of an H200."""
    one, nine = (int(run(n, rng, count=count)[2].out["cycles"].min()) for count in (1, 9))
    read_of_clock = 1
    assert abs(one - read_of_clock - latency) < 3
    assert (nine - one) / 8 == pytest.approx(max(n / 2, 16 + n / 4), abs=0.1)


def test_warpgroups_share_the_tensor_cores(rng):
    _, _, ran = run(256, rng, threads=256, count=8)
    assert ran.out["cycles"].max() > 2 * 8 * 128


def test_a_block_without_whole_warpgroups(rng):
    with pytest.raises(MachineFault, match="warpgroups of four warps; the last one of this block has 2"):
        run(8, rng, threads=192)


def test_a_warp_that_does_not_come(rng):
    late = "setp.ge.u32 %p2, %r0, 96;\n@%p2 bra DONE;"
    with pytest.raises(Deadlock) as caught:
        run(8, rng, before=late, after="DONE:")
    assert len(caught.value.notes) == 3
    assert all("waits at wgmma for other warps of its warpgroup" in note for note in caught.value.notes)


def test_outside_of_shared_memory(rng):
    with pytest.raises(MachineFault, match=r"invalid .*wgmma.* of size 16 bytes outside its window, at offset 0x28"):
        run(8, rng, start_b=8192 + 128)


def test_other_warps_may_be_elsewhere(rng):
    """Warps of another warpgroup need not take part."""
    others = "setp.ge.u32 %p2, %r0, 128;\n@%p2 bra DONE;"
    found, want, _ = run(16, rng, threads=256, before=others, after="DONE:")
    assert (found == want + 1).all()


@pytest.mark.parametrize("opaque", [True, False])
def test_opaque_factors(opaque):
    """Their products are opaque too, and take the same time."""
    n = 64
    machine = new_machine(product(n, 128))
    x = machine.alloc(0, 8192 + 128 * n, "x", opaque=True)
    out = machine.alloc(0, 512 * n // 2, "out", opaque=opaque)
    cycles = machine.alloc(0, 512, "cycles")
    machine.launch(0, "k", (1, 1, 1), (128, 1, 1), params=struct.pack("<3Q", x, out, cycles), shared=8192 + 128 * n)
    if not opaque:
        with pytest.raises(MachineFault, match="opaque"):
            machine.run()
        return
    machine.run()
    known = run(n, np.random.default_rng(0))[2].out["cycles"]
    assert (read_back(machine, cycles, known) == known).all()


def test_a_sparse_product(rng):
    """Of four numbers along k the first two are stored."""
    n = 16
    text = product(n, 128).replace("wgmma.mma_async.sync", "wgmma.mma_async.sp.sync").replace("n16k16", "n16k32")
    text = text.replace("%d2, 1,", "%d2, %r7, 1, 1,").replace("wgmma.fence", "mov.u32 %r7, 0x44444444;\nwgmma.fence")
    a, b = rng.integers(-9, 10, (64, 16)), rng.integers(-9, 10, (n, 32))
    x = np.concatenate([swizzled(a), swizzled(b)]).view(np.uint32).reshape(-1)
    buffers = {"x": x, "out": np.zeros((n // 2, 128), np.float32), "cycles": np.zeros(128, np.uint32)}
    ran = run_kernel(text, buffers, block=(128, 1, 1), shared=8192 + 128 * n)
    whole = np.zeros((64, 32), int)
    whole[:, np.arange(32) % 4 < 2] = a
    assert (sums(ran.out["out"], n) == whole @ b.T + 1).all()
