"""The device runtime: printing, the heap, assertions; the same in both modes and for any number of host threads."""

import struct

import numpy as np
import pytest

from assembler import assemble
from sim.config import Config
from sim.errors import MachineFault
from sim.heap import Heap
from sim.machine import Machine
from sim.memory import GpuMemory
from sim.printf import Arguments, formatted
from sim.runtime import Lines

HEAD = """.version 9.0
.target sm_90
.address_size 64
.extern .func (.param .b32 r) vprintf(.param .b64 format, .param .b64 arguments);
.extern .func (.param .b64 r) malloc(.param .b64 size);
.extern .func free(.param .b64 address);
.extern .func __assertfail(.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, .param .b64 s);
.global .align 1 .b8 line[20] = {37, 100, 32, 37, 100, 32, 37, 46, 50, 102, 32, 37, 115, 10, 0};  // "%d %d %.2f %s\\n"
.global .align 1 .b8 word[4] = {104, 105, 33, 0};  // "hi!"
"""
PRINT = (
    HEAD
    + """
.visible .entry print(.param .u64 out)
{
    .reg .b32 %r<8>; .reg .b64 %rd<8>; .reg .pred %p;
    .local .align 8 .b8 buffer[24];
    mov.u32 %r1, %ctaid.x;
    mov.u32 %r2, %tid.x;
    mov.u64 %rd1, buffer;
    st.local.v2.u32 [%rd1], {%r1, %r2};
    mov.f64 %rd2, 0d3FF8000000000000;
    st.local.f64 [%rd1+8], %rd2;
    mov.u64 %rd3, word;
    st.local.u64 [%rd1+16], %rd3;
    cvta.local.u64 %rd4, %rd1;
    mov.u64 %rd5, line;
    mov.u32 %r3, 77;
    { .param .b64 a; .param .b64 b; .param .b32 c;
    st.param.b64 [a], %rd5;
    st.param.b64 [b], %rd4;
    setp.lt.u32 %p, %r2, 3;
    @%p call.uni (c), vprintf, (a, b);
    @%p ld.param.b32 %r3, [c]; }
    ld.param.u64 %rd6, [out];
    mov.u32 %r4, %ntid.x;
    mad.lo.u32 %r4, %r4, %r1, %r2;
    mad.wide.u32 %rd6, %r4, 4, %rd6;
    st.global.u32 [%rd6], %r3;
    ret;
}
"""
)
ALLOCATE = (
    HEAD
    + """
.visible .entry allocate(.param .u64 out, .param .u64 size, .param .u32 over)
{
    .reg .b32 %r<4>; .reg .b64 %rd<8>;
    ld.param.u64 %rd1, [out];
    ld.param.u64 %rd2, [size];
    ld.param.u32 %r1, [over];
    cvt.u64.u32 %rd5, %r1;
    { .param .b64 a; .param .b64 b; st.param.b64 [a], %rd2; call (b), malloc, (a); ld.param.b64 %rd3, [b]; }
    mov.u32 %r2, %tid.x;
    mad.wide.u32 %rd4, %r2, 8, %rd1;
    st.global.u64 [%rd4], %rd3;
    add.u64 %rd6, %rd3, %rd5;
    setp.eq.u64 %p, %rd3, 0;
    @%p bra END;
    st.u32 [%rd6], %r2;
    ld.u32 %r3, [%rd6];
    { .param .b64 a; st.param.b64 [a], %rd3; call free, (a); }
    setp.ne.u32 %p, %r1, 8;
    @%p bra END;
    { .param .b64 a; st.param.b64 [a], %rd3; call free, (a); }
END:
    ret;
}
""".replace(".reg .b64 %rd<8>;", ".reg .b64 %rd<8>; .reg .pred %p;")
)
ASSERT = (
    HEAD
    + """
.visible .entry check()
{
    .reg .b32 %r<4>; .reg .b64 %rd<4>; .reg .pred %p;
    mov.u32 %r1, %tid.y;
    setp.ne.u32 %p, %r1, 2;
    @%p bra END;
    mov.u64 %rd1, word;
    { .param .b64 a; .param .b64 b; .param .b32 c; .param .b64 d; .param .b64 e;
    st.param.b64 [a], %rd1; st.param.b64 [b], %rd1; st.param.b32 [c], 12; st.param.b64 [d], %rd1; st.param.b64 [e], 1;
    call __assertfail, (a, b, c, d, e); }
END:
    ret;
}
"""
)
MODES = pytest.mark.parametrize("functional", [True, False], ids=["functional", "timed"])


@pytest.fixture(scope="module")
def config():
    return Config.load("h200", ["sm.count=2"])


