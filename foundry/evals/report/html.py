"""`report.json` as one self-contained page: every language, no script, no request.

What models said is untrusted text. The template escapes everything, the page's policy forbids
every source, and control characters are shown instead of obeyed.
"""

import math
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from foundry.core import atomic, page
from foundry.evals.report import svg
from foundry.evals.report.words import FACTS, KINDS, PAGE
from foundry.evals.wording import VERDICTS, percent, points

TEMPLATE = Path(__file__).with_name("report.html.jinja")
STYLE = Path(__file__).with_name("report.css")

OURS = ("tuned", "delivered")
WRONG = ("regression", "wrong")

Report = Mapping[str, Any]


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write `report.json` and `report.html` into `folder` and return their paths."""
    json_path, html_path = folder / "report.json", folder / "report.html"
    atomic.write_json(json_path, report)
    atomic.write_text(html_path, render(report))
    return json_path, html_path


def render(report: Report) -> str:
    """The page for a report as `build_report` made it, or as read back from its JSON."""
    filters = {
        "percent": percent,
        "points": partial(points, signed=True),
        "score": points,
        "p_value": _p_value,
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
    naive = frozenset(c["name"] for c in report["columns"] if c["role"] == "naive")
    return {
        "language": language,
        "words": PAGE[language],
        "kinds": {key: text[language] for key, text in KINDS.items()},
        "facts": {key: FACTS[key][language] if key in FACTS else key for key in report["facts"]},
        "verdicts": {key: text[language] for key, text in VERDICTS.items()},
        "columns": {column["name"]: column for column in report["columns"]},
        "metrics": {metric["name"]: metric for metric in report["metrics"]},
        "parts": {part["name"]: part for part in report["parts"]},
        "ours": [c["name"] for c in report["columns"] if c["role"] in OURS],
        "missed": sum(not gate["passed"] for gate in report["gates"]),
        "charts": [_chart(report, part, language) for part in report["parts"]],
        "tables": [_table(report, metric) for metric in report["metrics"]],
        "telling": [
            {**entry, "said": _said(entry["answers"], naive)} for entry in report["telling"]
        ],
        "all_right": not any(entry["kind"] in WRONG for entry in report["telling"]),
        "curve": _curve(report["curve"], language),
    }


def _chart(report: Report, part: Mapping[str, Any], language: str) -> dict[str, Any]:
    """Every column's score in a part by the metric that counts there, each with a bar."""
    columns = {column["name"]: column for column in report["columns"]}
    rows = [
        {**score, "role": columns[score["column"]]["role"], "bar": _bar(score, columns, language)}
        for score in report["scores"]
        if score["part"] == part["name"] and score["metric"] == part["metric"]
    ]
    return {"part": part, "rows": rows}


def _bar(score: Report, columns: Mapping[str, Report], language: str) -> Any:
    from markupsafe import Markup

    mean, low, high = score["mean"], score["low"], score["high"]
    column = columns[score["column"]]
    name = f"{column['title'][language]}: {percent(mean)} ({percent(low)}–{percent(high)})"
    # Markup is safe here: svg.bar escapes the only text it is given.
    return Markup(svg.bar(mean, low, high, name=name, kind=column["role"]))


def _table(report: Report, metric: Report) -> dict[str, Any]:
    """One metric's scores: a row per part, a cell per column that was measured."""
    scores = [score for score in report["scores"] if score["metric"] == metric["name"]]
    names = list(dict.fromkeys(score["column"] for score in scores))
    parts = list(dict.fromkeys(score["part"] for score in scores))
    cells = {(score["part"], score["column"]): score for score in scores}
    rows = [
        {"part": part, "cells": [cells[part, name] for name in names if (part, name) in cells]}
        for part in parts
    ]
    return {"metric": metric, "columns": names, "rows": rows}


def _said(answers: Sequence[Report], naive: frozenset[str]) -> list[dict[str, Any]]:
    """What the models said, columns with the same words together; baselines are left out."""
    said: dict[tuple[Any, ...], dict[str, Any]] = {}
    for answer in answers:
        if answer["column"] not in naive:
            key = (answer["text"], answer["stopped"], answer["score"])
            said.setdefault(key, {**answer, "columns": []})["columns"].append(answer["column"])
    return list(said.values())


def _curve(curve: Sequence[Report], language: str) -> Any:
    from markupsafe import Markup

    series = [(kind, _points(curve, kind)) for kind in ("loss", "eval_loss")]
    words = PAGE[language]
    # Markup is safe here: the labels are ours and the points are numbers.
    return Markup(
        svg.line_chart(
            [line for line in series if line[1]],
            name=words["curve"],
            x=words["step"],
            y=words["loss"],
        )
    )


def _points(curve: Sequence[Report], kind: str) -> list[svg.Point]:
    return [
        (float(point["step"]), float(point[kind]))
        for point in curve
        if isinstance(point.get(kind), (int, float)) and math.isfinite(point[kind])
    ]


def _p_value(value: float) -> str:
    """Three decimals; the test cannot tell smaller ones from 0."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _by_metric_and_part(differences: Sequence[Report]) -> list[list[Report]]:
    """Neighbouring differences of one metric and part together, in their order."""
    return [list(rows) for _key, rows in groupby(differences, itemgetter("metric", "part"))]
