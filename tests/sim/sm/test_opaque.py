"""Opaque buffers: their time is that of data, their values reach no store, branch or address unnoticed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import simasm
from sim.errors import MachineFault, UnmodelledError
from sim.host import HostError

HEAD = """
.version 9.0
.target sm_90a
.address_size 64
.visible .entry k(.param .u64 x, .param .u64 y, .param .u64 z, .param .align 64 .b8 map[128])
{
    .shared .align 128 .b8 s[2048];
    .shared .align 8 .b64 bar;
    .reg .pred %p, %q;
    .reg .b32 %t, %v, %w, %s, %first, %b, %r;
    .reg .b64 %x, %y, %z, %map, %a;
    .reg .f32 %f<8>;
    ld.param.u64 %x, [x];
    ld.param.u64 %y, [y];
    ld.param.u64 %z, [z];
    mov.b64 %map, map;
    cvta.param.u64 %map, %map;
    mov.u32 %t, %tid.x;
    mov.u32 %b, bar;
    mad.wide.u32 %x, %t, 4, %x;
    mad.wide.u32 %y, %t, 4, %y;
    mad.wide.u32 %z, %t, 4, %z;
    mov.u32 %first, s;
    mad.lo.u32 %s, %t, 4, %first;
"""
TAIL = """
    st.global.u32 [%y], %v;
    ret;
}
.host main {
    param ox = 0;
    param oy = 0;
    buffer x : u32[32, 32] = randint(0, 4) opaque(ox);
    buffer y : u32[32] = zeros opaque(oy);
    buffer z : u32[32, 32] = iota(0, 1);
    tensormap map over x box(32, 4);
    launch k on all grid(1) block(32) (x, y@((gpu + PEER) % ngpus), z, map);
    sync;
    check y ~ copy(y);
}
"""
LOAD = "ld.global.u32 %v, [%x];"
ARRIVE = """
    setp.eq.u32 %p, %t, 0;
    @%p mbarrier.init.shared.b64 [%b], 1;
    @%p mbarrier.arrive.expect_tx.shared.b64 _, [%b], 512;
"""
WAIT = """
again:
    mbarrier.try_wait.parity.shared.b64 %q, [%b], 0;
    @!%q bra again;
    ld.shared.u32 %v, [%s];
