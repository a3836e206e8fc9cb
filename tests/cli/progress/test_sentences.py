"""What was guessed and what should be looked at is told to a person."""

import pytest

from foundry.cli.progress.sentences import sentence
from foundry.train import descent


@pytest.mark.parametrize(
    ("event", "values", "line"),
    [
        ("base", {"name": "tiny", "ready": True}, "data: base model tiny"),
        (
            "base",
            {"name": "tiny", "ready": False},
            "data: base model tiny; it is not ready yet, and getting it takes minutes",
        ),
        (
            "source",
            {
                **{"file": "a.csv", "kind": "csv", "encoding": "cp950", "guessed": True},
                "format": "format: {kind: text, text: 內容}",
                **{"rows": 9, "used": 6, "refused": {"duplicate": 1, "empty": 2}, "blank": 4},
            },
            "data: a.csv: csv (cp950), read by `format: {kind: text, text: 內容}`, guessed from "
            "its columns; 9 rows: 6 used, 3 refused (duplicate 1, empty 2); 4 blank",
        ),
        (
            "not-read",
            {"reason": "hidden", "count": 2, "first": "data/.DS_Store"},
            "data: not read: 2 files (hidden, or kept by a program for itself; first "
            "data/.DS_Store)\n  fix: name it alone as `path` if it holds rows",
        ),
        (
            "not-read",
            {"reason": "of-a-plug-in", "count": 1, "first": "a"},
            "data: not read: 1 files (of-a-plug-in; first a)",
        ),
        (
            "end",
            {"seconds": 1.5, "peak_memory_bytes": 300 << 20},
            "data: done (1.5 s, at most 300 MiB of memory so far)",
        ),
        ("end", {"seconds": 1.5, "peak_memory_bytes": None}, "data: done (1.5 s)"),
        (
            "notice",
            {"code": "placeholder", "count": 85, "first": "identity.json:2: {{name}}"},
            "data: look at this: a placeholder that nobody filled in stands in the text "
            "(85; first identity.json:2: {{name}})",
        ),
        (
            "notice",
            {"code": "of-a-plug-in", "count": 1, "first": ""},
            "data: look at this: of-a-plug-in (1)",
        ),
        (
            "warning",
            {"code": "capacity", "trained": 1200, "supervised": 34000},
            "data: fewer numbers are trained (1,200) than tokens are supervised (34,000)\n"
            "  fix: if it learns too little, set a higher `adapter.rank`, or take an adapter that "
            "has one, such as `lora`",
        ),
    ],
)
def test_sentence_for_a_person(event, values, line):
    assert sentence({"stage": "data", "event": event, **values}) == line


def test_sentence_of_a_loss_that_rose():
    found = descent.warning([4.4, 4.9, *[41.9] * 14, 8.4, 7.8, 7.4, 8.1])

    said = sentence({"stage": "data", "event": "warning", **found})

    assert said.startswith("data: the loss rose from 4.6500 in the first two steps to 7.9250 in ")
    assert "the mean of the last 4\n  fix: set a lower `train.learning_rate`" in said


@pytest.mark.parametrize(("stage", "event"), [("train", "of-a-plug-in"), (None, "done")])
def test_event_for_programs_only_is_not_said(stage, event):
    assert sentence({"stage": stage, "event": event, "exit": 0}) is None


@pytest.mark.parametrize(
    ("tuned", "base", "line"),
    [
        (7, 6, "export: 7 of 8 answers end by themselves within 40 tokens, of the base 6"),
        (
            2,
            6,
            "export: 2 of 8 answers end by themselves within 40 tokens, of the base 6\n"
            "  fix: if answers run on, lower `train.learning_rate`; "
            "`evals: [{kind: stop-rate}]` measures it on the test",
        ),
        (
            0,
            0,
            "export: none of 8 answers ends by itself within 40 tokens; the base does not stop "
            "either\n  fix: train it by `train.kind: sft` first, which teaches the end of an "
            "answer, or use an instruction-tuned base",
        ),
    ],
)
def test_person_is_told_how_many_answers_end(tuned: int, base: int, line: str):
    counts = {"tuned": tuned, "base": base, "prompts": 8, "tokens": 40}

    assert sentence({"stage": "export", "event": "ends", **counts}) == line
