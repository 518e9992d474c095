"""What one trace record is: the words compiled code writes, and the reasons a warp can wait for.

A warp instruction is ``RECORD_WORDS`` int64 words, written when the instruction completes:

====  ==========================================================================================================
word  bits
====  ==========================================================================================================
0     issue cycle
1     completion cycle: the cycle at which its results can be used
2     sm (16) | warp slot (8) | stall reason (8) | queue reason (8) | kind of instruction (8)
3     pc (32) | launch (32)
4     active mask (32) | linear CTA index (32)
5     stall cycles (32) | queue cycles (32)
6     address of the first active lane, memory and network instructions only
7     bytes accessed (32) | 128-byte lines or sectors touched (32)
====  ==========================================================================================================

Fields go from the low bits up. Stall cycles: from the cycle after the warp's previous issue until the operands were
ready. Queue cycles: from then until issue. So the issues of a warp, and the cycles it stalled and queued, add up to its
lifetime. The GPU is known by the ring.
"""

from enum import IntEnum

SCHEMA_VERSION = 1
"""Of the trace directory: raise it when a column changes its meaning or goes away."""

RECORD_WORDS = 8
PACKET_WORDS = 8
"""Send cycle | arrival cycle | src (8), dst (8), kind (8), virtual channel (8), flits (32) | address | bytes |
cycles waited on the way for other packets | tag of the request | sequence number."""
WARP_WORDS = 8
"""sm | warp slot | launch | linear CTA index | start cycle | end cycle, exclusive | instructions issued | unused."""


class Stall(IntEnum):
    """Why a warp did not issue, by the names of Nsight Compute; the last group is ours because it has none for them.

    The numbers are part of the trace format. The scoreboard keeps a reason in four bits and breaks ties by the larger
    number, so what an instruction can wait for stays below 16, rising with how much it tells the user.
    """

    NONE = 0
    WAIT = 1
    """Result of an instruction of fixed latency."""
    DISPATCH = 2
    """Start of the warp, and gaps the dispatcher makes."""
    BRANCH_RESOLVE = 3
    """Target of a taken branch."""
    NO_INSTRUCTION = 4
    """Instruction fetch."""
    SHORT_SCOREBOARD = 5
    """Result of shared memory, MUFU or another unit of variable latency beside L1."""
    LONG_SCOREBOARD = 6
    """Result of L1TEX: global or local memory of the own GPU."""
    BARRIER = 7
    """Other warps of the CTA at bar.sync, or an mbarrier phase."""
    MEMBAR = 8
    """Fence: earlier memory accesses to be performed."""
    SLEEPING = 9
    """nanosleep."""
    DRAIN = 10
    """Memory accesses after exit."""
    REMOTE = 11
    """Ours: reply of another GPU."""
    GATE = 12
    """Ours: data that a gate of the DAM counts."""
    MATH_PIPE_THROTTLE = 13
    """Operands were ready; the arithmetic pipe was taken."""
    LG_THROTTLE = 14
    """Operands were ready; the queue for global and local memory was full."""
    MIO_THROTTLE = 15
    """Operands were ready; the queue for shared memory and special units was full."""
    NOT_SELECTED = 16
    """Operands were ready; the scheduler issued another warp."""
    TEX_THROTTLE = 17
    """Operands were ready; the texture queue was full."""
    REMOTE_CREDIT = 18
    """Ours: operands were ready; the queue to the hub was full."""
    GMMA = 19
    """Matrix products of the warpgroup: wgmma.wait_group, or a wgmma that other warps of the group have not reached."""


STALL_NAMES = tuple(reason.name.lower() for reason in Stall)
"""As users write them: ``long_scoreboard``. Index is the number in a record."""
