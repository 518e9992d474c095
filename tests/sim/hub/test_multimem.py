"""Dynamic multicast objects: AL table, AL TLB, dispatch and combine."""

import random

import numpy as np
import pytest
from fabric import Fabric, address

from isa.types import AtomOp, ValType
from sim.hub import multimem
from sim.hub.multimem import add_object, expert_blocks
from sim.layout import gpu_base
from sim.net.faults import HUB_FAULTS, HubFault
from sim.net.interface import RECEIVED_FLITS, SENT_FLITS
from sim.net.packet import Packet
from sim.net.sums import ACC_F32

HOPS = 2 * 400
GPUS, PER_GPU, BLOCK, TOKENS, ROWS = 4, 2, 256, 64, 40
EXPERTS = GPUS * PER_GPU
TABLE, STAGE0, STAGE1 = 1 << 19, 0, 1 << 18
OBJECT = 512 << 38
SECOND_STAGE = 1 << 37
F32_ADD = AtomOp.ADD | ValType.F32 << 8


def expert_base(local, stage):
    """Offset of a local expert's buffer."""
    return (STAGE1 if stage else STAGE0) + local * ROWS * BLOCK


def dispatcher(rows=ROWS, **changes):
    """Four GPUs with two experts each and one dynamic object of two stages."""
    f = Fabric(GPUS, **changes)
    for gpu in range(GPUS):
        bindings = [
            (address(gpu, expert_base(local, 0)), address(gpu, expert_base(local, 1)), rows) for local in range(PER_GPU)
        ]
        add_object(f.A, gpu_base(gpu), 0, BLOCK, TOKENS, EXPERTS, PER_GPU, address(gpu, TABLE), bindings)
    return f


