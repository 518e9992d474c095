"""The shape of the repository: what lies where, what imports what, what is generated, how big things are."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP_LEVEL = {
    *("pyproject.toml", "README.md", "simasm", "simasm.py"),
    *("isa", "assembler", "sim", "traces", "tests", "programs"),
}
MOST_LINES, MOST_FUNCTION_LINES = 400, 60
GENERATED = ("isa/REFERENCE.md",)
FOREIGN_WORDS = ("claude", "chatgpt", "copilot", "anthropic", "openai", "prompt engineer", "language model")
NOT_FOR_HELP = ("numba", "numpy", "llvmlite", "lark", "duckdb", "rich", "msgspec", "ml_dtypes", "perfetto")


def tracked(*patterns: str) -> list[Path]:
    """Files of the repository, also those not committed yet, that git does not ignore."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in sorted(set(done.stdout.splitlines())) if (ROOT / line).is_file()]


def test_only_these_lie_at_the_top():
    names = {path.relative_to(ROOT).parts[0] for path in tracked()}
    assert {name for name in names if not name.startswith(".")} <= TOP_LEVEL


@pytest.mark.parametrize("folder", sorted(name for name in TOP_LEVEL if "." not in name and name != "simasm"))
def test_folders_say_what_lives_there(folder):
    """Every folder of the top level has a README, and that of sim/ names each of its own folders."""
    text = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    inner = {path.relative_to(ROOT / folder).parts[0] for path in tracked(f"{folder}/*/*.py")}
    assert folder != "sim" or [name for name in sorted(inner) if f"`{name}/`" not in text] == []


@pytest.mark.parametrize("package", ["isa", "assembler", "sim", "traces"])
def test_packages_are_packages(package):
    """A folder without __init__.py would vanish from the wheel, one without py.typed from type checkers."""
    assert (ROOT / package / "py.typed").exists()
    folders = {path.parent for path in tracked(f"{package}/*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_imports_go_one_way():
    """isa < (assembler | traces) < sim; the contracts are in pyproject.toml."""
    pytest.importorskip("importlinter")
    code = "from importlinter.cli import lint_imports_command as main; main(['--no-cache'])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_reference_is_current():
    """The manual of the instructions is made from the table."""
    from isa.generate import reference

    made = (ROOT / "isa" / "REFERENCE.md").read_text(encoding="utf-8")
    assert made == reference(), "run `./simasm python -m isa.generate` and commit the result"


def test_files_are_short():
    hand_written = [
        p for p in tracked("*.py", "*.lark", "simasm", ".ci/run") if str(p.relative_to(ROOT)) not in GENERATED
    ]
    assert len(hand_written) > 20
    long = {str(p.relative_to(ROOT)): n for p in hand_written if (n := len(p.read_text().splitlines())) > MOST_LINES}
    assert long == {}


def test_functions_are_short():
    long = {}
    for path in tracked("isa/*.py", "assembler/*.py", "sim/*.py", "traces/*.py", "simasm.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    long[f"{path.relative_to(ROOT)}:{node.name}"] = lines
    assert long == {}


def test_nothing_is_left_to_do():
    """Work that is not done has no place in the source, nor does who or what wrote it."""
    found = []
    for path in tracked("*.py", "*.md", "*.toml", "*.lark", "*.s", "simasm", ".ci/run"):
        if path == Path(__file__):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if any(word in line for word in ("TODO", "FIXME", "XXX")) or any(w in line.lower() for w in FOREIGN_WORDS):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


@pytest.mark.parametrize("words", [["--help"], ["run", "--help"], ["asm"], ["nosuchfile.s"], ["--gpu", "2"]])
def test_help_and_wrong_usage_load_nothing(words):
    """These must come at once: numba alone takes a second."""
    code = f"import sys, simasm\ntry: simasm.main({words!r})\nexcept SystemExit: pass\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    modules = done.stdout.splitlines()[-1].split()
    assert "simasm" in modules
    assert [name for name in NOT_FOR_HELP if name in modules] == []


def test_assembling_loads_no_compiler(tmp_path):
    source = tmp_path / "bad.s"
    source.write_text(
        ".version 9.0\n.target sm_90a\n.address_size 64\n.visible .entry k()\n{\n  ad.u32 %r0, 1, 2;\n}\n"
    )
    code = f"import sys, simasm\nassert simasm.main(['check', {str(source)!r}]) == 1\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert [name for name in ("numba", "llvmlite", "duckdb", "rich") if name in done.stdout.split()] == []
