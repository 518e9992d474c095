import pytest

from traces.capture import FOREVER, Capture, parse_capture
from traces.errors import TraceError


def test_ranges_and_masks_for_compiled_code():
    capture = parse_capture("gpu=0,2-3, sm=4-7,9, warp=1, cycles=1_000:5000")
    assert capture.gpu_mask == 0b1101
    assert (capture.sm_low, capture.sm_high) == (4, 9)
    assert capture.warp_mask == 2
    assert (capture.cycle_from, capture.cycle_until) == (1000, 5000)
    assert not capture.is_whole and not capture.needs_ops()


def test_nothing_said_means_everything():
    capture = parse_capture("")
    assert capture == Capture() and capture.is_whole
    assert capture.gpu_mask == 2**64 - 1 and capture.sm_low == 0 and capture.sm_high >= 131
    assert capture.cycle_until == FOREVER and capture.where() == "true"


def test_open_ends_of_cycles():
    assert parse_capture("cycles=:50").cycle_until == 50
    assert parse_capture("cycles=50:") == Capture(cycle_from=50)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpus=0", "did you mean `gpu`"),
        ("0-3", "not of the form key=value"),
        ("sm=x", "`x` in `sm` is not a number"),
        ("sm=5-2", "ends before it begins"),
        ("cycles=9:3", "is empty"),
        ("cycles=9", "one range"),
        ("stall=long_scorebord", "did you mean `long_scoreboard`"),
    ],
)
def test_mistakes_are_named(text, message):
    with pytest.raises(TraceError, match=message):
        parse_capture(text)
