"""Random statements: lane instructions, control flow, memory, communication. Each shows every register it writes."""

from __future__ import annotations

from collections.abc import Callable

import catalog
from program import Program, Row

from isa.instr import Op, Operand
from isa.types import TYPES

ROWS = catalog.lane_rows()
FULL = "0xffffffff"


def _literal(p: Program, op: Op, operand: Operand) -> str | None:
    """Sometimes a constant for a source operand."""
    t = TYPES[operand.type]
    if p.rng.random() > 0.08 or t.bits < 32 or t.cls not in "usbf" or operand.type.endswith("x2"):
        return None
    if t.cls == "f":
        return (
            p.rng.choice(("0f3F800000", "0fC0490FDB", "0f00000001", "0f7F800000"))
            if t.bits == 32
            else "0d3FF8000000000000"
        )
    most = 8 if op.instr.mnemonic in ("bfe", "bfi") else 10  # their fields take bytes
    return str(p.rng.choice((0, 1, 2, 5, 31, 32, 77, 255, 65535, 0x7FFFFFFF)[:most]))


def _operands(p: Program, op: Op) -> tuple[list[str], list[str], list[str]]:
    """(operand texts, registers written, registers read) of a lane instruction."""
    texts, written, read = [], [], []
    for o in op.operands:
        if o.form == "imm":
            texts.append(str(p.rng.randrange(256)))
            continue
        names = []
        for _ in range(o.count):
            t = TYPES[o.type]
            if o.role == "w":
                cls = "p" if o.type == "pred" else "d" if t.bits == 64 else "r" if t.bits == 32 else "h"
                name = next(r for r in iter(lambda c=cls: p.reg(c), "") if r not in written)
                written.append(name)
            else:
                name = (o.form == "reg" and o.type != "pred" and _literal(p, op, o)) or p.source(o.type)
                read.append(name)
            names.append(name)
        text = "{" + ", ".join(names) + "}" if o.form == "vec" else names[0]
        text = "!" + text if o.negated == "must" else text
        if o.paired:
            texts[-1] += "|" + text
        else:
            texts.append(text)
    return texts, written, [r for r in read if r[0] == "%"]


def _canonical(p: Program, register: str, type_: str) -> None:
    """Make any NaN the same one, so that which NaN it was has no effect on what follows."""
    bits, nan = {"f64": ("b64", "0x7ff8000000000000"), "f32": ("b32", "0x7fffffff")}.get(type_, ("b16", "0x7fff"))
    p.add(f"setp.nan.{type_} %t0, {register}, {register};")
    p.add(f"selp.{bits} {register}, {nan}, {register}, %t0;")


def lane(p: Program, guard: str = "") -> None:
    """One lane instruction. Approximate results go to registers that nothing reads."""
    op = catalog.choose(p.rng, ROWS)
    texts, written, read = _operands(p, op)
    if op.instr.mnemonic in ("div", "rem") and op.types[0][0] in "us":
        bits = TYPES[op.types[0]].bits
        scratch = {16: "%w0", 32: "%u1", 64: "%x0"}[bits]
        p.add(f"or.b{bits} {scratch}, {texts[2]}, 1;")
        texts[2] = scratch
    d = catalog.result_type(op)
    compare = catalog.comparison(op, bool(guard))
    packed_nan = catalog.nan_is_free(op) and d.endswith("x2")
    if catalog.is_approximate(op) or packed_nan:
        scratch = {"h": "%w1", "r": "%u2", "d": "%x1"}[written[0][1]]
        p.add(f"{op.text} {', '.join([scratch, *texts[1:]])};")
        kind = {"f64": "64", "f32": "32"}.get(d, "bf16" if d.startswith("bf") else "16")
        rule = "nan" if packed_nan else "tanh" if op.text.startswith("tanh") else "approx"
        _show_scratch(p, scratch, op.text + " " + ", ".join(texts), read, rule + kind)
        return
    text = f"{guard}{op.text} {', '.join(texts)};"
    p.add(text)
    if catalog.nan_is_free(op) and d in ("f64", "f32", "f16", "bf16"):
        _canonical(p, written[0], d)
    used = read + (written if guard else []) + ([guard.strip("@! ")] if guard else [])
    before = [p.sources_of(used)]
    for name in written:
        p.show(name, text, used, compare)
        p.rows[-1].sources = before[0]


def _show_scratch(p: Program, register: str, text: str, read: list[str], compare: str) -> None:
    cls = {"%w": "h", "%u": "r", "%x": "d"}[register[:2]]
    if cls == "h":
        p.add(f"cvt.u32.u16 %u0, {register};")
        register, cls = "%u0", "r"
    size = 8 if cls == "d" else 4
    offset = p.place(size)
    p.rows.append(Row(text, offset, size, compare, p.sources_of(read)))
    p.add(f"st.global.b{8 * size} [%out{size}+{offset}], {register};")


def guarded(p: Program) -> None:
    q = p.reg("p")
    p.partial += 1
    lane(p, f"@{p.rng.choice(('', '!'))}{q} ")
    p.partial -= 1


def carry(p: Program) -> None:
    """A chain of two to four instructions that pass a carry on."""
    bits = p.rng.choice((32, 64))
    cls = "r" if bits == 32 else "d"
    family = p.rng.choice(("add", "sub", "mad"))
    count = p.rng.randint(2, 4)
    shown = []
    for i in range(count):
        half = p.rng.choice((".lo", ".hi")) if family == "mad" else ""
        name = (
            family
            + ("c" if i else "")
            + half
            + ("" if i == count - 1 else ".cc")
            + p.rng.choice((".u", ".s"))
            + str(bits)
        )
        read = [p.source(f"u{bits}") for _ in range(3 if family == "mad" else 2)]
        d = f"%{cls}{i}"
        text = f"{name} {', '.join([d, *read])};"
        p.add(text)
        shown.append((d, text, read))
    used = [r for _, _, read in shown for r in read]
    sources = p.sources_of(used)
    for d, text, _ in shown:
        p.show(d, text, used)
        p.rows[-1].sources = sources


