"""wmma: products of fragments against NumPy, exact because the numbers are small; layouts, strides, overlaps, mistakes."""

import itertools
import struct
from typing import Any

import numpy as np
import pytest
from kernels import HEADER, new_machine, place, ptx, read_back

import assembler
from isa.wmma import BITS, geometry, registers

WIDE = ("m16n16k16", "m32n8k16", "m8n32k16")
LAYOUTS = ("row", "col")
DTYPES = {
    "f16": np.float16,
    "f32": np.float32,
    "s32": np.int32,
    "f64": np.float64,
    "s8": np.int8,
    "u8": np.uint8,
    "tf32": np.float32,
}
CASES = [
    *((shape, kind, d, c) for shape in WIDE for kind, d, c in (
        ("f16", "f16", "f16"), ("f16", "f32", "f32"), ("f16", "f16", "f32"), ("f16", "f32", "f16"),
        ("bf16", "f32", "f32"), ("s8", "s32", "s32"), ("u8", "s32", "s32"))),
    ("m16n16k8", "tf32", "f32", "f32"), ("m8n8k4", "f64", "f64", "f64"),
    ("m8n8k32", "s4", "s32", "s32"), ("m8n8k32", "u4", "s32", "s32"),
]  # fmt: skip


def names(kind: str, stem: str, count: int) -> str:
    return "{" + ", ".join(f"%{stem}{'d' if kind == 'f64' else 'r'}{i}" for i in range(count)) + "}"


REGISTERS = (
    "b32 ar<8>; b32 br<8>; b32 cr<8>; b32 dr<8>; f64 ad<1>; f64 bd<1>; f64 cd<2>; f64 dd<2>; u32 ld; u64 p; u64 q"
)


def in_memory(matrix: Any, kind: str, layout: str, stride: int) -> bytes:
    """The matrix's elements in this order, with gaps."""
    lines = matrix if layout == "row" else matrix.T
    whole = np.zeros((len(lines), stride), lines.dtype)
    whole[:, : lines.shape[1]] = lines
    if kind == "bf16":
        return bytes((whole.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).tobytes())
    if BITS[kind] == 4:
        nibbles = whole.astype(np.uint8) & 15
        return bytes((nibbles[:, ::2] | nibbles[:, 1::2] << 4).tobytes())
    return bytes(whole.astype(DTYPES[kind]).tobytes())


def run(body: str, buffers: list[bytes], size: int, functional: bool) -> bytes:
    """What a kernel left of `size` bytes at its last parameter; the others point to `buffers`."""
    parameters = [f"p{i}" for i in range(len(buffers) + 1)]
    machine = new_machine(
        ptx(", ".join(f"u64 {p}" for p in parameters), REGISTERS, body + "ret;"), functional=functional
    )
    data = [np.frombuffer(b, np.uint8) for b in (*buffers, bytes(size))]
    at = [place(machine, 0, name, array) for name, array in zip(parameters, data, strict=True)]
    machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=struct.pack(f"<{len(at)}Q", *at))
    machine.run()
    return bytes(read_back(machine, at[-1], data[-1]).tobytes())


def load(matrix: str, shape: str, kind: str, layout: str, parameter: int, stride: str) -> str:
    registers_ = names(kind, matrix, registers(matrix, shape, kind))
    opcode = f"wmma.load.{matrix}.sync.aligned.{layout}.{shape}.global.{kind}"
    return f"ld.param.u64 %p, [p{parameter}]; {opcode} {registers_}, [%p], {stride};\n"