@MODES
def test_each_thread_prints_its_line(config, functional):
    text = []
    machine = Machine(assemble(PRINT), config, functional=functional, output=text.append)
    out = machine.alloc(0, 4 * 64, "out")
    machine.launch(0, "print", (2, 1, 1), (32, 1, 1), params=struct.pack("<Q", out))
    machine.run()
    assert sorted("".join(text).splitlines()) == [f"{b} {t} 1.50 hi!" for b in range(2) for t in range(3)]
    blocks = [[line for line in "".join(text).splitlines() if line[0] == b] for b in "01"]
    assert all(lines == sorted(lines) for lines in blocks), "lanes print in order"
    got = np.frombuffer(machine.read(out, 4 * 64), np.uint32).reshape(2, 32)
    assert (got[:, :3] == 4).all() and (got[:, 3:] == 77).all()


def test_printing_takes_time_and_does_not_depend_on_host_threads(config):
    found = []
    for threads in (1, 2):
        text = []
        machine = Machine(assemble(PRINT), config, gpus=2, threads=threads, output=text.append)
        for gpu in range(2):
            out = machine.alloc(gpu, 4 * 256, "out")
            machine.launch(gpu, "print", (8, 1, 1), (32, 1, 1), params=struct.pack("<Q", out))
        machine.run()
        found.append((text, machine.memory_hash(), machine.stats_hash()))
    assert found[0] == found[1] and len(found[0][0]) == 48
    assert machine.cycles[0] > config["runtime.vprintf_cycles"]


def allocate(config, functional, size, over=0, lanes=4):
    machine = Machine(assemble(ALLOCATE), config, functional=functional)
    out = machine.alloc(0, 8 * lanes, "out")
    machine.launch(0, "allocate", (1, 1, 1), (lanes, 1, 1), params=struct.pack("<QQI", out, size, over))
    machine.run()
    return np.frombuffer(machine.read(out, 8 * lanes), np.uint64).tolist()


@MODES
def test_malloc_gives_every_thread_its_own(config, functional):
    blocks = allocate(config, functional, 100)
    assert len(set(blocks)) == 4 and all(b and b % 16 == 0 for b in blocks)
    assert allocate(config, functional, 100) == blocks
    assert allocate(config, functional, 9 << 20) == [0] * 4
    assert [b != 0 for b in allocate(config, functional, 3 << 20)] == [True, True, False, False]


@MODES
def test_mistakes_with_the_heap_are_faults(config, functional):
    with pytest.raises(MachineFault, match=r"invalid `st\.u32` of size 4 bytes") as error:
        allocate(config, functional, 100, over=100)
    assert error.value.exit_code == 5 and "device heap" in error.value.notes[1]
    with pytest.raises(MachineFault, match=r"free of 0x.*, which malloc did not give"):
        allocate(config, functional, 100, over=8)


@MODES
def test_a_failed_assertion_ends_the_launch(config, functional, capsys):
    machine = Machine(assemble(ASSERT), config, functional=functional)
    for _ in range(2):  # the second one never begins
        machine.launch(0, "check", (2, 1, 1), (16, 6, 1))
    with pytest.raises(MachineFault, match="assertion failed") as error:
        machine.run()
    assert error.value.exit_code == 5 and error.value.notes[1] == "32 threads failed an assertion"
    lines = [
        f"hi!:12: hi!: block: [{b},0,0], thread: [{x},2,0] Assertion `hi!` failed." for b in (0, 1) for x in range(16)
    ]
    assert sorted(capsys.readouterr().err.splitlines()) == sorted(lines)


def test_what_cuda_prints():
    """Observed on an H100: CUDA's printf knows C's conversions, and prints what it does not know."""
    raw = struct.pack("<iii4xqdQQ", -5, 255, 8, 1 << 40, 10 / 3, 0, 0x1234)

    def text(form):
        arguments = Arguments(0, lambda at, count: raw.ljust(64, b"\0")[at : at + count])
        return formatted(form, arguments, lambda at: b"text"), arguments.taken

    assert text(b"A|%d|%#x|%#o|%lld|%.3f|%s|%p|") == (b"A|-5|0xff|010|1099511627776|3.333|(null)|0x1234|", 7)
    assert text(b"%zu|%jd|%.*f|%1$d|%y|%5%|%%|%") == (b"%zu|%jd|%.*f|%1$d|%y|%5%|%|%", 0)
    assert text(b"%08d|%-6d|%+d|") == (b"-0000005|255   |+8|", 3)
    assert text(b"%5.3d|%.0d|%c|%hhd") == (b" -005|255|\x08|0", 4)


def test_heap_joins_gaps():
    heap = Heap(GpuMemory(0, 1 << 16), 1024)
    blocks = [heap.malloc(256) for _ in range(4)]
    assert heap.malloc(1) == 0
    assert [heap.free(blocks[i]) for i in (1, 3, 2, 2)] == [True, True, True, False]
    assert heap.malloc(3 * 256) == blocks[1]
    assert heap.memory.valid(heap.memory.offset(blocks[0])) >= 256


def test_lines_are_passed_on_whole():
    lines = []
    collector = Lines(lines.append)
    for piece in ("a", "b\nc", "\n\nd"):
        collector.write(piece)
    collector.end()
    assert lines == ["ab", "c", "", "d"]
