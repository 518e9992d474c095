"""How a figure's layer and machine are made smaller without changing what waits for what.

A GPU gets fewer SMs, the layer shorter rows, narrower experts and fewer tokens. Then expert GEMMs take ``time`` times what
they take on the full machine (known from the shape and a stated efficiency); so that communication keeps its share, link
and memory bandwidth are chosen such that a row, or the weights, take ``time`` times as long as in full too, and every
latency of host, launch and links is multiplied by ``time``. ``time`` is measured: by the program ``ideal``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .config import Config

SHORTEST_HOP_NS = 65
"""GPUs run windows of at least 128 cycles without hearing from one another."""


@dataclass(frozen=True)
class Layer:
    """A layer at full scale; tokens of all GPUs."""

    name: str
    hidden: int
    ffn: int
    experts: int
    topk: int


@dataclass(frozen=True)
class Scale:
    """What a figure uses of a layer: hidden and ffn, one token for every ``tokens``, ``sms`` per GPU."""

    layer: Layer
    hidden: int
    ffn: int
    tokens: int
    sms: int
    time: float = 1.0
    """Simulated over full time of the same work, at the reference number of tokens."""

    def shape(self, tokens: int, gpus: int, even: bool = True) -> dict[str, Any]:
        """Parameters of the program. A GPU has at least four tokens; with ``even`` loads an expert has room for four times
        its share."""
        layer, here = self.layer, max(tokens // self.tokens, 4 * gpus)
        room = min(here, max(64, 4 * here * layer.topk // layer.experts)) if even else here
        return {
            **{"tokens": here, "hidden": self.hidden, "ffn": self.ffn, "experts": layer.experts, "topk": layer.topk},
            **{"capacity": room, "values": 0},
        }

    def slower(self, tokens: int, gpus: int) -> float:
        """`time` at this number of tokens: a layer that could not be cut as much takes longer."""
        return self.time * self.tokens * self.shape(tokens, gpus)["tokens"] / tokens

    def experts_ns(self, tokens: int, gpus: int, flops: float) -> float:
        """The full machine's time for the two GEMMs of all experts, ns, at ``flops`` per second and GPU."""
        layer = self.layer
        return tokens * layer.topk / gpus * 4 * layer.hidden * layer.ffn / flops * 1e9

    def settings(self, tokens: int, gpus: int, config: Config, latencies: list[str]) -> dict[str, Any]:
        """What changes of the machine."""
        time, layer = self.slower(tokens, gpus), self.layer
        row = self.hidden / layer.hidden / (self.time * self.tokens)
        weights = self.hidden * self.ffn / (layer.hidden * layer.ffn * time)
        found: dict[str, Any] = {
            "sm.count": self.sms,
            "nvlink.link_gbps": round(config["nvlink.link_gbps"] * row, 4),
            "hbm.bandwidth_gbps": max(1, round(config["hbm.bandwidth_gbps"] * weights)),
        }
        for key in latencies:
            value = config[key] * time
            found[key] = max(1, round(value)) if isinstance(config[key], int) else round(value, 3)
        found["nvlink.hop_ns"] = max(SHORTEST_HOP_NS, found["nvlink.hop_ns"])
        return found


def changed(settings: Mapping[str, Any], change: str, config: Config) -> dict[str, Any]:
    """Settings with ``key*factor`` or ``key=value``; "" changes nothing."""
    found = dict(settings)
    for sign in ("*", "="):
        key, found_sign, text = change.partition(sign)
        if found_sign:
            old, number = found.get(key, config[key]), float(text)
            value = number if sign == "=" else float(old) * number
            found[key] = round(value) if isinstance(old, int) else round(value, 4)
    return found
