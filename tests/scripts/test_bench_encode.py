"""The comparison of encoding speeds compares the same rows, made once."""

from pathlib import Path

import pytest

from foundry.data.prepare import read_examples
from scripts import bench_encode
from scripts.performance import write_section


def result(side: str, rate: float, ids: str = "same", rows: int = 10) -> dict[str, object]:
    memory = {"before_mb": 1, "peak_mb": 2}
    counts = {"rows_per_s": rate, "cpu_ms_per_row": 1.0, "supervised": 5, **memory}
    return {"side": side, "rows": rows, "ids": ids, **counts}


def test_ratio_is_of_neighbours_with_its_range():
    rates = [("ours", 30.0), ("trl", 10.0), ("ours", 20.0), ("trl", 20.0), ("ours", 40.0)]
    other = [result("ours", 1000.0, rows=99), result("trl", 1.0, rows=99)]

    found = bench_encode.summarise(10, [*(result(*r) for r in [*rates, ("trl", 20.0)]), *other])

    assert found["ratio"] == {"median": 2.0, "low": 1.0, "high": 3.0}
    assert found["ours"]["rows_per_s"] == 30.0
    assert "ours / trl: 2.00 (1.00 to 3.00, 3 rounds)" in bench_encode.shown([found])


def test_other_ids_are_no_comparison():
    with pytest.raises(ValueError, match="not the same ids at 10 rows"):
        bench_encode.summarise(10, [result("ours", 30.0), result("trl", 10.0, ids="other")])


def test_figures_are_written_beside_those_of_other_sizes(tmp_path: Path):
    page = tmp_path / "docs" / "performance.md"
    sizes = {
        rows: bench_encode.summarise(
            rows, [result("ours", rate, rows=rows), result("trl", 10.0, rows=rows)]
        )
        for rows, rate in ((1_000, 30.0), (100_000, 20.0))
    }

    for rows in (100_000, 1_000):
        bench_encode.write(page, "tiny", [sizes[rows]])

    table = [line for line in page.read_text("utf-8").splitlines() if line.startswith("|")]
    assert table[2:] == [
        "| 1,000 | 30 | 10 | 3.00 (3.00 to 3.00, 1 rounds) | 2 | 2 |",
        "| 100,000 | 20 | 10 | 2.00 (2.00 to 2.00, 1 rounds) | 2 | 2 |",
    ]


def test_figures_of_another_machine_are_replaced_and_the_rest_of_the_page_stays(tmp_path: Path):
    page = tmp_path / "performance.md"
    page.write_text("# Ours\n\nBy hand.\n", encoding="utf-8")
    parts = {"about": "About.", "columns": ("rows", "a")}

    write_section(page, "One", measured_on="old", rows={10: ["1"], 20: ["2"]}, **parts)
    write_section(page, "Two", measured_on="old", rows={10: ["3"]}, **parts)
    write_section(page, "One", measured_on="new", rows={10: ["4"]}, **parts)

    text = page.read_text(encoding="utf-8")
    assert text.startswith("# Ours\n\nBy hand.\n\n")
    assert [line for line in text.splitlines() if line[:3] in ("| 1", "| 2", "## ")] == [
        *("## One", "| 10 | 4 |", "## Two", "| 10 | 3 |"),
    ]
    assert "new" in text and text.count("## ") == 2


def test_examples_are_whole_conversations_of_one_to_four_exchanges(tmp_path: Path):
    rows = read_examples(bench_encode.write_examples(9, tmp_path))

    assert [len(row.messages) for row in rows] == [2, 4, 6, 8, 2, 4, 6, 8, 2]
    assert len({row.messages for row in rows}) == 9
    assert {turn.role for row in rows for turn in row.messages} == {"user", "assistant"}
