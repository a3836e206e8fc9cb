"""Where the runs of a study are trained: one on each GPU, or some at once on the processor."""

import json

import pytest
import torch

from foundry.planning import accelerator
from foundry.planning.accelerator import Card, Look
from foundry.store.runs import Run, find
from foundry.studies.crew import ALONE, GPUS, THREADS, Crew, gpus
from foundry.studies.run import run_study
from tests.studies.test_run_study import ACCEPTED, STUDY, ignore, study
from tests.tiny_recipe import TinyRecipe

CARD = Card("made up", 8 << 30, has_bfloat16=True, is_unified=False)


@pytest.mark.parametrize(
    ("said", "found"),
    [
        (None, ({GPUS: "0"}, {GPUS: "1"})),
        ("0,3", ({GPUS: "0"}, {GPUS: "3"})),
        ("GPU-8f1b, GPU-2c4d", ({GPUS: "GPU-8f1b"}, {GPUS: "GPU-2c4d"})),
        ("", (ALONE,)),
    ],
)
def test_each_gpu_that_the_process_may_use_is_a_place(monkeypatch, said, found):
    monkeypatch.setattr(accelerator, "has_device", lambda: True)
    monkeypatch.setattr(accelerator, "look", lambda: Look(CARD, torch.__version__, cards=2))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv(GPUS, raising=False)
    if said is not None:
        monkeypatch.setenv(GPUS, said)

    assert gpus() == found


def test_where_there_is_no_gpu_there_is_one_place(monkeypatch):
    monkeypatch.setattr(accelerator, "has_device", lambda: False)

    assert gpus() == (ALONE,)


def span(run: Run) -> tuple[str, str]:
    """When a run's own process told the first and the last of its training."""
    told = [event["t"] for event in run.events if event["stage"] in ("train", "evaluate")]
    return told[0], told[-1]


@pytest.mark.slow
def test_as_many_runs_as_there_are_places_are_trained_at_once(recipe: TinyRecipe, tmp_path):
    text = STUDY.replace("encode: {max_seq_len: 8}, ", "").replace(
        "set: {encode: {max_seq_len: 8}}", "set: {adapter: {kind: lora, rank: 4}}"
    )
    crew = Crew(ignore, places=({THREADS: "1"}, {THREADS: "2"}))

    outline = run_study(study(recipe, text), tmp_path / "out", accepted_terms=ACCEPTED, crew=crew)

    runs = find(tmp_path / "out" / "runs")
    outlined = {name for seeds in outline.runs.values() for name in seeds.values()}
    assert {run.name for run in runs} == outlined
    threads = [json.loads(run.dir.file("settled.json").read_text())["threads"] for run in runs]
    assert sorted(one["value"] for one in threads) == [1, 2]
    (first_begin, first_end), (second_begin, second_end) = map(span, runs)
    assert first_begin < second_end and second_begin < first_end
