import io
import time
from types import SimpleNamespace

from sim import progress
from sim.progress import Progress


def state(instructions=5_000_000, done=1, total=4):
    return SimpleNamespace(cycles=1_234_567, instructions=instructions, done=done, total=total)


def test_plain_lines_give_rate_and_time_left(monkeypatch):
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    out = io.StringIO()
    with Progress(out) as shown:
        time.sleep(0.01)
        shown.update(state())
        shown.update(state(6_000_000, 2))
    lines = out.getvalue().splitlines()
    assert len(lines) == 1, "one line every few seconds"
    assert "1,234,567 cycles" in lines[0] and "M/s" in lines[0] and "25%" in lines[0] and "s left" in lines[0]


def test_blocks_that_all_end_at_the_end_tell_nothing(monkeypatch):
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    monkeypatch.setattr(progress, "PLAIN_SECONDS", 0.0)
    out = io.StringIO()
    with Progress(out) as shown:
        shown.update(state())
        for i in range(3):
            time.sleep(0.01)
            shown.update(state(6_000_000 + i))
        shown.update(state(7_000_000, 2))
    *persistent, steady = out.getvalue().splitlines()
    assert len(persistent) >= 2 and "s left" not in persistent[-1]
    assert "s left" in steady, "a block has just ended"


def test_short_or_quiet_runs_show_nothing(monkeypatch):
    out = io.StringIO()
    with Progress(out) as shown:
        shown.update(state())
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    with Progress(out, quiet=True) as shown:
        shown.update(state())
    assert out.getvalue() == ""


def test_a_long_start_is_not_silent(monkeypatch):
    monkeypatch.setattr(progress, "SILENT_SECONDS", 0.01)
    out = io.StringIO()
    with Progress(out):
        time.sleep(0.1)
    assert "compiles the core" in out.getvalue()


def test_terminal_gets_a_bar_that_goes_away(monkeypatch):
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)

    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out, printed = Terminal(), io.StringIO()
    with Progress(out) as shown:
        time.sleep(0.01)
        shown.update(state())
        shown.print("hello", printed)
        shown.update(state(6_000_000, 2))
    assert printed.getvalue() == "hello\n"


def test_what_ran_before_the_first_word_is_not_speed(monkeypatch):
    monkeypatch.setattr(progress, "FIRST_SECONDS", 0.0)
    out = io.StringIO()
    with Progress(out) as shown:
        shown.update(state(5_000_000_000))
    assert "(0.00 M/s)" in out.getvalue()
