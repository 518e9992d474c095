"""Why a run ended early, in the user's terms: faults on their source line, and who waits for what in a deadlock."""

import ctypes
from typing import TYPE_CHECKING

from . import state as st
from .addresses import REGION_BITS, SHARED_REGION
from .dispatch import QUEUED, RUNNING
from .errors import Deadlock, MachineFault
from .hub import hub
from .layout import gpu_base
from .net.faults import HUB_FAULTS, HubFault
from .sm.mbarrier_object import COUNT, TX

if TYPE_CHECKING:
    from .machine import Machine

_CHAIN_PATIENCE = 100
_MOST_WARPS = 24
"""Waiting warps that a deadlock report lists."""
TRAP, _BAD_USE = 5, 5

_FAULTS = {
    st.Fault.ADDRESS: "invalid {what} of size {nbytes} bytes at {address:#x}",
    st.Fault.SHARED_ADDRESS: "invalid {what} of size {nbytes} bytes outside its window, at offset {address:#x}",
    st.Fault.LOCAL_ADDRESS: "invalid {what} of size {nbytes} bytes outside local memory, where the stack is, at {address:#x}",
    st.Fault.PARAM_ADDRESS: "invalid {what} of size {nbytes} bytes outside the parameters, at offset {address:#x}",
    st.Fault.MISALIGNED: "misaligned {what} of size {nbytes} bytes at {address:#x}",
    st.Fault.TRAP: "trap",
    st.Fault.BARRIER: "barrier {nbytes} used with {address} threads: not a multiple of 32, not what other warps said, "
    "or there is no such barrier",
    st.Fault.DIVERGENT: "lanes that this instruction needs never arrive: they wait elsewhere or the warp is diverged",
    st.Fault.MULTIMEM: "{what} needs a multicast address of its kind, and at most 32 targets; got {address:#x}",
    st.Fault.STACK: "stack overflow: {address} nested calls take all {nbytes} bytes of the thread's stack",
    st.Fault.WIDE_ATOMIC: "atomics of 16 bytes on another GPU's memory are not modelled ({address:#x})",
    st.Fault.WARPGROUP: "{what} needs warpgroups of four warps; the last one of this block has {address}",
    st.Fault.REGION: "lanes of one {what} address memory of different GPUs or spaces ({address:#x})",
    st.Fault.ASSERT: "assertion failed",
    st.Fault.FREE: "free of {address:#x}, which malloc did not give or which was freed before",
    st.Fault.CALL: "call of {address:#x}, where none of the functions begins that this call may reach",
    st.Fault.PEER_COPY: "{what}: only plain bulk stores reach the memory of another GPU, not this copy at {address:#x}",
    st.Fault.RANKS: "{what}: the mask {address:#x} names CTAs that a cluster of {nbytes} does not have",
    st.Fault.TENSOR_MAP: "{what}: there is no tensor map at {address:#x} that fits this instruction",
    st.Fault.OPAQUE_CONTROL: "{what}: its guard, an address or another operand that decides what it does is opaque",
    st.Fault.OPAQUE_STORE: "{what}: an opaque value is stored to memory that is not opaque ({address:#x})",
    st.Fault.OPAQUE_HUB: "{what}: opaque values in instructions of the hub are not modelled",
    st.Fault.BRANCH: "brx.idx: index {address} is not below {nbytes}",
}
_HUB_FAULTS = {
    HubFault.NO_REGION: "row store names a MallocID that GPU {gpu} does not have (register {address:#x})",
    HubFault.ROWS: "region {address} of GPU {gpu} got more rows than it has ({nbytes})",
    HubFault.ROW_OFFSET: "row store beyond the region's row size of {nbytes} bytes (register {address:#x})",
    HubFault.SPILL: "region {address} of GPU {gpu}: more rows than the AAU's spill table can map",
    HubFault.MULTIMEM: "address {address:#x} is outside its multicast object, or GPU {gpu} is no member of it",
    HubFault.EXPERT: "target {nbytes} is no expert of the dynamic multicast object at {address:#x}",
    HubFault.AL_ROWS: "an expert on GPU {gpu} was sent more blocks than were bound for it (address {address:#x})",
    HubFault.AL_UNMAPPED: "ld_reduce of a block that was never stored to, at {address:#x}",
    HubFault.POOL: "too many packets in flight for the tables of GPU {gpu}",
}


