"""Statistics of a run, from the counters of SMs, L2, hub and network. Utilisations are fractions of the peak."""

from typing import TYPE_CHECKING, Any

from isa.instr import Kind
from traces.records import Stall

from . import state as st
from .hub import aau, dam, multimem, rpm
from .layout import gpu_base
from .mem import l2
from .net import interface as net
from .net.packet import Packet
from .params import ACK_TICKS, FLIT_TICKS, HBM_CHANNELS, HBM_SECTOR_TICKS, L2_SECTOR_TICKS, L2_SLICES, PLANES, TICKS

if TYPE_CHECKING:
    from .machine import Machine

FLIT_BYTES = 16
SCHEDULERS = 4
_HUB = {
    "rpm_merges": rpm.MERGED,
    "rpm_full_packets": rpm.FULL_SENT,
    "rpm_partial_packets": rpm.PARTIAL_SENT,
    "rpm_timed_out": rpm.TIMED_OUT,
    "rat_hits": aau.HITS,
    "rat_evictions": aau.EVICTED,
    "rat_recoveries": aau.RECOVERED,
    "rows": aau.NEW_ROWS,
    "dam_acks": dam.ACKS,
    "dam_releases": dam.RELEASES,
    "dam_partial_releases": dam.PARTIAL_RELEASES,
    "dam_retired": dam.RETIRES,
    "al_blocks": multimem.ALLOCATED,
    "al_tlb_hits": multimem.TLB_HITS,
    "al_tlb_misses": multimem.TLB_MISSES,
    "switch_reductions": net.REDUCED,
}
"""Counters of the hub that the summary shows, and the words that hold them."""


def collect(machine: "Machine") -> dict[str, Any]:
    """Statistics as the summary and JSON show them; everything in it depends on the simulated machine only."""
    launches = machine.launches
    launches.settle()
    return {
        "preset": machine.config.name,
        "gpus": machine.gpus,
        "clock_ghz": machine.config["sm.clock_ghz"],
        "cycles": {str(gpu): cycles for gpu, cycles in machine.cycles.items()},
        "instructions": machine.instructions,
        "per_gpu": [_gpu(machine, gpu) for gpu in range(machine.gpus)],
        "kernels": [
            {
                **{"id": k.id, "gpu": k.gpu, "name": k.name, "stream": k.stream, "start": k.begin, "end": k.end},
                **{"ctas": k.ctas, "instructions": k.instructions},
            }
            for k in launches.log
            if k.done
        ],
    }


def _gpu(machine: "Machine", gpu: int) -> dict[str, Any]:
    """Counters and utilisations of one GPU, over the time until its last launch ended."""
    A, g = machine.A, gpu_base(gpu)
    sms = machine.sm_words()[gpu * machine.sms : (gpu + 1) * machine.sms]
    cycles = machine.cycles[gpu]
    instructions = int(sms[:, st.INSTRUCTIONS].sum())
    stalls = sms[:, st.STALL : st.STALL + st.STALLS].sum(axis=0)
    kinds = sms[:, st.KIND_COUNT : st.KIND_COUNT + 64].sum(axis=0)
    return {
        "gpu": gpu,
        "cycles": cycles,
        "instructions": instructions,
        "ipc": instructions / cycles if cycles else 0.0,
        "tensor_util": _share(int(sms[:, st.TENSOR_BUSY].sum()), cycles * machine.sms * SCHEDULERS),
        **_memory(machine, g, cycles),
        **_links(machine, g),
        "stalls": {s.name.lower(): int(stalls[s]) for s in Stall if s != Stall.NONE and stalls[s]},
        "issued": {k.name.lower(): int(kinds[k]) for k in Kind if kinds[k]},
        "l1_hits": int(sms[:, st.L1_HITS].sum()),
        "l1_misses": int(sms[:, st.L1_MISSES].sum()),
        "bank_conflicts": int(sms[:, st.CONFLICTS].sum()),
        "hub": {name: int(A[g + word]) for name, word in _HUB.items()},
    }


def gate_rows(machine: "Machine") -> list[dict[str, Any]]:
    """What the DAMs decided: a row per gate and group of thread blocks, with the bytes that had arrived in the end."""
    A, rows = machine.A, []
    names = {dam.WAITING: "waiting", dam.RELEASED: "released", dam.RETIRED: "retired"}
    for gpu in range(machine.gpus):
        g = gpu_base(gpu)
        for gate in range(A[g + dam.GATES]):
            first, threshold = A[g + dam.GROUP_BASE + gate], int(A[g + dam.THRESHOLD + gate])
            for group in range(A[g + dam.GROUPS + gate]):
                decided = int(A[g + dam.DECIDED + first + group])
                got = int(A[g + dam.GOT + first + group])
                rows.append(
                    {"gpu": gpu, "gate": gate, "group": group, "state": names[decided & 3], "bytes": got}
                    | {"threshold": threshold, "cycle": decided >> 2 or None}
                )
    return rows


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def _memory(machine: "Machine", g: int, cycles: int) -> dict[str, Any]:
    """Traffic and utilisation of L2 and HBM."""
    A, P = machine.A, machine.P
    sectors = A[g + l2.READ_SECTORS] + A[g + l2.WRITE_SECTORS]
    moved = A[g + l2.HBM_READ_BYTES] + A[g + l2.HBM_WRITE_BYTES]
    channel_ticks = moved // 32 * P[HBM_SECTOR_TICKS]
    return {
        "l2_read_bytes": 32 * A[g + l2.READ_SECTORS],
        "l2_write_bytes": 32 * A[g + l2.WRITE_SECTORS],
        "l2_hits": A[g + l2.HITS],
        "l2_misses": A[g + l2.MISSES],
        "l2_util": _share(sectors * P[L2_SECTOR_TICKS], cycles * TICKS * P[L2_SLICES]),
        "dram_read_bytes": A[g + l2.HBM_READ_BYTES],
        "dram_write_bytes": A[g + l2.HBM_WRITE_BYTES],
        "dram_util": _share(channel_ticks, cycles * TICKS * P[HBM_CHANNELS]),
    }


def _links(machine: "Machine", g: int) -> dict[str, Any]:
    """Bytes on the wire in both directions, headers included, and the share of the links' time they take.

    The time is that of the machine: a GPU that has ended its own work early still receives.
    """
    A, P = machine.A, machine.P
    cycles = max(machine.cycles.values())
    sent = sum(A[g + net.SENT_FLITS + kind] for kind in range(32))
    received = sum(A[g + net.RECEIVED_FLITS + kind] for kind in range(32))
    sent_ticks, received_ticks = (
        sum(A[g + flits + kind] * P[ACK_TICKS if kind == Packet.ACK else FLIT_TICKS] for kind in range(32))
        for flits in (net.SENT_FLITS, net.RECEIVED_FLITS)
    )
    ticks = cycles * TICKS * P[PLANES]
    return {
        "nvlink_tx_bytes": FLIT_BYTES * sent,
        "nvlink_rx_bytes": FLIT_BYTES * received,
        "nvlink_tx_util": _share(sent_ticks, ticks),
        "nvlink_rx_util": _share(received_ticks, ticks),
    }
