"""A column is filled once, goes on where it stopped, and records how it was asked (C28)."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from foundry.core.energy import Meter
from foundry.evals import answering
from foundry.evals.answering import Asked, Prompting, Sheet, ask, settings
from foundry.evals.answers import SETTINGS, Item, seconds_spent
from foundry.runtime.contract import Decoding, Generation
from foundry.runtime.transformers import TransformersRuntime
from tests.tiny_run import ROWS, Trained

ITEMS = [Item(row, "test") for row in ROWS]


@pytest.fixture
def asked(trained_gemma3: Trained) -> Asked:
    tuned = trained_gemma3.tuned
    prompts = {row.id: tuned.encoder.prompt_ids(row.prompt) for row in ROWS}
    decoding = Decoding(40, tuned.stop_ids)
    prompting = Prompting(tuned.encoder.template, bos_id=tuned.encoder.bos_id)
    said = settings([*prompts.values()], decoding, prompting)
    return Asked("tuned", {"en": "Tuned"}, prompts, decoding, said)


class Counted:
    """The live model, which notes what it was asked."""

    def __init__(self, trained: Trained) -> None:
        self.live = TransformersRuntime(trained.tuned.model, trained.tuned.encoder.tokenizer)
        self.name = self.live.name
        self.prompts: list[list[int]] = []

    def generate(self, prompts: list[list[int]], decoding: Decoding) -> list[Generation]:
        self.prompts += prompts
        return self.live.generate(prompts, decoding)


@pytest.fixture
def runtime(trained_gemma3: Trained) -> Counted:
    return Counted(trained_gemma3)


def fill(runtime: Counted, asked: Asked, file: Path, *, items=ITEMS, made_from: str = "a", **more):
    told: list[tuple[int, int]] = []
    sheet = Sheet(file, made_from, lambda done, of: told.append((done, of)), **more)
    column = ask(runtime, items, asked, sheet)
    return column, told


def test_every_item_has_the_answer_of_its_prompt(runtime: Counted, asked: Asked, tmp_path: Path):
    column, told = fill(runtime, asked, tmp_path / "tuned.jsonl")

    assert {key: answer.text for key, answer in column.answers.items()} == {
        row.id: row.answer for row in ROWS
    }
    assert all(answer.stopped and answer.tokens > 1 for answer in column.answers.values())
    assert told == [(len(ROWS), len(ROWS))]
    assert column.seconds is not None


def test_answers_that_are_there_are_not_asked_again(runtime: Counted, asked: Asked, tmp_path: Path):
    ordered = sorted(ITEMS, key=lambda item: -len(asked.prompts[item.example.id]))
    fill(runtime, asked, tmp_path / "tuned.jsonl", items=ordered[:5], at_once=5)
    runtime.prompts.clear()

    column, told = fill(runtime, asked, tmp_path / "tuned.jsonl", at_once=5)

    assert runtime.prompts == [asked.prompts[item.example.id] for item in ordered[5:]]
    assert len(column.answers) == len(ROWS)
    assert told == [(len(ROWS), len(ROWS))]
    assert column.seconds == round(seconds_spent(tmp_path / "tuned.jsonl"), 3)


def test_longest_questions_are_asked_first_and_as_many_together_as_is_said(
    runtime: Counted, asked: Asked, tmp_path: Path
):
    _column, told = fill(runtime, asked, tmp_path / "tuned.jsonl", at_once=5)

    lengths = [len(prompt) for prompt in runtime.prompts]
    assert lengths == sorted(lengths, reverse=True)
    assert told == [(5, len(ROWS)), (len(ROWS), len(ROWS))]


def test_answers_of_another_model_are_asked_again(runtime: Counted, asked: Asked, tmp_path: Path):
    fill(runtime, asked, tmp_path / "tuned.jsonl")
    runtime.prompts.clear()

    fill(runtime, asked, tmp_path / "tuned.jsonl", made_from="b")

    assert len(runtime.prompts) == len(ROWS)


def test_column_says_how_it_was_asked(runtime: Counted, asked: Asked, tmp_path: Path):  # C28
    column, _told = fill(runtime, asked, tmp_path / "tuned.jsonl", items=ITEMS[:1])

    assert set(SETTINGS) <= set(column.settings)
    assert column.settings["runtime"] == "transformers"
    assert column.settings["bos_count"] == 1
    assert column.settings["stop_ids"] == list(asked.decoding.stop_ids)
    assert column.settings["first_prompt_ids"] == asked.prompts[ROWS[0].id][:20]
    assert column.settings["decoding"]["max_new_tokens"] == 40


def test_settings_tell_two_ways_of_asking_apart(asked: Asked):  # C28
    prompts = [*asked.prompts.values()]
    bos, plain = prompts[0][0], Prompting("t")

    first = settings(prompts, asked.decoding, plain)

    assert first == settings(prompts, asked.decoding, Prompting("t"))
    assert first != settings(prompts, asked.decoding, Prompting("u"))
    assert first != settings(prompts, asked.decoding, Prompting("t", system="好"))
    assert first != settings([[bos, *prompts[0]], *prompts[1:]], asked.decoding, plain)
    assert first != settings([*prompts[:-1], [*prompts[-1], 9]], asked.decoding, plain)
    assert first != settings(prompts, replace(asked.decoding, stop_strings=("\n",)), plain)


@pytest.mark.parametrize(("ids", "count"), [([2, 5, 2], 1), ([2, 2, 5], 2), ([5, 2], 0), ([2], 1)])
def test_every_bos_at_the_head_is_counted(ids: list[int], count: int):  # C28
    assert settings([ids], Decoding(1), Prompting("t", bos_id=2))["bos_count"] == count
    assert settings([ids], Decoding(1), Prompting("t"))["bos_count"] == 0


def test_what_comes_before_the_first_question_is_no_time_of_answering(
    runtime: Counted, asked: Asked, tmp_path: Path
):
    begun: list[float] = []

    def load() -> None:
        time.sleep(1.5)
        begun.append(time.monotonic())

    column, _told = fill(runtime, asked, tmp_path / "tuned.jsonl", items=ITEMS[:1], ready=load)

    assert column.seconds is not None and len(begun) == 1
    assert column.seconds <= time.monotonic() - begun[0]
    fill(runtime, asked, tmp_path / "tuned.jsonl", items=ITEMS[:1], ready=load)
    assert len(begun) == 1  # nothing is left to ask


def test_counter_that_goes_around_between_batches_is_read_at_each(
    runtime: Counted, asked: Asked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """RAPL's counter holds about an hour's joules (`core/energy.py`)."""
    zone, most, drawn = tmp_path / "powercap" / "intel-rapl:0", 1_000_000, [0]
    zone.mkdir(parents=True)
    (zone / "max_energy_range_uj").write_text(str(most), encoding="utf-8")

    def draw() -> None:
        (zone / "energy_uj").write_text(str(drawn[0] % most), encoding="utf-8")

    draw()
    monkeypatch.setattr(answering, "Meter", lambda: Meter(tmp_path / "powercap"))
    generate = runtime.generate

    def drawing(prompts: list[list[int]], decoding: Decoding) -> list[Generation]:
        drawn[0] += 700_000
        draw()
        return generate(prompts, decoding)

    monkeypatch.setattr(runtime, "generate", drawing)

    column, _told = fill(runtime, asked, tmp_path / "t.jsonl", items=ITEMS[:4], at_once=1)

    assert column.joules == pytest.approx(4 * 0.7)