def block(f, expert, index, stage=0):
    """A layout block of an expert as f32."""
    start = expert_base(expert % PER_GPU, stage) + index * BLOCK
    return f.memory(expert // PER_GPU)[start : start + BLOCK].view(np.float32)


@pytest.mark.parametrize("tlb", [512, 4])
def test_dispatch_packs_each_experts_tokens_and_combine_adds_them_up(tlb):
    """Random tokens to random experts, a token's two packets apart; the AL table against dicts."""
    rng = random.Random(tlb)
    f = dispatcher(AL_TLB_ENTRIES=tlb)
    routing = {token: rng.sample(range(EXPERTS), rng.randrange(1, 6)) for token in range(TOKENS // 2)}
    values = {token: np.random.default_rng(token).integers(0, 100, BLOCK // 4).astype(np.float32) for token in routing}
    pieces = [(token, half) for token in routing for half in (0, 1)]
    rng.shuffle(pieces)
    places = {expert: {} for expert in range(EXPERTS)}
    for i, (token, half) in enumerate(pieces):
        data = values[token][32 * half : 32 * half + 32].tobytes()
        where = OBJECT + token * BLOCK + 128 * half
        f.send(token % GPUS, 60 * i, Packet.DYMM_ST, where, data, targets=routing[token])
    f.run()
    for gpu in range(GPUS):
        for r in f.records(gpu, Packet.DYMM_ST):
            token = (r.address - OBJECT) // BLOCK
            for expert in routing[token]:
                if expert // PER_GPU == gpu:
                    places[expert].setdefault(token, len(places[expert]))
    for expert in range(EXPERTS):
        assert expert_blocks(f.A, gpu_base(expert // PER_GPU), 0, expert % PER_GPU) == len(places[expert])
        for token, index in places[expert].items():
            assert (block(f, expert, index) == values[token]).all()
            block(f, expert, index, 1)[:] = values[token] * (expert + 1)
    start = f.now
    for token in routing:
        for half in (0, 1):
            where = OBJECT + SECOND_STAGE + token * BLOCK + 128 * half
            tag = 2 * token + half
            f.send(token % GPUS, start, Packet.DYMM_LDRED, where, op=F32_ADD, targets=routing[token], tag=tag)
    f.run()
    replies = [r for gpu in range(GPUS) for r in f.replies[gpu]]
    assert len(replies) == 2 * len(routing)
    for r in replies:
        token, half = divmod(r.tag, 2)
        want = values[token][32 * half : 32 * half + 32] * sum(e + 1 for e in routing[token])
        assert (np.frombuffer(r.data, np.float32) == want).all()
    assert not any(f.fault(gpu) for gpu in range(GPUS))
    misses = sum(f.field(gpu, multimem.TLB_MISSES) for gpu in range(GPUS))
    touched = sum(len(p) for p in places.values())
    assert misses == touched if tlb == 512 else misses > touched


def test_targets_cost_uplink_flits_only_and_each_gpu_gets_one_copy():
    f = dispatcher()
    f.send(0, 0, Packet.DYMM_ST, OBJECT, bytes(128), targets=[*range(EXPERTS), 0, 1])
    f.run()
    assert f.field(0, SENT_FLITS, Packet.DYMM_ST) == 1 + 2 + 8
    for gpu in range(GPUS):
        (copy,) = f.records(gpu, Packet.DYMM_ST)
        assert copy.arrived == HOPS + 11
    (ack,) = f.records(0, Packet.ACK)
    assert ack.flits == 1


def test_experts_of_one_gpu_are_reduced_there_and_answered_once():
    f = dispatcher()
    for expert in (2, 3):
        f.send(0, 0, Packet.DYMM_ST, OBJECT, np.full(32, expert, np.float32).tobytes(), targets=[expert])
    f.run()
    f.send(0, f.now, Packet.DYMM_LDRED, OBJECT, op=F32_ADD, targets=[2, 3])
    f.run()
    assert np.frombuffer(f.replies[0][0].data, np.float32).tolist() == [5.0] * 32
    assert f.field(1, SENT_FLITS, Packet.DYMM_RESP) == 9


def test_half_precision_sums_of_many_experts_are_rounded_like_f32():
    f = dispatcher()
    rng = np.random.default_rng(2)
    lines = rng.normal(0, 1, (EXPERTS, 64)).astype(np.float16)
    for expert in range(0, EXPERTS, PER_GPU):
        f.send(0, 0, Packet.DYMM_ST, OBJECT, lines[expert].tobytes(), targets=[expert])
    f.run()
    f.send(3, f.now, Packet.DYMM_LDRED, OBJECT, op=AtomOp.ADD | ValType.F16X2 << 8 | ACC_F32, targets=[0, 2, 4, 6])
    f.run()
    want = np.zeros(64, np.float32)
    for expert in (0, 2, 4, 6):
        want += lines[expert].astype(np.float32)
    assert (np.frombuffer(f.replies[3][0].data, np.float16) == want.astype(np.float16)).all()


def test_a_miss_reads_the_table_and_a_second_miss_waits_for_it():
    """Two packets of a new token: the first reads the AL table, the second finds the entry on its way."""
    f = dispatcher()
    for t, where in ((0, 0), (1, 128), (5000, 0)):
        f.send(0, t, Packet.DYMM_ST, OBJECT + where, bytes(128), targets=[2])
    f.run()
    first, second, third = (r.arrived for r in f.records(0, Packet.ACK))
    hit = HOPS + 9 + 2 + 280 + HOPS + 1
    assert f.field(1, multimem.TLB_MISSES) == 1
    assert first == 1 + hit + 660  # 1: target flit; the table comes from HBM
    assert second == first + 1
    assert third - 5000 == 1 + hit


def test_misses_are_limited():
    def last(limit):
        f = dispatcher(AL_TLB_MISSES=limit)
        for token in range(16):
            f.send(0, token, Packet.DYMM_ST, OBJECT + token * BLOCK, bytes(128), targets=[2])
        f.run()
        return f.records(0, Packet.ACK)[-1].arrived

    assert last(1) > last(16) + 10 * 280


@pytest.mark.parametrize(
    ("kind", "where", "targets", "gpu", "fault"),
    [
        (Packet.DYMM_ST, OBJECT, [EXPERTS], 0, HubFault.EXPERT),
        (Packet.DYMM_ST, OBJECT, [], 0, HubFault.MULTIMEM),
        (Packet.DYMM_ST, OBJECT + (1 << 38), [1], 0, HubFault.MULTIMEM),
        (Packet.DYMM_ST, OBJECT + TOKENS * BLOCK, [2], 1, HubFault.MULTIMEM),
        (Packet.DYMM_LDRED, OBJECT + BLOCK, [2], 1, HubFault.AL_UNMAPPED),
        (Packet.DYMM_ST, OBJECT + 5 * BLOCK, [2], 1, HubFault.AL_ROWS),
        (Packet.MM_ST, 128 << 38, [], 0, HubFault.MULTIMEM),
    ],
)
def test_mistakes_are_faults(kind, where, targets, gpu, fault):
    f = dispatcher(rows=1)
    f.send(0, 0, Packet.DYMM_ST, OBJECT, bytes(128), targets=[2])
    f.send(0, 1, kind, where, bytes(128), targets=targets, op=F32_ADD, sm=4)
    for _ in range(5):
        f.window()
    assert f.fault(gpu) == HUB_FAULTS + fault


def test_blocks_must_be_whole_lines():
    f = Fabric(1)
    with pytest.raises(ValueError, match="multiple of 128"):
        add_object(f.A, gpu_base(0), 0, 100, 1, 1, 1, 0, [(0, 0, 1)])
    with pytest.raises(ValueError, match="bound"):
        add_object(f.A, gpu_base(0), 0, 128, 1, 2, 2, 0, [(0, 0, 1)])


@pytest.mark.parametrize(("targets", "flits"), [(8, 91), (1, 21)])
def test_payload_efficiency_is_that_of_the_paper(targets, flits):
    """DySHARP section III-A: near the ideal 80 %. Eight targets: 10 flits up, 8 x 9 down, 8 acknowledgements up, one
    down; data crosses nine links, so 72 of 91 flits are payload (79.1 %)."""
    f = Fabric(9)
    for gpu in range(9):
        own = [(address(gpu, 0), address(gpu, STAGE1), ROWS)]
        add_object(f.A, gpu_base(gpu), 0, BLOCK, TOKENS, 9, 1, address(gpu, TABLE), own)
    f.send(8, 0, Packet.DYMM_ST, OBJECT, bytes(128), targets=list(range(targets)))
    f.run()
    counters = [at + kind for at in (SENT_FLITS, RECEIVED_FLITS) for kind in (Packet.DYMM_ST, Packet.ACK)]
    assert sum(f.field(gpu, counter) for gpu in range(9) for counter in counters) == flits
