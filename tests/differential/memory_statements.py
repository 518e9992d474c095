"""Random statements that use memory, calls and barriers; results do not depend on the order of threads."""

from __future__ import annotations

from program import Program

_WHOLE = ("add.u32", "add.s32", "min.u32", "min.s32", "max.u32", "max.s32", "inc.u32", "dec.u32", "and.b32", "or.b32",
          "xor.b32", "add.u64", "min.u64", "min.s64", "max.u64", "max.s64", "and.b64", "or.b64", "xor.b64")  # fmt: skip
_OWN = (*_WHOLE, "exch.b32", "exch.b64", "cas.b16", "cas.b32", "cas.b64")
_FLOAT = ("add.f32", "add.f64", "add.noftz.f16", "add.noftz.bf16", "add.noftz.f16x2", "add.noftz.bf16x2")
WAIT = "bar.warp.sync 0xffffffff; bar.sync 0;"
_LOADS = ("u8", "s8", "b8", "u16", "s16", "b16", "u32", "s32", "b32", "f32", "u64", "s64", "b64", "f64")


def _bits(type_: str) -> int:
    return {"f16x2": 32, "bf16x2": 32, "bf16": 16}.get(type_) or int(type_[1:])


def _class(type_: str) -> str:
    return {64: "d", 32: "r"}.get(_bits(type_), "h")


def _source(p: Program, type_: str) -> str:
    bits = _bits(type_)
    return p.source(f"u{max(16, bits)}" if type_[0] in "us" else f"b{max(16, bits)}")


def exchange(p: Program) -> None:
    """Store to shared memory, wait, load what another thread stored."""
    bits = p.rng.choice((32, 64))
    a, cls = p.source(f"b{bits}"), {32: "r", 64: "d"}[bits]
    d = p.reg(cls)
    p.add(WAIT)
    p.add(f"st.shared.b{bits} [%sh], {a};")
    p.add(WAIT)
    p.add(f"xor.b32 %u7, %me, {p.rng.randrange(1, 32)};")
    p.add("mov.u64 %x2, sh; mad.wide.u32 %x2, %u7, 16, %x2;")
    text = f"ld.shared.b{bits} {d}, [%x2];"
    p.add(text)
    p.show(d, text + f" (stored {a})", [a])


def local(p: Program) -> None:
    """A word of local memory at an address that differs among lanes."""
    bits = p.rng.choice((16, 32, 64))
    cls = {16: "h", 32: "r", 64: "d"}[bits]
    a, i, d = p.source(f"b{bits}"), p.source("u32"), p.reg(cls)
    p.add(f"and.b32 %u7, {i}, 15;")
    p.add("mad.wide.u32 %x2, %u7, 16, %lo;")
    p.add(f"st.local.b{bits} [%x2+{8 * p.rng.randrange(2) if bits == 64 else 4}], {a};")
    offset = p.lines[-1].split("+")[1].split("]")[0]
    text = f"ld.local.b{bits} {d}, [%x2+{offset}];"
    p.add(text)
    p.show(d, text + f" (stored {a})", [a, i])


