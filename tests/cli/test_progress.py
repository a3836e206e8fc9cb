"""What was guessed and what should be looked at is told to a person."""

import pytest

from foundry.cli.progress import shown


@pytest.mark.parametrize(
    ("event", "values", "line"),
    [
        (
            "guessed",
            {"file": "a.csv", "format": "format: {kind: text, text: 內容}"},
            "data: a.csv is read by `format: {kind: text, text: 內容}`, guessed from its columns",
        ),
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
    ],
)
def test_line_for_a_person(capsys, event, values, line):
    with shown() as listener:
        listener({"stage": "data", "event": event, **values})

    assert capsys.readouterr().err == f"{line}\n"
