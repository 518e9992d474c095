"""The command line: what it prints where, its exit codes, and what it says about mistakes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import simasm

ROOT = Path(__file__).resolve().parents[1]
KERNEL = """.version 9.0
.target sm_90a
.address_size 64

.visible .entry twice(.param .u64 x, .param .u32 n)
{
    .reg .pred %done;
    .reg .b32 %i, %n, %t, %cta, %width;
    .reg .b64 %p;
    .reg .f32 %v;
    mov.u32 %t, %tid.x;
    mov.u32 %cta, %ctaid.x;
    mov.u32 %width, %ntid.x;
    mad.lo.u32 %i, %cta, %width, %t;
    ld.param.u32 %n, [n];
    setp.ge.u32 %done, %i, %n;
    @%done ret;
    ld.param.u64 %p, [x];
    mad.wide.u32 %p, %i, 4, %p;
    ld.global.f32 %v, [%p];
    add.f32 %v, %v, %v;
    st.global.f32 [%p], %v;
    ret;
}

.visible .entry hang()
{
    bar.sync 0, 64;
    ret;
}
"""
HOST = """
.host main {
    param n = 256;
    param items = 256;
    buffer x : f32[n] = iota;
    buffer y : f32[n] = iota;
    print "n is", n;
    launch twice on all grid(ceil_div(items, 64)) block(64) (x, items);
    check x ~ add(y, y) rtol 0;
}
"""
HANGING = """
.host main {
    launch hang on 0 grid(1) block(32) ();
    sync;
}
"""


@pytest.fixture
def program(tmp_path):
    """Write a program; returns its path."""

    def write(host=HOST, kernel=KERNEL):
        path = tmp_path / "twice.s"
        path.write_text(kernel + host)
        return str(path)

    return write


@pytest.fixture
def cli(capsys, tmp_path, monkeypatch):
    """Run the command line in an empty folder; returns (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        try:
            code = simasm.main([str(word) for word in words])
        except SystemExit as end:
            code = end.code or 0
        return code, *capsys.readouterr()

    return run


# --- running


def test_run_prints_a_summary(cli, program):
    code, out, err = cli(program(), "--gpus", 2)
    assert code == 0, err
    assert "n is 256" in out
    assert "2 x h200" in out and "twice" in out and "ok" in out


def test_run_prints_json(cli, program):
    code, out, err = cli("run", program(), "--json", "--gpus", 2, "--seed", 3)
    assert code == 0, err
    found = json.loads(out)
    assert found["schema"] == 1
    assert [check["ok"] for check in found["checks"]] == [True]
    assert set(found) == {
        *("schema", "checks", "cycles", "instructions", "wall_s", "memory_hash", "stats_hash", "trace")
    }
    assert set(found["cycles"]) == {"0", "1"} and found["instructions"] > 0 and found["trace"] is None
    assert "n is 256" in err, "what the program prints must not spoil the JSON"


def test_runs_are_repeatable_and_threads_do_not_matter(cli, program):
    file = program()
    first, second = (json.loads(cli(file, "--json", "--gpus", 2, "--threads", n)[1]) for n in (1, 2))
    assert first["stats_hash"] == second["stats_hash"] and first["memory_hash"] == second["memory_hash"]


def test_functional_gives_the_same_memory(cli, program):
    file = program()
    timed, functional = (json.loads(cli(file, "--json", *option)[1]) for option in ((), ("--functional",)))
    assert timed["memory_hash"] == functional["memory_hash"]


def test_settings_change_the_machine(cli, program):
    file = program()
    fast, slow = (json.loads(cli(file, "--json", "--set", f"hbm.latency_cycles={n}")[1]) for n in (600, 6000))
    assert slow["cycles"]["0"] > fast["cycles"]["0"]


def test_defines_set_parameters(cli, program):
    code, out, _ = cli(program(), "-D", "n=512", "-D", "items=512", "--quiet")
    assert (code, out) == (0, "n is 512\n")


def test_what_is_modelled_approximately_is_said(cli, program):
    merged = KERNEL.replace("sm_90a", "sm_90a, cais").replace("ld.global.f32", "ld.global.cais.f32")
    code, _, err = cli(program(kernel=merged), "--quiet")
    assert code == 0 and "approximate: ld.cais" in err
    assert "approximate" not in cli(program(), "--quiet")[2]


def test_failed_check_is_3(cli, program):
    code, _, err = cli(program(), "-D", "items=100")
    assert code == 3
    assert "check failed" in err


def test_trace_is_written_and_read(cli, program, tmp_path):
    code, out, err = cli(program(), "--trace", "--json")
    assert code == 0, err
    trace = json.loads(out)["trace"]
    assert trace["dir"] == "out/twice.trace" and trace["records"] > 0 and trace["bytes"] > 0 and trace["hash"]
    code, out, _ = cli("trace", trace["dir"], "op=ld.global*", "--limit", 3)
    assert code == 0 and "ld.global.f32" in out
    code, out, _ = cli("trace", trace["dir"], "--sql", "SELECT count(*) AS n FROM instructions", "--form", "json")
    assert json.loads(out)["rows"] == [{"n": trace["records"]}]
    code, out, _ = cli("trace", trace["dir"], "--sql", "SELECT count(*) FROM host WHERE what LIKE 'launch%'")
    assert out.split()[-1] == "1"
    code, out, _ = cli("trace", trace["dir"], "--stalls")
    assert code == 0 and "selected" in out
    cli(program(), "--trace", "again,gpu=0", "--quiet")
    assert cli("trace", trace["dir"], "--diff", "again")[0] == 0
    cli(program(), "--trace", "slow", "--quiet", "--set", "hbm.latency_cycles=3000")
    assert cli("trace", trace["dir"], "--diff", "slow")[0] == 3
    assert cli("trace", trace["dir"], "--perfetto", "t.pftrace")[0] == 0
    assert (tmp_path / "t.pftrace").stat().st_size > 0


def test_deadlock_is_4_and_says_who_waits(cli, program):
    code, _, err = cli(program(HANGING))
    assert code == 4
    assert "twice.s:28" in err or "bar.sync" in err or "barrier" in err


def test_bad_address_is_5_on_its_line(cli, program):
    code, _, err = cli(program(HOST.replace("(x, items)", "(12345, items)").replace("print", "// print")))
    assert code == 5
    line = KERNEL[: KERNEL.index("ld.global")].count("\n") + 1
    assert f"twice.s:{line}:" in err
    assert f"{line} |     ld.global.f32 %v, [%p];" in err and "|     ^" in err


def test_limit_is_6(cli, program):
    assert cli(program(), "--max-cycles", 300)[0] == 6


def test_python_api(program, tmp_path):
    result = simasm.run(program(), gpus=2, defines={"n": 128, "items": 128}, output=lambda line: None)
    assert result.ok and result.json()["checks"][0]["max_error"] == 0
    image = simasm.assemble(KERNEL)
    machine = simasm.Machine(image, settings={"sm.count": 4})
    at = machine.alloc(0, 128)
    machine.write(at, b"\0\0\x80\x3f" * 32)
    machine.launch(0, "twice", (1, 1, 1), (32, 1, 1), params=at.to_bytes(8, "little") + (32).to_bytes(4, "little"))
    machine.run()
    assert machine.read(at, 128) == b"\0\0\0\x40" * 32


# --- assembling


def test_asm_then_dis_then_run(cli, program):
    file = program()
    code, out, _ = cli("asm", file)
    assert code == 0
    assert "registers" in out and "out/twice.npz" in out
    code, text, _ = cli("dis", "out/twice.npz")
    assert code == 0 and "add.f32" in text
    assert cli("dis", file)[1] == text
    assert cli("run", "out/twice.npz", "--quiet")[0] == 0


def test_emit_ptx_leaves_out_the_host(cli, program):
    code, out, _ = cli("asm", "--emit-ptx", program())
    assert code == 0
    assert ".entry twice" in out and ".host" not in out


def test_source_errors_are_1_and_all_shown(cli, program):
    file = program(kernel=KERNEL.replace("add.f32", "ad.f32").replace("ld.global.f32", "ld.global.f23"))
    code, out, err = cli("check", file)
    assert (code, out) == (1, "")
    assert "twice.s:20:" in err and "twice.s:21:" in err and "^" in err
    assert "did you mean `add`?" in err
    assert cli(file)[0] == 1


def test_check_looks_at_every_file(cli, program, tmp_path):
    good = program()
    bad = tmp_path / "bad.s"
    bad.write_text(KERNEL.replace("ret;", "rett;"))
    code, out, err = cli("check", bad, good)
    assert code == 1
    assert "bad.s:" in err and "twice.s: ok" in out


@pytest.mark.parametrize("command", ["check", "asm", "dis", "run"])
def test_warnings_are_told(cli, program, tmp_path, command):
    """A declaration that nothing defines: every command says so once, and goes on."""
    file = tmp_path / "warned.s"
    file.write_text(KERNEL.replace(".visible", ".extern .global .u32 elsewhere;\n.visible", 1) + HOST)
    code, _, err = cli(command, file, *(["-o", tmp_path / "x"] if command in ("asm", "dis") else []))
    assert code == 0
    assert err.count("warning: `elsewhere` is declared, but no module defines it") == 1
    assert f"{file}:" in err and ".extern .global .u32 elsewhere;" in err


def test_modules_are_linked(cli, program, tmp_path):
    """`run`, `asm`, `dis` and `check --link` take the modules of one program; results are those of one file."""
    body = ".visible .func (.reg .f32 r) double(.reg .f32 x) { add.f32 r, x, x; ret; }\n"
    head = KERNEL.partition(".visible")[0]
    kernel = KERNEL.replace("add.f32 %v, %v, %v;", "call (%v), double, (%v);")
    kernel = kernel.replace(head, f"{head}.extern .func (.reg .f32 r) double(.reg .f32 x);\n")
    files = [tmp_path / name for name in ("kernels.ptx", "helpers.ptx", "host.s")]
    for file, text in zip(files, (kernel, head + body, head + HOST), strict=True):
        file.write_text(text)
    assert cli(files[0], "--functional", "-q", "-D", "n=64", *files[1:], "-D", "items=64")[0] == 0
    assert cli("check", "--link", *files)[0] == 0
    code, _, err = cli("check", "--link", files[0], files[2])
    assert code == 1 and "kernels.ptx:5:29: error: `double` is declared, but no module defines it" in err
    image = tmp_path / "out.npz"
    assert cli("asm", *files, "-o", image)[0] == 0 and cli(image, "--functional", "-q")[0] == 0
    code, out, _ = cli("dis", *files)
    assert code == 0 and ".entry twice" in out and ".func double" in out
    assert cli(image, files[0])[0] == 2


# --- tables


def test_isa(cli):
    code, out, _ = cli("isa", "show", "add")
    assert code == 0 and "add.type d, a, b" in out and "PTX ISA" in out
    code, out, _ = cli("isa", "list")
    assert code == 0 and len(out.splitlines()) > 100
    code, _, err = cli("isa", "show", "addd")
    assert code == 2 and "did you mean `add`?" in err


def test_config(cli):
    code, out, _ = cli("config", "show", "--preset", "h800-8", "--set", "nvlink.link_gbps=30")
    assert code == 0
    row = next(line for line in out.splitlines() if line.startswith("nvlink.link_gbps"))
    assert row.split()[1:4] == ["30", "GB/s", "command"]
    assert "h200" in cli("config", "presets")[1].split()


def test_doctor(cli):
    code, out, _ = cli("doctor")
    assert code == 0, out
    assert "BAD" not in out and "numba 0.68.1" in out


# --- mistakes


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["twise.s"], "did you mean `twice.s`?"),
        (["asn"], "did you mean `asm`?"),
        (["run", "twice.s", "--gpu", "2"], "did you mean `--gpus`?"),
        (["twice.s", "--gpus", "65"], "from 1 to 64"),
        (["twice.s", "--gpus", "two"], "from 1 to 64"),
        (["twice.s", "-D", "n"], "name=value"),
        (["twice.s", "-D", "m=3"], "no such parameter"),
        (["twice.s", "--set", "hbm.latency=3"], "did you mean"),
        (["twice.s", "--preset", "h20"], "did you mean `h200`?"),
        (["twice.s", "--trace", "x,gpus=0"], "did you mean `gpu`?"),
        (["twice.s", "--host", "other"], "no .host block called `other`"),
        (["twice.s", "extra"], "extra: no such file"),
        (["run"], "which program?"),
        (["."], "is a directory"),
        (["trace", "nowhere"], "no such directory"),
        (["isa", "list", "arit"], "did you mean `arith`?"),
    ],
)
def test_wrong_usage_is_2_and_helps(cli, program, words, told):
    program()
    code, out, err = cli(*words)
    assert (code, out) == (2, ""), err
    assert told in err
    assert "Traceback" not in err


