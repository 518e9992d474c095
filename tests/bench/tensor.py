"""Speed of the tensor cores' library functions on one core: GFLOP/s of ``mma`` and ``wgmma``, with data that is normally
distributed; exact sums, and chains of fused multiply-add (``tensor.exact_sums = 0``).

``python tests/bench/tensor.py [--json]``. CPU time, the best of several repeats.
"""

import ctypes
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT.parent), str(ROOT / "sim" / "ir")]

from native import buffer  # noqa: E402

from isa.table import resolve  # noqa: E402
from sim.ir.library import library  # noqa: E402
from sim.ir.tensor import mma_format  # noqa: E402
from sim.ir.wgmma import wgmma_format  # noqa: E402
from sim.wgmma_format import CHAINED, CHAINED_MMA  # noqa: E402

MMA = (
    ("m16n8k16.row.col.f32.bf16.bf16.f32", 16),
    ("m16n8k16.row.col.f32.f16.f16.f32", 16),
    ("m16n8k8.row.col.f32.tf32.tf32.f32", 8),
    ("m16n8k32.row.col.s32.s8.s8.s32", 32),
)
WGMMA = (
    *((f"m64n{n}k16.f32.bf16.bf16", n, 16) for n in (8, 64, 256)),
    *(("m64n256k16.f32.f16.f16", 256, 16), ("m64n256k32.f32.e4m3.e4m3", 256, 32), ("m64n256k32.s32.s8.s8", 256, 32)),
)
_REPEATS = 7
_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_int64] * 8)


def nanoseconds(function: Any, calls: int, *args: int) -> float:
    """CPU time of a call, less that of calling something that does nothing."""
    empty = _FUNCTION(library()["movmatrix"])
    slots, places = buffer(64, np.uint32), buffer(2, np.int64)
    places[:] = slots.ctypes.data

    def best(f: Any, *a: int) -> float:
        times = []
        for _ in range(_REPEATS):
            begin = time.process_time()
            for _ in range(calls):
                f(*a)
            times.append((time.process_time() - begin) / calls * 1e9)
        return min(times)

    return best(function, *args) - best(empty, places.ctypes.data, *[0] * 7)


def factors(kind: str, words: int) -> Any:
    """Registers or shared memory full of elements of a type."""
    rng = np.random.default_rng(1)
    if kind in ("s8", "e4m3"):
        return rng.integers(0, 1 << 32, words, dtype=np.uint32) & np.uint32(0x7F7F7F7F if kind == "s8" else 0xBFBFBFBF)
    x = rng.normal(0, 1, 2 * words).astype(np.float32)
    if kind == "f16":
        return x.astype(np.float16).view(np.uint32)
    return (x.view(np.uint32) >> 16).astype(np.uint16).view(np.uint32) if kind == "bf16" else x[:words].view(np.uint32)


def mma(text: str, depth: int, chained: bool) -> float:
    op = resolve("mma.sync.aligned." + text)
    count = {o.name: o.count for o in op.operands}
    data = factors(op.mods["atype"], 32 * (count["a"] + count["b"]))
    registers = [buffer(32, np.uint32) for _ in range(sum(count.values()))]
    for i in range(count["a"] + count["b"]):
        registers[count["d"] + i][:] = data[32 * i : 32 * i + 32]
    places = buffer(64, np.int64)
    places[: len(registers)] = [r.ctypes.data for r in registers]
    fmt = mma_format(op.mods, count) | chained << CHAINED_MMA
    ns = nanoseconds(_FUNCTION(library()["mma"]), 20000, places.ctypes.data, fmt, *[0] * 6)
    return 2 * 16 * 8 * depth / ns


def wgmma(text: str, columns: int, depth: int, chained: bool) -> float:
    op = resolve("wgmma.mma_async.sync.aligned." + text + ";form=registers")
    count = op.operands[0].count
    shared = buffer(1 << 16, np.uint32, factors(op.mods["atype"], 1 << 16))
    warps = [buffer(32 * count, np.uint32) for _ in range(4)]
    places, table = buffer(32, np.int64), buffer(count, np.int64, np.arange(count) * 128)
    places[:4] = [w.ctypes.data for w in warps]
    descriptor = 1 << 62 | 64 << 32
    fmt = wgmma_format(op.mods, False, (0, 0), False) | chained << CHAINED
    args = [table.ctypes.data, places.ctypes.data, fmt, descriptor, descriptor | 512, shared.ctypes.data, 0, 0]
    return 2 * 64 * columns * depth / nanoseconds(_FUNCTION(library()["wgmma"]), 500, *args)


def main() -> None:
    found: dict[str, dict[str, float]] = {}
    for chained in (False, True):
        for text, depth in MMA:
            found.setdefault("mma " + text, {})["chained" if chained else "exact"] = mma(text, depth, chained)
        for text, columns, depth in WGMMA:
            found.setdefault("wgmma " + text, {})["chained" if chained else "exact"] = wgmma(
                text, columns, depth, chained
            )
    if "--json" in sys.argv:
        print(json.dumps(found))
        return
    print(f"{'GFLOP/s of one core':44}  exact  chained")
    for name, speed in found.items():
        print(f"{name:44} {speed['exact']:6.1f} {speed['chained']:8.1f}")


if __name__ == "__main__":
    main()
