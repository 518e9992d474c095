"""Tensor copies: boxes of up to five dimensions between a tensor in global memory and dense shared memory.

A tensor map (its layout is ours; sim/tensormap.py writes it) says where the tensor is and what a box is. Elements outside the
tensor are filled when loaded, left alone when stored, and counted as bytes of the box all the same.
"""

from ..addresses import OFFSET_MASK, PARAM_REGION, REGION_BITS
from ..jit import inline, outline
from ..raw import (
    address_of,
    load_i64,
    load_u8,
    load_u16,
    load_u32,
    prefetch_word,
    store_8,
    store_16,
    store_32,
    store_64,
)
from ..state import (
    CONSTS,
    CTA_LAUNCH,
    CTA_SLOT,
    FUNCTIONAL,
    LAUNCH_PARAM_BYTES,
    LAUNCH_PARAMS,
    LINE_LIMIT,
    MEMORY_LINES,
    R_SIDE,
    R_SUB,
    SCRATCH,
    SIDE,
    Fault,
    Request,
)
from ..tensormap_layout import (
    ADDRESS,
    BOX,
    BYTES,
    DIM,
    ELEMENT_LOGS,
    ELEMENT_STRIDE,
    FILL,
    MAGIC,
    MAGIC_AT,
    RANK,
    REDUCTION_TYPES,
    STRIDE,
    SWIZZLE,
    TYPE,
)
from .bulk_operands import (
    DIMS,
    FMT,
    MULTICAST,
    REDUCE,
    SIZE_LOG,
    BulkOp,
    address_operand,
    complete_now,
    finish_load,
    finish_store,
    lane_value,
    mbarrier_operand,
    move,
    ranks_exist,
    shared_operand,
)
from .cluster import OFFSET, member, owner, shared_base
from .memory_space import allocated_range, fault, is_own, memory_delta
from .opaque import copied_opaque, copy_out, mark_copied
from .operands import CONSTANT, registers
from .tma import LEFT, LINE, LINE_HEAD, LINE_TAIL, LINES, begin, enter, touch, unit

_BOX = SCRATCH + 64
_COORD, _COUNT, _LOG, _MASK, _ROWS, _DELTA, _PITCH = _BOX, _BOX + 5, *range(_BOX + 10, _BOX + 15)
"""Scratch words of the box at hand: first coordinate and elements by dimension, log2 of an element's bytes, address bits
that swizzling changes, rows, and what to add to an address of the tensor to get a host address."""
_ROWS_AHEAD = 8
"""Rows of a box by which its source is brought near the host's core before it is copied."""
_AND = 5
"""AtomOp.AND: from here on operations work on bits."""


@inline
def _log(m):
    """Log2 of the bytes of the map's elements."""
    return ELEMENT_LOGS >> 4 * load_u8(m + TYPE) & 15


@outline
def _find_map(A, P, g, gpu, s, w, row, lane, t):
    """Host address of the tensor map, in global memory or the kernel's parameters; 0 after a fault."""
    address = address_operand(A, row, registers(A, s, w), 5, 3, lane)
    region, at = address >> REGION_BITS, address & OFFSET_MASK
    launch = A[s + CTA_LAUNCH + A[s + CTA_SLOT + w]]
    m = 0
    if region == PARAM_REGION and at + BYTES <= A[g + LAUNCH_PARAM_BYTES + launch]:
        m = A[g + LAUNCH_PARAMS + launch] + at
    elif is_own(region, gpu) and address & 63 == 0 and allocated_range(A, g, address, BYTES):
        m = address + memory_delta(A, g, region)
    if m == 0 or load_i64(m + MAGIC_AT) != MAGIC or load_u8(m + RANK) != A[row + R_SUB] >> DIMS & 15:
        fault(A, g, s, w, Fault.TENSOR_MAP, lane, address, BYTES, t)
        return 0
    return m


