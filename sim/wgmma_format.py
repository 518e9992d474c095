"""Bits of the word that says what a ``wgmma`` is; compiled code of the core and the library read it.

Element types of A and B are in bits 0 to 3 and 4 to 7 (sim/ir/fragments.py).
"""

PRODUCT, TRANS_A, TRANS_B, REGISTERS, NEGATE, TILES, DEPTH = 8, 12, 13, 14, 15, 16, 24
"""`Product`; factors that lie across k; A in registers; negated products; tiles of eight columns; k."""
SPARSE, FIRST = 33, 34
"""A is sparse; the first thread of four whose word of metadata counts."""
CHAINED, CHAINED_MMA = 32, 26
"""Sums are chains of fused multiply-add (sim/ir/products.py); CHAINED_MMA: bit of the word of ``mma``."""
