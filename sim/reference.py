"""What programs are checked against: named references in NumPy, and how results are compared.

A reference gets one list per buffer argument, with the array of each GPU, and the options of the call; it returns one
array per GPU. References are written from the definition of the operation, in float64 where that makes them exact, and
round only where the kernels they describe round by design.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np

Arrays = Sequence[Any]
BF16 = ml_dtypes.bfloat16


def add(a: Arrays, b: Arrays) -> list[Any]:
    """a + b, element by element, in the type of a."""
    return [(x.astype(np.float64) + y.astype(np.float64)).astype(x.dtype) for x, y in zip(a, b, strict=True)]


def saxpy(x: Arrays, y: Arrays, *, a: float) -> list[Any]:
    """a * x + y, rounded once to the type of x."""
    scale = np.float64(np.float32(a))
    return [(scale * p.astype(np.float64) + q.astype(np.float64)).astype(p.dtype) for p, q in zip(x, y, strict=True)]


def copy(x: Arrays) -> list[Any]:
    """x itself."""
    return [a.copy() for a in x]


def allreduce_sum(x: Arrays) -> list[Any]:
    """The sum over all GPUs' arrays, the same on every GPU."""
    total = np.sum([a.astype(np.float64) for a in x], axis=0).astype(x[0].dtype)
    return [total.copy() for _ in x]


def allgather(x: Arrays) -> list[Any]:
    """The concatenation of all GPUs' arrays, the same on every GPU."""
    return [np.concatenate(list(x)) for _ in x]


def matmul(a: Arrays, b: Arrays, *, transposed: int = 1) -> list[Any]:
    """a [m, k] times b [n, k] transposed (or b [k, n] with transposed=0), float32."""
    pairs = zip(a, b, strict=True)
    return [(_f64(x) @ (_f64(y).T if transposed else _f64(y))).astype(np.float32) for x, y in pairs]


def moe_layer(
    x: Arrays,
    gate: Arrays,
    w1: Arrays,
    w2: Arrays,
    bias: Arrays | None = None,
    route: Arrays | None = None,
    *,
    topk: int,
    given: int = 0,
) -> list[Any]:
    """A mixture-of-experts layer; experts are numbered GPU by GPU.

    x [tokens, hidden]: tokens of each GPU. gate [≥ experts, hidden], the same everywhere. w1 [experts/GPU, ffn, hidden]
    and w2 [experts/GPU, hidden, ffn]: each GPU's experts. bias [≥ experts] is added to the logits.

    logits = x gateᵀ + bias; p = softmax(logits); the topk experts of largest logit, ties to the lower number;
    y = Σ p[e] · w2[e] silu(w1[e] x), the p not renormalised. Activations and the experts' results are rounded to bf16,
    as the kernels do, everything else is float64. y is bf16.

    route [tokens, topk]: the experts the kernel chose. A choice is accepted where its logits differ from the best ones
    by less than float32 sums can, so that a tie is no mistake; otherwise the reference's own choice holds. With given=1 it
    is no choice but part of the problem: whatever experts it names are meant.
    """
    first, second = [w for gpu in w1 for w in gpu], [w for gpu in w2 for w in gpu]
    experts = len(first)
    out = []
    for gpu, tokens in enumerate(x):
        inputs = _f64(tokens)
        logits = inputs @ _f64(gate[gpu])[:experts].T
        if bias is not None:
            logits = logits + _f64(bias[gpu]).reshape(-1)[:experts]
        named = None if route is None else np.asarray(route[gpu]).reshape(-1, topk).astype(np.int64)
        chosen = named if given and named is not None else _choose(logits, topk, named)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        out.append(_run_experts(inputs, chosen, weights, first, second).astype(BF16))
    return out


def gated_moe_layer(x: Arrays, gate: Arrays, w13: Arrays, w2: Arrays, route: Arrays) -> list[Any]:
    """Mixtral's layer; experts are numbered GPU by GPU.

    x [tokens, hidden]: tokens of each GPU. gate [experts, hidden], the same everywhere. Weights of each GPU's experts, one
    below the other: w13 [experts/GPU · 2 ffn, hidden], an expert's gate above its up projection; w2 [experts/GPU · hidden,
    ffn]. route [tokens, topk]: the experts of every token, as given.

    p = softmax of the chosen experts' logits x gateᵀ; y = Σ p[e] · w2[e] (silu(gate[e] x) · up[e] x). Activations and the
    experts' results are rounded to bf16, everything else is float64. y is bf16.
    """
    hidden, ffn = x[0].shape[1], w2[0].shape[1]
    first = [w for gpu in w13 for w in gpu.reshape(-1, 2, ffn, hidden)]
    second = [w for gpu in w2 for w in gpu.reshape(-1, hidden, ffn)]
    out = []
    for gpu, tokens in enumerate(x):
        inputs, chosen = _f64(tokens), np.asarray(route[gpu]).astype(np.int64)
        logits = np.take_along_axis(inputs @ _f64(gate[gpu]).T, chosen, axis=1)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        result = np.zeros_like(inputs)
        for expert in range(len(first)):
            rows, which = np.nonzero(chosen == expert)
            products = inputs[rows] @ _f64(first[expert][0]).T
            acts = _bf16(products / (1 + np.exp(-products)) * (inputs[rows] @ _f64(first[expert][1]).T))
            result[rows] += weights[rows, which][:, None] * _bf16(acts @ _f64(second[expert]).T)
        out.append(result.astype(BF16))
    return out


