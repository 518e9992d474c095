import io

import pytest

from traces import units
from traces.summary import print_summary, render


def stats(gpus=2, kernels_per_gpu=2):
    return {
        "preset": "h200",
        "gpus": gpus,
        "clock_ghz": 2.0,
        "cycles": {g: 10_000 + g for g in range(gpus)},
        "instructions": 5_000_000,
        "wall_s": 2.5,
        "per_gpu": [
            {
                "gpu": g,
                "cycles": 10_000 + g,
                "instructions": 1000 * (g + 1),
                "ipc": 1.25,
                "tensor_util": 0.5,
                "dram_util": 0.25,
                "l2_util": None,
                "nvlink_tx_bytes": 1_500_000,
                "nvlink_rx_bytes": 2_000,
                "nvlink_tx_util": 0.125,
                "nvlink_rx_util": 0.0625,
                "stalls": {"wait": 300, "remote": 100, "barrier": 0},
                "hub": {"rpm_merges": 7 * g, "rat_hits": 3, "eos": 0},
            }
            for g in range(gpus)
        ],
        "kernels": [
            {"id": i, "gpu": g, "name": f"k[{i}]", "stream": 0, "start": 5000 * i, "end": 5000 * (i + 1), "ctas": 8}
            for g in range(gpus)
            for i in range(kernels_per_gpu)
        ],
        "host": [{"t_ns": 0, "dt_ns": 4000, "what": "launch k"}, {"t_ns": 1, "dt_ns": 0, "what": "let"}],
        "checks": [
            {"name": "y ~ moe", "ok": True, "max_error": 0.00125, "detail": ""},
            {"name": "z ~ moe", "ok": False, "max_error": 2.0, "detail": "[bold]at 3"},
        ],
        "trace": {"dir": "out", "records": 123_456, "bytes": 999_949},
    }


def line(text, start):
    return next(row.split() for row in text.splitlines() if row.startswith(start))


def section(text, title):
    return text.split("\n" + title, 1)[1].split("\n\n")[0]


def test_every_number_is_there():
    text = render(stats())
    assert text.splitlines()[0] == (
        "2 x h200, 10,001 cycles = 5.00 µs, 5.00M warp instructions, simulated in 2.50 s (2.00M/s)"
    )
    gpu = line(section(text, "GPUs"), "1 ")
    assert gpu == [
        "1",
        "10,001",
        "5.00",
        "µs",
        "2000",
        "1.25",
        "50.0%",
        "25.0%",
        "1.50",
        "MB",
        "12.5%",
        "2.00",
        "kB",
        "6.2%",
    ]
    assert line(text, "rpm merges") == ["rpm", "merges", "0", "7", "7"]
    assert line(text, "wait") == ["wait", "75.0%", "█" * 22, "600", "0.20"]
    assert line(text, "y ~ moe")[3:] == ["ok", "0.00125"]
    assert line(text, "z ~ moe")[3:] == ["FAILED", "2", "[bold]at", "3"]
    assert "trace: out (123k records, 1.00 MB)" in text
    assert "launch k" in section(text, "Host") and "let" not in section(text, "Host")


def test_what_is_zero_or_unknown_everywhere_is_left_out():
    text = render(stats())
    assert "eos" not in text and "barrier" not in text and " L2 " not in text


def test_kernels_are_drawn_to_scale():
    rows = section(render(stats()), "Kernels").splitlines()
    assert rows[2].startswith("k[0]") and rows[2].endswith("█" * 11 + "·" * 11)
    assert rows[4].startswith("k[1]") and rows[4].endswith("·" * 11 + "█" * 11)
    assert "2.50 µs" in rows[2]


def test_many_gpus_and_kernels_collapse():
    text = render(stats(gpus=32))
    assert line(section(text, "GPUs"), "highest")[1] == "10,031"
    assert line(text, "rpm merges") == ["rpm", "merges", "108.50", "0", "217", "3472"]
    assert line(text, "k[1]")[1:4] == ["32", "5,000", "10,000"]
    assert len(text.splitlines()) < 45


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_asked(width):
    text = render(stats(gpus=8), width)
    body = text.split("\n", 1)[1]
    assert max(map(len, body.splitlines())) <= width
    assert "50.0%" in text


def test_plain_text_without_blocks_where_they_cannot_be_written():
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="latin-1")
    print_summary(stats(), file)
    file.flush()
    text = raw.getvalue().decode("latin-1")
    assert "\x1b" not in text and "#" * 22 in text


@pytest.mark.parametrize("empty", [{}, {"per_gpu": [{"gpu": 0}]}, {"cycles": {}, "kernels": [{"name": "k"}]}])
def test_missing_sections_are_no_error(empty):
    assert "x" in render(empty)


def test_units():
    assert [units.count(v) for v in (0, 7, 9999, 99_999, 999_999, 1.5e6, 2e12, None, 0.5)] == [
        *("0", "7", "9999", "100k", "1.00M", "1.50M", "2.00T", "-", "0.50"),
    ]
    assert [units.size(v) for v in (12, 1500, 5e9)] == ["12 B", "1.50 kB", "5.00 GB"]
    assert [units.duration(v) for v in (12, 1500, 2.5e6, 3e9)] == ["12 ns", "1.50 µs", "2.50 ms", "3.00 s"]
    assert units.percent(0.4567) == "45.7%"
