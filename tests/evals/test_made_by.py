"""Answers are taken over from the same programs on the same processor alone."""

from pathlib import Path

import pytest

from foundry.evals import run_facts
from foundry.evals.run_facts import made_by
from tests.tiny_recipe import call

QUESTIONS = (
    "question,A,B,C,D,answer\n多少錢？,一元,二元,三元,四元,B\n幾年？,一年,二年,三年,四年,A\n"
)


@pytest.mark.parametrize("task", ["twinkle", "twinkle-written"])
def test_answers_of_other_programs_are_not_taken(
    tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, task: str
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    (tmp_path / "choices.csv").write_text(QUESTIONS, encoding="utf-8")
    command = ("eval", str(tiny_llama), "--tasks", task, "--data", "choices.csv", "--few-shot", "0")

    def head() -> str:
        outcome = call(*command, "--out", "same", "--json")
        assert outcome.code == 0, outcome.err
        (file,) = Path("same").rglob("answers/*.jsonl")
        return file.read_text("utf-8").splitlines()[0]

    before, again = head(), head()
    monkeypatch.setattr(run_facts, "ANSWERS", run_facts.ANSWERS + 1)

    assert before == again != head()


def test_programs_and_processor_are_named():
    named = made_by()

    assert named["packages"]["torch"] and named["packages"]["transformers"]
    assert named["processor"][1] >= 1
