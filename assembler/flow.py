"""Control flow of one body: basic blocks in source order, their edges, and what no path reaches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class BasicBlock:
    """Instructions [start, end) that run one after the other; successors and predecessors are block numbers."""

    start: int
    end: int
    successors: list[int] = field(default_factory=list)
    predecessors: list[int] = field(default_factory=list)


def basic_blocks(count: int, targets: Mapping[int, Sequence[int]], ends: Mapping[int, bool]) -> list[BasicBlock]:
    """Blocks of `count` instructions.

    `targets`: instruction -> instructions it may jump to. `ends`: instructions after which a block ends -> whether the
    next one may follow (a guarded branch or exit falls through for the other lanes).
    """
    leaders = {0, *(pc + 1 for pc in ends), *(pc + 1 for pc in targets)}
    for pcs in targets.values():
        leaders.update(pcs)
    starts = sorted(pc for pc in leaders if pc < count)
    number = {start: i for i, start in enumerate(starts)}
    blocks = [BasicBlock(start, end) for start, end in zip(starts, [*starts[1:], count], strict=True)] if count else []
    for i, block in enumerate(blocks):
        last = block.end - 1
        successors = [number[pc] for pc in targets.get(last, ()) if pc < count]
        if ends.get(last, True) and block.end < count:
            successors.append(i + 1)
        block.successors = sorted(set(successors))
        for successor in block.successors:
            blocks[successor].predecessors.append(i)
    return blocks


def reachable(blocks: Sequence[BasicBlock]) -> list[bool]:
    """For each block, whether some path from the first one reaches it."""
    seen = [False] * len(blocks)
    todo = [0] if blocks else []
    while todo:
        block = todo.pop()
        if not seen[block]:
            seen[block] = True
            todo.extend(blocks[block].successors)
    return seen


def cycles(edges: Sequence[Sequence[int]]) -> list[list[int]]:
    """Strongly connected components of a graph, each after the ones it leads to (Tarjan's order, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    components: list[list[int]] = []
    for root in range(len(edges)):
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            node, successors = work[-1]
            for successor in successors:
                if successor not in index:
                    index[successor] = low[successor] = len(index)
                    stack.append(successor)
                    on_stack.add(successor)
                    work.append((successor, iter(edges[successor])))
                    break
                if successor in on_stack:
                    low[node] = min(low[node], index[successor])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    components.append(_pop_component(stack, on_stack, node))
    return components


def _pop_component(stack: list[int], on_stack: set[int], root: int) -> list[int]:
    component = []
    while True:
        node = stack.pop()
        on_stack.discard(node)
        component.append(node)
        if node == root:
            return component


def reached_bodies(graph: Sequence[Sequence[int]]) -> list[set[int]]:
    """For each node, the nodes some path leads to, itself included."""
    reached: list[set[int]] = [set() for _ in graph]
    for component in cycles(graph):
        together = set(component)
        for node in component:
            for successor in graph[node]:
                together |= reached[successor]
        for node in component:
            reached[node] = together
    return reached
