"""Which blocks of a program are compiled, and when.

The functional mode counts how often warps come to a block that is not compiled (``TABLE`` below). When that is often
enough, the block and its neighbours are compiled; what an earlier run compiled is taken from the cache at once. The more
has been compiled already, the hotter a block has to be, which bounds the time spent on programs of any size.
"""

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from llvmlite import ir

from isa.image import COLUMNS, SPANS, Image
from isa.instr import Kind

from ..ir.objects import cache_path, host, load
from ..load import Code
from ..state import R_HEAD, R_IMM
from .blocks import Block, Routine
from .emit import ChunkWriter

WARM = 16
"""Visits of a block before the cache is asked for it."""
HOT = 1024
"""Visits of a block before it is compiled."""
EAGER = False
"""Compile everything when a program is loaded; for tests."""
PATIENCE = 512
"""Compiled instructions that double the number of visits."""
_SIM = Path(__file__).resolve().parent.parent
_SOURCES = (
    "translate/*.py",
    "state.py",
    "layout.py",
    "addresses.py",
    "params.py",
    "load.py",
    "packers*.py",
    "sm/special.py",
)

_known: dict[str, Any] = {}
"""Tables of the programs that this process has run, by digest."""


@cache
def _sources_digest() -> str:
    """Digest of what shapes the code, besides what every object is keyed by."""
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(_SIM.glob(pattern)):
            digest.update(path.read_bytes())
    return digest.hexdigest()


class Translator:
    """Compiled blocks of a loaded program.

    The table at ``address`` has a word for each instruction: 0, the core executes it; negative, minus the visits until it
    is hot; positive, the address of the function to call. The word in front of it is set when something is hot.
    """

    def __init__(self, image: Image, code: Code) -> None:
        self._image, self._code = image, code
        self._digest = _digest(image)
        self._table: Any = np.zeros(len(image) + 1, np.int64)
        self._visits = self._table[1:]
        self.address: int = self._visits.ctypes.data
        self._routines: dict[int, Routine] = {}
        self._seen: dict[int, int] = {}
        """Visits that were counted, of blocks that were hot but not hot enough."""
        self._compiled = 0
        """Instructions compiled or taken from the cache so far."""
        self._spans = [(k.entry, k.end, True) for k in image.kernels]
        self._spans += [(f.entry, f.end, False) for f in image.functions if f.entry >= 0]
        if self._digest in _known:
            self._visits[:] = _known[self._digest]
        else:
            self._visits[_leaders(code, self._spans)] = -WARM
        if EAGER:
            for entry, *_ in self._spans:
                self._decode(entry)

    def update(self) -> None:
        """Compile what has become hot."""
        if not self._table[0]:
            return
        self._table[0] = 0
        for pc in np.flatnonzero(self._visits == -1).tolist():
            if self._visits[pc] != -1:
                continue
            entry = max(span[0] for span in self._spans if span[0] <= pc)
            if entry not in self._routines:
                self._decode(entry)
            elif self._is_worth_it(pc):
                self._compile(next(chunk for chunk in self._routines[entry].chunks() if pc < chunk[-1].end))
        _known[self._digest] = self._visits.copy()

    def _is_worth_it(self, pc: int) -> bool:
        """Whether a block has had enough visits, for a program of which so much has been compiled; if not, count on."""
        seen, needed = self._seen.get(pc, HOT), HOT * (1 + self._compiled // PATIENCE)
        self._seen[pc] = needed
        if seen < needed:
            self._visits[pc] = seen - needed - 1
        return seen >= needed

    def _decode(self, entry: int) -> None:
        """Find the blocks of a routine, and take from the cache what is there."""
        span = next(span for span in self._spans if span[0] == entry)
        routine = self._routines[entry] = Routine(self._image, self._code.program, *span)
        self._visits[span[0] : span[1]] = 0
        for chunk in routine.chunks():
            for block in chunk:
                self._visits[block.first] = -HOT
            if EAGER or cache_path("blocks", host(), self._key(chunk)).exists():
                self._compile(chunk)

    def _key(self, chunk: list[Block]) -> list[str]:
        return [f"{_sources_digest()} {self._digest} {chunk[0].first} {chunk[-1].end}"]

    def _compile(self, chunk: list[Block]) -> None:
        """Compile a chunk, or take it from the cache."""
        pool = self._code.pool

        def emit(module: ir.Module) -> None:
            ChunkWriter(module, "f0", chunk, pool, host())

        function = load("blocks", self._key(chunk), emit, loops=False, cpu=host())[0]
        for block in chunk:
            self._visits[block.first] = function
            self._compiled += len(block.instructions)


def _leaders(code: Code, spans: list[tuple[int, int, bool]]) -> list[int]:
    """Where warps enter kernels and functions, and where branches lead."""
    branches = code.rows[code.rows[:, R_HEAD] & 255 == Kind.BRA]
    return sorted({*(span[0] for span in spans), *branches[:, R_IMM].tolist()})


def _digest(image: Image) -> str:
    """Digest of what the code of a program depends on."""
    digest = hashlib.sha256(repr((image.isa_digest, image.ops)).encode())
    for name in COLUMNS:
        if name not in SPANS:
            digest.update(getattr(image, name).tobytes())
    for part in (*image.kernels, *image.functions, *image.symbols):
        digest.update(repr([(k, v) for k, v in vars(part).items() if k not in ("registers", "init")]).encode())
    return digest.hexdigest()
