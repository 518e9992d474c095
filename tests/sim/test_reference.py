"""References and fills: against plain loops, and that comparisons can fail."""

import ml_dtypes
import numpy as np
import pytest

from sim.fills import DTYPES, Fill, FillError, expert_loads, generator
from sim.reference import REFERENCES, arguments_of, compare, moe_layer

BF16 = ml_dtypes.bfloat16


def test_elementwise() -> None:
    a, b = np.arange(4, dtype=np.float32), np.full(4, 0.1, np.float32)
    assert np.array_equal(REFERENCES["add"]([a], [b])[0], a + b)
    assert np.array_equal(REFERENCES["saxpy"]([a], [b], a=2.0)[0], (2 * a.astype(float) + b).astype(np.float32))
    x = [np.array([1, 2], np.uint32), np.array([10, 20], np.uint32)]
    assert [r.tolist() for r in REFERENCES["allreduce_sum"](x)] == [[11, 22]] * 2
    assert [r.tolist() for r in REFERENCES["allgather"](x)] == [[1, 2, 10, 20]] * 2


def test_matmul_takes_b_by_rows() -> None:
    a, b = np.arange(6.0).reshape(2, 3).astype(BF16), np.arange(12.0).reshape(4, 3).astype(BF16)
    got = REFERENCES["matmul"]([a], [b])[0]
    assert got.shape == (2, 4) and got[1, 2] == 3 * 6 + 4 * 7 + 5 * 8
    assert np.array_equal(REFERENCES["matmul"]([a], [b.T.copy()], transposed=0)[0], got)


def _layer(gpus: int = 2, per_gpu: int = 2) -> dict[str, list[np.ndarray]]:
    tokens, hidden, ffn = 5, 8, 6
    random = np.random.default_rng(1)

    def draw(*shape: int) -> np.ndarray:
        return random.standard_normal(shape).astype(BF16)

    gate = draw(per_gpu * gpus, hidden)
    return {
        "x": [draw(tokens, hidden) for _ in range(gpus)],
        "gate": [gate] * gpus,
        "w1": [draw(per_gpu, ffn, hidden) for _ in range(gpus)],
        "w2": [draw(per_gpu, hidden, ffn) for _ in range(gpus)],
    }


def _round(value: np.ndarray) -> np.ndarray:
    return value.astype(np.float32).astype(BF16).astype(float)


