"""A comparison as files: a page, one JSON document, and tidy CSV tables of observations."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.evals.arms.page import render
from foundry.evals.report.spreadsheet import write_csv

Document = Mapping[str, Any]
Row = Mapping[str, Any]

PAGE = "comparison.html"
ALL_PARTS = "*"
SPREAD = ("mean", "low", "high")
FIGURES = (
    *("memory_bytes", "size_bytes", "seconds", "seconds_per_answer"),
    *("steps", "tokens", "trainable_parameters"),
)
# What of a difference is not a number or a name: the lists of items have a table of their own.
LONG = ("won", "lost", "sentence")


def write(document: Document, folder: Path) -> list[Path]:
    """Write `comparison.html`, `.json` and the tables into `folder`; the paths, by their names.

    Equal documents give equal bytes.
    """
    texts = {
        f"{name}.csv": write_csv(list(rows[0]), rows)
        for name, rows in tables(document).items()
        if rows
    }
    atomic.write_json(folder / "comparison.json", document)
    for name, text in texts.items():
        atomic.write_text(folder / name, text)
    atomic.write_text(folder / PAGE, render(document))
    return [folder / name for name in sorted([PAGE, "comparison.json", *texts])]


def tables(document: Document) -> dict[str, list[Row]]:
    """The tables by their name."""
    return {
        "arms": [_arm(arm, document) for arm in document["arms"]],
        "scores": [{**one, "part": one["part"] or ALL_PARTS} for one in document["scores"]],
        "differences": [_difference(one) for one in document["differences"]],
        "runs": [_run(run) for run in document["runs"]],
        "items": list(_items(document["items"])),
        "differ": list(_differ(document)),
    }


def _arm(arm: Row, document: Document) -> Row:
    figures = {
        f"{key}_{kind}": None if arm[key] is None else arm[key][kind]
        for key in FIGURES
        for kind in SPREAD
    }
    on_front = arm["name"] in document["front"]["arms"]
    return {"arm": arm["name"], "seeds": len(arm["seeds"]), "on_front": int(on_front), **figures}


def _difference(one: Row) -> Row:
    kept = {key: value for key, value in one.items() if key not in LONG}
    return {**kept, "part": one["part"] or ALL_PARTS}


def _run(run: Row) -> Row:
    plain = {key: value for key, value in run.items() if key != "scores"}
    return {**plain, **{f"score:{key}": value for key, value in run["scores"].items()}}


def _items(items: Sequence[Row]) -> Iterator[Row]:
    """A line for each item, metric and arm."""
    for one in items:
        for arm, score in one["scores"].items():
            yield {k: v for k, v in one.items() if k != "scores"} | {"arm": arm, "score": score}


def _differ(document: Document) -> Iterator[Row]:
    for part, keys in document["differ"].items():
        for key, values in keys.items():
            for arm, value in values.items():
                shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                yield {"part_of_run": part, "key": key, "arm": arm, "value": shown}
