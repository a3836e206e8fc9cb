"""A finished run as it enters a comparison: what it was asked, what it said, how that scores.

Scores are made anew from the answers on disk; a run whose report they do not reproduce to the last
digit is refused (cases.md C28).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from foundry.core.blocks import Plugin
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.data.prepare import read_examples, read_once
from foundry.evals.answers import Column, Item, load_answers
from foundry.evals.brought import brought_by, of_rows
from foundry.evals.comparison import rounded
from foundry.evals.metrics import metrics_of
from foundry.evals.scoring import Scores, score_all
from foundry.store.runs import Json, Run, at, read_json
from foundry.train.gives import gives_reward

NOT_TESTED = ("train", "validation")
SEED = 0  # of every random draw of a comparison


@dataclass(frozen=True)
class Entry:
    """One run with the scores of one of its columns.

    Attributes:
        run: The run.
        report: Its `evals/report.json`.
        column: The column that is compared, `tuned` or `delivered`.
        tests: SHA-256 of each test part by its name.
        scores: Of every item that was asked.
    """

    run: Run
    report: Json
    column: Column
    tests: Mapping[str, str]
    scores: Scores

    @property
    def seed(self) -> int:
        """The recipe's seed."""
        return int(self.run.value("seed") or 0)

    @property
    def trained(self) -> Json:
        """What the training came to."""
        return self.run.result("train")

    def row(self, metric: str, part: str | None) -> dict[str, Any]:
        """What the metric observed of each item it applies to, by id; None means every part."""
        values = self.scores.observed.get((metric, self.column.name), ())
        return {
            item.example.id: value
            for item, value in zip(self.scores.items, values, strict=bool(values))
            if value is not None and part in (None, item.part)
        }


def read_entries(runs: Sequence[Run], column: str) -> list[Entry]:
    """The runs with their scores.

    Raises:
        DataError: Names every run that is not finished, was not measured or lacks the column, and
            those whose answers no longer give the scores of their report.
    """
    entries, wrong = list[Entry](), list[Problem]()
    for run in runs:
        problem = _unfit(run, column)
        if problem is not None:
            wrong.append(problem)
            continue
        entry = _read(run, column)
        wrong += _unlike_its_report(entry)
        entries.append(entry)
    if wrong:
        raise DataError(wrong)
    return entries


def _unfit(run: Run, column: str) -> Problem | None:
    """Why a run cannot be compared."""
    if not run.result("evaluate"):
        fix = _("finish it: run `foundry train` on its recipe again")
        return Problem(run.name, _("it was not evaluated"), fix)
    report = _report(run)
    names = [one.get("name") for one in report.get("columns") or []]
    if not report.get("scores"):
        fix = _("add `evals` and test rows to its recipe, and train again")
        return Problem(run.name, _("nothing was measured in it"), fix)
    if column not in names:
        what = _("it has no column `{column}`; there are: {names}")
        fix = _("choose another one with `--column`")
        return Problem(run.name, what.format(column=column, names=", ".join(map(str, names))), fix)
    return None


def _report(run: Run) -> Json:
    return read_json(run.dir.file("evals", "report.json"))


def _read(run: Run, column: str) -> Entry:
    report = _report(run)
    every = {part["name"]: part for part in run.result("data")["parts"]}
    parts = [part for name, part in every.items() if name not in NOT_TESTED]
    blocks = [Plugin("evaluator").read(value) for value in run.value("evals")]
    train = read_once(run.dir.file(every["train"]["file"])) if of_rows(blocks) else ()
    brought = brought_by(blocks, train)
    items = [
        Item(example, part["name"])
        for part in parts
        for example in read_examples(run.dir.file(part["file"]))
    ]
    items += [item for one in brought for item in one.items]
    made = _column(run, report, column, [one.kind for one in brought])
    if gives_reward(run.value("train", "kind")):  # pairs that cannot be encoded are not asked
        items = [item for item in items if item.example.id in made.answers]
    scores = score_all(items, [made], metrics_of(blocks, items), naive=(), seed=SEED)
    tests = {part["name"]: part["sha256"] for part in parts}
    return Entry(run, report, made, tests, scores)


def _column(run: Run, report: Json, name: str, brought: Sequence[str]) -> Column:
    """A column with its answers, those to the questions of evaluators in files of their own."""
    told = next(one for one in report["columns"] if one["name"] == name)
    folder = run.dir.file("evals", "answers")
    answers = load_answers(folder / f"{name}.jsonl")
    for kind in brought:
        answers |= load_answers(folder / f"{name}.{kind}.jsonl")
    return Column(name, told["title"], told["settings"], answers, told.get("seconds"))


def _unlike_its_report(entry: Entry) -> Iterator[Problem]:
    """Scores that the answers on disk do not give; a judge's stand beside them, not in them."""
    what = _("its answers give {metric} {now} in {part}, its report says {then}")
    fix = _("evaluate it again: remove {file} and run `foundry train` on its recipe")
    fix = fix.format(file=entry.run.dir.file("stamps", "evaluate.json"))
    metrics = entry.scores.metrics
    judged = {name for name, metric in metrics.items() if metric.of_pairs}
    judged |= {name for name, metric in metrics.items() if metric.companion_of in judged}
    for told in entry.report["scores"]:
        metric, part = told["metric"], told["part"]
        if told["column"] != entry.column.name or metric in judged:
            continue
        now = rounded(_mean(entry, metric, part)) if metric in metrics else None
        if now != told["mean"]:
            text = what.format(metric=metric, part=part, now=now, then=told["mean"])
            yield Problem(entry.run.name, text, fix)


def _mean(entry: Entry, metric: str, part: str | None) -> float | None:
    if not entry.scores.has(metric, entry.column.name):
        return None
    return entry.scores.mean(metric, part, entry.column.name)


def measured_peak(run: Run) -> int | None:
    """The most memory the training held, in bytes: of the process, or of the GPU it used."""
    found = at(run.result("train"), "forecast", "measured", "peak_memory_bytes")
    peak = found or at(run.stamps, "train", "peak_memory_bytes")
    return peak if isinstance(peak, int) else None


def step_seconds(run: Run) -> float | None:
    """Seconds of optimizer steps alone, at the pace that the training ended with."""
    paces = [e["tokens_per_s"] for e in run.events if e.get("tokens_per_s")]
    tokens = run.result("train").get("tokens")
    return tokens / paces[-1] if paces and tokens else None


def facts(entry: Entry) -> dict[str, Any]:
    """What a run took and how large it is; None where its files do not say."""
    trained, run = entry.trained, entry.run
    folder = run.dir.file(str(trained.get("adapter")))
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    told = next(one for one in entry.report["columns"] if one["name"] == entry.column.name)
    exports = run.result("export").get("items") or []
    return {
        "memory_bytes": measured_peak(run),
        "size_bytes": sum(path.stat().st_size for path in files) or None,
        "seconds": trained.get("seconds"),
        "step_seconds": step_seconds(run),
        "seconds_per_answer": told.get("seconds_per_answer"),
        "tokens": trained.get("tokens"),
        "steps": trained.get("steps"),
        "trainable_parameters": trained.get("trainable_parameters"),
        "last_loss": trained.get("last_loss"),
        "exports": {one["name"]: one["size_bytes"] for one in exports},
    }
