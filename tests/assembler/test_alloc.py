"""Register allocation: values survive in physical slots exactly as they did in virtual registers."""

import random

import pytest

from assembler.alloc import Access, intervals, scan
from assembler.flow import basic_blocks, cycles, reachable


def random_program(rng: random.Random, registers: int, length: int):
    """Instructions as (reads, writes, partial) and branches; the last instruction ends the program."""
    code, targets, ends = [], {}, {}
    for pc in range(length):
        reads = tuple(rng.randrange(registers) for _ in range(rng.randrange(3)))
        writes = tuple({rng.randrange(registers) for _ in range(rng.randrange(3))})
        code.append(Access(reads, writes, rng.random() < 0.3, rng.random() < 0.3))
        if rng.random() < 0.2:
            targets[pc] = (rng.randrange(length),)
            ends[pc] = rng.random() < 0.7
    ends[length - 1] = False
    targets.pop(length - 1, None)
    return code, targets, ends


def run(code, targets, ends, place, sizes, rng: random.Random, steps: int):
    """Values read by one lane that takes random branches; a register's value is a token in all its slots."""
    slots: dict[int, tuple[int, int]] = {}
    seen, pc = [], 0
    for step in range(steps):
        if pc >= len(code):
            break
        access = code[pc]
        for r in access.reads:
            seen.append((step, r, [slots.get(place(r) + k) for k in range(sizes[r])]))
        if not (access.partial and rng.random() < 0.5):
            for r in access.writes:
                for k in range(sizes[r]):
                    slots[place(r) + k] = (step, r)
        take = rng.random() < 0.5 or not ends.get(pc, True)
        if pc in targets and take:
            pc = targets[pc][0]
        elif ends.get(pc, True):
            pc += 1
        else:
            break
    return seen


@pytest.mark.parametrize("seed", range(150))
def test_values_survive(seed):
    rng = random.Random(seed)
    count = rng.randrange(2, 12)
    code, targets, ends = random_program(rng, count, rng.randrange(3, 30))
    sizes = [rng.choice((1, 1, 2, 4)) for _ in range(count)]
    blocks = basic_blocks(len(code), targets, ends)
    allocation = scan(intervals(code, blocks, count), sizes)
    for r, slot in enumerate(allocation.slots):
        assert slot == -1 or (slot % sizes[r] == 0 and slot + sizes[r] <= allocation.used)
    for path in range(5):
        virtual = run(code, targets, ends, lambda r: 100 * r, sizes, random.Random(path), 60)
        physical = run(code, targets, ends, allocation.slots.__getitem__, sizes, random.Random(path), 60)
        for (step, r, want), (_, _, got) in zip(virtual, physical, strict=True):
            assert want[0] is None or got == want, (step, r)


def test_slots_are_reused_and_low():
    # %0 = ..; %1 = f(%0); %2 = f(%1); store %2
    code = [Access((), (0,), False, False), Access((0,), (1,), False, False), Access((1,), (2,), False, False),
            Access((2,), (), False, False)]  # fmt: skip
    assert scan(intervals(code, basic_blocks(4, {}, {3: False}), 3), [1, 1, 1]).slots == [0, 0, 0]
    assert scan(intervals(code, basic_blocks(4, {}, {3: False}), 3), [1, 2, 1], first_slot=5).slots == [5, 6, 5]


def test_early_results_do_not_overlap_sources():
    code = [Access((), (0,), False, False), Access((0,), (1,), False, True), Access((1,), (), False, False)]
    slots = scan(intervals(code, basic_blocks(3, {}, {2: False}), 2), [1, 2]).slots
    assert slots == [0, 2]


def test_guarded_write_keeps_the_old_value():
    # %0 = a; @p %0 = b; use %0: the slot must not be lent to %1 in between
    code = [Access((), (0,), False, False), Access((), (1,), False, False), Access((1,), (), False, False),
            Access((), (0,), True, False), Access((0,), (), False, False)]  # fmt: skip
    slots = scan(intervals(code, basic_blocks(5, {}, {4: False}), 2), [1, 1]).slots
    assert slots[0] != slots[1]


def test_first_write_under_a_guard_is_not_live_before():
    code = [Access((), (0,), False, False), Access((0,), (), False, False), Access((), (1,), True, False),
            Access((1,), (), True, False)]  # fmt: skip
    assert scan(intervals(code, basic_blocks(4, {}, {3: False}), 2), [1, 1]).slots == [0, 0]


def test_parameters_are_live_at_entry_and_results_at_exit():
    code = [Access((), (1,), False, False), Access((0,), (), False, False)]
    lives = intervals(code, basic_blocks(2, {}, {1: False}), 3, at_entry=0b1, at_exit=0b10)
    assert [(i.start, i.end) for i in lives] == [(0, 2), (1, 3)]


def test_blocks_and_reachability():
    # 0: @p bra 3; 1: add; 2: bra 0; 3: ret; 4: never
    blocks = basic_blocks(5, {0: (3,), 2: (0,)}, {0: True, 2: False, 3: False})
    assert [(b.start, b.end) for b in blocks] == [(0, 1), (1, 3), (3, 4), (4, 5)]
    assert [b.successors for b in blocks] == [[1, 2], [0], [], []]
    assert reachable(blocks) == [True, True, True, False]
    assert basic_blocks(0, {}, {}) == [] and reachable([]) == []


def test_cycles_come_after_what_they_call():
    assert cycles([[1], [2, 3], [1], [], [4]]) == [[3], [2, 1], [0], [4]]
