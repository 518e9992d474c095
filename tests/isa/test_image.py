"""Saving an Image and reading it back."""

import json

import numpy as np
import pytest

from isa.image import (
    COLUMNS,
    FORMAT,
    Function,
    Image,
    Kernel,
    OperandKind,
    Param,
    Role,
    Symbol,
    empty_columns,
    load,
    pack,
    save,
)


def small() -> Image:
    columns = empty_columns()
    rows = [(OperandKind.REG, Role.WRITE, 3, 0), (OperandKind.CONST, Role.READ, -1 & (1 << 62), 1)]
    for kind, role, value, group in rows:
        names = ("o_kind", "o_role", "o_value", "o_group", "o_type", "o_offset")
        for name, x in zip(names, (kind, role, value, group, 5, 0), strict=True):
            columns[name].append(x)
    for name, x in zip(("op", "guard", "file", "line", "col", "end", "first"), (0, -2, 0, 7, 3, 9, 2), strict=True):
        columns[name].append(x)
    kernel = Kernel("k", 0, 1, [Param("a", "u64", 0, 8, 8)], 8, 4, 1, 0, 0, reqntid=(32, 1, 1))
    function = Function("f", -1, -1, 0, 0, 4, 0, 1, 0)
    symbols = [Symbol("g", "global", 0, 16, 8, b"\1" * 16, [(8, 1)]), Symbol("s", "shared", -1, 0, 16, extern=True)]
    parts = {"kernels": [kernel], "functions": [function], "symbols": symbols, "host": {"name": "main"}}
    return Image("d", ["sm_90a"], ["a.s"], ["text"], ["mov.u32"], **pack(columns), **parts)


def test_round_trip(tmp_path):
    image = small()
    save(image, tmp_path / "i.npz")
    again = load(tmp_path / "i.npz")
    assert again.same_code(image)
    for name, dtype in COLUMNS.items():
        assert getattr(again, name).dtype == dtype and np.array_equal(getattr(again, name), getattr(image, name))
    assert again.kernels == image.kernels and again.functions == image.functions and again.symbols == image.symbols
    assert again.host == {"name": "main"} and again.files == ["a.s"] and again.texts == ["text"]


def test_reading_rows():
    image = small()
    assert len(image) == 1 and image.name(0) == "mov.u32" and image.source(0) == ("a.s", 7, 3)
    d, a = image.operands(0)
    assert (d.kind, d.role, d.value) == (OperandKind.REG, Role.WRITE, 3) and a.value == 1 << 62
    assert image.kernel("k").reqntid == (32, 1, 1)
    with pytest.raises(KeyError):
        image.kernel("nope")


def test_difference_is_seen():
    image, other = small(), small()
    other.o_value[0] = 4
    assert not image.same_code(other)
    other = small()
    other.symbols[0].init = b"\2" * 16
    assert not image.same_code(other)


def test_other_format_is_refused(tmp_path):
    save(small(), tmp_path / "i.npz")
    arrays = dict(np.load(tmp_path / "i.npz"))
    meta = json.loads(arrays["meta"].tobytes())
    meta["format"] = FORMAT + 1
    arrays["meta"] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(tmp_path / "j.npz", **arrays)
    with pytest.raises(ValueError, match="format"):
        load(tmp_path / "j.npz")
