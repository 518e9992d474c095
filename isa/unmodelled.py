"""Instructions that exist in PTX and have no row: what is missing, so that the assembler can say so."""

from __future__ import annotations

KNOWN_UNMODELLED: dict[str, str] = {
    "tex": "texture units", "tld4": "texture units", "txq": "texture units", "istypep": "texture units",
    "suld": "surfaces", "sust": "surfaces", "sured": "surfaces", "suq": "surfaces",
                                    "wmma": "warp matrix fragments of the older interface (use mma)",
    "mma.sp": "sparse matrix instructions",
    "mma.sync.aligned.m8n8k4.col": "mma.m8n8k4 of .f16", "mma.sync.aligned.m8n8k4.row.row": "mma.m8n8k4 of .f16",
    "tcgen05": "tensor memory of later GPUs",
    "st.bulk": "bulk initialisation of shared memory",
    "clusterlaunchcontrol": "clusters of later GPUs",
}  # fmt: skip
"""Opcode prefix -> what of the machine it needs."""


def missing_feature(text: str) -> str:
    """What the instruction `text` needs that the machine lacks, or "" when it is no known instruction."""
    parts = text.split(".")
    for n in range(len(parts), 0, -1):
        feature = KNOWN_UNMODELLED.get(".".join(parts[:n]))
        if feature:
            return feature
    return ""
