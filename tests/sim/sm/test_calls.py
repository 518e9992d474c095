"""Calls through registers, recursion, the stack and alloca, in both drivers; results are computed here independently."""

import numpy as np
import pytest
from kernels import HEADER, run_kernel

from sim.errors import MachineFault

FUNCTIONS = """
.func (.param .b32 r) triple(.param .b32 a);
.func (.param .b32 r) square(.param .b32 a);
.func (.param .b32 r) deep(.param .b32 a);
.func (.param .b32 r) minus(.param .b32 a, .param .b32 b);
.const .align 8 .u64 table[4] = {triple, square, 0, deep};
.global .align 8 .u64 other = generic(minus);
.global .align 1 .b8 bytes[8] = {0xFF(square), 0xFF00(square), 0xFF0000(square), 0xFF000000(square),
    0xFF00000000(square), 0xFF0000000000(square), 0xFF000000000000(square), 0xFF00000000000000(square)};
.func (.param .b32 r) triple(.param .b32 a) {
    .reg .u32 %x;
    ld.param.u32 %x, [a]; mul.lo.u32 %x, %x, 3; st.param.u32 [r], %x; ret;
}
.func (.param .b32 r) square(.param .b32 a) {
    .reg .u32 %x;
    ld.param.u32 %x, [a]; mul.lo.u32 %x, %x, %x; st.param.u32 [r], %x; ret;
}
.func (.param .b32 r) minus(.param .b32 a, .param .b32 b) {
    .reg .u32 %x, %y;
    ld.param.u32 %x, [a]; ld.param.u32 %y, [b]; sub.u32 %x, %x, %y; st.param.u32 [r], %x; ret;
}
.func (.param .b32 r) deep(.param .b32 a) {
    .reg .u32 %x, %y; .reg .u64 %f; .reg .pred %p;
    .local .u32 kept;
    ld.param.u32 %x, [a];
    st.local.u32 [kept], %x;
    setp.lt.u32 %p, %x, 2;
    @%p bra DONE;
    sub.u32 %y, %x, 1;
    mov.u64 %f, deep;
    { .param .b32 p0; .param .b32 r0;
      st.param.b32 [p0], %y;
      P: .callprototype (.param .b32 _) _ (.param .b32 _);
      call (r0), %f, (p0), P;
      ld.param.b32 %y, [r0]; }
    ld.local.u32 %x, [kept];
    add.u32 %x, %x, %y;
DONE:
    st.param.u32 [r], %x;
    ret;
}
"""


def kernel(body, registers="", params=".param .u64 out, .param .u64 in"):
    """A kernel that loads its thread's word of `in` to %x and stores %x to its word of `out`."""
    return f"""
.visible .entry k({params}) {{
    .reg .u32 %t, %x, %y, %i; .reg .u64 %out, %in, %at, %f; .reg .pred %p, %q; {registers}
    ld.param.u64 %out, [out]; ld.param.u64 %in, [in];
    mov.u32 %t, %tid.x;
    mul.wide.u32 %at, %t, 4;
    add.u64 %in, %in, %at; add.u64 %out, %out, %at;
    ld.global.u32 %x, [%in];
    {body}
    st.global.u32 [%out], %x;
    ret;
}}
"""


def run(text, given, functional, **options):
    ran = run_kernel(
        text,
        {"out": np.zeros(len(given), np.uint32), "in": given},
        block=(len(given), 1, 1),
        functional=functional,
        **options,
    )
    return ran.out["out"]


def line_of(error, text):
    """The source line a fault names."""
    return (HEADER + text).splitlines()[error.value.where[1] - 1].strip()


CALL = """
    {{ .param .b32 p0; .param .b32 r0;
      st.param.b32 [p0], %x;
      PROTO: .callprototype (.param .b32 _) _ (.param .b32 _);
      {guard} call (r0), %f, (p0), PROTO;
      {guard} ld.param.b32 %x, [r0]; }}
"""


