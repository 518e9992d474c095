"""Warps whose lanes disagree: branches, loops, early exit, calls, locks between lanes of a warp."""

import numpy as np
from kernels import ptx, run_kernel

TID = "mov.u32 %r1, %tid.x; mul.wide.u32 %rd2, %r1, 4; ld.param.u64 %rd1, [x]; add.s64 %rd3, %rd1, %rd2;"
STORE = "st.global.u32 [%rd3], %r2; ret;"
REGISTERS = "b32 r<12>; b64 rd<6>; pred p<6>"


def lanes(body: str, functional: bool, **options: object) -> list[int]:
    """Run ``body`` on one warp; what each lane left in %r2."""
    text = ptx("u64 x", REGISTERS, f"{TID}\n{body}\n{STORE}")
    ran = run_kernel(text, {"x": np.zeros(32, np.uint32)}, functional=functional, **options)  # type: ignore[arg-type]
    return [int(v) for v in ran.out["x"]]


def test_both_sides_of_a_branch_run_and_meet_again(functional: bool) -> None:
    body = """
    setp.lt.u32 %p1, %r1, 10;
    @%p1 bra SMALL;
    mov.u32 %r2, 200;
    bra JOIN;
SMALL:
    mov.u32 %r2, 100;
JOIN:
    activemask.b32 %r3;
    popc.b32 %r3, %r3;
    add.u32 %r2, %r2, %r3;"""
    assert lanes(body, functional) == [132] * 10 + [232] * 22


def test_a_loop_runs_as_often_as_each_lane_needs(functional: bool) -> None:
    body = """
    mov.u32 %r2, 0;
    mov.u32 %r4, 0;
LOOP:
    setp.ge.u32 %p1, %r4, %r1;
    @%p1 bra DONE;
    add.u32 %r2, %r2, %r4;
    add.u32 %r4, %r4, 1;
    bra LOOP;
DONE:"""
    assert lanes(body, functional) == [n * (n - 1) // 2 for n in range(32)]


def test_lanes_that_exit_early_leave_the_others_alone(functional: bool) -> None:
    body = """
    mov.u32 %r2, 7;
    and.b32 %r4, %r1, 1;
    setp.eq.u32 %p1, %r4, 1;
    @%p1 exit;
    activemask.b32 %r2;"""
    assert lanes(body, functional) == [0x55555555, 0] * 16


def test_break_out_of_nested_loops(functional: bool) -> None:
    body = """
    mov.u32 %r2, 0;
    mov.u32 %r4, 0;
OUTER:
    mov.u32 %r5, 0;
INNER:
    add.u32 %r2, %r2, 1;
    setp.gt.u32 %p2, %r2, %r1;
    @%p2 bra OUT;
    add.u32 %r5, %r5, 1;
    setp.lt.u32 %p1, %r5, 3;
    @%p1 bra INNER;
    add.u32 %r4, %r4, 1;
    setp.lt.u32 %p1, %r4, 4;
    @%p1 bra OUTER;
    mov.u32 %r2, 99;
OUT:"""
    assert lanes(body, functional) == [n + 1 if n < 12 else 99 for n in range(32)]


def test_a_lane_that_holds_a_lock_can_release_it_while_the_others_spin(functional: bool) -> None:
    text = ptx(
        "u64 lock, u64 count",
        REGISTERS,
        """
    ld.param.u64 %rd1, [lock];
    ld.param.u64 %rd2, [count];
AGAIN:
    atom.global.cas.b32 %r1, [%rd1], 0, 1;
    setp.ne.u32 %p1, %r1, 0;
    @%p1 bra AGAIN;
    ld.volatile.global.u32 %r2, [%rd2];
    add.u32 %r2, %r2, 1;
    st.volatile.global.u32 [%rd2], %r2;
    atom.global.exch.b32 %r3, [%rd1], 0;
    ret;""",
    )
    zero = np.zeros(1, np.uint32)
    ran = run_kernel(text, {"lock": zero, "count": zero}, block=(64, 1, 1), functional=functional)
    assert ran.out["count"][0] == 64


def test_of_several_spinning_paths_each_gives_way_to_all_others(functional: bool) -> None:
    body = """
    mov.u32 %r2, 5;
    setp.eq.u32 %p1, %r1, 0;
    and.b32 %r4, %r1, 1;
    setp.eq.u32 %p2, %r4, 1;
    @%p1 bra RELEASE;
    @%p2 bra ODD;
EVEN:
    ld.volatile.global.u32 %r5, [%rd1];
    setp.eq.u32 %p3, %r5, 0;
    @%p3 bra EVEN;
    bra DONE;
ODD:
    ld.volatile.global.u32 %r5, [%rd1];
    setp.eq.u32 %p3, %r5, 0;
    @%p3 bra ODD;
    bra DONE;
RELEASE:
    st.volatile.global.u32 [%rd1], 5;
DONE:"""
    assert lanes(body, functional) == [5] * 32


def test_predicated_instructions_touch_only_their_lanes(functional: bool) -> None:
    body = """
    mov.u32 %r2, 1;
    setp.gt.u32 %p1, %r1, 15;
    @%p1 add.u32 %r2, %r2, 5;
    @!%p1 add.u32 %r2, %r2, 7;"""
    assert lanes(body, functional) == [8] * 16 + [6] * 16


def test_functions_return_to_where_each_lane_came_from(functional: bool) -> None:
    text = f"""
.func (.param .b32 res) twice(.param .b32 a)
{{
    .reg .b32 %r<3>;
    ld.param.b32 %r1, [a];
    add.u32 %r2, %r1, %r1;
    st.param.b32 [res], %r2;
    ret;
}}
{
        ptx(
            "u64 x",
            REGISTERS,
            TID
            + '''
    setp.lt.u32 %p1, %r1, 16;
    @%p1 bra LEFT;
    { .param .b32 a0; .param .b32 r0; st.param.b32 [a0], %r1; call (r0), twice, (a0); ld.param.b32 %r2, [r0]; }
    bra JOIN;
LEFT:
    { .param .b32 a1; .param .b32 r1; st.param.b32 [a1], 100; call (r1), twice, (a1); ld.param.b32 %r2, [r1]; }
JOIN:
'''
            + STORE,
        )
    }"""
    ran = run_kernel(text, {"x": np.zeros(32, np.uint32)}, functional=functional)
    assert list(ran.out["x"]) == [200] * 16 + [2 * n for n in range(16, 32)]


def test_a_jump_table_sends_each_lane_its_way(functional: bool) -> None:
    body = """
    and.b32 %r4, %r1, 3;
    T: .branchtargets A, B, C, B;
    brx.idx %r4, T;
A:  mov.u32 %r2, 10;
    bra END;
B:  mov.u32 %r2, 20;
    bra END;
C:  mov.u32 %r2, 30;
END:"""
    assert lanes(body, functional) == [10, 20, 30, 20] * 8
