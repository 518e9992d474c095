"""Times NCCL's all-gather, reduce-scatter and all-to-all on all GPUs of a machine, from one process, without NVLink multicast.

    python3 tests/silicon/collectives.py OUT.json

Times are of queued calls: 20 in a row between two events on GPU 0, divided by 20, so small ones are those of the host.
"""

from __future__ import annotations

import ctypes as c
import json
import os
import sys

os.environ["NCCL_NVLS_ENABLE"] = "0"  # no multicast objects
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from driver import Driver
from figures import spread

SIZES = [1 << 16 << 2 * i for i in range(7)]
"""Bytes a rank gives (all-gather), takes (reduce-scatter), or sends in all (all-to-all): 64 KB to 256 MB."""
BATCH, RUNS, BF16, CHAR, SUM = 20, 7, 9, 0, 0


class Nccl:
    """The library's communicators of all GPUs."""

    def __init__(self, gpus: int) -> None:
        self.lib = c.CDLL("libnccl.so.2")
        self.comms = (c.c_void_p * gpus)()
        self("ncclCommInitAll", self.comms, gpus, None)
        version = c.c_int()
        self("ncclGetVersion", c.byref(version))
        self.version = version.value

    def __call__(self, function: str, *args: object) -> None:
        code = getattr(self.lib, function)(*args)
        if code:
            raise RuntimeError(f"{function}: {code}")


def issue(nccl: Nccl, cuda: Driver, name: str, size: int, source: list, target: list) -> None:
    """One collective on all GPUs."""
    n = cuda.gpus
    nccl("ncclGroupStart")
    for gpu in range(n):
        cuda.use(gpu)
        end = nccl.comms[gpu], cuda.streams[gpu]
        comm = c.c_void_p(end[0])
        if name == "all_gather":
            nccl("ncclAllGather", source[gpu], target[gpu], c.c_size_t(size), CHAR, comm, end[1])
        elif name == "reduce_scatter":
            nccl("ncclReduceScatter", source[gpu], target[gpu], c.c_size_t(size // 2), BF16, SUM, comm, end[1])
        else:
            part = size // n
            for peer in range(n):
                there, here = c.c_uint64(source[gpu].value + peer * part), c.c_uint64(target[gpu].value + peer * part)
                nccl("ncclSend", there, c.c_size_t(part), CHAR, peer, comm, end[1])
                nccl("ncclRecv", here, c.c_size_t(part), CHAR, peer, comm, end[1])
    nccl("ncclGroupEnd")


def timed(nccl: Nccl, cuda: Driver, name: str, size: int, source: list, target: list) -> float:
    """us per call of a batch."""
    events = [c.c_void_p(), c.c_void_p()]
    cuda.use(0)
    for event in events:
        cuda("cuEventCreate", c.byref(event), 0)
    cuda("cuEventRecord", events[0], cuda.streams[0])
    for _ in range(BATCH):
        issue(nccl, cuda, name, size, source, target)
    cuda.use(0)
    cuda("cuEventRecord", events[1], cuda.streams[0])
    cuda.sync()
    took = c.c_float()
    cuda("cuEventElapsedTime", c.byref(took), *events)
    return took.value * 1000 / BATCH


def main() -> None:
    cuda = Driver()
    try:
        nccl = Nccl(cuda.gpus)
    except (OSError, RuntimeError) as problem:
        raise SystemExit(f"not measured: {problem}") from None
    source = [cuda.alloc(gpu, SIZES[-1] * cuda.gpus) for gpu in range(cuda.gpus)]
    target = [cuda.alloc(gpu, SIZES[-1] * cuda.gpus) for gpu in range(cuda.gpus)]
    result = {"gpus": cuda.names, "nccl": nccl.version, "nvls": 0, "unit": "us per queued call", "cases": []}
    for name in ("all_gather", "reduce_scatter", "all_to_all"):
        for size in SIZES:
            timed(nccl, cuda, name, size, source, target)
            found = spread([timed(nccl, cuda, name, size, source, target) for _ in range(RUNS)])
            away = size * (cuda.gpus - 1) / (cuda.gpus if name == "all_to_all" else 1)
            rate = away / found["median"] / 1000
            result["cases"].append({"collective": name, "bytes": size, "us": found, "sent_gbps": round(rate, 1)})
            print(name, size, found["median"], round(rate, 1), flush=True)
            with open(sys.argv[1], "w") as file:
                json.dump(result, file, indent=0)
    os._exit(0)


if __name__ == "__main__":
    main()
