"""cp.async.bulk.tensor: boxes of tensors against NumPy, what lies outside, swizzles, and tensor maps made by kernels."""

import itertools
from typing import Any

import numpy as np
import pytest
from kernels import new_machine, place, read_back

from sim.errors import MachineFault
from sim.tensormap import TensorMap, TensorMapError

LOAD = "cp.async.bulk.tensor.{}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes"
DTYPES = {"u8": np.uint8, "u16": np.uint16, "u32": np.uint32, "s32": np.int32, "u64": np.uint64, "f16": np.float16,
          "f32": np.float32, "f64": np.float64}  # fmt: skip


def kernel(body: str, tail: str = "") -> str:
    """A kernel with a tensor map, an output and five coordinates."""
    coordinates = "".join(f", .param .s32 c{i}" for i in range(5))
    loads = " ".join(f"ld.param.s32 %r{10 + i}, [c{i}];" for i in range(5))
    return f"""
.visible .entry k(.param .align 64 .b8 tm[128], .param .u64 y{coordinates})
{{
    .reg .b32 %r<30>; .reg .b64 %rd<10>; .reg .pred %p<5>; .reg .b16 %h<3>;
    .shared .align 1024 .b8 s[65536]; .shared .align 8 .b8 bar[8];
    mov.b64 %rd1, tm; cvta.param.u64 %rd1, %rd1; ld.param.u64 %rd2, [y]; {loads}
    mov.u32 %r1, %tid.x; mov.u32 %r2, s; mov.u32 %r3, bar; setp.eq.u32 %p1, %r1, 0; mov.u32 %r5, %ctaid.x;
    @%p1 mbarrier.init.shared.b64 [%r3], 1; fence.proxy.async; bar.sync 0;
    {body}
    {tail}
    ret;
}}"""


def out(nbytes: int) -> str:
    """Shared memory to y."""
    return f"""cvt.u64.u32 %rd5, %r1; mad.lo.u64 %rd5, %rd5, 4, %rd2; mad.lo.u32 %r20, %r1, 4, %r2; mov.u32 %r21, %r1;
out: setp.ge.u32 %p3, %r21, {nbytes // 4}; @%p3 bra done; ld.shared.u32 %r22, [%r20]; st.global.u32 [%rd5], %r22;
    add.u32 %r20, %r20, 128; add.u64 %rd5, %rd5, 128; add.u32 %r21, %r21, 32; bra out;
done:"""


def load_body(rank: int, nbytes: int) -> str:
    names = ", ".join(f"%r{10 + i}" for i in range(rank))
    return f"""@%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r3], {nbytes};
    @%p1 {LOAD.format(rank)} [%r2], [%rd1, {{{names}}}], [%r3];
again: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra again;"""


def run(
    text: str, x: Any, y: Any, fields: dict[str, Any], at: tuple[int, ...], functional: bool, **options: Any
) -> Any:
    """Run on a tensor x; returns x, y and the machine."""
    machine = new_machine(text, functional=functional)
    xa, ya = place(machine, 0, "x", x), place(machine, 0, "y", y)
    offset = fields.pop("offset", 0)
    params = TensorMap(address=xa + offset, **fields).encode() + ya.to_bytes(8, "little")
    params += np.array([*at, *[0] * (5 - len(at))], np.int32).tobytes()
    machine.launch(0, "k", options.pop("grid", (1, 1, 1)), (32, 1, 1), params=params, **options)
    machine.run()
    return read_back(machine, xa, x), read_back(machine, ya, y), machine


