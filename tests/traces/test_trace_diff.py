from traces.diff import first_divergence
from traces.read import open_trace


def differ(left, right, timing=True):
    with open_trace(left) as a, open_trace(right) as b:
        return first_divergence(a, b, timing)


def test_equal_traces_have_no_difference(tmp_path, canned):
    canned.write(tmp_path / "a")
    canned.write(tmp_path / "b", part_records=33)
    assert differ(tmp_path / "a", tmp_path / "b") is None


def test_the_earliest_difference_is_found(tmp_path, canned):
    def change(gpu, records):
        if gpu == 1:
            records[60:80, 1] += 5  # later completion from step 20 of warp 1 on
            records[50, 6] ^= 64  # another address at its step 10

    canned.write(tmp_path / "a")
    canned.write(tmp_path / "b", change=change)
    found = differ(tmp_path / "a", tmp_path / "b")
    assert (found.warp["gpu"], found.warp["warp"], found.step) == (1, 1, 10)
    assert found.fields == ("address",)
    assert found.left["address"] ^ found.right["address"] == 64
    assert [row["cycle"] for row in found.before] == [canned.run(1)[0][i, 0] for i in (47, 48, 49)]
    assert "its instruction 10 (address)" in str(found)
    assert "-" in str(found) and "+" in str(found)


def test_without_timing_only_the_path_counts(tmp_path, canned):
    def change(gpu, records):
        records[:, 0] += 7
        if gpu == 0:
            records[239, 3] ^= 1

    canned.write(tmp_path / "a")
    canned.write(tmp_path / "b", change=change)
    assert "issue" in differ(tmp_path / "a", tmp_path / "b").fields
    found = differ(tmp_path / "a", tmp_path / "b", timing=False)
    assert (found.warp["gpu"], found.step, found.fields) == (0, 39, ("pc",))


def test_an_instruction_too_many(tmp_path, canned):
    def change(gpu, records):
        if gpu == 0:
            records[239, 3] = records[239, 3] & 0xFFFFFFFF | 5 << 32

    canned.write(tmp_path / "a")
    canned.write(tmp_path / "b", change=change)
    found = differ(tmp_path / "a", tmp_path / "b", timing=False)
    assert found.left is None or found.right is None
    assert "only in one trace" in str(found)
