"""Cases of the kernels of programs/calibrate for a range in the memory of a GPU, the own one or a peer."""

from .points import EPOCH, Sketch

SMS = 132
FLUSHED = 132 << 20
"""Bytes that are read so that nothing else is left in L2."""
RANGE = 1 << 26
"""Bytes in which random segments lie."""
IN_L2 = 1 << 24
"""Bytes of a range that L2 holds beside everything else."""
FLAG_ROUNDS, FLAG_WARM_UP = 24, 4


def stream(
    kernel: str, target: int, grid: int, block: int, width: int, in_flight: int, rounds: tuple[int, int],
    footprint: int = 1 << 30, warm: bool = False,
) -> Sketch:  # fmt: skip
    """Streams of so many rounds, a short and a long launch, over new bytes, or with ``warm`` over ``footprint`` bytes in L2."""
    each = grid * block * width * in_flight
    made = Sketch("stream", 1 + target, kind="rate", units=(rounds[1] - rounds[0]) * each)
    span = max(footprint, each) if warm else each * (rounds[0] + rounds[1])
    made.buffer("range", target, span + each)
    mask = ("u64", (footprint - 1) // each * each if warm and footprint < each else footprint - 1)
    starts, phase = 0, 0
    if warm:
        made.launch(0, kernel, grid, block, ["range", mask, 0, -(-span // each)], phase)
        phase = 1
    for i, n in enumerate(rounds):
        made.launch(0, kernel, grid, block, ["range", mask, starts, n], phase + i)
        starts += 0 if warm else n
    return made


def copy(source: int, to: int, grid: int, block: int, rounds: tuple[int, int], counted: int = 1) -> Sketch:
    """Copies; each byte counts ``counted`` times."""
    each = grid * block * 64
    made = Sketch("stream", 1 + max(source, to), kind="rate", units=(rounds[1] - rounds[0]) * each * counted)
    made.buffer("range", source, each * (sum(rounds) + 1))
    made.buffer("to", to, each * (sum(rounds) + 1))
    for i, n in enumerate(rounds):
        made.launch(0, "copy", grid, block, ["range", ("u64", (1 << 40) - 1), i * rounds[0], n, "to"], i)
    return made


def segments(
    kernel: str, target: int, grid: int, block: int, width: int, nbytes: int, rounds: tuple[int, int], shift: int = 0,
    per_segment: bool = False, footprint: int = RANGE, warm: bool = False,
) -> Sketch:  # fmt: skip
    """Random segments of ``nbytes``: rate of bytes, or of segments."""
    lanes = min(32, nbytes // width)
    pieces = nbytes // (lanes * width)
    row = nbytes + (512 if shift else 0)
    rows = 1
    while 2 * rows * row <= footprint:
        rows *= 2
    loads = "load" in kernel
    made_each = grid * block // lanes * (1 if loads and pieces > 1 else 4)
    units = (rounds[1] - rounds[0]) * made_each * (1 if per_segment else nbytes)
    made = Sketch("segment", 1 + target, kind="rate", units=units)
    made.buffer("range", target, rows * row + 1024)
    if warm:
        lines = (1 << (rows * row // 512).bit_length() - 1) - 1
        made.launch(0, "seg_load_16", SMS, 1024, ["range", lines, 512, 5, 1, 64, 1, 0], 0)
    for i, n in enumerate(rounds):
        bits = lanes.bit_length() - 1
        params = ["range", rows - 1, row, bits, pieces, n, 7919 * (i + 1), shift]
        made.launch(0, kernel, grid, block, params, i + warm)
    return made


def chase(mode: str, target: int, lines: int, stride: int, warm: int, steps: int, kind: str = "cycles") -> Sketch:
    """A chain of loads through lines in random order."""
    made = Sketch("chase", 1 + target, kind=kind, per=steps)
    made.buffer("range", target, lines * stride)
    made.buffer("order", target, 4 * lines, {"kind": "hash_argsort", "seed": 5})
    made.buffer("order0", 0, 4 * lines, {"kind": "hash_argsort", "seed": 5})
    made.launch(target, "link_lines", 1, 256, ["range", "order", lines, stride], 0)
    if not warm:
        made.buffer("other", target, FLUSHED)
        made.launch(target, "flush", SMS, 1024, ["other", ("u64", FLUSHED)], 1)
    made.launch(0, f"chase_{mode}", 1, 1, ["range", "order0", stride, warm, steps], 1 if warm else 2)
    return made


def atomic_chain(name: str, target: int, steps: int, kind: str = "cycles") -> Sketch:
    """Dependent atomics of one thread."""
    made = Sketch("atomic", 1 + target, kind=kind, per=steps)
    made.buffer("range", target, 4096)
    made.launch(0, f"chain_{name}", 1, 1, ["range", 4, steps], 0)
    return made


PATTERNS = {
    "one address, all lanes": (0, 0, 0, 32),
    "one address per warp, all lanes": (128, 0, 0, 32),
    "coalesced distinct": (32, 1, 0, 32),
    "random distinct": (0, 1, 1, 32),
    "one address, one lane per warp": (0, 0, 0, 1),
    "one lane per warp, distinct lines": (128, 0, 0, 1),
}
"""Step of an operation (bytes, or words when lanes differ), words between lanes, whether at random, lanes."""


def atomics(op: str, pattern: str, target: int, grid: int, block: int, rounds: tuple[int, int]) -> Sketch:
    """Atomics of all warps: lane operations per ns."""
    size = 8 if "u64" in op else 16 if "v4" in op else 4
    step, lane_step, scatter, lanes = PATTERNS[pattern]
    step *= size if lane_step else 1
    units = (rounds[1] - rounds[0]) * grid * block * 4 * lanes // 32
    made = Sketch("atomic", 1 + target, kind="rate", units=units)
    made.buffer("range", target, 1 << 24)
    for i, n in enumerate(rounds):
        params = ["range", (1 << 24) - 1, step, lane_step * size, scatter, lanes, n]
        made.launch(0, f"many_{op.replace('.', '_')}", grid, block, params, i)
    return made


def fences(name: str, target: int, stores: int, rounds: int = 12) -> Sketch:
    """Fences of one warp after stores."""
    made = Sketch("chase", 1 + target, kind="cycles", per=rounds)
    made.buffer("range", target, max(1, stores * rounds) * 4096 + 128)
    made.launch(0, f"fence_{name}", 1, 32, ["range", stores, rounds], 0)
    return made


def ping(name: str, pull: bool = False, nbytes: int = 0, threads: int = 1, rounds: int = FLAG_ROUNDS) -> Sketch:
    """A flag one way, behind a payload. ``pull``: flags lie with their senders."""
    made = Sketch("flag", 2, kind="latency", per=2 * (rounds - FLAG_WARM_UP))
    for gpu in (0, 1):
        made.buffer(f"flag{gpu}", gpu, 128)
        made.buffer(f"payload{gpu}", gpu, max(16, nbytes))
    for me in (1, 0):
        own, other = (1 - me, me) if pull else (me, 1 - me)
        flags = [f"flag{other}", f"flag{own}", f"payload{1 - me}", f"payload{me}"]
        made.launch(me, f"ping_{name}", 1, threads, [*flags, nbytes, me, rounds, EPOCH], 0)
    return made


def ping_words(nbytes: int, threads: int, rounds: int = FLAG_ROUNDS) -> Sketch:
    """A flag in every word of 4 bytes of data."""
    made = Sketch("flag", 2, kind="latency", per=2 * (rounds - FLAG_WARM_UP))
    for gpu in (0, 1):
        made.buffer(f"words{gpu}", gpu, 2 * nbytes)
    for me in (1, 0):
        made.launch(me, "ping_words", 1, threads, [f"words{1 - me}", f"words{me}", nbytes // 4, me, rounds, EPOCH], 0)
    return made


def bulk_latency(kernel: str, target: int, nbytes: int, rounds: int = 12) -> Sketch:
    """Copies of one thread, one after the other."""
    made = Sketch("bulk", 1 + target, kind="cycles", per=rounds)
    made.buffer("range", target, nbytes)
    made.launch(0, kernel, 1, 32, ["range", nbytes, rounds], 0, dynamic_shared=max(1024, nbytes))
    return made


def bulk(
    kernel: str, target: int, grid: int, warps: int, nbytes: int, rounds: tuple[int, int], scatter: bool = False
) -> Sketch:
    """Copies of the first lanes of warps, eight in flight each."""
    made = Sketch("bulk", 1 + target, kind="rate", units=(rounds[1] - rounds[0]) * grid * warps * nbytes)
    made.buffer("range", target, RANGE)
    shared = nbytes * (8 * warps if kernel == "bulk_load" else 1)
    for i, n in enumerate(rounds):
        params = ["range", nbytes, n, RANGE // nbytes - 1, int(scatter)]
        made.launch(0, kernel, grid, 32 * warps, params, i, dynamic_shared=shared)
    return made


def rows(
    rows_at: int, nbytes: int, grid: int, counts: tuple[int, int], gather: bool = False, block: int = 1024
) -> Sketch:
    """Rows of the own memory to random rows of a GPU, or back; a warp a row."""
    made = Sketch("rows", 1 + rows_at, kind="rate", units=(counts[1] - counts[0]) * nbytes)
    made.buffer("rows", rows_at, RANGE)
    made.buffer("packed", 0, counts[1] * nbytes)
    for i, n in enumerate(counts):
        params = ["rows", "packed", nbytes, n, RANGE // nbytes - 1, 77 * i, int(gather)]
        made.launch(0, "rows", grid, block, params, i)
    return made


def beside(how: str, target: int, streams: int, loader: int, stream_target: int, steps: int = 24) -> Sketch:
    """A chain of loads of GPU 0 in the memory of ``target`` beside streams of GPU ``loader`` to ``stream_target``."""
    made = Sketch("beside", 1 + max(target, loader), kind="latency", per=steps)
    made.buffer("chain", target, 512 * 128)
    made.buffer("order", target, 2048, {"kind": "hash_argsort", "seed": 5})
    made.buffer("order0", 0, 2048, {"kind": "hash_argsort", "seed": 5})
    span = RANGE if made.case["gpus"] > 1 else IN_L2
    made.buffer("range", stream_target, span + (132 * 1024 * 64))
    made.buffer("stop", loader, 16)
    made.buffer("ready", 0, 16)
    made.launch(target, "link_lines", 1, 256, ["chain", "order", 512, 128], 0)
    for gpu in sorted({0, loader}, reverse=True):
        chases = int(gpu == 0)
        grid = chases + (streams if gpu == loader else 0)
        params = [
            "chain",
            "order0",
            128,
            16,
            steps,
            "range",
            ("u64", span - 1),
            "stop",
            "stop",
            "ready",
            streams,
            chases,
        ]
        if grid:
            made.launch(gpu, f"beside_{how}", grid, 1024, [*params, EPOCH], 1)
    return made
