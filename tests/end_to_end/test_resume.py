"""The same command again: what is whole is kept, what is not is made anew, nothing is mixed."""

import signal

import pytest

from foundry.core.rundir import STAGES, RunDir
from foundry.train.progress import Progress
from tests.tiny_recipe import Outcome, TinyRecipe, call

Whole = tuple[TinyRecipe, Outcome]


def damage(run: RunDir, *parts: str) -> None:
    """Flip a bit in the middle of a file of the run."""
    path = run.file(*parts)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remade(outcome: Outcome) -> list[str]:
    """The stages that were not skipped."""
    assert outcome.code == 0, outcome
    return [stage for stage in STAGES if stage not in outcome.document["skipped"]]


def test_lost_package_is_packed_again_and_nothing_else(finished: TinyRecipe):
    (finished.package / "SHA256SUMS").unlink()

    assert remade(finished.train("--json")) == ["package"]
    assert call("verify", str(finished.package)).code == 0


def test_lost_answers_are_asked_again_and_what_follows_is_packed(finished: TinyRecipe):
    finished.run.file("evals", "answers", "tuned.jsonl").unlink()

    again = remade(finished.train("--json"))

    assert again[0] == "evaluate"
    assert call("verify", str(finished.package)).code == 0


def test_damaged_export_is_made_and_proven_again(finished: TinyRecipe):
    file = ("exports", "adapter", "adapter_model.safetensors")
    before = finished.run.file(*file).read_bytes()
    damage(finished.run, *file)

    assert remade(finished.train("--json"))[0] == "export"
    assert finished.run.file(*file).read_bytes() == before


def test_damaged_shard_is_rebuilt_and_found_equal(finished: TinyRecipe):  # C21
    file = ("data", "shards", "train.parquet")
    before = finished.run.file(*file).read_bytes()
    damage(finished.run, *file)

    assert remade(finished.train("--json")) == ["encode"]
    assert finished.run.file(*file).read_bytes() == before


def test_damaged_adapter_is_made_again_from_the_last_checkpoint(finished: TinyRecipe):
    file = ("adapter", "adapter_model.safetensors")
    before, losses = finished.run.file(*file).read_bytes(), finished.losses()
    damage(finished.run, *file)

    outcome = finished.train("--until", "train", "--json")

    assert remade(outcome)[0] == "train"
    assert finished.run.file(*file).read_bytes() == before
    assert finished.losses() == losses


def test_one_changed_byte_of_the_data_is_another_run(finished: TinyRecipe):  # C21
    rows = finished.folder / "rows.csv"
    text = rows.read_text(encoding="utf-8")
    rows.write_text(text.replace("售價1？", "售價9？"), encoding="utf-8")
    first = finished.run.path

    outcome = finished.train("--until", "encode", "--json")

    assert (outcome.code, outcome.document["skipped"]) == (0, [])
    assert len(list(finished.runs.glob("tiny-*"))) == 2
    assert outcome.document["run"] != str(first)


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json", "generation_config.json"])
def test_changed_file_of_the_base_is_another_run(finished: TinyRecipe, file: str):  # C21
    path = finished.folder / "base" / file
    path.write_text(path.read_text(encoding="utf-8") + "\n", encoding="utf-8")

    assert finished.train("--until", "plan", "--json").document["skipped"] == []


def test_template_that_the_base_brings_is_another_run(finished: TinyRecipe):  # C21
    template = "{{ bos_token }}{% for m in messages %}{{ m.content }}<|eot_id|>{% endfor %}"
    (finished.folder / "base" / "chat_template.jinja").write_text(template, encoding="utf-8")

    outcome = finished.train("--until", "encode", "--json")

    assert (outcome.code, outcome.document["skipped"]) == (0, [])
    texts = [part["text"] for part in outcome.document["mask"]["samples"][0]["parts"]]
    assert texts and not [text for text in texts if "<|start_header_id|>" in text]


@pytest.fixture
def signalled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Signals to send, each when the fifth step was logged."""
    signals: list[int] = []
    log = Progress.on_log

    def on_log(self, args, state, control, logs, **kwargs):
        log(self, args, state, control, logs, **kwargs)
        if state.global_step == 5 and signals:
            signal.raise_signal(signals.pop())

    monkeypatch.setattr(Progress, "on_log", on_log)
    return signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 75), (signal.SIGINT, 130)])
def test_stopped_run_is_saved_not_packaged_and_goes_on(
    whole_run: Whole, recipe: TinyRecipe, signalled: list[int], number: int, code: int
):
    signalled.append(number)

    stopped = recipe.train("--json")
    saved = [path.name for path in recipe.run.file("checkpoints").glob("step-*")]
    stages = [path.stem for path in recipe.run.file("stamps").iterdir()]
    done = recipe.train("--until", "train", "--json")

    assert (stopped.code, stopped.document["error"]) == (code, "interrupted")
    assert saved == ["step-000006"]
    assert "train" not in stages and not recipe.package.exists()
    assert done.code == 0, done
    assert "goes on from step 6" in done.err
    assert recipe.losses() == whole_run[0].losses()  # C66
