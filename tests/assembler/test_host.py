"""Host programs: every statement in the JSON form that the machine's host reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from assembler.parse import parse_module
from assembler.syntax import HostProgram

HEAD = ".version 9.0\n.target sm_90a\n.address_size 64\n"
NAMES = "let a = 1; let b = 2; let x = 3; let y = 4; let e = 5; let g = 6; let n = 7; let r = 8;\n"


def program(text: str, defines: dict[str, str] | None = None, before: str = "") -> HostProgram:
    module, diagnostics = parse_module(f"{HEAD}{before}\n.host main {{\n{text}\n}}\n", "p.s", (), defines)
    assert [d.message for d in diagnostics] == []
    (host,) = (item for item in module.items if isinstance(item, HostProgram))
    json.dumps(host.statements)
    return host


def bare(node: Any) -> Any:
    """A statement without places (an expression's "at" has a two-element list of an expression and a number)."""
    if isinstance(node, list):
        return [bare(child) for child in node]
    if not isinstance(node, dict):
        return node
    return {k: bare(v) for k, v in node.items() if not (k == "at" and isinstance(v[0], int))}


def statement(text: str) -> Any:
    return bare(program(NAMES + text).statements[-1])


def expression(text: str) -> Any:
    return statement(f"let z = {text};")["value"]


def num(value: float) -> dict[str, Any]:
    return {"num": value}


def name(text: str) -> dict[str, Any]:
    return {"name": text}


A, B, X, Y, E, G, N = (name(c) for c in "abxyegn")


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("0x1f", num(31)), ("1e-3", num(0.001)), ("-2", num(-2)), ('"t"', {"str": "t"}), ("ngpus", name("ngpus")),
        ("a + b * 2", {"bin": ["+", A, {"bin": ["*", B, num(2)]}]}),
        ("a - b - n", {"bin": ["-", {"bin": ["-", A, B]}, N]}),
        ("a < b && !n || 1", {"bin": ["||", {"bin": ["&&", {"bin": ["<", A, B]}, {"un": ["!", N]}]}, num(1)]}),
        ("-a ** 2", {"un": ["-", {"bin": ["**", A, num(2)]}]}),
        ("2 ** a ** b", {"bin": ["**", num(2), {"bin": ["**", A, B]}]}),
        ("a ? b : n ? 1 : 2", {"cond": [A, B, {"cond": [N, num(1), num(2)]}]}),
        ("min(a, 2)", {"call": ["min", [A, num(2)], {}]}), ("r[e]", {"index": [name("r"), [E]]}),
        ("r[e, 1]", {"index": [name("r"), [E, num(1)]]}),
        ("x@g + 4", {"bin": ["+", {"at": [X, G]}, num(4)]}), ("x@(g + 1)", {"at": [X, {"bin": ["+", G, num(1)]}]}),
        ("read(x@0, n)", {"call": ["read", [{"at": [X, num(0)]}, N], {}]}),
        ("sm.count", {"attr": [name("sm"), "count"]}),
        ("sm.latency.mufu", {"attr": [{"attr": [name("sm"), "latency"]}, "mufu"]}),
        ("x.stage(1)", {"call": [{"attr": [X, "stage"]}, [num(1)], {}]}),
        ("(a /* c */ + b) // c\n", {"bin": ["+", A, B]}),
    ],
)  # fmt: skip
def test_expressions(text: str, want: Any) -> None:
    assert expression(text) == want


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("param p = 64;", {"stmt": "param", "name": "p", "value": num(64)}),
        ('require a == b, "why";', {"stmt": "require", "cond": {"bin": ["==", A, B]}, "message": "why"}),
        ("require a;", {"stmt": "require", "cond": A, "message": ""}),
        ('print "n", n;', {"stmt": "print", "args": [{"str": "n"}, N]}),
        (
            "buffer w : bf16[a, 2 * b] = normal(0, std=0.02) same;",
            {"stmt": "buffer", "name": "w", "type": "bf16", "dims": [A, {"bin": ["*", num(2), B]}],
             "fill": {"call": ["normal", [num(0)], {"std": num(0.02)}]}, "same": True},
        ),
        (
            "buffer w : u32[1] on g opaque;",
            {"stmt": "buffer", "name": "w", "type": "u32", "dims": [num(1)], "on": G, "opaque": True},
        ),
        (
            "buffer w : u32[1] opaque(a) same;",
            {"stmt": "buffer", "name": "w", "type": "u32", "dims": [num(1)], "same": True, "opaque": A},
        ),
        ("buffer w : u32[1] = zeros;", {"stmt": "buffer", "name": "w", "type": "u32", "dims": [num(1)],
                                        "fill": name("zeros")}),
        (
            "for i in 0..n { print i; }",
            {"stmt": "for", "var": "i", "from": num(0), "to": N, "body": [{"stmt": "print", "args": [name("i")]}]},
        ),
        ("each gpu i { sync on i; }", {"stmt": "each", "var": "i", "body": [{"stmt": "sync", "on": name("i")}]}),
        (
            "if a { sync; } else if b { } else { barrier; }",
            {"stmt": "if", "cond": A, "then": [{"stmt": "sync", "on": "all"}],
             "else": [{"stmt": "if", "cond": B, "then": [], "else": [{"stmt": "barrier"}]}]},
        ),
        (
            "launch k on all grid(n, 2) block(128) shared 4 * a stream 1 gated q axis y (x, y@0, gpu);",
            {"stmt": "launch", "kernel": "k", "on": "all", "grid": [N, num(2)], "block": [num(128)],
             "shared": {"bin": ["*", num(4), A]}, "stream": num(1), "gated": {"gate": "q", "axis": "y"},
             "args": [X, {"at": [Y, num(0)]}, name("gpu")]},
        ),
        (
            "launch k on g grid(1) block(1) shared a (x);",
            {"stmt": "launch", "kernel": "k", "on": G, "grid": [num(1)], "block": [num(1)], "shared": A, "args": [X]},
        ),
        (
            "copy x@1 from y@0 bytes 64;",
            {"stmt": "copy", "dst": {"at": [X, num(1)]}, "src": {"at": [Y, num(0)]}, "bytes": num(64)},
        ),
        (
            "check y@0 ~ add(a, k=b) rtol 0 atol 1e-3;",
            {"stmt": "check", "got": {"at": [Y, num(0)]}, "reference": {"call": ["add", [A], {"k": B}]},
             "rtol": num(0), "atol": num(0.001)},
        ),
        (
            "rowsp m[e] gpu g rows n row_bytes 64 at x + 4;",
            {"stmt": "rowsp", "name": "m", "index": [E], "gpu": G, "rows": N, "row_bytes": num(64),
             "base": {"bin": ["+", X, num(4)]}},
        ),
        ("multicast m over x;", {"stmt": "multicast", "name": "m", "buffer": X}),
        (
            "dymulticast d bsize 64 ntoken n stage 1 experts e { for i in 0..e { bind i gpu g at x, y rows n; } }",
            {"stmt": "dymulticast", "name": "d", "bsize": num(64), "ntoken": N, "stage": num(1), "experts": E,
             "body": [{"stmt": "for", "var": "i", "from": num(0), "to": E, "body": [
                 {"stmt": "bind", "expert": name("i"), "gpu": G, "buffers": [X, Y], "rows": N}]}]},
        ),
        (
            "gate q groups n per gpu { watch x bytes 4 stride 8 cols 0..a*2 first 1; watch y bytes 4; } threshold 16"
            " closes kernel k expects 5;",
            {"stmt": "gate", "name": "q", "on": "all", "groups": N, "threshold": num(16), "closes": ["kernel", "k"],
             "expects": num(5), "watches": [
                 {"buffer": X, "bytes": num(4), "stride": num(8), "cols": [num(0), {"bin": ["*", A, num(2)]}],
                  "first": num(1)},
                 {"buffer": Y, "bytes": num(4)}]},
        ),
        ("gate q groups 1 on g { } threshold 1 closes rowsp;",
         {"stmt": "gate", "name": "q", "on": G, "groups": num(1), "watches": [], "threshold": num(1),
          "closes": ["rowsp"]}),
    ],
)  # fmt: skip
def test_statements(text: str, want: Any) -> None:
    assert statement(text) == want