@outline
def _read_box(A, g, gpu, s, w, row, m, lane, t):
    """The box at hand to scratch. Returns its bytes; -1 after a fault."""
    regs = registers(A, s, w)
    side = A[SIDE] + A[row + R_SIDE] + 4
    rank = load_u8(m + RANK)
    region = load_i64(m + ADDRESS) >> REGION_BITS
    if not is_own(region, gpu):
        fault(A, g, s, w, Fault.PEER_COPY, lane, load_i64(m + ADDRESS), 16, t)
        return -1
    rows = 1
    for d in range(5):
        count = 1
        A[s + _COORD + d] = 0
        if d < rank:
            ref = A[side + d]
            at = A[CONSTS] + (ref & CONSTANT - 1) if ref & CONSTANT else regs + ref
            coordinate = load_u32(at + 4 * lane)
            A[s + _COORD + d] = coordinate - (coordinate >> 31 << 32)
            step = load_u16(m + ELEMENT_STRIDE + 2 * d)
            count = (load_u16(m + BOX + 2 * d) + step - 1) // step
        A[s + _COUNT + d] = count
        if d > 0:
            rows *= count
    A[s + _LOG] = _log(m)
    A[s + _MASK] = (1 << load_u8(m + SWIZZLE)) - 1
    A[s + _ROWS] = rows
    A[s + _PITCH] = max(A[s + _COUNT] << A[s + _LOG], A[s + _MASK] + 1 << 4 if A[s + _MASK] else 0)
    A[s + _DELTA] = memory_delta(A, g, region)
    return rows * A[s + _COUNT] << A[s + _LOG]


@inline
def _row_address(A, s, m, k):
    """Address of element 0 of the tensor row that row ``k`` of the box lies in, or -1 outside the tensor."""
    address = load_i64(m + ADDRESS)
    for d in range(1, 5):
        count = A[s + _COUNT + d]
        x = A[s + _COORD + d]
        if d < load_u8(m + RANK):
            x += k % count * load_u16(m + ELEMENT_STRIDE + 2 * d)
            if x < 0 or x >= load_i64(m + DIM + 8 * d):
                return -1
            address += x * load_i64(m + STRIDE + 8 * (d - 1))
        k //= count
    return address


@outline
def _touch_lines(A, g, s, m, i):
    """`_touch_rows` of a box of whole lines, all inside and allocated. False, and nothing done, if it is no such box."""
    nbytes, x = A[s + _COUNT] << A[s + _LOG], A[s + _COORD]
    y, n = A[s + _COORD + 1], A[s + _ROWS]
    stride = load_i64(m + STRIDE)
    address = load_i64(m + ADDRESS) + y * stride + (x << A[s + _LOG])
    plain = load_u8(m + RANK) == 2 and load_u16(m + ELEMENT_STRIDE) == 1 and load_u16(m + ELEMENT_STRIDE + 2) == 1
    inside = x >= 0 and x + A[s + _COUNT] <= load_i64(m + DIM) and y >= 0 and y + n <= load_i64(m + DIM + 8)
    if not plain or not inside or (nbytes | address | stride) & 127:
        return False
    u, per_row = unit(A, s), nbytes >> 7
    tail, line = A[u + LINE_TAIL], (address & OFFSET_MASK) >> 7
    if tail - A[u + LINE_HEAD] + n * per_row > LINES or line + (n * stride >> 7) > A[g + MEMORY_LINES]:
        return False
    limits = A[g + LINE_LIMIT]
    for _ in range(n):
        for k in range(per_row):
            if load_u8(limits + line + k) != 128:
                return False
            A[u + LINE + tail % LINES] = (line + k) << 4 | 15
            tail += 1
        line += stride >> 7
    A[u + LINE_TAIL] = tail
    A[u + LEFT + i] += n * per_row
    return True


@outline
def _touch_rows(A, P, g, s, w, m, i, lane, t):
    """Requests of copy ``i`` (none if negative) for what lies inside the tensor. False after a fault."""
    if i >= 0 and _touch_lines(A, g, s, m, i):
        return True
    step = load_u16(m + ELEMENT_STRIDE)
    first = max(0, A[s + _COORD])
    end = min(load_i64(m + DIM), A[s + _COORD] + (A[s + _COUNT] - 1) * step + 1)
    if first >= end:
        return True
    for k in range(A[s + _ROWS]):
        row = _row_address(A, s, m, k)
        if row < 0:
            continue
        address, nbytes = row + (first << A[s + _LOG]), end - first << A[s + _LOG]
        if not allocated_range(A, g, address, nbytes):
            fault(A, g, s, w, Fault.ADDRESS, lane, address, nbytes, t)
            return False
        if i >= 0:
            touch(A, P, s, i, address & OFFSET_MASK, nbytes)
    return True


