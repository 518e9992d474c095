"""Tensor maps and clusters in host programs, from the text of a program to its check."""

from pathlib import Path

import pytest

import simasm

PROGRAM = """.version 9.0
.target sm_90a
.address_size 64
.set W, 32
// Each cluster of two CTAs copies two boxes: one CTA loads, both store what they got.
.visible .entry k(.param .align 64 .b8 from[128], .param .align 64 .b8 to[128])
{
    .reg .b32 %r<12>; .reg .b64 %rd<6>; .reg .pred %p<4>;
    .shared .align 1024 .b8 s[1024]; .shared .align 8 .b8 bar[8];
    mov.b64 %rd1, from; cvta.param.u64 %rd1, %rd1; mov.b64 %rd2, to; cvta.param.u64 %rd2, %rd2;
    mov.u32 %r1, %tid.x; mov.u32 %r2, s; mov.u32 %r3, bar; mov.u32 %r4, %ctaid.x; mov.u32 %r5, %ctaid.y;
    mul.lo.u32 %r4, %r4, W; mul.lo.u32 %r5, %r5, 8;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra end;
    mbarrier.init.shared.b64 [%r3], 1; fence.mbarrier_init.release.cluster;
    mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 1024;
    cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%rd1, {%r4, %r5}], [%r3];
again:
    mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0;
    @!%p2 bra again;
    cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%rd2, {%r4, %r5}], [%r2];
    cp.async.bulk.commit_group;
    cp.async.bulk.wait_group 0;
end:
    barrier.cluster.arrive; barrier.cluster.wait;
    ret;
}
.host main {
    param swizzle = 128;
    buffer x : f32[20, 72] = normal(0, 1);
    buffer y : f32[20, 72] = zeros;
    tensormap from over x box(W, 8) swizzle swizzle;
    tensormap to over y box(W, 8) swizzle swizzle;
    launch k on all grid(4, 3) block(32) cluster(2) (from, to);
    sync;
    check y ~ copy(x) rtol 0;
}
"""


@pytest.mark.parametrize("functional", [False, True])
def test_a_program_with_tensor_maps_and_clusters(tmp_path: Path, functional: bool) -> None:
    path = tmp_path / "program.s"
    path.write_text(PROGRAM)
    assert simasm.run(path, gpus=2, functional=functional).ok


def test_mistakes_of_tensor_maps_have_a_place(tmp_path: Path) -> None:
    path = tmp_path / "program.s"
    path.write_text(PROGRAM)
    with pytest.raises(Exception, match="have at most as many bytes"):
        simasm.run(path, gpus=1, defines={"swizzle": 64})
    path.write_text(PROGRAM.replace("cluster(2)", "cluster(3)"))
    with pytest.raises(Exception, match="not a multiple of the cluster"):
        simasm.run(path, gpus=1)