def _token_by_token(layer: dict[str, list[np.ndarray]], topk: int, bias: np.ndarray) -> list[np.ndarray]:
    per_gpu = len(layer["w1"][0])
    out = []
    for x in layer["x"]:
        rows = []
        for token in x.astype(float):
            logits = layer["gate"][0].astype(float) @ token + bias
            p = np.exp(logits) / np.exp(logits).sum()
            total = np.zeros(len(token))
            for e in sorted(range(len(logits)), key=lambda e: (-logits[e], e))[:topk]:
                w1, w2 = (layer[w][e // per_gpu][e % per_gpu].astype(float) for w in ("w1", "w2"))
                h = w1 @ token
                total += p[e] * _round(w2 @ _round(h / (1 + np.exp(-h))))
            rows.append(total)
        out.append(np.array(rows).astype(BF16))
    return out


@pytest.mark.parametrize("topk", [1, 2, 4])
def test_moe_layer_is_the_definition(topk: int) -> None:
    layer = _layer()
    bias = np.array([0.5, 0, -0.5, 1])
    got = moe_layer(*layer.values(), [bias] * 2, topk=topk)
    want = _token_by_token(layer, topk, bias)
    for a, b in zip(got, want, strict=True):
        assert a.dtype == BF16
        np.testing.assert_allclose(a.astype(float), b.astype(float), rtol=1e-2, atol=1e-3)


def test_moe_layer_ties_go_to_the_lower_expert() -> None:
    layer = _layer(gpus=1, per_gpu=3)
    layer["gate"] = [np.zeros((3, 8), BF16)]
    first = moe_layer(*layer.values(), topk=1)
    layer["w2"][0][1:] = 0
    assert np.array_equal(moe_layer(*layer.values(), topk=1)[0], first[0])


def test_moe_layer_follows_a_route_only_where_it_is_as_good() -> None:
    layer = _layer(gpus=1, per_gpu=3)
    layer["gate"] = [np.zeros((3, 8), BF16)]
    route = np.full((5, 1), 2, np.int32)
    tied = moe_layer(*layer.values(), None, [route], topk=1)[0]
    assert not np.array_equal(tied, moe_layer(*layer.values(), topk=1)[0])
    bias = [np.array([0, 0.1, 0])]
    best = moe_layer(*layer.values(), bias, topk=1)[0]
    assert np.array_equal(moe_layer(*layer.values(), bias, [route], topk=1)[0], best)
    double, best = np.zeros((5, 2), np.int32), moe_layer(*layer.values(), topk=2)[0]
    assert np.array_equal(moe_layer(*layer.values(), None, [double], topk=2)[0], best)


def test_compare_finds_the_worst_element() -> None:
    want = {0: np.ones((2, 3), np.float32), 1: np.ones((2, 3), np.float32)}
    got = {g: a.copy() for g, a in want.items()}
    assert compare(got, want, 0, 0).passed
    got[1][1, 2] = 1.5
    got[0][0, 1] = 1.25
    found = compare(got, want, 0.1, 0.1)
    assert not found.passed and found.mismatches == 2 and found.elements == 12
    assert (found.gpu, found.index, found.got, found.want) == (1, (1, 2), 1.5, 1.0)
    assert found.error == pytest.approx(0.5 / 0.2)
    assert compare(got, want, 0.5, 0).passed
    assert compare(got, want, 0.5, 0).error == pytest.approx(1)


@pytest.mark.parametrize(
    ("got", "want", "passed"),
    [
        (np.nan, np.nan, True), (np.nan, 1, False), (1, np.nan, False), (np.inf, np.inf, True), (np.inf, 1, False),
        (-np.inf, np.inf, False), (1, np.inf, False), (0.0, -0.0, True),
    ],
)  # fmt: skip
def test_compare_special_values(got: float, want: float, passed: bool) -> None:
    assert compare({0: np.array([got])}, {0: np.array([want])}, 0.1, 0.1).passed == passed


def test_compare_integers_exactly() -> None:
    a = np.array([1 << 62, 5], np.uint64)
    b = np.array([(1 << 62) + 1, 5], np.uint64)
    assert compare({0: a}, {0: a.copy()}, 0, 0).passed
    assert compare({0: a}, {0: b}, 0, 0).mismatches == 1


def _fill(shape: tuple[int, ...], type_: str, name: str = "b", gpu: int | str = 0, seed: int = 1, folder=None) -> Fill:
    from pathlib import Path

    return Fill(shape, DTYPES[type_], seed, name, gpu, folder or Path())


def test_fills_depend_on_seed_name_and_gpu_only() -> None:
    def draw(**change: object) -> list[float]:
        return _fill((64,), "f32", **change).normal(0, 1).tolist()  # type: ignore[arg-type]

    assert draw() == draw()
    others = [draw(name="c"), draw(gpu=1), draw(gpu="same"), draw(seed=2)]
    assert all(draw() != other for other in others)
    assert generator(0, "x", 0).integers(1 << 30) == generator(0, "x", 0).integers(1 << 30)


def test_fills() -> None:
    assert _fill((2, 3), "s32").iota(5, 2).tolist() == [[5, 7, 9], [11, 13, 15]]
    assert _fill((2,), "bf16").full(1.5).astype(float).tolist() == [1.5, 1.5]
    values = _fill((4000,), "f32").uniform(-1, 3)
    assert -1 <= values.min() < -0.9 and 2.9 < values.max() < 3
    ints = _fill((1000,), "u8").randint(3, 6)
    assert set(ints.tolist()) == {3, 4, 5}
    half = _fill((4000,), "e4m3").normal(0, 0.5).astype(float)
    assert abs(half.std() - 0.5) < 0.03
    integers = _fill((2,), "s32")
    for bad in (integers.normal, lambda: integers.full(0.5), lambda: integers.randint(3, 3)):
        with pytest.raises(FillError):
            bad()


def test_routing_rows_are_distinct_and_follow_the_load() -> None:
    for kind in ("uniform", "normal", "power"):
        route = _fill((4000, 2), "s32").routing(kind, experts=8)
        assert (route[:, 0] != route[:, 1]).all() and route.min() >= 0 and route.max() < 8
        loads = expert_loads(generator(1, "b", "all"), kind, 8)
        counts = np.bincount(route.reshape(-1), minlength=8) / route.size
        assert loads.sum() == pytest.approx(1)
        assert counts.argmax() == loads.argmax() or kind == "uniform"
        assert (_fill((4000, 2), "s32", gpu=1).routing(kind, experts=8) != route).any()
    with pytest.raises(FillError, match="unknown kind"):
        _fill((2, 2), "s32").routing("bimodal", experts=4)
    with pytest.raises(FillError, match="experts="):
        _fill((2, 4), "s32").routing(experts=2)


def test_load_bias_makes_a_router_uneven() -> None:
    bias = _fill((8,), "f32").load_bias("power", alpha=2.0)
    assert bias.max() > 1 and bias.min() < 0
    assert np.array_equal(_fill((8,), "f32", gpu=1).load_bias("power", alpha=2.0), bias)
    assert not _fill((8,), "f32").load_bias().any()


def test_npy_stays_in_the_folder(tmp_path) -> None:
    (tmp_path / "p").mkdir()
    np.save(tmp_path / "p" / "a.npy", np.arange(6))
    np.save(tmp_path / "out.npy", np.arange(6))
    assert _fill((2, 3), "f32", folder=tmp_path / "p").npy("a.npy").tolist() == [[0, 1, 2], [3, 4, 5]]
    for file, message in (("../out.npy", "outside"), ("none.npy", "cannot be read")):
        with pytest.raises(FillError, match=message):
            _fill((2, 3), "f32", folder=tmp_path / "p").npy(file)
    with pytest.raises(FillError, match="6 elements, the buffer 4"):
        _fill((4,), "f32", folder=tmp_path / "p").npy("a.npy")


def test_arguments_of() -> None:
    assert arguments_of("moe_layer") == (["x", "gate", "w1", "w2", "bias", "route"], ["topk", "given"])
