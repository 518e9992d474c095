"""How warpgroup matrix instructions are packed (sim/sm/wgmma.py)."""

from typing import TYPE_CHECKING

from .ir.wgmma import wgmma_format
from .sm.wgmma import FIRST_SLOT, SCORES, SLOT_GROUPS
from .state import SLOTS

if TYPE_CHECKING:
    from .load import Row


def wgmma(row: "Row") -> None:
    """Side table: registers of the accumulator, A (registers or a descriptor), the descriptor of B, the predicate, metadata."""
    named = row.named()
    words = {name: group[0].value for name, group in named.items() if name in ("sa", "sb", "ta", "tb")}
    in_registers = len(named["a"]) == 4
    negate = words.get("sa", 1) != words.get("sb", 1)
    trans = words.get("ta", 0), words.get("tb", 0)
    selector = named["f"][0].value if "f" in named else 0
    row.imm = wgmma_format(row.op.mods, in_registers, trans, negate, selector)
    row.side = [row.ref(o) for name in ("d", "a", "b", "p", "e") for o in named.get(name, [])]
    slots = [(ref - SLOTS) // 128 for ref in row.side[: len(named["d"])]]
    first, groups = min(slots), (max(slots) - min(slots)) // 16 + 1
    row.sub = len(slots) | groups << SLOT_GROUPS | first << FIRST_SLOT | (1 + row.program.predicates) << SCORES


def wgmma_wait(row: "Row") -> None:
    row.imm = row.operands[0].value
