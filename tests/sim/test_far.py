"""Far functions: compiled when they are first called, and what happens when that fails."""

from typing import Any

import numpy as np
import pytest
from kernels import new_machine, place, ptx

from sim import core, far
from sim.jit import JIT

pytestmark = pytest.mark.skipif(not JIT, reason="plain Python has no far functions")
KERNEL = ptx(
    "u64 out",
    "b32 r<4>; b64 rd<4>",
    """
    ld.param.u64 %rd1, [out];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd2, %r1, 4;
    add.s64 %rd1, %rd1, %rd2;
    bar.sync 0;
    st.global.u32 [%rd1], %r1;
    ret;""",
)


def _function(name: str) -> Any:
    assert core.run  # its import brings all of them
    return next(f for f in far._FUNCTIONS if f.function.__name__ == name)


def _launched() -> Any:
    machine = new_machine(KERNEL)
    out = place(machine, 0, "out", np.zeros(32, np.uint32))
    machine.launch(0, "k", (1, 1, 1), (32, 1, 1), params=out.to_bytes(8, "little"))
    return machine


def test_the_first_call_of_a_function_puts_its_code_in_the_place_of_its_resolver(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, atomic = _function("store"), _function("atomic")
    for function in (store, atomic):
        monkeypatch.setattr(function, "_code", None)
    machine = _launched()
    resolvers = {f: machine.P[f.word] for f in (store, atomic)}
    machine.run()
    assert machine.P[store.word] == store.address() != resolvers[store]
    assert machine.P[atomic.word] == atomic.address() == resolvers[atomic]


def test_what_goes_wrong_in_a_resolver_is_raised_when_the_core_returns(monkeypatch: pytest.MonkeyPatch) -> None:
    barrier = _function("barrier_instruction")

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(barrier, "_code", None)
    monkeypatch.setattr(barrier, "compile", interrupted)
    machine = _launched()
    with pytest.raises(KeyboardInterrupt):
        machine.run()