def _some(p: Program, least: int = 1, most: int = 3) -> None:
    for _ in range(p.rng.randint(least, most)):
        p.rng.choice((lane, lane, lane, guarded, masked))(p)


MASK: list[str] = []
"""Register with the lanes that are here, innermost last; none outside of branches."""


def masked(p: Program) -> None:
    """A warp operation among the lanes that are here."""
    mask = MASK[-1] if MASK else FULL
    pick = p.rng.randrange(5)
    if pick == 0:
        d, q = p.reg("r"), p.reg("p")
        text, read = f"vote.sync.ballot.b32 {d}, {q}, {mask};", [q]
    elif pick == 1:
        d, q = p.reg("p"), p.reg("p")
        text, read = f"vote.sync.{p.rng.choice(('all', 'any', 'uni'))}.pred {d}, {q}, {mask};", [q]
    elif pick == 2:
        op = p.rng.choice(
            ("add.u32", "add.s32", "min.u32", "min.s32", "max.u32", "max.s32", "and.b32", "or.b32", "xor.b32")
        )
        d, a = p.reg("r"), p.source(op[-3:])
        text, read = f"redux.sync.{op} {d}, {a}, {mask};", [a]
    elif pick == 3:
        bits = p.rng.choice((32, 64))
        d, a = p.reg("r"), p.source(f"u{bits}")
        text, read = f"match.any.sync.b{bits} {d}, {a}, {mask};", [a]
    else:
        bits = p.rng.choice((32, 64))
        d, q, a = p.reg("r"), p.reg("p"), p.source(f"u{bits}")
        text, read = f"match.all.sync.b{bits} {d}|{q}, {a}, {mask};", [a]
    p.add(text)
    p.show(d, text, read)


def shuffle(p: Program) -> None:
    """A shuffle of the whole warp; lanes out of range keep their own value."""
    mode = p.rng.choice(("up", "down", "bfly", "idx"))
    width = p.rng.choice((32, 16, 8, 4))
    clamp = (32 - width) << 8 | (0 if mode == "up" else 31)
    d, q, a = p.reg("r"), p.reg("p"), p.source("b32")
    by = p.rng.choice((str(p.rng.randrange(32)), p.source("u32")))
    text = f"shfl.sync.{mode}.b32 {d}|{q}, {a}, {by}, {clamp}, {FULL};"
    p.add(text)
    used = [r for r in (a, by) if r[0] == "%"]
    sources = p.sources_of(used)
    for name in (d, q):
        p.show(name, text, used)
        p.rows[-1].sources = sources


def branch(p: Program) -> None:
    """if / else on a predicate, with communication among the lanes of each side."""
    q = p.reg("p")
    p.add(f"mov.pred %t1, {q};")
    p.add(f"vote.sync.ballot.b32 %u3, %t1, {FULL};")
    p.add("not.b32 %u4, %u3;")
    other, end = p.label(), p.label()
    p.partial += 1
    p.control.append(p.sources_of([q]))
    p.add(f"@!%t1 bra {other};")
    MASK.append("%u3")
    _some(p)
    p.add(f"bra {end};")
    p.add(f"{other}:")
    MASK[-1] = "%u4"
    _some(p, 0, 3)
    MASK.pop()
    p.add(f"{end}:")
    p.control.pop()
    p.partial -= 1


def loop(p: Program) -> None:
    """A loop whose number of rounds differs among lanes."""
    top, first = p.label(), len(p.rows)
    rounds = p.source("u32")
    p.control.append(p.sources_of([rounds]))
    p.add(f"and.b32 %u5, {rounds}, 3;")
    p.add(f"{top}:")
    p.partial += 1
    for _ in range(p.rng.randint(1, 3)):
        p.rng.choice((lane, lane, guarded))(p)
    p.partial -= 1
    p.control.pop()
    p.add("setp.ne.u32 %t2, %u5, 0;")
    p.add("sub.u32 %u5, %u5, 1;")
    p.add(f"@%t2 bra {top};")
    body = range(first, len(p.rows))
    unknown = {i for i in body if p.rows[i].compare == "skip"}
    for i in body:  # what an earlier round left is not told from what this one gave
        p.rows[i].sources = sorted({*p.rows[i].sources, *range(first, i), *unknown - {i}})


def table(p: Program) -> None:
    """brx.idx over four blocks."""
    blocks, end, name = [p.label() for _ in range(4)], p.label(), p.label()
    p.add(f"{name}: .branchtargets {', '.join(blocks)};")
    index = p.source("u32")
    p.control.append(p.sources_of([index]))
    p.add(f"and.b32 %u6, {index}, 3;")
    p.add(f"brx.idx %u6, {name};")
    p.partial += 1
    for block in blocks:
        p.add(f"{block}:")
        for _ in range(p.rng.randint(0, 2)):
            lane(p)
        p.add(f"bra {end};")
    p.partial -= 1
    p.control.pop()
    p.add(f"{end}:")


TOP: tuple[tuple[Callable[[Program], None], int], ...] = (
    (lane, 60), (guarded, 8), (masked, 5), (shuffle, 5), (branch, 5), (loop, 4), (table, 2), (carry, 4),
)  # fmt: skip