@inline
def _put(address, log, value):
    """Store an element."""
    if log == 3:
        store_64(address, value)
    elif log == 2:
        store_32(address, value)
    elif log == 1:
        store_16(address, value)
    else:
        store_8(address, value)


@inline
def _get(address, log):
    """Load an element."""
    if log == 3:
        return load_i64(address)
    return load_u32(address) if log == 2 else load_u16(address) if log == 1 else load_u8(address)


@inline
def _swizzled(A, s, at):
    """Offset in shared memory where what belongs to ``at`` lies: 16-byte pieces change places within 128 bytes."""
    return at ^ (at >> 7 & A[s + _MASK]) << 4


@inline
def _fill(m, log):
    """What elements outside the tensor read as: zero, or a NaN with all bits of the mantissa."""
    return (1 << (8 << log) - 1) - 1 if load_u8(m + FILL) else 0


@inline
def _move_piece(to, source):
    """Copy 16 bytes."""
    store_64(to, load_i64(source))
    store_64(to + 8, load_i64(source + 8))


@inline
def _is_whole(A, s, step, size):
    """Whether a row of the box is inside, next to one another in memory, and made of pieces of 16 bytes."""
    x, n = A[s + _COORD], A[s + _COUNT]
    return step == 1 and x >= 0 and x + n <= size and n << A[s + _LOG] & 15 == 0


@outline
def _load_row(A, s, m, base, at, source):
    """One row of the box to shared memory at ``base + at``; ``source``: host address of element 0, or 0 outside."""
    log, x, n = A[s + _LOG], A[s + _COORD], A[s + _COUNT]
    step, size = load_u16(m + ELEMENT_STRIDE), load_i64(m + DIM)
    if source and _is_whole(A, s, step, size):
        source += x << log
        for piece in range(0, n << log, 16):
            _move_piece(base + _swizzled(A, s, at + piece), source + piece)
        return
    piece = 16 >> log
    for e in range(0, n, piece):
        to = base + _swizzled(A, s, at + (e << log))
        if source and step == 1 and x + e >= 0 and x + e + piece <= size and e + piece <= n:
            _move_piece(to, source + (x + e << log))
            continue
        for j in range(e, min(n, e + piece)):
            place = x + j * step
            inside = source != 0 and place >= 0 and place < size
            _put(to + (j - e << log), log, _get(source + (place << log), log) if inside else _fill(m, log))


@outline
def _store_row(A, P, s, m, base, at, target, sub):
    """One row of the box from shared memory to the tensor, or a reduction with it."""
    log, x = A[s + _LOG], A[s + _COORD]
    step, size = load_u16(m + ELEMENT_STRIDE), load_i64(m + DIM)
    if sub >> REDUCE & 1 == 0 and _is_whole(A, s, step, size):
        for piece in range(0, A[s + _COUNT] << log, 16):
            _move_piece(target + (x << log) + piece, base + _swizzled(A, s, at + piece))
        return
    for e in range(A[s + _COUNT]):
        place = x + e * step
        if place < 0 or place >= size:
            continue
        source, to = base + _swizzled(A, s, at + (e << log)), target + (place << log)
        if sub >> REDUCE & 1:
            move(A, P, sub, to, source, 1 << log)
        else:
            _put(to, log, _get(source, log))


@inline
def _bring_near(A, address):
    """Prefetch the 128 bytes at a host address."""
    word = address - address_of(A, 0) >> 3
    prefetch_word(A, word)
    prefetch_word(A, word + 8)


@outline
def _load_box(A, s, m, base, at, nbytes, hidden):
    """The box to the shared memory at host address ``base``, offset ``at``; not if it is opaque (``hidden``)."""
    mark_copied(A, base + at, nbytes, hidden)
    if hidden:
        return
    for k in range(A[s + _ROWS]):
        row = _row_address(A, s, m, k)
        source = row + A[s + _DELTA] if row >= 0 else 0
        if source:
            _bring_near(A, source + (A[s + _COORD] << A[s + _LOG]) + _ROWS_AHEAD * load_i64(m + STRIDE))
        _load_row(A, s, m, base, at + k * A[s + _PITCH], source)


