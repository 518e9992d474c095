"""What a host sets up in the hubs, on the state of a machine without SMs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from isa.image import Kernel
from sim.addresses import gpu_address
from sim.config import Config
from sim.hub import aau, dam, multimem
from sim.hub_objects import ROWS_ENDED, Binding, HubObjects
from sim.layout import gpu_base
from sim.memory import GpuMemory
from sim.raw import Arena
from sim.state import new


class Bare:
    """State, parameters and memory of a machine, and an image with two kernels, of which one stores rows."""

    def __init__(self, gpus: int = 2) -> None:
        self.gpus = gpus
        self.A = new(gpus, 0)
        values = Config.load().params(gpus)
        self.P = Arena(len(values))
        self.P.words[:] = values
        self.memory = [GpuMemory(gpu, 1 << 20) for gpu in range(gpus)]
        kernels = {"router": Kernel("router", 0, 2, [], 0, 8, 1, 0, 0), "gemm": Kernel("gemm", 2, 3, [], 0, 8, 1, 0, 0)}
        self.image = SimpleNamespace(ops=["ret", "st.rowsp.nop.v4.b32"], op=np.array([0, 1, 0], np.uint16))
        self.image.kernel = kernels.__getitem__

    def gpu_of(self, address: int) -> int:
        return (address >> 38) - 1

    def alloc(self, gpu: int, nbytes: int, name: str) -> int:
        return self.memory[gpu].alloc(nbytes, name)


def test_regions_get_malloc_ids_of_their_gpu() -> None:
    machine = Bare()
    hub = HubObjects(machine)
    places = ((0, 4096), (1, 4096), (1, 8192))
    numbers = [hub.rowsp(gpu, gpu_address(gpu, offset), 8, 384) for gpu, offset in places]
    assert numbers == [0, 1 << 16, (1 << 16) + 1]
    g = gpu_base(1)
    assert machine.A[g + aau.REGIONS] == 2
    assert machine.A[g + aau.BASE + 1] == gpu_address(1, 8192)
    assert (machine.A[g + aau.ROWS + 1], machine.A[g + aau.ROW_BYTES + 1]) == (8, 384)
    with pytest.raises(ValueError, match="memory of GPU 1, not of GPU 0"):
        hub.rowsp(0, gpu_address(1, 128), 8, 384)


def test_multicast_object_is_known_to_all_gpus() -> None:
    machine = Bare(3)
    hub = HubObjects(machine)
    assert hub.multicast({0: gpu_address(0, 128), 2: gpu_address(2, 256)}, 1024) == 128 << 38
    assert hub.multicast({0: gpu_address(0, 128)}, 64) == 129 << 38
    for gpu, base in ((0, gpu_address(0, 128)), (1, 0), (2, gpu_address(2, 256))):
        g = gpu_base(gpu)
        assert machine.A[g + multimem.MEMBERS] == 0b101
        assert (machine.A[g + multimem.OBJECT_BASE], machine.A[g + multimem.OBJECT_BYTES]) == (base, 1024)


def test_dynamic_object() -> None:
    machine = Bare()
    hub = HubObjects(machine)
    experts = [Binding(e // 2, (gpu_address(e // 2, 1024 * e), gpu_address(e // 2, 65536 + e)), 5) for e in range(4)]
    stages = hub.dymulticast(384, 16, experts)
    assert stages == (512 << 38, 512 << 38 | 1 << 37)
    g = gpu_base(1)
    words = [machine.A[g + w] for w in (multimem.BLOCK_BYTES, multimem.BLOCKS, multimem.EXPERTS, multimem.PER_GPU)]
    assert words == [384, 16, 4, 2]
    table = machine.memory[1].allocations[0]
    assert (machine.A[g + multimem.AL_TABLE], table.size) == (table.address, 4 * 16 * 2)
    with pytest.raises(ValueError, match="expert 1 must be on GPU 0"):
        hub.dymulticast(384, 16, [experts[0], experts[2], experts[1], experts[3]])
    with pytest.raises(ValueError, match="cannot be spread evenly"):
        hub.dymulticast(384, 16, experts[:3])
    with pytest.raises(ValueError, match="multiple of 128 bytes"):
        hub.dymulticast(100, 16, experts)


def test_endings_are_taken_on_by_the_launches_that_cause_them() -> None:
    hub = HubObjects(Bare())
    rows = [hub.closing_key(ROWS_ENDED, gpu) for gpu in (0, 1)]
    gemm = [hub.closing_key("gemm", gpu) for gpu in (0, 1)]
    assert rows[0] == rows[1] and len({*rows, *gemm}) == 3
    assert hub.closing_key("gemm", 1) == gemm[1]
    assert hub.launch_keys("gemm", 0) == {"closes": gemm[0]}
    assert hub.launch_keys("gemm", 0) == {}
    assert hub.launch_keys("router", 0) == {"ending": rows[0]}
    assert hub.unannounced() == [("gemm", 1), (ROWS_ENDED, 1)]
    assert hub.launch_keys("router", 1) == {"ending": rows[0]}
    assert hub.closing_key(ROWS_ENDED, 0) not in rows


def test_gate() -> None:
    machine = Bare()
    hub = HubObjects(machine)
    watch = (gpu_address(1, 4096), 256, 64, 0, 64, 0)
    assert hub.gate(1, 4, 256, [watch], hub.closing_key("gemm", 1)) == 0
    assert hub.gate(1, 2, 512, [watch], expects_bytes=1024) == 1
    g = gpu_base(1)
    assert [machine.A[g + dam.CLOSE_BY + i] for i in (0, 1)] == [dam.BY_KEY, dam.BY_BYTES]
    assert [machine.A[g + dam.LOW + i] for i in (0, 1)] == [gpu_address(1, 4096)] * 2
    with pytest.raises(ValueError, match="must be whole rows"):
        hub.gate(1, 4, 256, [(gpu_address(1, 4096), 100, 64, 0, 64, 0)])
