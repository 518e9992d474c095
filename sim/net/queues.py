"""Queues of the hub and the network: binary heaps of (key, value) words, and lists threaded through packet rows.

A heap is ``1 + 2 * capacity`` words: the number of entries, then key and value of each. Its owner knows the capacity
and keeps to it. A list is two words, head and tail row. Zero words are empty queues.
"""

from ..jit import inline, outline
from ..raw import BIG
from .packet import NEXT


@inline
def heap_first(A, q):
    """Smallest key, or BIG when the heap is empty."""
    return A[q + 1] if A[q] > 0 else BIG


@inline
def heap_value(A, q):
    """Value of the smallest key."""
    return A[q + 2]


@outline
def heap_push(A, q, key, value):
    """Add an entry. Entries of one key come out in an order that depends only on the pushes and pops."""
    i = A[q]
    A[q] = i + 1
    while i > 0:
        parent = (i - 1) // 2
        if A[q + 1 + 2 * parent] <= key:
            break
        A[q + 1 + 2 * i] = A[q + 1 + 2 * parent]
        A[q + 2 + 2 * i] = A[q + 2 + 2 * parent]
        i = parent
    A[q + 1 + 2 * i] = key
    A[q + 2 + 2 * i] = value


@outline
def heap_pop(A, q):
    """Remove the entry with the smallest key and return its value."""
    value = A[q + 2]
    n = A[q] - 1
    A[q] = n
    key = A[q + 1 + 2 * n]
    moved = A[q + 2 + 2 * n]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= n:
            break
        if child + 1 < n and A[q + 3 + 2 * child] < A[q + 1 + 2 * child]:
            child += 1
        if key <= A[q + 1 + 2 * child]:
            break
        A[q + 1 + 2 * i] = A[q + 1 + 2 * child]
        A[q + 2 + 2 * i] = A[q + 2 + 2 * child]
        i = child
    A[q + 1 + 2 * i] = key
    A[q + 2 + 2 * i] = moved
    return value


@inline
def list_push(A, q, row):
    """Append a row."""
    A[row + NEXT] = 0
    if A[q] == 0:
        A[q] = row
    else:
        A[A[q + 1] + NEXT] = row
    A[q + 1] = row


@inline
def list_pop(A, q):
    """Remove and return the first row; the list is not empty."""
    row = A[q]
    A[q] = A[row + NEXT]
    return row