def test_places() -> None:
    host = program("param n = 1;\n  for i in 0..n {\n    sync; }")
    assert [s["at"] for s in host.statements] == [[0, 6, 1], [0, 7, 3]]
    assert host.statements[1]["body"][0]["at"] == [0, 8, 5]


def test_places_in_included_files(tmp_path: Path) -> None:
    (tmp_path / "h.inc").write_text("\n sync;\n")
    module, diagnostics = parse_module(f'{HEAD}.host h {{\n.include "h.inc"\n}}\n', str(tmp_path / "p.s"))
    (host,) = module.items
    assert isinstance(host, HostProgram) and host.statements[0]["at"] == [1, 2, 2] and diagnostics == []


def test_constants_of_the_source_are_known() -> None:
    host = program("let n = TILE * 2; param TILE2 = 1; let m = TILE2;", before=".set TILE, 16\n.set TILE2, 3")
    assert bare(host.statements[0])["value"] == {"bin": ["*", num(16), num(2)]}
    assert bare(host.statements[2])["value"] == name("TILE2")
    assert host.sets == ("TILE", "TILE2")
    host = program("param n = 1; let m = n + TILE;", {"n": "5", "TILE": "8"}, ".set TILE, 16")
    assert bare(host.statements[1])["value"] == {"bin": ["+", name("n"), num(8)]}
    assert host.sets == ("TILE",)


def test_programs_of_the_repository(root: Path) -> None:
    """They are the longest host programs there are, and use every hub statement."""
    words = set()
    for path in sorted((root / "programs").glob("*/*.s")):
        module, diagnostics = parse_module(path.read_text(encoding="utf-8"), str(path))
        assert diagnostics == []
        words |= {s["stmt"] for item in module.items if isinstance(item, HostProgram) for s in item.statements}
    assert words >= {"gate", "dymulticast", "launch", "check", "buffer"}