def boxed(x: Any, at: tuple[int, ...], box: tuple[int, ...], steps: tuple[int, ...], fill: Any) -> Any:
    """The box of x (last axis contiguous; at, box and steps begin with it) by loops over its elements."""
    counts = [-(-b // e) for b, e in zip(box, steps, strict=True)]
    result = np.full(counts[::-1], fill, x.dtype)
    for index in itertools.product(*map(range, counts)):
        place_ = tuple(a + i * e for a, i, e in zip(at, index, steps, strict=True))
        if all(0 <= p < n for p, n in zip(place_, x.shape[::-1], strict=True)):
            result[index[::-1]] = x[place_[::-1]]
    return result


CASES = [
    ("u32", (64,), (32,), (5,), ()), ("u8", (48, 5), (16, 4), (-3, 2), ()), ("f16", (40, 9), (24, 8), (30, -2), ()),
    ("u32", (8, 5, 6), (4, 3, 2), (6, 3, 4), ()), ("u64", (6, 3, 4, 3), (2, 3, 2, 2), (-1, 1, 3, -1), ()),
    ("u16", (16, 3, 2, 3, 2), (8, 2, 2, 2, 2), (12, 1, 1, 2, -1), ()), ("f64", (10, 4), (8, 4), (2, 0), (2, 1)),
    ("u32", (64, 16), (16, 8), (8, 1), (2, 3)),
]  # fmt: skip


@pytest.mark.parametrize(("dtype", "dims", "box", "at", "steps"), CASES)
def test_boxes_of_one_to_five_dimensions(dtype: str, dims, box, at, steps, functional: bool) -> None:
    rng = np.random.default_rng(7)
    x = rng.integers(0, 200, dims[::-1]).astype(DTYPES[dtype])
    strides = [int(s) for s in x.strides[::-1][1:]]
    fields = {"dtype": dtype, "dims": dims, "strides": strides, "box": box, "element_strides": steps}
    padded = x
    if any(s % 16 for s in strides):  # rows of a tensor begin at multiples of 16 bytes
        width = -(-x.shape[-1] * x.itemsize // 16) * 16 // x.itemsize
        padded = np.zeros((*x.shape[:-1], width), x.dtype)
        padded[..., : x.shape[-1]] = x
        fields["strides"] = [int(s) for s in padded.strides[::-1][1:]]
    want = boxed(x, at, box, steps or (1,) * len(dims), 0)
    text = kernel(load_body(len(dims), want.nbytes), out(want.nbytes))
    got = run(text, padded, np.zeros(4096, np.uint32), fields, at, functional)[1]
    assert np.array_equal(got.view(x.dtype).reshape(-1)[: want.size], want.reshape(-1))


@pytest.mark.parametrize(("swizzle", "bits"), [("none", 0), ("32B", 1), ("64B", 2), ("128B", 3)])
def test_swizzles_change_16_byte_pieces_with_bits_of_the_row(swizzle: str, bits: int, functional: bool) -> None:
    width = 4 << max(bits, 1)
    x = np.arange(64 * 64, dtype=np.uint32).reshape(64, 64)
    fields = {"dtype": "u32", "dims": (64, 64), "strides": (256,), "box": (width, 32), "swizzle": swizzle}
    nbytes = width * 32 * 4
    got = run(kernel(load_body(2, nbytes), out(nbytes)), x, np.zeros(4096, np.uint32), fields, (8, 3), functional)[1]
    dense = x[3:35, 8 : 8 + width].reshape(-1)
    for i in range(0, dense.size, 4):
        at = i * 4
        at ^= (at >> 7 & (1 << bits) - 1) << 4
        assert np.array_equal(got[at // 4 : at // 4 + 4], dense[i : i + 4])


def test_elements_outside_may_be_filled_with_nan(functional: bool) -> None:
    x = np.ones((4, 16), np.float32)
    fields = {"dtype": "f32", "dims": (16, 4), "strides": (64,), "box": (8, 4), "fill": "nan"}
    got = run(kernel(load_body(2, 128), out(128)), x, np.zeros(32, np.float32), fields, (12, 2), functional)[1]
    inside = ~np.isnan(got.reshape(4, 8))
    assert inside[:2, :4].all()
    assert inside.sum() == 8


@pytest.mark.parametrize(
    ("op", "function"), [("", None), ("add", np.add), ("max", np.maximum), ("xor", np.bitwise_xor)]
)
def test_stores_and_reductions_leave_alone_what_is_outside(op: str, function: Any, functional: bool) -> None:
    word = (
        "cp.reduce.async.bulk.tensor.2d.global.shared::cta." + op
        if op
        else "cp.async.bulk.tensor.2d.global.shared::cta"
    )
    body = f"""mad.lo.u32 %r20, %r1, 4, %r2; mov.u32 %r21, %r1;
fill: st.shared.u32 [%r20], %r21; add.u32 %r20, %r20, 128; add.u32 %r21, %r21, 32;
    setp.lt.u32 %p3, %r21, 64; @%p3 bra fill; fence.proxy.async.shared::cta; bar.sync 0;
    @!%p1 bra end;
    {word}.tile.bulk_group [%rd1, {{%r10, %r11}}], [%r2]; cp.async.bulk.commit_group; cp.async.bulk.wait_group 0;
end:"""
    x = np.random.default_rng(2).integers(0, 1 << 20, (10, 20)).astype(np.uint32)
    fields = {"dtype": "u32", "dims": (18, 9), "strides": (80,), "box": (8, 8)}
    got = run(kernel(body), x, np.zeros(4, np.uint32), fields, (14, 4), functional)[0]
    want = x.copy()
    data = np.arange(64, dtype=np.uint32).reshape(8, 8)[:5, :4]
    want[4:9, 14:18] = function(want[4:9, 14:18], data) if function else data
    assert np.array_equal(got, want)


def test_a_multicast_of_a_box(functional: bool) -> None:
    body = f"""mov.u32 %r7, %cluster_ctarank; @%p1 mbarrier.arrive.expect_tx.shared.b64 _, [%r3], 256;
    barrier.cluster.arrive; barrier.cluster.wait; setp.eq.and.u32 %p4, %r7, 1, %p1; mov.u16 %h1, 3;
    @%p4 {LOAD.format(2)}.multicast::cluster [%r2], [%rd1, {{%r10, %r11}}], [%r3], %h1;
again: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra again;
    mul.wide.u32 %rd6, %r7, 256; add.u64 %rd2, %rd2, %rd6;"""
    x = np.arange(256, dtype=np.uint32).reshape(16, 16)
    fields = {"dtype": "u32", "dims": (16, 16), "strides": (64,), "box": (8, 8)}
    text = kernel(body, out(256) + " barrier.cluster.arrive; barrier.cluster.wait;")
    got = run(text, x, np.zeros(128, np.uint32), fields, (4, 5), functional, grid=(2, 1, 1), cluster=(2, 1, 1))[1]
    assert np.array_equal(got.reshape(2, 8, 8), np.stack([x[5:13, 4:12]] * 2))


def test_a_kernel_changes_a_tensor_map(functional: bool) -> None:
    body = f"""mov.u64 %rd6, tmap;
    shl.b32 %r20, %r1, 2; cvt.u64.u32 %rd7, %r20; add.u64 %rd7, %rd7, %rd1; ld.u32 %r21, [%rd7];
    add.u32 %r22, %r2, %r20; st.shared.u32 [%r22], %r21; bar.sync 0;
    @%p1 tensormap.replace.tile.box_dim.shared::cta.b1024.b32 [%r2], 1, 4;
    @%p1 tensormap.replace.tile.global_dim.shared::cta.b1024.b32 [%r2], 0, 6;
    mov.u64 %rd8, %rd2; add.u64 %rd8, %rd8, 4096;
    @%p1 tensormap.replace.tile.global_address.shared::cta.b1024.b64 [%r2], %rd8;
    @%p1 tensormap.replace.tile.elemtype.shared::cta.b1024.b32 [%r2], 3;
    bar.warp.sync -1;
    tensormap.cp_fenceproxy.global.shared::cta.tensormap::generic.release.gpu.sync.aligned [%rd6], [%r2], 128;
    fence.proxy.tensormap::generic.acquire.gpu [%rd6], 128;
    mov.u64 %rd1, %rd6; {load_body(2, 128)}"""
    y = np.zeros(2048, np.uint32)
    y[1024:] = np.arange(1024)
    x = np.zeros((16, 16), np.uint32)
    fields = {"dtype": "u32", "dims": (16, 16), "strides": (64,), "box": (8, 8)}
    text = ".global .align 128 .b8 tmap[128];\n" + kernel(body, out(128))
    got = run(text, x, y, fields, (0, 2), functional)[1]
    rows = np.arange(1024, dtype=np.uint32).reshape(64, 16)[2:6, :8].copy()
    rows[:, 6:] = 0
    assert np.array_equal(got[:32].reshape(4, 8), rows)


def test_what_is_no_tensor_map_is_a_fault(functional: bool) -> None:
    x = np.zeros((16, 16), np.uint32)
    fields = {"dtype": "u32", "dims": (16, 16), "strides": (64,), "box": (8, 8)}
    with pytest.raises(MachineFault, match="no tensor map"):
        run(
            kernel("mov.u64 %rd1, %rd2;" + load_body(2, 256)),
            x,
            np.zeros(64, np.uint32),
            dict(fields),
            (0, 0),
            functional,
        )
    with pytest.raises(MachineFault, match="no tensor map"):
        run(kernel(load_body(3, 256)), x, np.zeros(64, np.uint32), dict(fields), (0, 0), functional)


GOOD = {"address": 1 << 38, "dtype": "f16", "dims": (64, 8), "strides": (128,), "box": (64, 8)}


@pytest.mark.parametrize(("change", "message"), [
    ({"dtype": "f8"}, "no elements"), ({"dims": (1,) * 6}, "1 to 5"), ({"strides": (100,)}, "multiples of 16"),
    ({"box": (4, 8)}, "rows of a box"), ({"box": (64, 300)}, "1 to 256"), ({"swizzle": "64B"}, "at most"),
    ({"interleave": "16B"}, "not modelled"), ({"swizzle": "16B"}, "one of"), ({"fill": "nan", "dtype": "u16"}, "NaN"),
])  # fmt: skip
def test_bad_tensor_maps_are_refused(change: dict[str, Any], message: str) -> None:
    TensorMap(**GOOD)
    with pytest.raises(TensorMapError, match=message):
        TensorMap(**{**GOOD, **change})


@pytest.mark.parametrize(("rows", "measured"), [(8, 347), (32, 372), (64, 403.5), (128, 484), (256, 624)])
def test_latency_of_a_two_dimensional_load_from_l2(rows: int, measured: float) -> None:
    body = f"""@!%p1 bra end; mov.u32 %r25, 0; mov.u32 %r26, 0;
loop: mov.u32 %r23, %clock; mbarrier.arrive.expect_tx.shared.b64 _, [%r3], {rows * 128};
    {LOAD.format(2)} [%r2], [%rd1, {{%r10, %r11}}], [%r3];
again: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], %r26; @!%p2 bra again;
    mov.u32 %r24, %clock; sub.u32 %r24, %r24, %r23; st.global.u32 [%rd2], %r24; xor.b32 %r26, %r26, 1;
    add.u32 %r25, %r25, 1; setp.lt.u32 %p3, %r25, 4; @%p3 bra loop;
end:"""
    x = np.zeros((256, 4096), np.float16)
    fields = {"dtype": "f16", "dims": (4096, 256), "strides": (8192,), "box": (64, rows), "swizzle": "128B"}
    got = run(kernel(body), x, np.zeros(4, np.uint32), fields, (0, 0), False)[1]
    assert int(got[0]) == pytest.approx(measured, rel=0.15)
