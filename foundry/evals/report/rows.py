"""Every score and every answer as tidy tables: one observation a row, for a program of statistics.

`scores.csv` has a row per item, column and metric that applies; `answers.csv` a row per item and
column. `item_id`, `part`, `group` and `column` join the two.
"""

from collections.abc import Iterator
from pathlib import Path

from foundry.core import atomic
from foundry.evals.compare import Measured
from foundry.evals.questions import answer_of, question_of
from foundry.evals.report.spreadsheet import Cell, write_csv

SCORES = (
    *("item_id", "part", "group", "column", "role", "metric", "metric_version"),
    *("lower_is_better", "score"),
)
ANSWERS = (
    *("item_id", "part", "group", "column", "role", "question", "context", "reference"),
    *("answer", "tokens", "stopped"),
)

Row = dict[str, Cell]


def write_rows(measured: Measured, folder: Path) -> tuple[Path, Path]:
    """Write `scores.csv` and `answers.csv` into `folder` and return their paths."""
    scores, answers = folder / "scores.csv", folder / "answers.csv"
    atomic.write_text(scores, write_csv(SCORES, list(_scores(measured))))
    atomic.write_text(answers, write_csv(ANSWERS, list(_answers(measured))))
    return scores, answers


def _scores(measured: Measured) -> Iterator[Row]:
    table = measured.comparison.scores
    for (name, column), values in table.values.items():
        metric = table.metrics[name]
        about = {
            "column": column,
            "role": measured.comparison.roles.of(column),
            "metric": name,
            "metric_version": metric.version,
            "lower_is_better": metric.lower_is_better,
        }
        for item, score in zip(table.items, values, strict=True):
            if score is not None:
                key = {"part": item.part, "group": item.example.group}
                yield {"item_id": item.example.id, **key, **about, "score": float(score)}


def _answers(measured: Measured) -> Iterator[Row]:
    for column in measured.columns:
        role = measured.comparison.roles.of(column.name)
        for item in measured.comparison.scores.items:
            example, answer = item.example, column.answers.get(item.example.id)
            if answer is None:  # not asked what an evaluator brought
                continue
            question = question_of(example)
            yield {
                "item_id": example.id,
                "part": item.part,
                "group": example.group,
                "column": column.name,
                "role": role,
                "question": question.text,
                "context": question.context,
                "reference": answer_of(example),
                "answer": answer.text,
                "tokens": answer.tokens,
                "stopped": answer.stopped,
            }
