"""The comparison of batches compares the same questions, and says how many answers are equal."""

import pytest

from scripts import bench_generation
from scripts.bench_generation import ALONE, SIDES, summarise


def result(side: str, rate: float, second: int = 8) -> dict[str, object]:
    return {"side": side, "tokens_per_s": rate, "ids": [[5, 6], [7, second]]}


def rounds(*rates: tuple[float, ...], **answers: int) -> list[dict[str, object]]:
    """Two sides one by one, then batches of 8 and 32, of which the last may answer otherwise."""
    *first, last = SIDES
    return [
        found
        for one in rates
        for found in (
            *(result(side, rate) for side, rate in zip(first, one, strict=False)),
            result(last, one[-1], **answers),
        )
    ]


def test_ratio_is_of_neighbours_and_equal_answers_are_counted():
    found = summarise(rounds((10, 20, 40, 80), (10, 10, 40, 20), (10, 20, 20, 60), second=9))

    assert found["ours, batches of 8"]["ratio"] == {"median": 2.0, "low": 1.0, "high": 4.0}
    assert found["ours, batches of 32"] | {"tokens_per_s": 0, "ratio": 0} == {
        **{"tokens_per_s": 0, "ratio": 0},
        **{"equal": 1, "answers": 2, "n": 3},
    }
    rows = bench_generation.table({"tiny": found})[2:]
    assert rows[1] == f"| tiny, {ALONE} | 20.0 (10.0 to 20.0) | – | 2 of 2 | 3 |"
    assert rows[2] == (
        "| tiny, ours, batches of 8 | 40.0 (20.0 to 40.0) | 2.00 (1.00 to 4.00) | 2 of 2 | 3 |"
    )


def test_side_that_answers_otherwise_each_time_is_no_result():
    changed = rounds((10, 20, 40, 80)) + rounds((10, 20, 40, 80), second=9)

    with pytest.raises(ValueError, match="batches of 32: other answers in another round"):
        summarise(changed)