def test_program_without_host_says_how_to_add_one(cli, program):
    code, _, err = cli(program(""))
    assert code == 2
    assert ".host main {" in err and "`twice`" in err


def test_trace_does_not_swallow_the_program(cli, program):
    assert cli("--quiet", "--trace", program())[0] == 0


def test_a_bug_of_ours_is_70_with_a_log(cli, monkeypatch, program):
    def broken(*_, **__):
        raise KeyError("surprise")

    monkeypatch.setattr(simasm, "assemble", broken)
    code, _, err = cli(program())
    assert code == 70
    assert "internal error: KeyError: 'surprise'" in err and "Traceback" not in err
    log = Path(err.split()[-1])
    assert "Traceback" in log.read_text()
    log.unlink()


def test_interrupt_is_130(cli, monkeypatch, program):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(simasm, "assemble", interrupted)
    assert cli(program())[0] == 130


def test_help_names_the_exit_codes(cli):
    for words in (["--help"], ["run", "--help"], []):
        code, out, _ = cli(*words)
        assert code == 0 and "exit codes" in out and "usage: simasm" in out


# --- the launcher


def test_launcher_keeps_the_folder_and_ignores_namesakes(environment, tmp_path):
    """A folder `sim` where the user stands must not be imported instead of ours."""
    (tmp_path / "sim").mkdir()
    (tmp_path / "sim" / "__init__.py").write_text("raise SystemExit('the wrong one')\n")
    (tmp_path / "k.s").write_text(KERNEL)
    done = subprocess.run(
        [sys.executable, ROOT / "simasm", "check", "k.s"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("k.s: ok")


def test_launcher_can_be_read_by_old_pythons():
    import ast

    ast.parse((ROOT / "simasm").read_text(), feature_version=(3, 6))
