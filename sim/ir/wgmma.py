"""``wgmma.mma_async`` of a warpgroup: operands from shared memory through matrix descriptors, products of all four warps.

Every factor is a matrix of rows (of A, columns of B) of 32 bytes along k. Its 8 x 16-byte blocks are gathered in the order
of a fragment's lanes, so that each becomes a register of ``mma``'s fragment and the rest is common. Where blocks and rows
lie: PTX ISA 9.0, 9.7.15.5.1, and outputs of an H200 for all swizzles, strides and base offsets.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from llvmlite import ir

from ..wgmma_format import CHAINED, DEPTH, FIRST, NEGATE, PRODUCT, REGISTERS, SPARSE, TILES, TRANS_A, TRANS_B
from . import aligned
from .aligned import RULES
from .build import (
    I1,
    I16,
    I32,
    I64,
    Builder,
    dispatch,
    intrinsic,
    lane_of,
    load,
    nonzero,
    shuffle,
    store,
    undefined,
    vector,
    word,
)
from .fragments import BITS, Element, accumulated, counted, helper, per_register, spread_a, spread_b
from .products import Product, all_tiles
from .sparse import chunk_length, expand

WARPS = 4
_BLOCK = 128
"""Bytes of a block: eight rows of 16."""
_MOST_TILES, _MOST_DEPTH = 32, 64
WINDOW = 1 << 18
"""Bytes that a descriptor can address."""
_TRANSPOSED = [i % 8 * 8 + i // 8 for i in range(64)]


def _field(b: Builder, value: Any, at: int, width: int) -> Any:
    return b.and_(b.lshr(value, word(at)), word((1 << width) - 1))


def _swizzled(b: Builder, address: Any, mask: Any, base: Any) -> Any:
    """The 16-byte unit within a line is xor'ed with the line's number, counted from the pattern's start."""
    line = b.lshr(b.sub(address, base), word(3))
    return b.and_(b.xor(address, b.and_(line, mask)), word(WINDOW - 1))


class _Descriptor:
    """The fields of a matrix descriptor: byte offsets, the swizzle's mask of address bits, log2 of its width."""

    def __init__(self, b: Builder, value: Any) -> None:
        self.start, self.leading, self.stride = (b.shl(_field(b, value, at, 14), word(4)) for at in (0, 16, 32))
        self.base = b.shl(_field(b, value, 49, 3), word(7))
        mode = _field(b, value, 62, 2)
        self.plain = b.icmp_unsigned("==", mode, word(0))
        self.log = b.select(self.plain, word(4), b.sub(word(8), mode))  # modes 1, 2, 3 are 128, 64 and 32 bytes
        self.mask = b.sub(b.shl(word(1), self.log), word(16))


def _block_along_k(b: Builder, d: _Descriptor, i: Any, j: Any) -> list[Any]:
    """Addresses of eight rows' 16 bytes: rows ``8 i`` and on, unit ``j`` along k."""
    at = b.shl(j, word(4))
    inside = b.and_(at, b.sub(b.shl(word(1), d.log), word(1)))
    step = b.add(inside, b.mul(b.lshr(at, d.log), d.leading))
    first = b.add(b.add(d.start, b.mul(i, d.stride)), step)
    return [_swizzled(b, b.add(first, b.shl(word(r), d.log)), d.mask, d.base) for r in range(8)]


def _block_across_k(b: Builder, d: _Descriptor, i: Any, j: Any) -> list[Any]:
    """The same of 16-bit elements that lie with eight rows in 16 bytes: k ``8 j`` to ``8 j + 7``."""
    units = b.sub(d.log, word(4))
    inner = b.shl(b.and_(i, b.sub(b.shl(word(1), units), word(1))), word(4))
    outer = b.mul(b.lshr(i, units), b.select(d.plain, d.stride, d.leading))
    step = b.mul(j, b.select(d.plain, d.leading, d.stride))
    first = b.add(b.add(d.start, step), b.add(inner, outer))
    return [_swizzled(b, b.add(first, b.shl(word(k), d.log)), d.mask, d.base) for k in range(8)]


def _gather(b: Builder, across: bool) -> Any:
    """Function (descriptor, shared, to, blocks, wide): all ``blocks`` of rows, 32 bytes of each, 64 if ``wide`` is 1, from
    shared memory at ``shared``. Returns the end of the last byte read."""

    def build(inner: Builder, value: Any, shared: Any, to: Any, blocks: Any, wide: Any) -> Any:
        d = _Descriptor(inner, value)

        def one(pair: Any, most: list[Any]) -> list[Any]:
            last = most[0]
            i, first = inner.lshr(pair, wide), inner.shl(inner.and_(pair, wide), word(1))
            for half in (0, 1):
                at = inner.add(to, inner.mul(pair, word(2 * _BLOCK)))
                addresses = (_block_across_k if across else _block_along_k)(inner, d, i, inner.add(first, word(half)))
                rows = [load(inner, inner.add(shared, a), vector(I16, 8), 16) for a in addresses]
                for address in addresses:
                    last = intrinsic(inner, "umax", I64, [last, address], I64)
                while len(rows) > 1:
                    count = 2 * rows[0].type.count
                    rows = [shuffle(inner, x, y, range(count)) for x, y in zip(rows[::2], rows[1::2], strict=True)]
                whole = shuffle(inner, rows[0], undefined(rows[0].type), _TRANSPOSED) if across else rows[0]
                store(inner, whole, inner.add(at, word(half * _BLOCK)), 64)
            return [last]

        return inner.add(accumulated(inner, inner.shl(blocks, wide), [word(0)], one)[0], word(16))

    return helper(b, "gather.across" if across else "gather.along", 5, build, I64)


