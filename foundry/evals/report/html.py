"""`report.json` as one self-contained page: every language, no script, no request.

What models said is untrusted text. The template escapes everything, the page's policy forbids
every source, and control characters are shown instead of obeyed.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

from foundry.core import atomic, page
from foundry.evals.report import figures, svg
from foundry.evals.report.costs import amount, costs
from foundry.evals.report.figures import write_figures
from foundry.evals.report.overlap import overlap
from foundry.evals.report.words import FACTS, KINDS, PAGE, PEERS
from foundry.evals.wording import VERDICTS, percent, points

TEMPLATE = Path(__file__).with_name("report.html.jinja")
STYLE = Path(__file__).with_name("report.css")

OURS = ("tuned", "delivered")
WRONG = ("regression", "wrongly-declined", "wrong")
FILES = {
    "report.json": "file_report",
    "scores.csv": "file_scores",
    "answers.csv": "file_answers",
    "answers/*.jsonl": "file_jsonl",
    "prompts/*.jsonl": "file_prompts",
    "figures/*.svg": "file_figures",
}

Report = Mapping[str, Any]


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write `report.json`, `report.html` and `figures/*.svg` into `folder`.

    Returns:
        The paths of the first two.
    """
    json_path, html_path = folder / "report.json", folder / "report.html"
    atomic.write_json(json_path, report)
    write_figures(report, folder / "figures")
    atomic.write_text(html_path, render(report))
    return json_path, html_path


def render(report: Report) -> str:
    """The page for a report as `build_report` made it, or as read back from its JSON."""
    filters = {
        "percent": percent,
        "points": partial(points, signed=True),
        "score": points,
        "p_value": p_value,
        "amount": amount,
        "cell": _cell,
        "by_metric_and_part": _by_metric_and_part,
    }
    return page.render(
        TEMPLATE,
        STYLE,
        filters,
        report=report,
        pages=[_page(report, language) for language in report["languages"]],
    )


def _page(report: Report, language: str) -> dict[str, Any]:
    """What the template needs beside the report itself, in one language."""
    is_trained = any(column["role"] == "tuned" for column in report["columns"])
    words = {**PAGE[language], **({} if is_trained or not report["columns"] else PEERS[language])}
    return {
        "language": language,
        "words": words,
        "kinds": {key: text[language] for key, text in KINDS.items()},
        "facts": {key: FACTS[key][language] if key in FACTS else key for key in report["facts"]},
        "verdicts": {key: text[language] for key, text in VERDICTS.items()},
        "columns": {column["name"]: column for column in report["columns"]},
        "metrics": {metric["name"]: metric for metric in report["metrics"]},
        "parts": {part["name"]: part for part in report["parts"]},
        "ours": [c["name"] for c in report["columns"] if c["role"] in OURS],
        "missed": sum(not gate["passed"] for gate in report["gates"]),
        "charts": [_chart(report, part, language) for part in report["parts"]],
        "tables": list(_score_tables(report)),
        "shown_tables": by(("metric", "name"), report["tables"]),
        "telling": list(_telling(report)),
        "outcome_kinds": [
            k for k in KINDS if any(row["kinds"].get(k) for row in report["outcomes"])
        ],
        "all_right": not any(row["kinds"][kind] for row in report["outcomes"] for kind in WRONG),
        "files": [(name, words[key]) for name, key in FILES.items()],
        **costs(report, language),
        **overlap(report, language),
        **_curves(report, language),
    }


def _curves(report: Report, language: str) -> dict[str, Any]:
    """Charts of the comparisons and of the training."""
    from markupsafe import Markup

    # Markup is safe here: `svg` escapes what it is given to write.
    paces = (figures.pace(report, language, kind) for kind in ("learning_rate", "grad_norm"))
    return {
        "differences": Markup(figures.differences(report, language)),
        "curve": Markup(figures.curve(report, language)),
        "curve_note": PAGE[language]["reward_note" if _is_rewarded(report) else "curve_note"],
        "paces": [Markup(chart) for chart in paces if chart],
    }


def _is_rewarded(report: Report) -> bool:
    """Whether the training drew answers and learned from what they were worth."""
    return any("reward" in point for point in report["curve"])


