"""What a trainer of drawn or taught answers made, in every kind of file, each proven."""

import json
from pathlib import Path

import pytest

from tests.end_to_end.test_preferences import DELIVERED, FILES
from tests.support import covers
from tests.train.processes.test_losses import WAYS


@covers(lambda kind: [{"trainer": kind, "exporter": one["kind"]} for one in FILES])
@pytest.mark.parametrize("kind", ["distill", "grpo"])
def test_every_file_is_the_live_model(tiny_base: Path, tmp_path: Path, kind: str):
    recipe = WAYS[kind](tmp_path, tiny_base)
    text = json.loads(recipe.file.read_text(encoding="utf-8"))
    recipe.file.write_text(json.dumps({**text, "exports": FILES}), encoding="utf-8")

    outcome = recipe.train("--until", "export", "--json")

    assert outcome.code == 0, outcome.err
    assert set(outcome.document["parity"]) == DELIVERED