def _fetch(b: Builder, descriptor: Any, shared: Any, to: Any, blocks: Any, wide: Any, across: Any) -> Any:
    args = [descriptor, shared, to, blocks, wide]
    return dispatch(b, b.trunc(across, I1), {i: partial(b.call, _gather(b, bool(i)), args) for i in (0, 1)})


def _room(b: Builder, size: int) -> Any:
    scratch = b.alloca(ir.ArrayType(I32, size // 4))
    scratch.align = 64
    return b.ptrtoint(scratch, I64)


def _each_element(b: Builder, kind: Any, case: Callable[[Element], Any]) -> Any:
    used = (Element.F16, Element.BF16, Element.TF32, Element.E4M3, Element.E5M2, Element.S8, Element.U8, Element.WORD)
    return dispatch(b, b.trunc(kind, I32), {int(element): partial(case, element) for element in used})


def _rows_of_b(b: Builder, fmt: Any, blocks: Any, rows: Any, tops: Any, tiles: Any) -> Any:
    """Blocks of B to rows of columns: tile after tile, k after k. Returns 0 if all are usual."""

    def case(element: Element) -> Any:
        size = 32 * 4 * per_register(element)

        def one(i: Any, found: list[Any]) -> list[Any]:
            place = b.mul(i, word(size))
            args = [
                b.add(blocks, b.mul(i, word(_BLOCK))),
                b.add(rows, place),
                b.add(tops, b.lshr(place, word(1))),
                word(0),
            ]
            return [b.or_(found[0], b.call(spread_b(b, element), args))]

        return accumulated(b, b.shl(tiles, word(1)), [word(0)], one)[0]

    return _each_element(b, _field(b, fmt, 4, 4), case)


def _rows_of_a(b: Builder, fmt: Any, registers: list[Any], to: Any, tops: Any, sign: Any) -> Any:
    """The four registers of A of a warp to vectors of lanes, for each k rows 0 to 7 and then 8 to 15. Returns 0 if all are
    usual."""

    def case(element: Element) -> Any:
        half = 4 * per_register(element) * 256
        found = word(0)
        for i, register in enumerate(registers):
            place = i // 2 * half + i % 2 * 128
            args = [register, b.add(to, word(place)), word(256), sign, b.add(tops, word(place // 2)), word(0)]
            found = b.or_(found, b.call(spread_a(b, element), args))
        return found

    return _each_element(b, _field(b, fmt, 0, 4), case)


def _expanded(b: Builder, fmt: Any, lanes: Any, tops: Any, to: Any, to_tops: Any, metadata: Any) -> tuple[Any, Any]:
    """Where the vectors of A are, with all k: of a sparse A in ``to`` and ``to_tops``."""
    is_sparse = nonzero(b, _field(b, fmt, SPARSE, 1))

    def case(element: Element) -> None:
        chunks = b.udiv(_field(b, fmt, DEPTH, 8), word(chunk_length(element)))
        b.call(expand(b, element), [lanes, tops, metadata, to, to_tops, chunks, _field(b, fmt, FIRST, 2)])

    with b.if_then(is_sparse):
        _each_element(b, _field(b, fmt, 0, 4), case)
    return b.select(is_sparse, to, lanes), b.select(is_sparse, to_tops, tops)


def _products(b: Builder, fmt: Any, places: list[Any], unusual: Any, tiles: Any) -> None:
    """Products of a warp. ``places``: numbers of A, of B, exponents of A, of B, then as in aligned.ARGUMENTS."""
    lanes, rows, _, _, *rest = places

    def exact(product: Product) -> None:
        b.call(all_tiles(b, product), [lanes, rows, *rest, tiles])

    def floating(half: bool) -> None:
        with b.if_else(nonzero(b, _field(b, fmt, CHAINED, 1))) as (chained, aligned_):
            with chained:
                exact(Product.F16 if half else Product.F32)
            with aligned_:
                as_silicon(half)

    def as_silicon(half: bool) -> None:
        eight_bit = b.icmp_unsigned(">=", _field(b, fmt, 0, 4), word(Element.E4M3))
        with b.if_else(eight_bit) as branches:
            for narrow, branch in zip((True, False), branches, strict=True):
                with branch:
                    aligned.tiles(b, RULES[half, narrow], places, unusual, tiles)

    used = (Product.S32, Product.S32_SATURATED, Product.AND)
    cases = {int(product): partial(exact, product) for product in used}
    cases |= {int(Product.F32): partial(floating, False), int(Product.F16): partial(floating, True)}
    dispatch(b, b.trunc(_field(b, fmt, PRODUCT, 4), I32), cases)


def wgmma(b: Builder, table: Any, warps: Any, fmt: Any, a: Any, columns: Any, shared: Any, scale: Any) -> Any:
    """(table, warps, fmt, a, columns, shared, scale): ``wgmma`` of a warpgroup. ``table``: address of an i64 array with the
    byte offsets of the accumulator's registers in a warp's registers; ``warps``: address of an i64 array with where the
    registers of each warp are, then, for A in registers, the four addresses of each warp's registers of A, then
    of a sparse A where each warp's metadata is; ``a``,
    ``columns``: descriptors; ``shared``: where the CTA's shared memory is; ``scale``: 0 if the accumulator counts as zeros.
    Returns the end of the last byte read of shared memory."""
    tiles, depth = _field(b, fmt, TILES, 6), _field(b, fmt, DEPTH, 8)
    blocks_a, blocks_b = _room(b, WARPS * 4 * _BLOCK), _room(b, _MOST_TILES * 4 * _BLOCK)
    rows = _room(b, _MOST_TILES * _MOST_DEPTH * 32)
    lanes, more_lanes = _room(b, _MOST_DEPTH * 256), _room(b, _MOST_DEPTH * 256)
    more_tops = _room(b, _MOST_DEPTH * 128)
    tops_a, tops_b = _room(b, _MOST_DEPTH * 128), _room(b, _MOST_TILES * _MOST_DEPTH * 16)
    is_sparse = _field(b, fmt, SPARSE, 1)
    end_b = _fetch(b, columns, shared, blocks_b, tiles, is_sparse, _field(b, fmt, TRANS_B, 1))
    in_registers = nonzero(b, _field(b, fmt, REGISTERS, 1))
    before = b.block
    with b.if_then(b.not_(in_registers)):
        end_a, block = _fetch(b, a, shared, blocks_a, word(2 * WARPS), word(0), _field(b, fmt, TRANS_A, 1)), b.block
    end = b.phi(I64)
    end.add_incoming(word(0), before)
    end.add_incoming(end_a, block)
    unusual_b = _rows_of_b(b, fmt, blocks_b, rows, tops_b, b.shl(tiles, is_sparse))
    sign = b.shl(_field(b, fmt, NEGATE, 1), word(31))
    with counted(b, word(WARPS)) as w:
        fragment = b.add(blocks_a, b.mul(w, word(4 * _BLOCK)))
        pointers = lane_of(b, warps, b.add(b.mul(w, word(4)), word(WARPS)), 8)
        registers = []
        for i in range(4):  # blocks of A lie rows 0-7 k low, high, rows 8-15 low, high
            gathered = b.add(fragment, word((i % 2 * 2 + i // 2) * _BLOCK))
            registers.append(b.select(in_registers, load(b, lane_of(b, pointers, word(i), 8), I64, 8), gathered))
        unusual = b.or_(unusual_b, _rows_of_a(b, fmt, registers, lanes, tops_a, sign))
        metadata = load(b, lane_of(b, warps, b.add(w, word(5 * WARPS)), 8), I64, 8)
        all_lanes, all_tops = _expanded(b, fmt, lanes, tops_a, more_lanes, more_tops, metadata)
        base = load(b, lane_of(b, warps, w, 8), I64, 8)
        c = b.select(nonzero(b, scale), table, word(0))
        _products(b, fmt, [all_lanes, rows, all_tops, tops_b, c, table, base, depth], unusual, tiles)
    return intrinsic(b, "umax", I64, [end, end_b], I64)


def wgmma_format(
    mods: Mapping[str, str], registers: bool, trans: tuple[int, int], negate: bool, selector: int = 0
) -> int:
    """The format word of a ``wgmma`` with these modifiers; ``selector`` of sparse metadata."""
    names = {"tf32": Element.TF32, "b1": Element.WORD}
    a, b = (names.get(t) or Element[t.upper()] for t in (mods["atype"], mods["btype"]))
    product = Product[mods["dtype"].upper()]
    if a == Element.WORD:
        product = Product.AND
    elif "satfinite" in mods:
        product = Product.S32_SATURATED
    columns = int(mods["shape"][1:].split("n")[1].split("k")[0])
    depth = (512 if "sp" in mods else 256) // BITS[a]
    word_ = a | b << 4 | product << PRODUCT | trans[0] << TRANS_A | trans[1] << TRANS_B | registers << REGISTERS
    sparse = ("sp" in mods) << SPARSE | (0 if BITS[a] == 8 else 2 * selector) << FIRST
    return word_ | negate << NEGATE | columns // 8 << TILES | depth << DEPTH | sparse


FUNCTIONS: dict[str, Callable[..., Any]] = {"wgmma": wgmma}
