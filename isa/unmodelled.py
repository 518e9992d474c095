"""Instructions that exist in PTX and have no row: what is missing, so that the assembler can say so."""

from __future__ import annotations

import re

KNOWN_UNMODELLED: dict[str, str] = {
    "tex": "texture units", "tld4": "texture units", "txq": "texture units", "istypep": "texture units",
    "suld": "surfaces", "sust": "surfaces", "sured": "surfaces", "suq": "surfaces",
    "tcgen05": "tensor memory of later GPUs",
    "st.bulk": "bulk initialisation of shared memory",
    "clusterlaunchcontrol": "clusters of later GPUs",
}  # fmt: skip
"""Opcode prefix -> what of the machine it needs."""
_LATER: tuple[tuple[str, str], ...] = (
    (r"(add|sub|mul|fma)\..*f32x2", "pairs of .f32 of later GPUs"),
    (r"(add|sub|fma)\.(.*\.)?f32\.b?f16", "sums of mixed precision of later GPUs"),
    (r"cvt\..*\b(e[23]m[123]x[24]|e[45]m[23]x4|ue8m0x2|s2f6x2|rs)\b", "4, 6 and 8-bit formats of later GPUs"),
    (r"redux\..*\bf32", "warp reductions of .f32 of later GPUs"),
    (r"(st|red)\.async\..*\b(mmio|release)\b", "asynchronous stores to global memory of later GPUs"),
    (r"multimem\..*\be[45]m[23](x4)?\b", "multicast reductions of 8-bit floats of later GPUs"),
    (r"multimem\.cp\.", "bulk copies to multicast addresses of later GPUs"),
    (r"cp\.async\.bulk\..*\b(cp_mask|ignore_oob)\b", "byte masks of bulk copies of later GPUs"),
    (r"cp\.(reduce\.)?async\.bulk\..*\b(tile::(gather|scatter)4|im2col::w(::128)?|cta_group::[12])(\.|$)",
     "modes of tensor copies of later GPUs"),
    (r"tensormap\.replace\..*swizzle_atomicity", "tensor maps of later GPUs"),
    (r"mma\..*\b(kind::\w+|block_scale|e[23]m[123])\b", "matrix formats of later GPUs"),
    (r"mma\.sync\.aligned\.m8n8k4\.\w+\.\w+\.f32\.f16\.f16\.f16", "mma.m8n8k4 of .f16 with d other than c"),
    (r"(ldmatrix|stmatrix)\..*\b(m16n16|m8n16|m16n8)\b", "matrices of 8-bit elements of later GPUs"),
)  # fmt: skip
"""Pattern of an opcode -> what later GPUs (sm_100 and up) have for it; of the one mma.m8n8k4 ptxas makes no product."""


def missing_feature(text: str) -> str:
    """What the instruction `text` needs that the machine lacks, or "" when it is no known instruction."""
    parts = text.split(".")
    for n in range(len(parts), 0, -1):
        feature = KNOWN_UNMODELLED.get(".".join(parts[:n]))
        if feature:
            return feature
    return next((feature for pattern, feature in _LATER if re.match(pattern, text)), "")