def _chart(report: Report, part: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Every column's score in a part by the metric that counts there, each with a bar."""
    columns = {column["name"]: column for column in report["columns"]}
    rows = [
        {**score, "role": columns[score["column"]]["role"], "bar": _bar(score, columns, language)}
        for score in report["scores"]
        if score["part"] == part["name"]
        and score["metric"] == part["metric"]
        and score["mean"] is not None  # a judge, say, is not asked about every column
    ]
    return {"part": part, "rows": rows}


def _bar(score: Report, columns: Mapping[str, Report], language: str) -> Any:
    from markupsafe import Markup

    mean, low, high = score["mean"], score["low"], score["high"]
    column = columns[score["column"]]
    name = f"{column['title'][language]}: {percent(mean)} ({percent(low)}–{percent(high)})"
    # Markup is safe here: svg.bar escapes the only text it is given.
    return Markup(svg.bar(mean, low, high, name=name, kind=column["role"]))


def _score_tables(report: Report) -> Iterator[dict[str, Any]]:
    """Each evaluator's scores: its own metric's rows, then those of its companions."""
    for metric in report["metrics"]:
        if metric["companion_of"] is None:
            name = metric["name"]
            family = [m for m in report["metrics"] if name in (m["name"], m["companion_of"])]
            scores = [s for s in report["scores"] if s["metric"] in [m["name"] for m in family]]
            columns = list(dict.fromkeys(score["column"] for score in scores))
            blocks = [{"metric": m, "rows": list(_rows(m, scores, columns))} for m in family]
            blocks = [block for block in blocks if block["rows"]]
            if blocks:
                yield {"metric": metric, "columns": columns, "blocks": blocks}


def _rows(
    metric: Report, scores: Sequence[Report], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """A row per part; a cell per column, None where it was not measured."""
    own = [score for score in scores if score["metric"] == metric["name"]]
    for part in dict.fromkeys(score["part"] for score in own):
        cells = {score["column"]: score for score in own if score["part"] == part}
        one = max(cells.values(), key=itemgetter("n"))  # a runtime may not tell what a metric needs
        shown = [cells.get(column) for column in columns]
        yield {"part": part, "n": one["n"], "groups": one["groups"], "cells": shown}


def _telling(report: Report) -> Iterator[dict[str, Any]]:
    """The answers shown, kind by kind, each with how many there are of it (0: not counted)."""
    naive = frozenset(c["name"] for c in report["columns"] if c["role"] == "naive")
    for entries in by(("kind",), report["telling"]):
        kind = entries[0]["kind"]
        yield {
            "kind": kind,
            "of": sum(row["kinds"][kind] for row in report["outcomes"]),
            "entries": [{**entry, "said": _said(entry["answers"], naive)} for entry in entries],
        }


def _said(answers: Sequence[Report], naive: frozenset[str]) -> list[dict[str, Any]]:
    """What the models said, columns with the same words together; baselines are left out."""
    said: dict[tuple[Any, ...], dict[str, Any]] = {}
    for answer in answers:
        if answer["column"] not in naive:
            key = (answer["text"], answer["stopped"], answer["score"])
            said.setdefault(key, {**answer, "columns": []})["columns"].append(answer["column"])
    return list(said.values())


def p_value(value: float) -> str:
    """Three decimals; the test cannot tell smaller ones from 0."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _cell(value: Any, language: str) -> str:
    """A cell of an evaluator's table: a text per language, a text of the data, or a number."""
    if isinstance(value, Mapping):
        return str(value[language])
    if isinstance(value, float):
        return f"{value:.3f}"
    return page.visible(value) if isinstance(value, str) else str(value)


def _by_metric_and_part(differences: Sequence[Report]) -> list[list[Report]]:
    """Differences of one metric and part together, in the order of the first."""
    return by(("metric", "part"), differences)


def by(keys: tuple[str, ...], entries: Sequence[Report]) -> list[list[Report]]:
    """Entries that have the same values under `keys` together, in the order of the first."""
    found: dict[Any, list[Report]] = {}
    for entry in entries:
        found.setdefault(itemgetter(*keys)(entry), []).append(entry)
    return list(found.values())
