"""Shape of programs: real PTX, every declaration form, spans, and the fast path against the grammar."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from assembler import parse as parse_file
from assembler.parse import parse_module
from assembler.source import Span
from assembler.syntax import (
    Address,
    Apply,
    ArgList,
    Binary,
    Block,
    Callprototype,
    Entry,
    Func,
    InitList,
    Instruction,
    Label,
    Loc,
    Module,
    Name,
    Not,
    Number,
    Operand,
    Perf,
    Pragma,
    PredPair,
    RegDecl,
    Section,
    Sink,
    Targets,
    Unary,
    Var,
    Vector,
)

DATA = Path(__file__).with_name("data")
HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"


def parsed(text: str) -> Module:
    module, diagnostics = parse_module(text)
    assert [d.message for d in diagnostics] == []
    return module


def body(text: str) -> tuple[Any, ...]:
    (entry,) = parsed(f"{HEAD}.entry k() {{ {text} }}").items
    assert isinstance(entry, Entry) and entry.body
    return entry.body.items


def operands(text: str) -> tuple[Operand, ...]:
    (item,) = body(f"op {text};")
    assert isinstance(item, Instruction) and item.opcode == "op"
    return item.operands


def item(text: str) -> Any:
    (found,) = parsed(HEAD + text).items
    return found


def here(span: Span | None = None) -> Span:
    """A span for nodes that are only compared."""
    return span or Span(parsed(HEAD).span.source, 0, 0)


@pytest.fixture(scope="module")
def at() -> Span:
    return here()


# --- real files


@pytest.mark.parametrize("path", sorted(DATA.glob("*.ptx")), ids=lambda path: path.stem)
def test_real_ptx_parses(path: Path) -> None:
    module = parsed(path.read_text())
    entries = [i for i in module.items if isinstance(i, Entry) and i.body]
    assert module.version and module.targets and module.address_size == 64 and entries
    assert all(e.body and e.body.items for e in entries)


def spans(node: Any) -> Any:
    """Extents of a tree's nodes, in the tree's shape."""
    if dataclasses.is_dataclass(node) and hasattr(node, "span"):
        fields = [getattr(node, f.name) for f in dataclasses.fields(node) if f.name != "span"]
        return (node.span.start, node.span.end, [spans(field) for field in fields])
    return [spans(child) for child in node] if isinstance(node, tuple | list) else None


SIMPLE = (
    "add.u32 %r1, %r2, -3; ld.v2.u32{%r1 , _}, [ %rd1 + 0x10 ]; ld.u32 %r1,[a+-4]; mov.f32 %f1, 0f3F800000; ret;"
    "mov.f64 %d1, 0D3FF0000000000000; @!%p1 setp.lt.u32 %p1|%p2, %tid.x , 0; vote.ballot.sync _ | %p1, %r1.b2;\n"
    "@%p1 bra $L1;  bar.sync  0 ; st.u32 [%rd1], WARP_SZ; $L1: x: mov.u32\t%r1,\n %r2;"
)


@pytest.mark.parametrize("text", [*(p.read_text() for p in sorted(DATA.glob("*.ptx"))), SIMPLE])
def test_fast_path_agrees_with_grammar(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = text if ".version" in text else f"{HEAD}.entry k() {{ {text} }}"
    fast = parsed(text)
    monkeypatch.setattr(parse_file, "instruction", lambda source, match: None)
    slow = parsed(text)
    assert fast == slow
    assert spans(fast) == spans(slow)


def test_most_instructions_take_the_fast_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """What makes real files parse at tens of thousands of lines a second."""
    rules = []
    grammar = parse_file.parse_rule
    monkeypatch.setattr(parse_file, "parse_rule", lambda *a: (rules.append(a[1]), grammar(*a))[1])
    module = parsed((DATA / "triton_softmax.ptx").read_text())
    count = sum(
        isinstance(i, Instruction) for e in module.items if isinstance(e, Entry) and e.body for i in e.body.items
    )
    assert rules.count("instruction") < count / 20


# --- operands and expressions


def test_operand_forms(at: Span) -> None:
    name, one = Name("%r1", at), Number("int", 1, False, at)
    assert operands("%r1, _, 1, -1") == (name, Sink(at), one, Number("int", -1, False, at))
    assert operands("%tid.x, %r1.b2, WARP_SZ")[2] == Number("int", 32, False, at)
    assert operands("{%r1, {1, _}}") == (Vector((name, Vector((one, Sink(at)), at)), at),)
    assert operands("[%r1], [%r1+4], [%r1+-4], [%r1-4], [16], [4+%r1], [%r1+4-8]") == tuple(
        Address(Name("%r1", at) if base else None, offset, (), at)
        for base, offset in ((1, 0), (1, 4), (1, -4), (1, -4), (0, 16), (1, 4), (1, -4))
    )
    assert operands("[%r1, {1}]") == (Address(name, 0, (Vector((one,), at),), at),)
    assert operands("%p|%q, _|%q, %p|_, %p|!%q, !%p") == (
        PredPair(Name("%p", at), Name("%q", at), at),
        PredPair(Sink(at), Name("%q", at), at),
        PredPair(Name("%p", at), Sink(at), at),
        PredPair(Name("%p", at), Not(Name("%q", at), at), at),
        Not(Name("%p", at), at),
    )
    assert operands("s+4, -s, (1)") == (Binary("+", Name("s", at), Number("int", 4, False, at), at),
                                        Unary("-", Name("s", at), at), one)  # fmt: skip
    assert operands("(%r1)") == (ArgList((name,), at),)


def test_calls(at: Span) -> None:
    (call,) = body("call.uni (%r1), f, (%r2, 3);")
    assert call.operands == (
        ArgList((Name("%r1", at),), at),
        Name("f", at),
        ArgList((Name("%r2", at), Number("int", 3, False, at)), at),
    )
    (call,) = body("call.uni \n f, \n (\n 4\n )\n;")
    assert call.operands == (Name("f", at), ArgList((Number("int", 4, False, at),), at))


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("0x1FU", "int", 31), ("017", "int", 15), ("0b101", "int", 5), ("0", "int", 0), ("12U", "int", 12),
        ("18446744073709551615", "int", 2**64 - 1), ("0f3F800000", "f32", 0x3F800000),
        ("0F3f800000", "f32", 0x3F800000), ("-0f3F800000", "f32", 0xBF800000),
        ("0d3FF0000000000000", "f64", 0x3FF0000000000000), ("1.5", "f64", 0x3FF8000000000000),
        ("-1.5e0", "f64", 0xBFF8000000000000), (".5", "f64", 0x3FE0000000000000), ("1e3", "f64", 0x408F400000000000),
    ],
)  # fmt: skip
def test_literals(text: str, kind: str, value: int) -> None:
    (found,) = operands(text)
    assert isinstance(found, Number) and (found.kind, found.value) == (kind, value)


# --- statements


def test_statements_of_a_body(at: Span) -> None:
    items = body(
        '.reg.b32 %r<4>, x; .reg .v2 .f32 v; .shared .align 16 .b8 s[4][2]; L: M: { add: ret; } ; .pragma "nounroll";\n'
        ".loc 2 3 4, function_name $L__info+4, inlined_at 1 5 6\n@!%p ret; .section .debug_x { .b8 1 }\n"
        "T: .branchtargets L, M;\nP: .callprototype (.param .b32 _) _ (.param .align 8 .b8 _[16]) .noreturn;"
    )
    kinds = [type(i).__name__ for i in items]
    assert " ".join(kinds) == (
        "RegDecl RegDecl Var Label Label Block Pragma Loc Instruction Section Targets Callprototype"
    )
    registers, vector, shared = items[:3]
    assert isinstance(registers, RegDecl)
    assert [(n.name, n.count) for n in registers.names] == [("%r", 4), ("x", None)]
    assert isinstance(vector, RegDecl) and (vector.type, vector.vec) == ("f32", 2)
    assert shared == Var("shared", "b8", "s", align=16, dims=(4, 2), span=at)
    block, loc, ret, section, targets, prototype = items[5], *items[7:]
    assert isinstance(block, Block) and block.items[0] == Label("add", at)
    assert loc == Loc(2, 3, 4, (1, 5, 6), "$L__info", span=at)
    assert isinstance(ret, Instruction) and ret.guard and (ret.guard.name, ret.guard.negated) == ("%p", True)
    assert isinstance(section, Section) and section.name == ".debug_x" and section.text.strip() == ".b8 1"
    assert targets == Targets("T", "branchtargets", (Name("L", at), Name("M", at)), at)
    assert isinstance(prototype, Callprototype) and prototype.perf == (Perf("noreturn", (), at),)
    assert prototype.returns == (Var("param", "b32", "_", span=at),)
    assert prototype.params == (Var("param", "b8", "_", align=8, dims=(16,), span=at),)


def test_declaration_in_one_line_counts_as_well() -> None:
    assert len(body("{.reg .b16 t; mov.b16 t, 1;} { } ret;")) == 3


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (".global .u32 a;", {}),
        (".visible .const .align 4 .b8 a[2] = {1, 2};", {"linkage": "visible", "space": "const", "type": "b8",
                                                          "align": 4, "dims": (2,)}),
        (".extern .shared .align 16 .b8 a[];", {"linkage": "extern", "space": "shared", "type": "b8", "align": 16,
                                                 "dims": (None,)}),
        (".common .global .v4 .f32 a;", {"linkage": "common", "vec": 4, "type": "f32"}),
        (".global .attribute(.managed) .u32 a;", {"flags": ("managed",)}),
        (".global .align 4 .attribute(.unified(1, 2)) .u32 a;", {"flags": ("unified(1,2)",), "align": 4}),
        (".global .opaque .u32 a<8>;", {"flags": ("opaque",), "count": 8}),
    ],
)  # fmt: skip
def test_variables(text: str, fields: dict[str, Any], at: Span) -> None:
    found = item(text)
    want = {"space": "global", "type": "u32", "name": "a", "init": found.init, **fields}
    assert found == Var(**want, span=at)


def test_initial_values(at: Span) -> None:
    one, two, name = Number("int", 1, False, at), Number("int", 2, False, at), Name("f", at)
    assert item(".global .u32 a[2][2] = {{1, 2}, {1+1}};").init == InitList(
        (InitList((one, two), at), InitList((two,), at)), at
    )
    assert item(".global .u64 a[3] = {f, generic(f)+1, 0xff00(f)};").init == InitList(
        (name, Binary("+", Apply("generic", name, at), one, at), Apply(0xFF00, name, at)), at
    )
    assert item(".global .f32 a = 0f3F800000;").init == Number("f32", 0x3F800000, False, at)


def test_one_declaration_of_many_names() -> None:
    items = parsed(HEAD + ".global .u32 a, b[2], c = 5;").items
    assert [(v.name, v.dims) for v in items if isinstance(v, Var)] == [("a", ()), ("b", (2,)), ("c", ())]


def test_kernels(at: Span) -> None:
    text = (
        ".visible .entry k(.param .u64 .ptr .global .align 16 p, .param .align 8 .b8 q[24], .param .u64 .ptr r)\n"
        '.maxntid 128, 1, 1 .pragma "a"; .reqnctapercluster 2 .explicitcluster\n{ ret; }'
    )
    kernel = item(text)
    assert isinstance(kernel, Entry) and kernel.linkage == "visible" and kernel.name_span.text == "k"
    assert kernel.params == (
        Var("param", "u64", "p", ptr="global", ptr_align=16, span=at),
        Var("param", "b8", "q", align=8, dims=(24,), span=at),
        Var("param", "u64", "r", ptr="", span=at),
    )
    assert kernel.perf == (
        Perf("maxntid", (128, 1, 1), at), Pragma(("a",), at), Perf("reqnctapercluster", (2,), at),
        Perf("explicitcluster", (), at),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "returns", "params", "has_body"),
    [
        (".func f;", [], [], False),
        (".extern .func (.param .b32 r) f(.param .b64 a, .param .b64 b)\n;", ["r"], ["a", "b"], False),
        (".func (.reg .u32 r) f { ret; }", ["r"], [], True),
        (".func f(.reg .u32 a) .noreturn { trap; }", [], ["a"], True),
        (".func f() { }", [], [], True),
    ],
)
def test_functions(text: str, returns: list[str], params: list[str], has_body: bool) -> None:
    found = item(text)
    assert isinstance(found, Func) and found.name == "f" and (found.body is not None) == has_body
    assert [v.name for v in found.returns] == returns and [v.name for v in found.params] == params


def test_header() -> None:
    module = parsed(".version 8.3 .target sm_90a, rowsp,\n cais\n.address_size 64\n")
    assert (module.version, [t.name for t in module.targets]) == ("8.3", ["sm_90a", "rowsp", "cais"])


def test_comments_and_strings_hide_what_they_hold() -> None:
    items = parsed(HEAD + '/* { */ .entry k() { ret; // }\n } .file 1 "a;{.c"\n@@DWARF {\n.global .u32 a;').items
    assert [type(i).__name__ for i in items] == ["Entry", "File", "Var"]


# --- spans


def test_spans_and_places() -> None:
    text = f"{HEAD}.entry k()\n{{\n  @%p ld.global.nc.v2.u32 {{%r1, _}}, [%rd1+4];\n}}\n"
    (entry,) = parsed(text).items
    assert isinstance(entry, Entry) and entry.body
    (load,) = entry.body.items
    assert isinstance(load, Instruction)
    assert load.span.text == "@%p ld.global.nc.v2.u32 {%r1, _}, [%rd1+4]"
    assert (load.span.line, load.span.col, load.span.end_line, load.span.end_col) == (6, 3, 6, 45)
    assert load.opcode_span.text == "ld.global.nc.v2.u32"
    assert load.modifier_span("nc").text == ".nc" and load.modifier_span("u3").text == load.opcode
    vector, address = load.operands
    assert isinstance(vector, Vector) and [i.span.text for i in vector.items] == ["%r1", "_"]
    assert isinstance(address, Address) and address.span.text == "[%rd1+4]"
    assert address.base and address.base.span.text == "%rd1"
