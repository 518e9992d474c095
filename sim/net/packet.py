"""A packet as a row of int64 words, its kinds, and what it costs on the wire.

The first ``PACKET_WORDS`` words are the packet. A row that lives in a GPU's pool (pool.py) has eight more words, which
only the queue it currently waits in uses.

Wire format: 16-byte flits; a header flit, then data, at most 128 bytes (MoE-Hub section V; Pascal NVLink layout).
Sizes follow the bytes counted on an H200's links: byte enables cost a flit, a response carries at least 32 bytes, an
atomic has a second header flit, an acknowledgement is one flit, which may ride in what the link's protocol leaves idle.
"""

from enum import IntEnum

from ..jit import inline, outline
from ..params import ACK_TICKS, FLIT_TICKS


class Packet(IntEnum):
    """What a packet asks for or answers. 0 is no packet."""

    STORE = 1
    """Plain store to a peer; may wait in the RPM."""
    STORE_SYNC = 2
    """volatile, relaxed or release store: passes the RPM by."""
    LOAD = 3
    LOAD_RESP = 4
    ATOM = 5
    ATOM_RESP = 6
    RED = 7
    ACK = 8
    ROWSP = 9
    """Destination-agnostic row store (MoE-Hub section IV-A)."""
    EOS = 10
    """End of a source's stores: how many bytes it sent since the last one."""
    MM_ST = 11
    MM_RED = 12
    MM_LDRED = 13
    MM_RESP = 14
    DYMM_ST = 15
    """Store to a run-time list of experts (DySHARP section III)."""
    DYMM_LDRED = 16
    DYMM_RESP = 17


KINDS = 18
REQUEST, RESPONSE = 0, 1
"""Virtual channel classes: a response never waits for a request."""

# fmt: off
(TIME, KIND, SRC, DST, ADDR, MASK_LO, MASK_HI, BYTES, FLITS, TAG, OP, AUX, COUNT, VC, SEQ, ORDER) = range(16)
# fmt: on
"""TIME: cycle at which it was handed over; on the wire, the tick its first flit left. ADDR: first byte of the
128-byte line, or the rowsp register with a line-aligned RowOffset. MASK: bytes of the line it carries or wants.
BYTES: how many. TAG: ``sm << 16 | load entry``; of an atomic of one lane, its number + 1 in bits 10 to 15. OP: AtomOp |
ValType << 8. AUX: swap value of CAS; 1 for .nop of ROWSP; bytes of EOS;
answer entry of multicast requests. COUNT: number of targets. ORDER: fence epoch | store generation << 32. DST is
meaningless for multicast requests, SRC, DST, BYTES, FLITS, VC, SEQ and ORDER are filled by the hub."""
TARGETS = 16
"""32 expert ids of 16 bits."""
DATA = 24
PACKET_WORDS = 40
MAX_FLITS = 16
"""No packet is longer: header, second header or 4 of targets, byte enables, 8 of data."""

# fmt: off
(NEXT, PREV, CHAIN, PLACE, KEY, EXPIRES, ENTERED, PLANE) = range(40, 48)
# fmt: on
ROW_WORDS = 48
COPIES = PREV
"""On the wire: copies of the packet that have not left the switch."""
LEFT = KEY
"""On the wire: tick at which the last copy so far left the switch."""

DATA_KINDS, RESPONSE_KINDS, TARGET_KINDS, MULTICAST_KINDS, COUNTED_KINDS = (
    sum(1 << k for k in kinds)
    for kinds in (
        (Packet.STORE, Packet.STORE_SYNC, Packet.ROWSP, Packet.MM_ST, Packet.DYMM_ST),
        (Packet.LOAD_RESP, Packet.ATOM_RESP, Packet.ACK, Packet.MM_RESP, Packet.DYMM_RESP),
        (Packet.DYMM_ST, Packet.DYMM_LDRED),
        (Packet.MM_ST, Packet.MM_RED, Packet.MM_LDRED, Packet.DYMM_ST, Packet.DYMM_LDRED),
        (Packet.STORE, Packet.STORE_SYNC, Packet.ROWSP, Packet.MM_ST, Packet.DYMM_ST, Packet.RED, Packet.MM_RED,
         Packet.ATOM),
    )
)  # fmt: skip
"""Sets of kinds as bit masks. COUNTED: a fence waits until they have been performed."""


@inline
def is_in(kind, kinds):
    """Whether ``kind`` belongs to one of the sets above."""
    return kinds >> kind & 1


@inline
def bit(i):
    """``1 << i`` as an int64, also for the sign bit and without a Python integer that outgrows it."""
    return (1 << i) if i < 63 else (-1 << 63)


@inline
def low_bits(n):
    """Mask of the ``n`` lowest bits, 0 <= n <= 64."""
    return ~(-1 << n) if n < 64 else -1


@inline
def span_bits(first, last):
    """Mask of bits ``first`` .. ``last - 1`` of a word; both are clamped to it."""
    a = min(max(first, 0), 64)
    b = min(max(last, 0), 64)
    return low_bits(b) & ~low_bits(a)


@inline
def is_full(A, row):
    """Whether the packet carries its whole line."""
    return A[row + MASK_LO] == -1 and A[row + MASK_HI] == -1


@outline
def data_flits(lo, hi):
    """``flits | partial << 8`` for the bytes of a mask: 16-byte units from the first to the last touched, and whether
    byte enables are needed because some unit in between is not whole."""
    if lo == -1 and hi == -1:
        return 8
    first = 8
    last = -1
    whole = 0
    for unit in range(8):
        part = (lo if unit < 4 else hi) >> (unit & 3) * 16 & 0xFFFF
        if part:
            first = min(first, unit)
            last = unit
        if part == 0xFFFF:
            whole += 1
    if last < 0:
        return 0
    flits = last - first + 1
    return flits | (256 if whole < flits else 0)


@inline
def target_flits(A, row):
    """Flits of the target list: eight 16-bit expert ids each (DySHARP section III-B)."""
    return (A[row + COUNT] + 7) // 8 if is_in(A[row + KIND], TARGET_KINDS) else 0


@inline
def wire_ticks(A, P, row, flits):
    """Ticks for which ``flits`` of the packet occupy a link."""
    return P[ACK_TICKS] if A[row + KIND] == Packet.ACK else flits * P[FLIT_TICKS]


@inline
def wire_flits(A, row):
    """Flits of the packet on its uplink."""
    kind = A[row + KIND]
    if kind == Packet.ACK or kind == Packet.LOAD or kind == Packet.MM_LDRED:
        return 1
    if kind == Packet.EOS:
        return 2
    if kind == Packet.DYMM_LDRED:
        return 1 + target_flits(A, row)
    size = data_flits(A[row + MASK_LO], A[row + MASK_HI])
    if is_in(kind, RESPONSE_KINDS):
        return 1 + max(size & 255, 2)
    head = 2 if kind == Packet.ATOM or kind == Packet.RED or kind == Packet.MM_RED else 1
    return head + (size & 255) + (size >> 8) + target_flits(A, row)