def narrow(p: Program) -> None:
    """Part of an input row, loaded with each type."""
    t = p.rng.choice(_LOADS)
    size = _bits(t) // 8
    d = p.reg(_class(t))
    at = p.rng.randrange(16) * 512 + p.rng.randrange(8 // size) * size
    nc = p.rng.choice(("", ".nc"))
    text = f"ld.global{nc}.{t} {d}, [%in+{at}];"
    p.add(text)
    p.show(d, text, [])


def vector(p: Program) -> None:
    """A vector through shared memory."""
    n, bits = p.rng.choice(((2, 32), (4, 32), (2, 64), (2, 16), (4, 16)))
    cls = {16: "h", 32: "r", 64: "d"}[bits]
    read = [p.source(f"b{bits}") for _ in range(n)]
    d = [f"%{cls}{i}" for i in range(n)]
    p.add(WAIT)
    p.add(f"st.shared.v{n}.b{bits} [%sh], {{{', '.join(read)}}};")
    text = f"ld.shared.v{n}.b{bits} {{{', '.join(d)}}}, [%sh];"
    p.add(text)
    sources = p.sources_of(read)
    for name in d:
        p.show(name, text + f" (stored {', '.join(read)})", read)
        p.rows[-1].sources = sources


def own_atomic(p: Program) -> None:
    """Atomics on a word of each thread: what was there, then what is there."""
    op = p.rng.choice(_OWN)
    t = op.split(".")[-1]
    bits = _bits(t)
    cls, space = _class(t), p.rng.choice(("shared", "global", ""))
    first, a, c = _source(p, t), _source(p, t), _source(p, t)
    offset = p.place(8)
    row = f"[%out8+{offset}]" if space != "shared" else "[%sh]"
    p.add(WAIT)
    p.add(f"st{'.' + space if space else ''}.b{bits} {row}, {first};")
    d = p.reg(cls)
    while d in (first, a, c):
        d = p.reg(cls)
    sem = p.rng.choice(("", ".relaxed.gpu", ".acquire.cta", ".release.gpu", ".acq_rel.sys"))
    more = f", {c}" if op.startswith("cas") else ""
    text = f"atom{sem}{'.' + space if space else ''}.{op} {d}, {row}, {a}{more};"
    p.add(text)
    used = [first, a, c]
    sources = p.sources_of(used)
    p.show(d, f"{text} (memory {first})", used)
    p.add(f"ld{'.' + space if space else ''}.b{bits} {d}, {row};")
    p.show(d, f"{text} (memory {first}), then the memory", used)
    p.rows[-1].sources = sources


def contended(p: Program) -> None:
    """Reductions of all threads into four words, in shared memory or in the output."""
    op = p.rng.choice((*_WHOLE, *_FLOAT))
    t = op.split(".")[-1]
    bits, cls = _bits(t), _class(t)
    space = p.rng.choice(("shared", "global"))
    if op in _FLOAT:
        a = {16: "%w2", 32: "%u7", 64: "%x3"}[bits]
        used = [p.source("u32")]
        small_float(p, t, used[0], a)
    else:
        a = _source(p, t)
        used = [a]
        if op in ("inc.u32", "dec.u32"):  # limits that differ make the order of threads visible
            a, used = "13", []
    p.add("and.b32 %u6, %me, 3;")
    p.add(WAIT)
    if space == "shared":
        p.add(f"mov.b{bits} {'%w3' if cls == 'h' else '%u1' if cls == 'r' else '%x4'}, 0;")
        p.add(f"st.shared.b{bits} [%sh], {'%w3' if cls == 'h' else '%u1' if cls == 'r' else '%x4'};")
        p.add("mov.u64 %x2, sh; mad.wide.u32 %x2, %u6, 16, %x2;")
    else:
        offset = p.place(8)
        p.add(f"add.u64 %x2, %out, {offset}; mad.wide.u32 %x2, %u6, 8, %x2;")
    p.add(WAIT)
    text = f"red.{space}.{op} [%x2], {a};"
    p.add(text)
    p.add(WAIT)
    d = p.reg(cls)
    p.add(f"ld.{space}.b{bits} {d}, [%x2];")
    p.show(d, text, used)


def small_float(p: Program, t: str, source: str, d: str) -> None:
    """d = a small whole number made of `source`, whose sums are exact in every type."""
    p.add(f"and.b32 %u7, {source}, 3;")
    if t in ("f16", "bf16", "f32", "f64"):
        p.add(f"cvt.rn.{t}.u32 {d}, %u7;")
    else:
        p.add(f"cvt.rn.{t[:-2]}.u32 %w3, %u7;")
        p.add(f"mov.b32 {d}, {{%w3, %w3}};")


def call(p: Program) -> None:
    """A function with two parameters and a result."""
    name = f"{p.name}_f{len(p.functions)}"
    inner = Program(name, f"{p.seed} {name}")
    steps = []
    for _ in range(3):
        op = inner.rng.choice(("add.u32", "xor.b32", "sub.u32", "mul.lo.u32", "min.s32", "shl.b32", "max.u32"))
        steps.append(f"    {op} %{inner.rng.choice('ab')}, %{inner.rng.choice('ab')}, %{inner.rng.choice('ab')};")
    p.functions.append("\n".join((
        f".func (.param .b32 r) {name}(.param .b32 x, .param .b64 y)", "{", "    .reg .b32 %a, %b; .reg .b64 %c;",
        "    ld.param.b32 %a, [x];", "    ld.param.b64 %c, [y];", "    cvt.u32.u64 %b, %c;", *steps,
        "    add.u32 %a, %a, %b;", "    st.param.b32 [r], %a;", "    ret;", "}")))  # fmt: skip
    a, b, d = p.source("u32"), p.source("u64"), p.reg("r")
    p.add("{ .param .b32 x; .param .b64 y; .param .b32 r;")
    p.add(f"st.param.b32 [x], {a}; st.param.b64 [y], {b};")
    p.add(f"call (r), {name}, (x, y);")
    p.add(f"ld.param.b32 {d}, [r]; }}")
    p.show(d, f"call {name} ({a}, {b})", [a, b])


def barrier_red(p: Program) -> None:
    """A barrier that counts or combines predicates."""
    q = p.reg("p")
    op = p.rng.choice(("popc.u32", "and.pred", "or.pred"))
    d = p.reg("r" if op == "popc.u32" else "p")
    name = p.rng.choice(("bar", "barrier"))
    text = f"{name}.red.{op} {d}, {p.rng.randrange(4)}, {p.rng.choice(('', '!'))}{q};"
    p.add("bar.warp.sync 0xffffffff; " + text)
    p.show(d, text, [q])


TOP = (
    (exchange, 4),
    (local, 4),
    (narrow, 4),
    (vector, 3),
    (own_atomic, 6),
    (contended, 5),
    (call, 3),
    (barrier_red, 2),
)
