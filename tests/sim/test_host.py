"""Host programs on a machine that only records: values, clocks, launches, hub objects, checks, mistakes."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isa.image import Kernel, Param
from sim.config import Config
from sim.host import HostError, HostResult, run_host
from sim.memory import GpuMemory


class Recorder:
    """Stands in for a Machine: real memories; every launch takes 1000 cycles and runs `effect` when simulated."""

    def __init__(self, gpus: int = 2, seed: int = 0, effect: Any = None) -> None:
        self.gpus, self.seed, self.effect = gpus, seed, effect
        self.threads = 2
        self.config = Config.load("h200", ["sm.clock_ghz=2"])
        params = [Param("p", "u64", 0, 8, 8), Param("n", "u32", 8, 4, 4), Param("f", "f32", 12, 4, 4)]
        kernel = Kernel("k", 0, 0, params, 16, 8, 1, 0, 0)
        self.kernels = {"k": kernel, "empty": Kernel("empty", 0, 0, [], 0, 8, 1, 0, 0)}
        ops = np.zeros(0, np.uint16)
        self.image = SimpleNamespace(files=["prog.s"], kernels=list(self.kernels.values()), ops=[], op=ops)
        self.image.kernel = lambda name: self.kernels[name]
        self.memory = [GpuMemory(gpu, 1 << 22) for gpu in range(gpus)]
        self.launches = SimpleNamespace(log=[])
        self.cycles = dict.fromkeys(range(gpus), 0)
        self.runs = 0
        self.functional = False

    def gpu_of(self, address: int) -> int:
        return (address >> 38) - 1

    def alloc(self, gpu: int, nbytes: int, name: str, opaque: bool = False) -> int:
        return self.memory[gpu].alloc(nbytes, name, opaque)

    def write(self, address: int, data: Any) -> None:
        raw = np.frombuffer(data if isinstance(data, bytes) else np.ascontiguousarray(data).tobytes(), np.uint8)
        self.memory[self.gpu_of(address)].view(address, raw.size)[:] = raw

    def read(self, address: int, nbytes: int) -> bytes:
        return self.memory[self.gpu_of(address)].view(address, nbytes).tobytes()

    def launch(self, gpu: int, kernel: str, grid: Any, block: Any, **options: Any) -> int:
        self.launches.log.append(
            SimpleNamespace(gpu=gpu, kernel=kernel, grid=grid, block=block, done=False, end=0, **options)
        )
        return len(self.launches.log) - 1

    def run(self, progress: Any = None, max_cycles: Any = None, until: Any = None) -> None:
        self.runs += 1
        for launch in self.launches.log:
            if not launch.done:
                launch.done = True
                launch.end = self.cycles[launch.gpu] = max(self.cycles[launch.gpu], launch.ready) + 1000
                if self.effect:
                    self.effect(self, launch)


# --- a few words for building trees


def num(value: float) -> dict[str, Any]:
    return {"num": value}


def name(text: str) -> dict[str, Any]:
    return {"name": text}


def op(sign: str, a: Any, b: Any) -> dict[str, Any]:
    return {"bin": [sign, a, b]}


def call(function: str, *args: Any, **options: Any) -> dict[str, Any]:
    return {"call": [function, list(args), options]}


def at(buffer: str, gpu: int) -> dict[str, Any]:
    return {"at": [name(buffer), num(gpu)]}


def stmt(kind: str, **fields: Any) -> dict[str, Any]:
    return {"stmt": kind, "at": ["prog.s", 7, 3], **fields}


def let(variable: str, value: Any) -> dict[str, Any]:
    return stmt("let", name=variable, value=value)


def show(*values: Any) -> dict[str, Any]:
    return stmt("print", args=list(values))


def buffer(variable: str, dims: list[int], fill: Any = None, type: str = "u32", **fields: Any) -> dict[str, Any]:
    return stmt("buffer", name=variable, type=type, dims=[num(d) for d in dims], fill=fill, **fields)


def launch(kernel: str = "empty", *args: Any, **fields: Any) -> dict[str, Any]:
    return stmt("launch", kernel=kernel, grid=[num(4)], block=[num(64)], args=list(args), **fields)


def run(*statements: dict[str, Any], machine: Any = None, **options: Any) -> HostResult:
    program = {"name": "main", "statements": list(statements)}
    return run_host(machine or Recorder(), program, output=lambda line: None, **options)


def value(expr: Any, *before: Any, **options: Any) -> str:
    return run(*before, show(expr), **options).printed[-1]


# --- values


@pytest.mark.parametrize(
    ("expr", "text"),
    [
        (op("/", num(7), num(2)), "3"), (op("/", num(-7), num(2)), "-4"), (op("/", num(7.0), num(2)), "3.5"),
        (op("%", num(7), num(4)), "3"), (op("**", num(2), num(10)), "1024"), (op("<", num(1), num(2)), "1"),
        (op("&&", num(1), num(0)), "0"), (op("||", num(0), num(3)), "1"), (op("<<", num(3), num(4)), "48"),
        (op("&&", num(0), op("/", num(1), num(0))), "0"), ({"un": ["-", num(3)]}, "-3"), ({"un": ["!", num(3)]}, "0"),
        ({"cond": [num(0), op("/", num(1), num(0)), num(5)]}, "5"), (call("ceil_div", num(7), num(4)), "2"),
        (call("max", num(3), num(9)), "9"), (call("log2", num(8)), "3"), (call("round_up", num(65), num(64)), "128"),
        (name("ngpus"), "2"), ({"attr": [name("sm"), "count"]}, "132"), ({"str": "hi"}, "hi"),
        ({"attr": [{"attr": [name("sm"), "latency"]}, "mufu_cycles"]}, "17"),
        (op("==", {"str": "a"}, {"str": "a"}), "1"), (op("!=", {"str": "a"}, {"str": "a"}), "0"),
    ],
)  # fmt: skip
def test_expressions(expr: Any, text: str) -> None:
    assert value(expr) == text


def test_params_and_defines() -> None:
    param = stmt("param", name="n", value=num(3))
    assert value(name("n"), param) == "3"
    assert value(name("n"), param, defines={"n": 8}) == "8"
    assert value(name("n"), param, defines={"n": 8.0}) == "8"
    for defines, message in (({"m": 1}, "no such parameter"), ({"n": 1.5}, "an integer"), ({"n": "x"}, "parameter is")):
        with pytest.raises(HostError, match=message):
            run(param, defines=defines)
    run_host(Recorder(), {"statements": [param], "sets": ["TILE"]}, {"TILE": 4})


def test_let_may_change_other_names_not() -> None:
    assert value(name("x"), let("x", num(1)), let("x", op("+", name("x"), num(1)))) == "2"
    for first in (buffer("x", [1]), stmt("param", name="x", value=num(1))):
        with pytest.raises(HostError, match="already has a meaning"):
            run(first, let("x", num(2)))


def test_loops_and_branches() -> None:
    body = [let("s", op("+", name("s"), name("i")))]
    assert value(name("s"), let("s", num(0)), stmt("for", var="i", to=num(5), body=body, **{"from": num(2)})) == "9"
    assert value(name("s"), let("s", num(0)), stmt("each", var="i", body=body)) == "1"
    branch = stmt("if", cond=num(0), then=[let("s", num(1))], **{"else": [let("s", num(2))]})
    assert value(name("s"), branch) == "2"
    with pytest.raises(HostError, match="unknown name `i`"):
        run(let("s", num(0)), stmt("each", var="i", body=body), show(name("i")))


def test_require() -> None:
    run(stmt("require", cond=num(1), message="no"))
    with pytest.raises(HostError, match="tokens must fit"):
        run(stmt("require", cond=num(0), message="tokens must fit"))


# --- buffers


def _arrays(machine: Recorder, variable: str, dtype: str = "<u4") -> list[list[Any]]:
    found = [[a for a in m.allocations if a.name == variable] for m in machine.memory]
    return [np.frombuffer(machine.read(a[0].address, a[0].size), dtype).tolist() for a in found if a]


def test_buffers_are_filled_on_every_gpu_or_one() -> None:
    machine = Recorder()
    run(
        buffer("a", [4], name("iota")),
        buffer("r", [64], call("randint", num(0), num(1 << 30))),
        buffer("s", [64], call("randint", num(0), num(1 << 30)), same=True),
        buffer("one", [2], call("full", num(7)), on=num(1)),
        buffer("g", [1], call("full", op("+", name("gpu"), num(10)))),
        buffer("p", [2], call("addresses", name("a")), type="u64"),
        machine=machine,
    )
    assert _arrays(machine, "a") == [[0, 1, 2, 3]] * 2
    first, second = _arrays(machine, "r")
    assert first != second
    first, second = _arrays(machine, "s")
    assert first == second
    assert _arrays(machine, "one") == [[7, 7]] and not [a for a in machine.memory[0].allocations if a.name == "one"]
    assert _arrays(machine, "g") == [[10], [11]]
    addresses = [m.allocations[0].address for m in machine.memory]
    assert _arrays(machine, "p", "<u8") == [addresses, addresses]


def test_seed_decides_random_values() -> None:
    def draw(seed: int) -> Any:
        machine = Recorder(seed=seed)
        run(buffer("r", [16], call("normal", num(0), num(1)), type="bf16"), machine=machine)
        return _arrays(machine, "r", "<u2")

    assert draw(1) == draw(1) != draw(2)


# --- launches and time


def test_launch_packs_arguments() -> None:
    machine = Recorder()
    args = [op("+", name("x"), num(16)), {"un": ["-", num(1)]}, num(0.5)]
    run(buffer("x", [8]), launch("k", *args, shared=num(256), stream=num(3)), machine=machine)
    assert [entry.gpu for entry in machine.launches.log] == [0, 1]
    for entry in machine.launches.log:
        pointer, n, f = struct.unpack("<QIf", entry.params)
        assert pointer == machine.memory[entry.gpu].allocations[0].address + 16
        assert (n, f, entry.grid, entry.block) == (0xFFFFFFFF, 0.5, (4, 1, 1), (64, 1, 1))
        assert (entry.shared, entry.stream) == (256, 3)


def test_clocks_of_host_processes() -> None:
    machine = Recorder()
    keys = ("host.launch_call_ns", "launch.latency_ns", "host.sync_ns")
    call_ns, latency_ns, sync_ns = (machine.config[k] for k in keys)
    result = run(launch(), launch(on=num(1)), stmt("sync"), machine=machine)
    ready = [(entry.gpu, entry.ready) for entry in machine.launches.log]
    assert ready == [(0, 2 * latency_ns), (1, 2 * latency_ns), (1, 2 * (call_ns + latency_ns))]
    end = (call_ns + latency_ns) + 500
    assert result.time_ns == end + sync_ns
    assert machine.runs == 1
    assert {entry["what"] for entry in result.log} == {"launch empty", "sync"}
    sync = [entry for entry in result.log if entry["what"] == "sync"]
    assert [entry["end_ns"] for entry in sync] == [latency_ns + 500 + sync_ns, end + sync_ns]
    assert sync[0]["at"] == ("prog.s", 7, 3)


def test_what_was_launched_runs_without_a_sync() -> None:
    machine = Recorder()
    run(launch(), machine=machine)
    assert machine.runs == 1


def test_read_waits_and_costs() -> None:
    def effect(machine: Recorder, entry: Any) -> None:
        machine.write(machine.memory[entry.gpu].allocations[0].address + 4, np.array([40 + entry.gpu], np.uint32))

    machine = Recorder(effect=effect)
    result = run(
        buffer("n", [2]),
        launch(),
        stmt("each", var="g", body=[let("v", call("read", {"at": [name("n"), name("g")]}, num(1))), show(name("v"))]),
        machine=machine,
    )
    assert result.printed == ["40", "41"]
    reads = [entry for entry in result.log if entry["what"] == "read"]
    cost = machine.config["host.d2h_latency_ns"]
    assert [entry["end_ns"] for entry in reads] == [machine.config["launch.latency_ns"] + 500 + cost] * 2


def test_copy_and_barrier() -> None:
    machine = Recorder()
    result = run(
        buffer("a", [4], name("iota")),
        buffer("b", [4]),
        stmt("copy", dst=at("b", 1), src=at("a", 0), bytes=num(8)),
        stmt("barrier"),
        machine=machine,
    )
    assert _arrays(machine, "b") == [[0] * 4, [0, 1, 0, 0]]
    copy_ns = machine.config["host.copy_latency_ns"] + 8 / machine.config["host.peer_copy_gbps"]
    assert result.time_ns == pytest.approx(copy_ns + machine.config["host.barrier_ns"])


# --- checks


def test_checks_pass_and_fail() -> None:
    fills = (buffer("a", [4], name("iota")), buffer("b", [4], name("ones")), buffer("c", [4], call("iota", num(1))))
    check = stmt("check", got=name("c"), reference=call("add", name("a"), name("b")), rtol=num(0), atol=num(0))
    result = run(*fills, check)
    assert result.ok and result.checks[0]["name"] == "c ~ add" and result.checks[0]["max_error"] == 0
    assert result.checks[0]["elements"] == 8
    wrong = buffer("c", [4], call("iota", num(1)), on=num(1))
    result = run(*fills[:2], wrong, stmt("check", got=name("c"), reference=call("add", name("b"), name("b"))))
    assert not result.ok
    assert "GPU 1 at [3]: got 4, expected 2" in result.checks[0]["detail"]


def test_check_of_one_gpu() -> None:
    check = stmt("check", got=at("c", 1), reference=call("copy", name("c")))
    assert run(buffer("c", [4], name("iota")), check).checks[0]["elements"] == 4


# --- mistakes


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        ([show(name("tokesn"))], "prog.s:7:3: error: unknown name `tokesn`"),
        ([let("tokens", num(1)), show(name("tokesn"))], "did you mean `tokens`"),
        ([show(call("mix", num(1), num(2)))], "did you mean `min`"),
        ([show(call("min", {"str": "a"}))], "takes numbers"),
        ([show(op("/", num(1), num(0)))], "division by zero"),
        ([show(op("+", num(1), {"str": "a"}))], "does not work on a string"),
        ([show({"attr": [name("sm"), "cout"]})], "did you mean `sm.count`"),
        ([stmt("lanch")], "unknown statement `lanch`"),
        ([launch("kernl")], "there is no kernel `kernl`"),
        ([launch("k", num(1))], "3 parameters, 1 arguments are given"),
        ([launch("k", num(1), num(1 << 40), num(0))], "has 32 bits; 1099511627776 does not fit"),
        ([launch("k", num(1), num(0.5), num(0))], "is an integer, not 0.5"),
        ([launch("k", {"str": "a"}, num(1), num(0))], "a string is no argument"),
        ([buffer("x", [4]), launch("k", name("x"), name("x"), num(0))], "has 32 bits; `x` is a 64-bit address"),
        ([launch(on=num(2))], "the number of a GPU is 2, but must be from 0 to 1"),
        ([launch(gated={"gate": "g", "axis": "y"})], "there is no gate `g`"),
        ([buffer("x", [4], type="f31")], "unknown type `f31`"),
        ([buffer("x", [0])], "must be at least 1"),
        ([buffer("x", [4], call("normale", num(0)))], "did you mean `normal`"),
        ([buffer("x", [4], call("randint", num(0)))], "missing 1 required positional argument: 'high'"),
        ([buffer("x", [1 << 30])], "do not fit into its memory"),
        ([buffer("x", [4]), show(call("read", name("x"), num(0)))], "is on 2 GPUs here"),
        ([buffer("x", [4]), show(call("read", at("x", 0), num(4)))], "there is no element 4"),
        ([buffer("x", [4]), show({"index": [name("x"), [num(0)]]})], "a buffer has no elements"),
        ([buffer("x", [4], on=num(0)), show(call("read", at("x", 1)))], "`x` is not on GPU 1"),
        ([buffer("x", [4]), stmt("check", got=name("x"), reference=call("ad", name("x")))], "unknown reference `ad`"),
        ([buffer("x", [4]), stmt("check", got=name("x"), reference=call("add", name("x")))], "it is add(a, b)"),
        ([buffer("x", [4]), stmt("check", got=name("x"), reference=call("copy", a=num(1)))], "no option `a`"),
        ([buffer("x", [4]), stmt("copy", dst=at("x", 0), src=at("x", 1), bytes=num(17))], "must be from 0 to 16"),
    ],
)
def test_mistakes_have_a_place_and_a_hint(statements: list[Any], message: str) -> None:
    with pytest.raises(HostError) as found:
        run(*statements)
    assert message in str(found.value)
    assert str(found.value).startswith("prog.s:7:3: error: ")


def test_functional_mode_has_no_hubs() -> None:
    machine = Recorder()
    machine.functional = True
    region = stmt("rowsp", name="r", index=[], gpu=num(0), rows=num(4), row_bytes=num(128), base=name("x"))
    with pytest.raises(HostError, match="functional mode does not simulate"):
        run(buffer("x", [128]), region, machine=machine)