@pytest.mark.parametrize(("shape", "kind", "d", "c"), CASES)
def test_products(shape: str, kind: str, d: str, c: str, functional: bool):
    rng, g = np.random.default_rng(1), geometry(shape)
    low = 0 if kind[0] == "u" else -5
    a, b = rng.integers(low, 6, (g.m, g.k)), rng.integers(low, 6, (g.k, g.n))
    start = rng.integers(-20, 20, (g.m, g.n))
    narrow = BITS[kind] < 8
    for n, (al, bl, cl) in enumerate(itertools.product(*(LAYOUTS[:1] if narrow else LAYOUTS,) * 2, LAYOUTS)):
        bl = "col" if narrow else bl
        gap = 128 // BITS[kind]
        strides = [
            (x.shape[1] if layout == "row" else x.shape[0]) + gap * (n % 2)
            for x, layout in ((a, al), (b, bl), (start, cl))
        ]
        text = ""
        for i, (matrix, type_, layout) in enumerate((("a", kind, al), ("b", kind, bl), ("c", c, cl))):
            text += f"mov.u32 %ld, {strides[i]};\n" + load(
                matrix, shape, type_, layout, i, "%ld" if n % 4 < 2 else str(strides[i])
            )
        types = f"{d}.{c}" if kind == "f16" else f"{d}.{kind}.{kind}.{c}"
        vectors = [names(t, m, registers(m, shape, t)) for m, t in (("d", d), ("a", kind), ("b", kind), ("c", c))]
        text += f"wmma.mma.sync.aligned.{al}.{bl}.{shape}.{types} {', '.join(vectors)};\n"
        text += f"ld.param.u64 %p, [p3]; wmma.store.d.sync.aligned.row.{shape}.global.{d} [%p], {vectors[0]};\n"
        buffers = [
            in_memory(x, t, y, s)
            for x, t, y, s in zip((a, b, start), (kind, kind, c), (al, bl, cl), strides, strict=True)
        ]
        got = np.frombuffer(run(text, buffers, g.m * g.n * BITS[d] // 8, functional), DTYPES[d]).reshape(g.m, g.n)
        np.testing.assert_array_equal(got, a @ b + start, f"{al} {bl} {cl}")


@pytest.mark.parametrize("operation", ["xor", "and"])
def test_products_of_bits(operation: str, functional: bool):
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 2, (8, 128), np.uint8), rng.integers(0, 2, (8, 128), np.uint8)
    shape = "m8n8k128"
    text = load("a", shape, "b1", "row", 0, "128") + load("b", shape, "b1", "col", 1, "128")
    text += f"mov.u32 %cr0, 7; wmma.mma.{operation}.popc.sync.aligned.row.col.{shape}.s32.b1.b1.s32"
    text += " {%dr0, %dr1}, {%ar0}, {%br0}, {%cr0, %cr0};\n"
    text += f"ld.param.u64 %p, [p2]; wmma.store.d.sync.aligned.col.{shape}.global.s32 [%p], {{%dr0, %dr1}};\n"
    got = run(text, [np.packbits(x, 1, "little").tobytes() for x in (a, b)], 256, functional)
    pairs = a[:, None] ^ b[None] if operation == "xor" else a[:, None] & b[None]
    np.testing.assert_array_equal(np.frombuffer(got, np.int32).reshape(8, 8).T, pairs.astype(np.int32).sum(2) + 7)


def test_halves_are_rounded_once(functional: bool):
    """Sums of .f32 become .f16 at the end: 2048 + 1 + 1/2 is not rounded before all is added."""
    shape, vectors = "m16n16k16", [names("f16", m, n) for m, n in (("d", 4), ("a", 8), ("b", 8))]
    text = (
        load("a", shape, "f16", "row", 0, "16")
        + load("b", shape, "f16", "row", 1, "16")
        + load("c", shape, "f32", "row", 2, "16")
    )
    text += f"wmma.mma.sync.aligned.row.row.{shape}.f16.f32 {', '.join(vectors)}, {names('f32', 'c', 8)};\n"
    text += f"ld.param.u64 %p, [p3]; wmma.store.d.sync.aligned.row.{shape}.f16 [%p], {vectors[0]};\n"
    ones, half = np.full((16, 16), 1 / 16, np.float16), np.ones((16, 16), np.float16)
    c = np.full((16, 16), 2048.25, np.float32)
    got = np.frombuffer(run(text, [ones.tobytes(), half.tobytes(), c.tobytes()], 512, functional), np.float16)
    assert set(got) == {np.float16(2050)}  # 2049.25; 2048 + 1 would have been 2048


def test_results_may_overlap_factors_and_addresses(functional: bool):
    """d in the registers of a, of c in another order, and a fragment in the register of its own stride."""
    rng, shape = np.random.default_rng(3), "m16n16k16"
    a, b = (rng.integers(-9, 9, (16, 16)).astype(np.int8) for _ in "ab")
    c = rng.integers(-99, 99, (16, 16)).astype(np.int32)
    turned = "{" + ", ".join(["%ar0", "%ar1", *(f"%cr{i}" for i in range(6))]) + "}"
    text = "mov.u32 %ar1, 16;" + load("a", shape, "s8", "col", 0, "%ar1") + load("b", shape, "s8", "row", 1, "16")
    text += load("c", shape, "s32", "row", 2, "16")
    text += f"wmma.mma.sync.aligned.col.row.{shape}.s32.s8.s8.s32 {turned}, {{%ar0, %ar1}}, {{%br0, %br1}}, "
    text += f"{names('s32', 'c', 8)};\n"
    text += f"ld.param.u64 %p, [p3]; wmma.store.d.sync.aligned.row.{shape}.s32 [%p], {turned};\n"
    got = run(text, [a.tobytes(), b.tobytes(), c.tobytes()], 1024, functional)
    np.testing.assert_array_equal(np.frombuffer(got, np.int32).reshape(16, 16), a.T.astype(int) @ b + c)


def test_directed_rounding(functional: bool):
    """1 and -1 plus four times 2**-60, each sum rounded in the mode written at either place."""
    text = "mov.f64 %ad0, 0d3FF0000000000000; mov.f64 %bd0, 0d3C30000000000000; ld.param.u64 %p, [p0];"
    text += "mov.f64 %cd0, 0d3FF0000000000000; mov.f64 %cd1, 0dBFF0000000000000;"
    for i, mode in enumerate(("rn", "rz", "rm", "rp")):
        order = ["m8n8k4", f"{mode}.f64.f64.f64.f64"] if i % 2 else ["m8n8k4", f"f64.f64.f64.f64.{mode}"]
        text += f"wmma.mma.sync.aligned.row.col.{'.'.join(order)} {{%dd0, %dd1}}, {{%ad0}}, {{%bd0}}, {{%cd0, %cd1}};\n"
        text += f"st.global.v2.f64 [%p+{16 * i}], {{%dd0, %dd1}};\n"
    got = np.frombuffer(run(text, [], 64, functional), np.float64).reshape(4, 2)
    above, inside = 1 + 4 * 2.0**-52, -(1 - 4 * 2.0**-53)
    np.testing.assert_array_equal(got, [[1, -1], [1, inside], [1, -1], [above, inside]])


def test_shared_variables_and_transposition(functional: bool):
    """By way of a named variable of shared memory, with an offset; rows that come back as columns, doubled."""
    c, names_ = np.arange(256, dtype=np.float32), names("f32", "c", 8)
    doubled = "".join(f"add.f32 %cr{i}, %cr{i}, %cr{i};" for i in range(8))
    text = ".shared .align 32 .b8 s[1056];" + load("c", "m32n8k16", "f32", "row", 0, "8")
    text += f"wmma.store.d.sync.aligned.col.m32n8k16.shared.f32 [s+32], {names_};"
    text += f"wmma.load.c.sync.aligned.row.m8n32k16.f32 {names_}, [s+32]; {doubled} ld.param.u64 %p, [p1];"
    text += f"wmma.store.d.sync.aligned.row.m8n32k16.f32 [%p], {names_};"
    got = np.frombuffer(run(text, [c.tobytes()], 1024, functional), np.float32).reshape(8, 32)
    np.testing.assert_array_equal(got, 2 * c.reshape(32, 8).T)


@pytest.mark.parametrize(
    ("statement", "complaint"),
    [
        ("wmma.load.a.sync.aligned.row.m16n16k8.f16 {%r0}, [%d];", ".f16 goes with .m16n16k16, .m32n8k16, .m8n32k16"),
        ("wmma.load.a.sync.aligned.col.m8n8k32.s4 {%r0}, [%d];", "elements of .s4 of a are in .row order"),
        ("wmma.load.b.sync.aligned.col.m32n8k16.u8 {%r0, %r1}, [%d];", "does not take these operands"),
        ("wmma.mma.sync.aligned.row.col.m8n32k16.s32.s8.u8.s32 %r0, %r0, %r0, %r0;", "a and b have the same type"),
        ("wmma.store.d.sync.aligned.row.m8n8k4.f64 [%x], {%f0, %f1};", "%x"),
    ],
)
def test_mistakes(statement: str, complaint: str):
    (error,) = assembler.check(HEADER + ptx("u64 x", "b32 r<4>; b64 d; f64 f<4>", f"{statement} ret;"))
    assert complaint in error.message