"""
PATHS = {
    "load": LOAD,
    "arithmetic": LOAD + "mad.lo.u32 %v, %v, 3, %t;",
    "select": LOAD + "setp.gt.u32 %p, %v, 2; selp.b32 %v, 7, 8, %p;",
    "one lane": "mov.u32 %v, 3; setp.eq.u32 %p, %t, 5; @%p " + LOAD,
    "shared": LOAD + "st.shared.u32 [%s], %v; ld.shared.u32 %v, [%s];",
    "neighbour's bytes": LOAD + "st.shared.u32 [%s], %v; bar.sync 0; and.b32 %t, %t, 3; mad.lo.u32 %s, %t, 4, %first;"
    "ld.shared.v2.u32 {%v, %w}, [s];",
    "shared atomic": LOAD + "atom.shared.add.u32 %v, [%s], %v; ld.shared.u32 %v, [%s];",
    "atomic": "atom.global.add.u32 %v, [%x], 1;",
    "shuffle": LOAD + "shfl.sync.bfly.b32 %v, %v, 1, 31, -1;",
    "ballot": LOAD + "setp.gt.u32 %p, %v, 2; vote.sync.ballot.b32 %v, %p, -1;",
    "reduction": LOAD + "redux.sync.add.u32 %v, %v, -1;",
    "cp.async": "cp.async.ca.shared.global [%s], [%x], 4; cp.async.wait_all; ld.shared.u32 %v, [%s];",
    "bulk": ARRIVE + "@%p cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%x], 512, [%b];" + WAIT,
    "tensor": ARRIVE + "mov.u32 %r, 0; @%p cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes"
    " [s], [%map, {%r, %r}], [%b];" + WAIT,
    "ldmatrix": LOAD + "st.shared.u32 [%s], %v; bar.sync 0; shl.b32 %w, %t, 4; and.b32 %w, %w, 112; add.u32 %w, %w, %first;"
    "ldmatrix.sync.aligned.m8n8.x1.shared.b16 {%v}, [%w];",
    "stmatrix": LOAD + "shl.b32 %w, %t, 4; and.b32 %w, %w, 112; add.u32 %w, %w, %first;"
    "stmatrix.sync.aligned.m8n8.x1.shared.b16 [%w], {%v}; bar.sync 0; ld.shared.u32 %v, [%s];",
    "mma": LOAD + "mov.f32 %f0, 0f00000000; mov.u32 %w, 0;"
    "mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {%f0, %f1, %f2, %f3}, {%v, %w}, {%w}, {%f0, %f0, %f0, %f0};"
    "mov.b32 %v, %f2;",
}  # fmt: skip
CLEARED = {
    "register": LOAD + "add.u32 %w, %v, 1; mov.u32 %v, 5;",
    "shared": LOAD + "st.shared.u32 [%s], %v; st.shared.u32 [%s], %t; ld.shared.u32 %v, [%s];",
    "other words": LOAD + "st.shared.u32 [%s], %v; st.shared.u32 [%s+128], %t; ld.shared.u32 %v, [%s+128];",
    "range of a shuffle": LOAD + "shfl.sync.up.b32 %w|%p, %v, 1, 0, -1; selp.b32 %v, 1, 2, %p;",
    "known buffer": LOAD + "ld.global.u32 %v, [%z];",
}
WRONG = {
    "guard": LOAD + "setp.gt.u32 %p, %v, 2; @%p add.u32 %t, %t, 1; mov.u32 %v, 0;",
    "branch": LOAD + "setp.gt.u32 %p, %v, 2; @%p bra out; mov.u32 %v, 0; out: mov.u32 %v, 1;",
    "address": LOAD + "mad.wide.u32 %a, %v, 4, %z; ld.global.u32 %v, [%a]; mov.u32 %v, 0;",
    "shared address": LOAD + "mad.lo.u32 %w, %v, 4, %first; st.shared.u32 [%w], %t; mov.u32 %v, 0;",
    "lane of a shuffle": LOAD + "shfl.sync.idx.b32 %w, %t, %v, 31, -1; mov.u32 %v, 0;",
}


def run(folder: Path, body: str, gpus: int = 1, peer: int = 0, **defines: Any) -> simasm.Result:
    path = folder / "k.s"
    path.write_text(HEAD + body + TAIL.replace("PEER", str(peer)))
    settings = {"sm.count": 2}
    return simasm.run(path, gpus=gpus, settings=settings, defines=defines, output=lambda line: None)


@pytest.mark.parametrize("name", PATHS)
def test_same_time_as_data_and_no_value_gets_out(tmp_path: Path, name: str) -> None:
    data = run(tmp_path, PATHS[name])
    opaque = run(tmp_path, PATHS[name], ox=1, oy=1)
    assert data.stats["cycles"] == opaque.stats["cycles"] and data.stats["instructions"] == opaque.stats["instructions"]
    assert opaque.ok and opaque.checks[0]["skipped"] and "skipped" not in data.checks[0]
    with pytest.raises(MachineFault, match="an opaque value is stored") as caught:
        run(tmp_path, PATHS[name], ox=1)
    text = (HEAD + PATHS[name] + TAIL).splitlines()
    assert "st.global.u32 [%y], %v;" in text[caught.value.where[1] - 1]


@pytest.mark.parametrize("name", CLEARED)
def test_what_is_known_again(tmp_path: Path, name: str) -> None:
    data, opaque = run(tmp_path, CLEARED[name]), run(tmp_path, CLEARED[name], ox=1)
    assert data.stats["memory_hash"] != opaque.stats["memory_hash"]
    address = next(a.address for a in opaque.machine.memory[0].allocations if a.name == "y")
    assert data.machine.read(address, 128) == opaque.machine.read(address, 128)


@pytest.mark.parametrize("name", WRONG)
def test_nothing_is_guessed(tmp_path: Path, name: str) -> None:
    run(tmp_path, WRONG[name])
    with pytest.raises(MachineFault, match="decides what it does is opaque"):
        run(tmp_path, WRONG[name], ox=1, oy=1)


def test_remote_stores(tmp_path: Path) -> None:
    data = run(tmp_path, LOAD, gpus=2, peer=1)
    opaque = run(tmp_path, LOAD, gpus=2, peer=1, ox=1, oy=1)
    assert data.stats["cycles"] == opaque.stats["cycles"]
    with pytest.raises(MachineFault, match="an opaque value is stored"):
        run(tmp_path, LOAD, gpus=2, peer=1, ox=1)
    known = run(tmp_path, "mov.u32 %v, 9;", gpus=2, peer=1, ox=1, oy=1)
    address = next(a.address for a in known.machine.memory[0].allocations if a.name == "y")
    assert known.machine.read(address, 128) == bytes(128), "stores to opaque buffers leave nothing"


def test_variables_cannot_be_opaque_yet(tmp_path: Path) -> None:
    path = tmp_path / "k.s"
    path.write_text(".version 9.0\n.target sm_90a\n.address_size 64\n.global .opaque .u32 v[32];\n" + HEAD.split("64", 1)[1]
                    + LOAD + TAIL.replace("PEER", "0"))  # fmt: skip
    with pytest.raises(UnmodelledError, match="use an opaque buffer"):
        simasm.run(path, settings={"sm.count": 2})


def test_what_the_host_cannot_do(tmp_path: Path) -> None:
    for text, message in (
        ("let v = read(y@0, 0);", "the host cannot read it"),
        ("copy z@0 from y@0 bytes 64;", "`y` is opaque, `z` is not"),
    ):
        path = tmp_path / "k.s"
        path.write_text(HEAD + LOAD + TAIL.replace("PEER", "0").replace("check y ~ copy(y);", text))
        with pytest.raises(HostError, match=message):
            simasm.run(path, settings={"sm.count": 2}, defines={"ox": 1, "oy": 1})
    with pytest.raises(HostError, match="without timing"):
        simasm.run(path, settings={"sm.count": 2}, defines={"ox": 1}, functional=True)
