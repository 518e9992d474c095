"""How many 32-bit registers a thread needs at once."""

from __future__ import annotations

from collections.abc import Collection

from assembler.alloc import bit_numbers, liveness
from assembler.liveness import accesses, body_blocks, entry_set, exit_set
from assembler.program import Body


def registers_alive(body: Body, elsewhere: Collection[int]) -> int:
    """Most 32-bit registers alive at one place of a body; those numbered in ``elsewhere`` and predicates take none."""
    sizes = [register.size if register.bits else 0 for register in body.registers]
    for number in elsewhere:
        sizes[number] = 0
    blocks, steps = body_blocks(body), accesses(body)
    most = 0
    for block, (_, end) in zip(blocks, liveness(steps, blocks, entry_set(body), exit_set(body)), strict=True):
        live = set(bit_numbers(end))
        alive = sum(sizes[number] for number in live)
        most = max(most, alive)
        for at in range(block.end - 1, block.start - 1, -1):
            reads, writes, partial, _ = steps[at]
            most = max(most, alive + sum(sizes[number] for number in set(writes) - live))
            if not partial:
                alive -= sum(sizes[number] for number in live.intersection(writes))
                live.difference_update(writes)
            alive += sum(sizes[number] for number in set(reads) - live)
            live.update(reads)
            most = max(most, alive)
    return most
