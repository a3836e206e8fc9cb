"""Prepared rows are made again when anything that made them changes, and only then (C21)."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from foundry.core import atomic
from foundry.core.rundir import RunDir
from foundry.models import fetch
from foundry.planning import plan
from tests.cases import case, change
from tests.tiny_recipe import TinyRecipe


def encoded(recipe: TinyRecipe, *options: str) -> tuple[bool, str]:
    """Whether the rows were made now, and the key of them."""
    outcome = recipe.train("--until", "encode", "--json", *options)
    assert outcome.code == 0, outcome
    run = RunDir(Path(outcome.document["run"]))
    stamp = run.stamp("encode")
    assert stamp is not None
    shards = stamp["result"]
    assert shards["key_parts"] and shards["key"]  # the record holds the key and its parts
    return "encode" not in outcome.document["skipped"], shards["key"]


def edit(path: Path, old: str, new: str) -> None:
    """Replace a text in a file and leave size and time as they were."""
    text, when = path.read_text(encoding="utf-8"), path.stat()
    assert old in text and len(old.encode()) == len(new.encode())
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    os.utime(path, ns=(when.st_atime_ns, when.st_mtime_ns))


def other_template(recipe: TinyRecipe) -> None:
    file = recipe.folder / "base" / "tokenizer_config.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    template = (
        "{{ bos_token }}{% for m in messages %}<|start_header_id|>{{ m.role }}<|end_header_id|>"
        "{{ m.content }}<|eot_id|>{% endfor %}"
        "{% if add_generation_prompt %}<|start_header_id|>assistant<|end_header_id|>{% endif %}"
    )
    file.write_text(json.dumps({**values, "chat_template": template}), encoding="utf-8")


def other_tokenizer(recipe: TinyRecipe) -> None:
    file = recipe.folder / "base" / "tokenizer.json"
    values = json.loads(file.read_text(encoding="utf-8"))
    values["model"]["merges"].pop()
    file.write_text(json.dumps(values), encoding="utf-8")


CHANGES: dict[str, Callable[[TinyRecipe], object]] = {
    "template": other_template,
    "tokenizer": other_tokenizer,
    "a byte of the data": lambda recipe: edit(recipe.folder / "rows.csv", "三百元", "五百元"),
}
SETTINGS = {
    "max_seq_len": ("--set", "encode.max_seq_len=63"),
    "mask policy": ("--set", "encode.overlong=split"),
}


def by_size_and_time(path: Path) -> str:
    return f"{path.stat().st_size} {path.stat().st_mtime_ns}"


@case(
    "C21",
    {
        "the base's settings do not count": change(fetch, "_settings_sha256", lambda *_of: "same"),
        "a file is told by size and time": change(atomic, "sha256", by_size_and_time),
    },
)
def test_each_change_prepares_the_rows_again(recipe: TinyRecipe, monkeypatch: pytest.MonkeyPatch):
    keys = [encoded(recipe)]
    assert encoded(recipe) == (False, keys[0][1])

    for changed in CHANGES.values():
        changed(recipe)
        keys.append(encoded(recipe))
    keys += [encoded(recipe, *options) for options in SETTINGS.values()]
    monkeypatch.setattr(plan, "version", lambda: "9.9.9")
    keys.append(encoded(recipe))

    assert all(is_new for is_new, _key in keys)
    assert len({key for _is_new, key in keys}) == 1 + len(CHANGES) + len(SETTINGS) + 1
