"""Two runs beside each other: only what differs, by the part of the run it is in."""

from pathlib import Path

from foundry.core import atomic
from foundry.store.run_diff import PARTS, differences, document
from foundry.store.runs import Run
from tests.store.made_runs import PLAN, make


def test_equal_runs_do_not_differ_but_in_their_names(tmp_path: Path):
    found = document(make(tmp_path, "shop-1"), make(tmp_path, "shop-2"))

    assert (found["a"], found["b"]) == ("shop-1", "shop-2")
    assert {part: found[part] for part in PARTS if part != "results"} == {
        "recipe": {},
        "base": {},
        "data": {},
        "resolved": {},
        "environment": {},
    }


def test_each_difference_is_in_its_part(tmp_path: Path):
    a = make(tmp_path, "shop-1")
    values = {**PLAN["values"], "adapter": {"kind": "lora", "rank": 16}}
    b = make(
        tmp_path,
        "shop-2",
        values=values,
        base={"name": "tiny", "sha256": "cc", "folder": "/elsewhere"},
        inputs={"data.sources.0.path": "dd"},
        resolved={"threads": 4},
    )
    atomic.write_json(b.dir.file("env.json"), {"python": "3.11", "packages": {"torch": "2.14.0"}})

    found = document(a, Run(b.dir))

    assert found["recipe"] == {"adapter.rank": [8, 16]}
    assert found["base"] == {"sha256": ["aa", "cc"]}  # where it lies makes no difference
    assert found["data"] == {"inputs.data.sources.0.path": ["bb", "dd"]}
    assert found["resolved"] == {"threads": [2, 4]}
    assert found["environment"] == {"packages.torch": ["2.13.0", "2.14.0"]}


def test_results_stand_beside_each_other(tmp_path: Path):
    a, b = make(tmp_path, "shop-1"), make(tmp_path, "shop-2", until="encode")

    assert document(a, b)["results"]["train.last_loss"] == [1.0, None]


def test_list_that_is_longer_differs_in_what_is_more():
    assert differences({"x": [1, 2]}, {"x": [1, 2, {"y": 3}], "z": None}) == {"x.2.y": [None, 3]}
