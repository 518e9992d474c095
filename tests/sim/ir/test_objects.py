"""The cache of compiled objects, and the refusal of CPUs that cannot run them."""

import subprocess
import sys

import pytest

from sim.ir import objects
from sim.ir.library import load_library

PROGRAM = """
from sim.ir.library import library
from sim.ir import objects
f = objects.compile_object
objects.compile_object = lambda *args: print("compiled") or f(*args)
print(len(library()))
"""


def run(cache):
    """Output of a process that loads the library."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env={"SIMASM_CACHE": str(cache)}, check=True
    )
    return done.stdout.split()


def test_a_second_process_compiles_nothing(tmp_path):
    first, second = run(tmp_path), run(tmp_path)
    assert first[0] == "compiled" and second == first[1:]
    (path,) = (tmp_path / "objects").iterdir()
    assert path.suffix == ".o"  # nothing half-written is left


def test_a_damaged_object_is_compiled_again(tmp_path):
    run(tmp_path)
    (path,) = (tmp_path / "objects").iterdir()
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert run(tmp_path)[0] == "compiled"
    assert path.read_bytes() == whole


def test_an_unwritable_directory_means_no_cache(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert run(blocked)[0] == "compiled"


def test_the_key_follows_sources_cpu_and_names(monkeypatch):
    paths = [objects.cache_path("ops", objects.host(), ["a", "b"])]
    paths.append(objects.cache_path("ops", objects.host(), ["a"]))
    paths.append(objects.cache_path("ops", objects.PORTABLE, ["a"]))
    monkeypatch.setattr(objects, "sources_digest", lambda: "another")
    paths.append(objects.cache_path("ops", objects.host(), ["a"]))
    assert len(set(paths)) == 4


@pytest.mark.parametrize("missing", objects.REQUIRED)
def test_refuses_a_cpu_without(monkeypatch, missing):
    features = {**dict.fromkeys(objects.REQUIRED, True), missing: False}
    monkeypatch.setattr(objects.binding, "get_host_cpu_features", lambda: features)
    monkeypatch.setattr(objects.binding, "get_host_cpu_name", lambda: "oldtimer")
    objects.host.cache_clear()
    try:
        with pytest.raises(objects.UnsupportedCpu, match=rf"oldtimer.*lacks {missing.upper()}"):
            objects.host()
    finally:
        objects.host.cache_clear()


def test_library_loads_for_both_cpus():
    assert load_library(objects.PORTABLE).keys() == load_library(objects.host()).keys()
