"""A way to run a kernel given as text: buffers in, buffers out."""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

HEADER = ".version 9.0\n.target sm_90a\n.address_size 64\n"


@dataclass
class Ran:
    """What a kernel left: output buffers by name, and the machine."""

    out: dict[str, Any]
    machine: Any


def ptx(params: str, registers: str, body: str, name: str = "k") -> str:
    """A kernel. ``params``: ``u64 x, u32 n``; ``registers``: ``b32 r<4>; pred p<2>``."""
    declared = ", ".join(f".param .{p.split()[0]} {p.split()[1]}" for p in params.split(",") if p.strip())
    regs = "\n".join(f".reg .{r.split()[0]} %{r.split()[1]};" for r in registers.split(";") if r.strip())
    return f".visible .entry {name}({declared})\n{{\n{regs}\n{body}\n}}\n"


def new_machine(text: str, **options: Any) -> Any:
    """A machine with the h200 preset that holds the kernels of ``text``."""
    from assembler import assemble
    from sim.config import Config
    from sim.machine import Machine

    return Machine(assemble(HEADER + text), Config.load("h200"), **options)


def place(machine: Any, gpu: int, name: str, data: Any) -> int:
    """Copy an array to a new buffer and return its address."""
    address: int = machine.alloc(gpu, data.nbytes, name)
    machine.write(address, data)
    return address


def read_back(machine: Any, address: int, like: Any) -> Any:
    """The buffer as an array of the type and shape of ``like``."""
    return np.frombuffer(machine.read(address, like.nbytes), like.dtype).reshape(like.shape)


def run_kernel(
    text: str,
    buffers: dict[str, Any],
    *,
    scalars: tuple[int, ...] = (),
    grid: tuple[int, int, int] = (1, 1, 1),
    block: tuple[int, int, int] = (32, 1, 1),
    shared: int = 0,
    cluster: tuple[int, int, int] | None = None,
    stack: int = 0,
    **options: Any,
) -> Ran:
    """Run the first kernel of ``text`` on one GPU with pointers to copies of ``buffers``, then 32-bit ``scalars``."""
    machine = new_machine(text, **options)
    at = {name: place(machine, 0, name, data) for name, data in buffers.items()}
    params = struct.pack(f"<{len(at)}Q{len(scalars)}I", *at.values(), *scalars)
    how: dict[str, Any] = {"params": params, "shared": shared, "cluster": cluster, "stack": stack}
    machine.launch(0, machine.image.kernels[0].name, grid, block, **how)
    machine.run()
    return Ran({name: read_back(machine, at[name], data) for name, data in buffers.items()}, machine)