def fault(machine: "Machine") -> MachineFault:
    """The first fault of the lowest GPU that has one."""
    gpu = next(g for g in range(machine.gpus) if machine.A[gpu_base(g) + st.FAULT])
    at = gpu_base(gpu) + st.FAULT
    code, s, w, pc, lane, address, nbytes, cycle = (machine.A[at + i] for i in range(8))
    if code >= HUB_FAULTS:
        text = _HUB_FAULTS[HubFault(code - HUB_FAULTS)].format(gpu=gpu, address=address, nbytes=nbytes)
        return MachineFault(text, _BAD_USE, None, [f"found by the hub of GPU {gpu} at cycle {cycle}"])
    what = f"`{machine.image.name(pc).split(';')[0]}`"
    text = _FAULTS[st.Fault(code)].format(what=what, nbytes=nbytes, address=address)
    notes = [f"{thread_name(machine, gpu, s, w, lane)}, cycle {cycle}"]
    if st.Fault(code) in (st.Fault.STACK, st.Fault.LOCAL_ADDRESS):
        notes.append(_stack(machine, gpu, s, w))
    if st.Fault(code) in (st.Fault.ADDRESS, st.Fault.MISALIGNED):
        notes += _neighbour(machine, address)
    return MachineFault(text, TRAP, machine.image.source(pc), notes)