def _choose(logits: Any, topk: int, route: Any) -> Any:
    """The topk experts of each token; those of `route` where they are as good."""
    best = np.argsort(-logits, axis=1, kind="stable")[:, :topk]
    if route is None:
        return best
    valid = ((route >= 0) & (route < logits.shape[1])).all(axis=1)
    valid &= np.array([len(set(row)) == topk for row in route.tolist()])
    given = np.where(valid[:, None], route, best).astype(np.int64)
    threshold = np.take_along_axis(logits, best[:, -1:], axis=1)
    slack = 1e-5 * (1 + np.abs(logits).max(axis=1, keepdims=True))
    as_good = (np.take_along_axis(logits, given, axis=1) >= threshold - slack).all(axis=1)
    return np.where(as_good[:, None], given, best)


def _run_experts(inputs: Any, chosen: Any, weights: Any, w1: Any, w2: Any) -> Any:
    """Weighted sum of the chosen experts' results."""
    out = np.zeros_like(inputs)
    for expert in range(len(w1)):
        tokens, _ = np.nonzero(chosen == expert)
        if not tokens.size:
            continue
        hidden = inputs[tokens] @ _f64(w1[expert]).T
        hidden = _bf16(hidden / (1 + np.exp(-hidden)))
        out[tokens] += weights[tokens, expert][:, None] * _bf16(hidden @ _f64(w2[expert]).T)
    return out


def _f64(array: Any) -> Any:
    return array.astype(np.float64)


def _bf16(array: Any) -> Any:
    """Round to bf16, as float64."""
    return array.astype(np.float32).astype(BF16).astype(np.float64)


REFERENCES: dict[str, Callable[..., list[Any]]] = {
    f.__name__: f for f in (add, saxpy, copy, allreduce_sum, allgather, matmul, moe_layer, gated_moe_layer)
}


def arguments_of(name: str) -> tuple[list[str], list[str]]:
    """Names of a reference's buffers and of its options."""
    parameters = inspect.signature(REFERENCES[name]).parameters.values()
    return (
        [p.name for p in parameters if p.kind == p.POSITIONAL_OR_KEYWORD],
        [p.name for p in parameters if p.kind == p.KEYWORD_ONLY],
    )


@dataclass(frozen=True)
class Comparison:
    """Outcome of a comparison: `error` is the worst of all elements, at most 1 when a tolerance was given and met."""

    passed: bool
    error: float
    mismatches: int
    elements: int
    gpu: int
    index: tuple[int, ...]
    got: float
    want: float


def compare(got: dict[int, Any], want: dict[int, Any], rtol: float, atol: float) -> Comparison:
    """Compare arrays by GPU: |got - want| <= atol + rtol * |want|, element by element.

    The error is |got - want| / (atol + rtol * |want|), or the plain difference where that is zero; NaN equals NaN.
    """
    worst: Comparison | None = None
    mismatches = elements = 0
    for gpu in sorted(got):
        a, b = _comparable(got[gpu]), _comparable(np.asarray(want[gpu]).reshape(got[gpu].shape))
        errors, bad = _errors(a, b, rtol, atol)
        elements += errors.size
        mismatches += int(bad.sum())
        if not errors.size:
            continue
        flat = int(np.argmax(np.where(bad, errors, -1) if bad.any() else errors))
        index = tuple(int(i) for i in np.unravel_index(flat, errors.shape))
        error = float(errors[index])
        if worst is None or (bool(bad[index]), error) > (not worst.passed, worst.error):
            worst = Comparison(not bad[index], error, 0, 0, gpu, index, a[index].item(), b[index].item())
    if worst is None:
        return Comparison(True, 0.0, 0, 0, 0, (), 0.0, 0.0)
    return Comparison(mismatches == 0, worst.error, mismatches, elements, worst.gpu, worst.index, worst.got, worst.want)


def _comparable(array: Any) -> Any:
    """Integers stay exact, all floating-point types become float64."""
    return array if array.dtype.kind in "iub" else array.astype(np.float64)


def _errors(a: Any, b: Any, rtol: float, atol: float) -> tuple[Any, Any]:
    """Error of each element, and whether it is too large."""
    if a.dtype.kind in "iub" and rtol == 0 and atol == 0:
        bad = a != b
        return np.abs(a.astype(np.float64) - b.astype(np.float64)), bad
    a, b = a.astype(np.float64), b.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        allowed = atol + rtol * np.abs(b)
        difference = np.where((a == b) | (np.isnan(a) & np.isnan(b)), 0, np.abs(a - b))
        errors = np.where(allowed > 0, difference / np.where(allowed > 0, allowed, 1), difference)
        errors = np.where(np.isnan(errors), np.inf, errors)
        bad = ~(difference <= np.where(np.isfinite(allowed), allowed, 0)) & (difference != 0)
    return errors, bad