def test_lanes_call_what_their_pointers_say(functional):
    """Two functions and a recursive one from a constant table; a null entry is seen as null and not called."""
    body = """
    and.b32 %i, %t, 3; mul.wide.u32 %at, %i, 8; mov.u64 %f, table; add.u64 %f, %f, %at; ld.const.u64 %f, [%f];
    setp.ne.u64 %p, %f, 0;
    """ + CALL.format(guard="@%p")
    given = np.arange(64, dtype=np.uint32) % 20 + 1
    want = [[3 * x, x * x, x, x * (x + 1) // 2][i % 4] for i, x in enumerate(given.tolist())]
    assert run(FUNCTIONS + kernel(body), given, functional).tolist() == want


def test_pointers_from_memory_of_bytes_and_with_targets(functional):
    body = (
        """
    mov.u64 %f, bytes; ld.global.u64 %f, [%f];
    """
        + CALL.format(guard="")
        + """
    ld.global.u64 %f, [other];
    { .param .b32 p0; .param .b32 p1; .param .b32 r0;
      st.param.b32 [p0], %x; st.param.b32 [p1], %t;
      T: .calltargets minus;
      call (r0), %f, (p0, p1), T;
      ld.param.b32 %x, [r0]; }
    """
    )
    given = np.arange(32, dtype=np.uint32) + 7
    assert run(FUNCTIONS + kernel(body), given, functional).tolist() == [(i + 7) ** 2 - i for i in range(32)]


@pytest.mark.parametrize("pointer", ["mov.u64 %f, 0;", "mov.u64 %f, minus;", "mov.u64 %f, square; add.u64 %f, %f, 16;"])
def test_a_bad_pointer_is_a_fault(pointer, functional):
    """Null, a function of another signature, and an address inside a function."""
    with pytest.raises(MachineFault, match="call of 0x"):
        run(FUNCTIONS + kernel(pointer + CALL.format(guard="")), np.ones(32, np.uint32), functional)


STACK = """
.func (.param .b32 r) rev(.param .b32 n, .param .b64 s) {
    .reg .u32 %n, %i, %v; .reg .u64 %s, %a, %b, %saved; .reg .pred %p;
    ld.param.u32 %n, [n]; ld.param.u64 %s, [s];
    stacksave.u64 %saved;
    mul.wide.u32 %a, %n, 4;
    alloca.u64 %a, %a, 64;
    mov.u32 %i, 0;
FILL:
    mul.wide.u32 %b, %i, 4; add.u64 %b, %a, %b;
    add.u32 %v, %i, %n; st.local.u32 [%b], %v;
    add.u32 %i, %i, 1; setp.lt.u32 %p, %i, %n; @%p bra FILL;
    and.b64 %b, %a, 63; cvt.u32.u64 %v, %b;
SUM:
    sub.u32 %i, %i, 1; mul.wide.u32 %b, %i, 4; add.u64 %b, %a, %b; ld.local.u32 %n, [%b];
    add.u32 %v, %v, %n; setp.gt.u32 %p, %i, 0; @%p bra SUM;
    stackrestore.u64 %saved;
    st.param.u32 [r], %v;
    ret;
}
"""


def test_alloca_gives_every_lane_its_own_aligned_memory(functional):
    """More is allocated over the run than the stack holds: a function gives it back, a loop by stackrestore."""
    body = """
    .local .u32 mine; .reg .u32 %s32, %top;
    st.local.u32 [mine], %t;
    mov.u32 %i, 0; mov.u32 %y, 0;
AGAIN:
    stacksave.u32 %top;
    alloca.u32 %s32, 40;
    st.local.u32 [%s32+36], %i;
    { .param .b32 p0; .param .b64 p1; .param .b32 r0;
      st.param.b32 [p0], %x; st.param.b64 [p1], 0; call (r0), rev, (p0, p1); ld.param.b32 %t, [r0]; }
    add.u32 %y, %y, %t; ld.local.u32 %t, [%s32+36]; add.u32 %y, %y, %t;
    stackrestore.u32 %top;
    add.u32 %i, %i, 1; setp.lt.u32 %p, %i, 50; @%p bra AGAIN;
    ld.local.u32 %t, [mine]; add.u32 %x, %y, %t;
    """
    given = np.arange(32, dtype=np.uint32) + 1
    want = [50 * sum(range(n, 2 * n)) + sum(range(50)) + n - 1 for n in given.tolist()]
    assert run(STACK + kernel(body), given, functional).tolist() == want


def test_too_large_an_alloca_is_a_fault_at_its_use(functional):
    body = "alloca.u64 %at, 1048576;\n add.u64 %at, %at, 1048000;\n st.local.u32 [%at], %x;"
    with pytest.raises(MachineFault, match="outside") as error:
        run(kernel(body), np.ones(32, np.uint32), functional)
    assert line_of(error, kernel(body)) == "st.local.u32 [%at], %x;"


RECURSIVE = """
.func (.param .b32 r) sum(.param .b32 n) {
    .reg .u32 %n, %v; .reg .pred %p; .local .align 8 .b8 frame[SIZE];
    ld.param.u32 %n, [n];
    st.local.u32 [frame+FIRST], %n;
    mov.u32 %v, 0;
    setp.eq.u32 %p, %n, 0;
    @%p bra OUT;
    sub.u32 %v, %n, 1;
    { .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %v; call (r0), sum, (p0); ld.param.b32 %v, [r0]; }
    ld.local.u32 %n, [frame+FIRST];
    add.u32 %v, %v, %n;
OUT:
    st.param.u32 [r], %v;
    ret;
}
"""
CALL_SUM = "{ .param .b32 p0; .param .b32 r0; st.param.b32 [p0], %x; call (r0), sum, (p0); ld.param.b32 %x, [r0]; }"


def test_every_depth_of_a_recursion_has_its_frame(functional):
    text = RECURSIVE.replace("SIZE", "16").replace("FIRST", "8") + kernel(CALL_SUM)
    given = np.arange(32, dtype=np.uint32)
    assert run(text, given, functional).tolist() == [n * (n + 1) // 2 for n in range(32)]


def test_stack_overflow_is_a_fault_with_its_line(functional):
    text = RECURSIVE.replace("SIZE", "256").replace("FIRST", "0") + kernel(CALL_SUM)
    with pytest.raises(MachineFault, match="outside") as error:
        run(text, np.full(32, 40, np.uint32), functional)
    assert line_of(error, text) == "st.local.u32 [frame+0], %n;"
    assert "bytes of local memory; `launch … stack" in error.value.notes[1]


ENDLESS = """
.func down(.param .b32 n) {
    .reg .u32 %n; .reg .pred %p;
    ld.param.u32 %n, [n]; setp.eq.u32 %p, %n, 1; @%p ret;
    sub.u32 %n, %n, 1;
    { .param .b32 p0; st.param.b32 [p0], %n;
      call down, (p0); }
    ret;
}
"""
CALL_DOWN = "{ .param .b32 p0; st.param.b32 [p0], %x; call down, (p0); }"


def test_calls_nest_as_deep_as_the_stack_is(functional):
    """A call takes 8 bytes at least: 128 calls fit in the 1 KiB a thread has by default, and more if a launch asks."""
    text = ENDLESS + kernel(CALL_DOWN)
    given = np.arange(1, 33, dtype=np.uint32) + 96
    assert run(text, given, functional).tolist() == given.tolist()
    with pytest.raises(MachineFault, match="stack overflow: 128 nested calls take all 1024 bytes") as error:
        run(text, given + 1, functional)
    assert line_of(error, text) == "call down, (p0); }" and "thread (31, 0, 0)" in error.value.notes[0]
    assert run(text, given + 1900, functional, stack=16384).tolist() == (given + 1900).tolist()


def test_frames_share_a_larger_stack(functional):
    text = RECURSIVE.replace("SIZE", "256").replace("FIRST", "0") + kernel(CALL_SUM)
    assert run(text, np.full(32, 40, np.uint32), functional, stack=16384).tolist() == [820] * 32
