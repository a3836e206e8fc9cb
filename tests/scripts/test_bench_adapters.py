"""The benchmark of adapters asks for recipes that load, and tells what its runs came to."""

from pathlib import Path

import pytest

from foundry.core import plugins
from foundry.core.load import load_recipe
from foundry.core.rundir import RunDir
from scripts import bench_adapters as bench
from tests.evals.arms.made import Made, finish, items, make_run, right


@pytest.mark.parametrize("trainer", bench.OVER)
def test_every_training_is_a_recipe_that_loads(tmp_path: Path, trainer: str):
    for adapter in plugins.names("adapter"):
        recipe, values = bench.asked(adapter, trainer, tmp_path)

        made = load_recipe(recipe, values).recipe
        assert (made.adapter.kind, made.train.kind, made.exports) == (adapter, trainer, ())
        assert made.train.spec.model_dump()["max_steps"] == bench.STEPS


def test_rejected_answer_is_another_than_the_chosen(tmp_path: Path):
    file = bench.preferences(tmp_path).with_name("pairs.jsonl")

    pairs = [bench.json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert len(pairs) > 8 * bench.STEPS
    assert all(pair["chosen"] != pair["rejected"] for pair in pairs)


def trained(out: Path, name: str, steps: int) -> RunDir:
    run = make_run(out / "runs", name, right(1.0, 0), Made(parameters=1234567), items(2))
    result = {
        "adapter": "adapter",
        "steps": steps,
        "first_loss": 2.5,
        "last_loss": 1.25,
        "trainable_parameters": 1234567,
        "proof": {"mask": {}, "reload": {}},
    }
    finish(run, "train", result, [run.file("adapter")])
    return run


def test_finished_runs_become_rows_and_what_failed_is_named(tmp_path: Path):
    trained(tmp_path, "whole-1", bench.STEPS)
    trained(tmp_path, "half-2", bench.STEPS - 1)

    found = bench.finished(tmp_path)
    lines = bench.lines(found, ["vera sft: killed"])

    assert list(found) == [("lora", "sft")]
    assert [line for line in lines if line.startswith("| lora | sft | 2.5000 | 1.2500 |")]
    assert "| 1,234,567 | 0.00 | mask, reload |" in lines[2]
    assert lines[-1] == "\n- not trained: vera sft: killed"
