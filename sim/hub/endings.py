"""End of stores: how a GPU knows that everything a source meant to send has arrived.

A source numbers its stores by generation; ``end`` closes a generation and tells every GPU how many bytes of it are on
the way to that GPU (an EOS packet with the key of the ending). The receiver counts the bytes that were written, by
source and generation. When all generations up to the one with the key are complete for every source, the ending is
complete and the gates that wait for its key close (dam.py). So no store can be overtaken by its announcement.

Assumption: MoE-Hub gives the consumer the expected number of acknowledgements; here the sources announce it.
"""

from ..jit import inline, outline
from ..layout import Layout
from ..net.interface import MAX_GPUS
from ..net.packet import bit, low_bits
from .blocks import MULTIMEM_BLOCK
from .dam import DAM_REST, KEYS_MAX, close_key

GENERATIONS = 64
"""Generations of one source that may be incomplete at the same time."""

_e = Layout(DAM_REST)
ARRIVED = _e.field(MAX_GPUS * GENERATIONS)
"""Bytes written, by source and generation."""
ANNOUNCED = _e.field(MAX_GPUS * GENERATIONS)
"""Bytes announced + 1; 0: not yet."""
ENDING = _e.field(MAX_GPUS * GENERATIONS)
COMPLETE = _e.field(MAX_GPUS)
"""Generations of each source that are complete."""
LATEST = _e.field(MAX_GPUS)
"""Cycle of the last write from each source."""
SEEN = _e.field(KEYS_MAX)
"""Sources whose ending of this key is complete."""
assert _e.words <= MULTIMEM_BLOCK


@inline
def _slot(source, generation):
    return source * GENERATIONS + (generation & GENERATIONS - 1)


@outline
def _settle(A, P, g, gpus, source):
    """Advance over the source's generations that are complete."""
    at = _slot(source, A[g + COMPLETE + source])
    while A[g + ANNOUNCED + at] > 0 and A[g + ARRIVED + at] == A[g + ANNOUNCED + at] - 1:
        key = A[g + ENDING + at]
        A[g + ANNOUNCED + at] = 0
        A[g + ARRIVED + at] = 0
        A[g + COMPLETE + source] += 1
        A[g + SEEN + key] |= bit(source)
        if A[g + SEEN + key] == low_bits(gpus):
            close_key(A, P, g, A[g + LATEST + source], key)
        at = _slot(source, A[g + COMPLETE + source])


@outline
def written(A, P, g, gpus, t, source, generation, nbytes):
    """``nbytes`` of a source's generation were written at cycle ``t``."""
    at = _slot(source, generation)
    A[g + ARRIVED + at] += nbytes
    A[g + LATEST + source] = max(A[g + LATEST + source], t)
    if A[g + ANNOUNCED + at] > 0:
        _settle(A, P, g, gpus, source)


@outline
def announced(A, P, g, gpus, t, source, generation, nbytes, key):
    """An EOS packet arrived: the generation has ``nbytes`` for this GPU."""
    at = _slot(source, generation)
    A[g + ANNOUNCED + at] = nbytes + 1
    A[g + ENDING + at] = key
    A[g + LATEST + source] = max(A[g + LATEST + source], t)
    _settle(A, P, g, gpus, source)