@outline
def _store_box(A, P, s, m, base, at, sub):
    """The box from shared memory to the tensor; ``sub`` says how to reduce."""
    operation = sub >> FMT & 255
    kind = REDUCTION_TYPES >> 4 * load_u8(m + TYPE) & 15
    if operation >= _AND:
        kind = 12 if A[s + _LOG] == 3 else 11
    how = (sub & 1 << REDUCE) | A[s + _LOG] << SIZE_LOG | (operation | kind << 8) << FMT
    for k in range(A[s + _ROWS]):
        row = _row_address(A, s, m, k)
        if row >= 0:
            _store_row(A, P, s, m, base, at + k * A[s + _PITCH], row + A[s + _DELTA], how)


@outline
def _load(A, P, g, gpu, s, w, row, m, nbytes, lane, t):
    """Tensor to shared memory, of one CTA or several."""
    sub, regs, c = A[row + R_SUB], registers(A, s, w), A[s + CTA_SLOT + w]
    target = address_operand(A, row, regs, 0, 0, lane)
    if shared_operand(A, g, s, w, lane, target, nbytes, 128, t) < 0:
        return False
    barrier = mbarrier_operand(A, g, s, w, row, regs, lane, t)
    mask = lane_value(A, row, regs, 4, lane) & 0xFFFF if sub >> MULTICAST & 1 else 0
    if barrier < 0 or not ranks_exist(A, g, s, w, mask, lane, t):
        return False
    i = -1 if A[FUNCTIONAL] else begin(A, P, s, Request.TMA_LOAD, t)
    if not _touch_rows(A, P, g, s, w, m, i, lane, t):
        return False
    at = target & OFFSET_MASK
    hidden = copied_opaque(A, gpu, load_i64(m + ADDRESS), 1)
    if sub >> MULTICAST & 1 == 0:
        _load_box(A, s, m, shared_base(A, owner(A, g, s, c, at)), at & OFFSET, nbytes, hidden)
    for rank in range(16):
        if mask >> rank & 1:
            _load_box(A, s, m, shared_base(A, member(A, g, s, c, rank)), at & OFFSET, nbytes, hidden)
    if i < 0:
        complete_now(A, g, s, w, sub, mask, barrier, nbytes, t)
    else:
        finish_load(A, P, g, s, w, i, sub, mask, barrier, nbytes)
    return True


@outline
def _store(A, P, g, gpu, s, w, row, m, nbytes, lane, t):
    """Shared memory to the tensor, or a reduction."""
    sub, regs = A[row + R_SUB], registers(A, s, w)
    source = address_operand(A, row, regs, 1, 1, lane)
    who = shared_operand(A, g, s, w, lane, source, nbytes, 128, t)
    if who < 0:
        return False
    kind = Request.TMA_REDUCE if sub >> REDUCE & 1 else Request.TMA_STORE
    i = -1 if A[FUNCTIONAL] else begin(A, P, s, kind, t)
    if not _touch_rows(A, P, g, s, w, m, i, lane, t):
        return False
    really = copy_out(A, g, s, w, gpu, load_i64(m + ADDRESS), shared_base(A, who) + (source & OFFSET), nbytes, lane, t)
    if really < 0:
        return False
    if really:
        _store_box(A, P, s, m, shared_base(A, who), source & OFFSET, sub)
    if i >= 0:
        finish_store(A, P, s, w, i)
    return True


@outline
def tensor_copy(A, P, g, gpu, s, w, row, lane, t):
    """The tensor copy of one lane. Returns False after a fault."""
    m = _find_map(A, P, g, gpu, s, w, row, lane, t)
    nbytes = _read_box(A, g, gpu, s, w, row, m, lane, t) if m else -1
    if nbytes < 0:
        return False
    op = A[row + R_SUB] & 255
    if op == BulkOp.LOAD:
        return _load(A, P, g, gpu, s, w, row, m, nbytes, lane, t)
    if op == BulkOp.STORE:
        return _store(A, P, g, gpu, s, w, row, m, nbytes, lane, t)
    if A[FUNCTIONAL] == 0:
        i = begin(A, P, s, Request.TMA_LOAD, t)
        if not _touch_rows(A, P, g, s, w, m, i, lane, t):
            return False
        enter(A, P, s, i)
    return True
