"""Host memory at addresses that are the same in every process, so that a checkpoint may hold pointers into it.

The first mapping of a process is at ``FIRST``, others follow in the order in which they are asked for. Where an address is
taken, or the system knows no such mappings, memory lies anywhere; such a machine cannot be resumed.
"""

import ctypes
import mmap
import sys
import weakref
from typing import Any

import numpy as np

FIRST = 1 << 44
"""Far from where Linux puts programs, their heap and libraries."""
END = 5 << 44
HUGE = getattr(mmap, "MADV_HUGEPAGE", None)
"""Advice to use large pages: memory that is touched nearly everywhere costs 500 times fewer page faults."""
# Linux's MAP_NORESERVE, which Python names only from 3.13 on: reserve address space, not memory.
_LAZY = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
_FIXED_NOREPLACE = 0x100000
_GRAIN = 1 << 21
"""Large pages; mappings are at least one apart."""

if sys.platform == "linux":
    _libc = ctypes.CDLL(None, use_errno=True)
    _libc.mmap.restype = ctypes.c_void_p
    _libc.mmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long)
    _libc.munmap.argtypes = _libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    _libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)


class _Cursor:
    """Where the next mapping goes; back at ``FIRST`` when none is left."""

    next = FIRST
    live = 0


def _mapped(size: int) -> Any:
    """A ctypes array over a new mapping at the cursor, or None."""
    if sys.platform != "linux" or _Cursor.next + size > END:
        return None
    flags = _LAZY | _FIXED_NOREPLACE
    address = _libc.mmap(_Cursor.next, size, mmap.PROT_READ | mmap.PROT_WRITE, flags, -1, 0)
    if address is None or address == ctypes.c_void_p(-1).value:
        return None
    if address != _Cursor.next:  # a kernel that does not know the flag takes the address for a wish
        _libc.munmap(address, size)
        return None
    _Cursor.next += -(-size // _GRAIN) * _GRAIN + _GRAIN
    _Cursor.live += 1
    array = (ctypes.c_uint8 * size).from_address(address)
    weakref.finalize(array, _unmap, address, size)
    return array


def _unmap(address: int, size: int) -> None:
    _libc.munmap(address, size)
    _Cursor.live -= 1
    if _Cursor.live == 0:
        _Cursor.next = FIRST


def reserve(size: int) -> Any:
    """Zeroed bytes as a uint8 array; pages that are not touched cost no memory."""
    size = max(size, 1)
    array = _mapped(size)
    return np.frombuffer(mmap.mmap(-1, size, flags=_LAZY) if array is None else array, np.uint8)


def advise(address: int, size: int, advice: int | None) -> None:
    """What the system should know about memory; the address need not be that of a page."""
    if advice is not None and sys.platform == "linux":
        begin = address // mmap.PAGESIZE * mmap.PAGESIZE
        _libc.madvise(begin, address + size - begin, advice)


def forget(address: int, size: int) -> None:
    """Gives back the pages that lie in a range: they read as zeros from now on. Parts of pages keep what they hold."""
    begin, end = (-(-address // mmap.PAGESIZE)) * mmap.PAGESIZE, (address + size) // mmap.PAGESIZE * mmap.PAGESIZE
    if end > begin and sys.platform == "linux":
        _libc.madvise(begin, end - begin, mmap.MADV_DONTNEED)
