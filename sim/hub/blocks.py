"""Where each unit of the hub keeps its state: offsets from a GPU's base."""

from ..layout import HUB_BLOCK, NET_BLOCK

RPM_BLOCK = HUB_BLOCK
AAU_BLOCK = HUB_BLOCK + (1 << 21)
DAM_BLOCK = HUB_BLOCK + (3 << 21)
MULTIMEM_BLOCK = HUB_BLOCK + (1 << 23)
ORDER_BLOCK = HUB_BLOCK + (5 << 21)
DOOR_BLOCK = HUB_BLOCK + (11 << 20)
BLOCKS_END = NET_BLOCK