def thread_name(machine: "Machine", gpu: int, s: int, w: int, lane: int) -> str:
    """``by thread (3,0,0) in block (1,0,0) of `k` on GPU 2``."""
    A, g = machine.A, gpu_base(gpu)
    c = A[s + st.CTA_SLOT + w]
    launch = A[s + st.CTA_LAUNCH + c]
    linear = A[s + st.WARP_IN_CTA + w] * 32 + max(lane, 0)
    x, y = max(1, A[g + st.BLOCK_X + launch]), max(1, A[g + st.BLOCK_Y + launch])
    block = tuple(A[s + word + c] for word in (st.CTA_X, st.CTA_Y, st.CTA_Z))
    name = machine.launches.log[A[g + st.LAUNCH_ID + launch]].name
    thread = (linear % x, linear // x % y, linear // (x * y))
    return f"by thread {thread} in block {block} of `{name}` on GPU {gpu}, SM {A[s + st.SM_INDEX]}"


def _stack(machine: "Machine", gpu: int, s: int, w: int) -> str:
    """How much local memory the thread has, and how to have more."""
    launch = machine.A[s + st.CTA_LAUNCH + machine.A[s + st.CTA_SLOT + w]]
    size = machine.A[gpu_base(gpu) + st.LAUNCH_LOCAL + launch]
    return (
        f"a thread of this launch has {size} bytes of local memory; `launch … stack {2 * max(size, 1024)}` gives more"
    )


def _neighbour(machine: "Machine", address: int) -> list[str]:
    """The buffer nearest to a bad address."""
    region = address >> REGION_BITS
    if region == 0:
        return ["addresses below 2**38 are never valid: probably a null or 32-bit pointer"]
    if region == SHARED_REGION:
        return []
    near = machine.nearest(address)
    if near is None:
        return ["no GPU of this machine owns this address"]
    if address < near.address:
        where = f"{near.address - address} bytes before"
    elif address >= near.address + near.size:
        where = f"{address - near.address - near.size} bytes past the end of"
    else:
        where = "inside"
    return [f"{where} `{near.name}` ({near.size} bytes at {near.address:#x} on GPU {machine.gpu_of(near.address)})"]


def polling(machine: "Machine", cycles: int) -> bool:
    """Whether for ``cycles`` nothing has happened but warps reading the same flags again and again.

    A warp whose questions go from word to word may follow a chain: it has so many times longer.
    """
    sm = machine.sm_words()
    quiet = machine.now - int(sm[:, st.LAST_EFFECT].max())
    if quiet < cycles:
        return False
    A, P = machine.A, machine.P
    for gpu in range(machine.gpus):
        if hub.idle(A, P, gpu_base(gpu)) != 1:
            return False
    live = sm[:, st.LIVE : st.LIVE + st.WARPS] != 0
    asks = sm[:, st.POLL_COUNT : st.POLL_COUNT + st.WARPS] > 16
    if quiet < cycles * _CHAIN_PATIENCE:
        asks &= sm[:, st.POLL_SINCE : st.POLL_SINCE + st.WARPS] <= machine.now - cycles
    stuck = (sm[:, st.BLOCK : st.BLOCK + st.WARPS] != 0) | asks
    return bool(live.any() and (stuck | ~live).all())


def deadlock(machine: "Machine") -> Deadlock:
    """The report: every waiting warp with its source line and what it waits for."""
    lines = _waiting_warps(machine) + _waiting_launches(machine)
    shown = lines[:_MOST_WARPS]
    if len(lines) > _MOST_WARPS:
        shown.append(f"… and {len(lines) - _MOST_WARPS} more")
    return Deadlock(f"deadlock: after cycle {machine.now} no warp can ever go on", 4, None, shown)


def _waiting_warps(machine: "Machine") -> list[str]:
    out = []
    for gpu in range(machine.gpus):
        for index in range(machine.sms):
            s = machine.A[st.SM_ARENA] + (gpu * machine.sms + index) * st.SM_WORDS
            for w in range(st.WARPS):
                if machine.A[s + st.LIVE + w]:
                    out.append(_waiting_warp(machine, gpu, s, w))
    return out


def _waiting_warp(machine: "Machine", gpu: int, s: int, w: int) -> str:
    A = machine.A
    pc = A[s + st.PC + w]
    block = A[s + st.BLOCK + w]
    what = st.Block(block & 0xFF)
    reason = "waits for an operand"
    if what == st.Block.BARRIER:
        c = A[s + st.CTA_SLOT + w]
        at = c * st.BARRIERS + (block >> 8 & 0xFF)
        expected = A[s + st.BAR_EXPECT + at] or A[s + st.CTA_LIVE + c]
        reason = f"waits at barrier {block >> 8 & 0xFF}: {A[s + st.BAR_ARRIVED + at]} of {expected} warps arrived"
        pc -= 1
    elif what == st.Block.FENCE:
        reason = "waits for its stores to be acknowledged"
    elif what == st.Block.CLUSTER:
        reason = "waits at barrier.cluster: threads of its cluster have not arrived"
    elif what == st.Block.MBARRIER:
        reason = f"waits for a phase of {_mbarrier(machine, s, w)}"
    elif what == st.Block.BULK:
        reason = "waits for bulk groups"
    elif what == st.Block.WGMMA:
        reason = "waits at wgmma for other warps of its warpgroup"
    elif what == st.Block.COPY:
        reason = "waits for cp.async groups"
    elif A[s + st.POLL_COUNT + w] > 0:
        pc = A[s + st.POLL_PC + w]
        reason = f"polls {_flag(machine, s, w)}: read {A[s + st.POLL_COUNT + w]} times, nobody writes it any more"
    file, line, column = machine.image.source(max(0, min(pc, len(machine.image) - 1)))
    return f"{file}:{line}:{column}: {thread_name(machine, gpu, s, w, 0)} {reason}"


def _mbarrier(machine: "Machine", s: int, w: int) -> str:
    """The object a suspended try_wait looks at, and what its phase misses."""
    A = machine.A
    address = A[s + st.WAIT_OBJECT + w]
    offset = (address - A[s + st.SM_SHARED]) % st.SHARED_STRIDE
    state = ctypes.c_int64.from_address(address).value
    return f"the mbarrier at {offset:#x} in shared memory: {state & COUNT} arrivals and {state >> TX} bytes are missing"


def _flag(machine: "Machine", s: int, w: int) -> str:
    """The buffer a polling warp reads, as far as its address register still tells."""
    address = machine.A[s + st.POLL_ADDRESS + w]
    near = machine.nearest(address)
    if near is None:
        return f"address {address:#x}"
    return f"`{near.name}` + {address - near.address} on GPU {machine.gpu_of(near.address)}"


def _waiting_launches(machine: "Machine") -> list[str]:
    out = []
    for launch in machine.launches.log:
        at = gpu_base(launch.gpu) + launch.slot
        if launch.done or machine.A[at + st.LAUNCH_STATE] not in (QUEUED, RUNNING):
            continue
        left = launch.ctas - machine.A[at + st.LAUNCH_STARTED]
        if left > 0:
            gated = " that its gate has not released" if machine.A[at + st.LAUNCH_GATE] else ""
            out.append(
                f"`{launch.name}` on GPU {launch.gpu}: {left} of {launch.ctas} thread blocks never started{gated}"
            )
    return out
