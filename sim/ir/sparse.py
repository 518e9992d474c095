"""Sparse factors: the stored numbers of A put where the metadata says, zeros between them.

Of four k (of two for 32-bit elements, of four pairs for 4-bit ones) half are stored; four bits of metadata name their places
(PTX ISA 9.0, 9.7.14.6). Zeros do not take part in sums (aligned.py), so what follows is the dense instruction's.
"""

from typing import Any

from llvmlite import ir

from .build import (
    F32,
    I16,
    I32,
    I64,
    LANES,
    Builder,
    constant,
    load,
    load_slot,
    shuffle,
    splat,
    store,
    undefined,
    vector,
    word,
)
from .fragments import ABSENT, BITS, Element, counted, helper, is_float


def _stored(element: Element) -> tuple[int, int, int]:
    """Stored numbers of a chunk, its k, and the numbers that share a place."""
    return {32: (1, 2, 1), 4: (4, 8, 2)}.get(BITS[element], (2, 4, 1))


def _metadata(b: Builder, element: Element, words: Any, chunk: Any, half: int, first: Any) -> Any:
    """Four bits about a chunk of rows 0 to 7 or 8 to 15 (``half``), in every lane of the row. ``words``: the words of the
    four threads of a row, each in all its lanes; ``first``: the first thread that has some."""
    if BITS[element] <= 8:
        thread = b.add(b.add(first, word(half)), b.shl(b.lshr(chunk, word(3)), word(1)))
        shift = b.shl(b.and_(chunk, word(7)), word(2))
    else:
        thread = b.add(first, b.lshr(chunk, word(2)))
        shift = b.add(word(16 * half), b.shl(b.and_(chunk, word(3)), word(2)))
    found = load_slot(b, b.add(words, b.shl(b.and_(thread, word(3)), word(7))))
    return b.and_(b.lshr(found, splat(b, b.trunc(shift, I32))), constant(I32, 15))


def _places(b: Builder, element: Element, bits: Any) -> list[list[Any]]:
    """For each place of a chunk, for each stored number: whether it goes there."""
    if BITS[element] == 32:
        second = b.icmp_unsigned("!=", bits, constant(I32, 4))
        return [[b.not_(second)], [second]]
    indices = [b.and_(bits, constant(I32, 3)), b.lshr(bits, constant(I32, 2))]
    return [[b.icmp_unsigned("==", index, constant(I32, q)) for index in indices] for q in range(4)]


def expand(b: Builder, element: Element, in_halves: bool = False) -> Any:
    """Function (a, tops, register, to, to_tops, chunks, first): the vectors of `spread_a` for 16 rows, with all k.
    ``register``: where the metadata is; ``first``: thread of four whose word is the first. ``in_halves``: even chunks come
    first, then odd ones."""
    stored, dense, shared = _stored(element)

    def build(inner: Builder, a: Any, tops: Any, register: Any, to: Any, to_tops: Any, chunks: Any, first: Any) -> None:
        room = inner.alloca(ir.ArrayType(I32, 4 * LANES))
        room.align = 64
        words = inner.ptrtoint(room, I64)
        own = load_slot(inner, register)
        for t in range(4):
            picked = shuffle(inner, own, undefined(own.type), [i // 4 * 4 + t for i in range(LANES)])
            store(inner, picked, inner.add(words, word(128 * t)), 64)
        tables: list[tuple[Any, Any, ir.Type, int, int | None]] = [
            (a, to, F32 if element != Element.WORD else I32, 128, None)
        ]
        if is_float(element):
            tables.append((tops, to_tops, I16, 64, ABSENT & 0xFFFF))
        with counted(inner, chunks) as chunk:
            number = chunk
            if in_halves:
                doubled = inner.shl(chunk, word(1))
                number = inner.select(inner.icmp_unsigned("<", doubled, chunks), doubled,
                                      inner.add(inner.sub(doubled, chunks), word(1)))  # fmt: skip
            for half in (0, 1):
                places = _places(inner, element, _metadata(inner, element, words, number, half, first))
                for source, target, kind, size, empty in tables:
                    step = 2 * size
                    at = inner.add(source, inner.mul(chunk, word(stored * step)))
                    numbers = [load(inner, inner.add(at, word(step * j + size * half)), vector(kind), 64)
                               for j in range(stored)]  # fmt: skip
                    nothing = ir.Constant(vector(kind), None) if empty is None else constant(kind, empty)
                    at = inner.add(target, inner.mul(chunk, word(dense * step)))
                    for i in range(dense):
                        value = nothing
                        for j, here in enumerate(places[i // shared]):
                            value = inner.select(here, numbers[j * shared + i % shared], value)
                        store(inner, value, inner.add(at, word(step * i + size * half)), 64)

    return helper(b, f"expand.{element.name}.{in_halves:d}", 7, build)


def chunk_length(element: Element) -> int:
    """k of a chunk, counted in numbers."""
    return _stored(element)[1]
