"""The speed comparison compares the same rows and drops the step that warms up."""

import pytest

from scripts import bench


def result(side: str, rate: float, tokens: int = 100) -> dict[str, object]:
    return {
        "side": side,
        "tokens_per_s": rate,
        "tokens": tokens,
        "peak_mb": 1,
        "first_loss": 3.0,
    }


def test_the_first_step_is_not_counted():
    found = bench.rated([(10.0, 500), (12.0, 700), (14.0, 900)])

    assert (found["tokens"], found["seconds"], found["tokens_per_s"]) == (400, 4.0, 100.0)


def test_ratio_is_of_neighbours_with_its_range():
    rates = [("ours", 30.0), ("trl", 10.0), ("ours", 20.0), ("trl", 20.0), ("ours", 40.0)]

    found = bench.summarise([result(*rate) for rate in [*rates, ("trl", 20.0)]])

    assert found["ratio"] == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert found["ours"]["tokens_per_s"] == 30.0


def test_other_rows_are_no_comparison():
    with pytest.raises(ValueError, match="not the same rows"):
        bench.summarise([result("ours", 30.0), result("trl", 10.0, tokens=99)])
