"""`mma.m8n8k4` of `.f16`, which the assembler writes as shuffles and sums: what an H100 gives, to the bit.

``silicon/quads.npz``: by instruction, words of the registers of a, b and c of some warps, random and with infinities, NaNs
and subnormal numbers, and of d.
"""

from pathlib import Path

import numpy as np
import pytest
from kernels import HEADER, ptx, run_kernel

import assembler

LANES = 32
with np.load(Path(__file__).parent / "silicon" / "quads.npz") as _found:
    RECORDED = {key: _found[key] for key in _found.files}


def names(stem: str, count: int) -> str:
    return "{" + ", ".join(f"%{stem}{i}" for i in range(count)) + "}"


def kernel(opcode: str, sums: int, d: str, guard: str = "") -> str:
    """Each warp computes one product from the words of its registers, d in registers named ``d``."""
    count = 4 + sums
    loads = "".join(f"ld.global.b32 %{'abc'[min(i // 2, 2)]}{i % 2 if i < 4 else i - 4}, [%p+{128 * i}];\n"
                    for i in range(count))  # fmt: skip
    stores = "".join(f"st.global.b32 [%q+{128 * i}], %{d}{i};\n" for i in range(sums))
    vectors = ", ".join(names(stem, n) for stem, n in ((d, sums), ("a", 2), ("b", 2), ("c", sums)))
    body = f"""
    ld.param.u64 %p, [x]; ld.param.u64 %q, [y]; mov.u32 %t, %tid.x; mov.u32 %w, %ctaid.x; setp.eq.u32 %ok, %t, %t;
    mad.lo.u32 %s, %w, {LANES * count}, %t; mad.wide.u32 %p, %s, 4, %p;
    mad.lo.u32 %s, %w, {LANES * sums}, %t; mad.wide.u32 %q, %s, 4, %q;
    {loads} {guard} {opcode} {vectors};
    {stores} ret;"""
    return ptx(
        "u64 x, u64 y", "b32 a<2>; b32 b<2>; b32 c<8>; b32 d<8>; b32 t; b32 w; b32 s; b64 p; b64 q; pred ok", body
    )


@pytest.mark.parametrize("d", ["d", "c"])
@pytest.mark.parametrize("opcode", sorted(key.rpartition("/")[0] for key in RECORDED if key.endswith("/in")))
def test_products_are_those_of_an_h100(opcode: str, d: str):
    words, want = RECORDED[opcode + "/in"], RECORDED[opcode + "/out"]
    text = kernel(opcode, want.shape[1] // LANES, d, "@%ok" if d == "c" else "")
    ran = run_kernel(text, {"x": words, "y": np.zeros_like(want)}, grid=(len(words), 1, 1))
    np.testing.assert_array_equal(ran.out["y"], want)


def test_sums_in_other_registers_than_the_same_ones():
    """d shifted against c by one register: sums are written after all of c was read."""
    opcode = "mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f32"
    words, want = RECORDED[opcode + "/in"], RECORDED[opcode + "/out"]
    straight = kernel(opcode, 8, "c")
    text = straight.replace(names("c", 8), "{" + ", ".join(f"%c{(i + 1) % 8}" for i in range(8)) + "}", 1)
    ran = run_kernel(text, {"x": words, "y": np.zeros_like(want)}, grid=(len(words), 1, 1))
    found = ran.out["y"].reshape(-1, 8, LANES)
    np.testing.assert_array_equal(np.roll(found, -1, axis=1).reshape(want.shape), want)


def test_sums_of_another_type_than_c_are_refused():
    text = kernel("mma.sync.aligned.m8n8k4.row.col.f32.f16.f16.f16", 8, "d")
    (error,) = assembler.check(HEADER + text)
    assert error.code == "opcode-unmodelled" and "mma.m8n8k4 of .f16 with d other than c" in error.message
