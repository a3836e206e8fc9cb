"""The report's charts as SVG files for a paper or a slide: each language, light, no request."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.evals.report import svg
from foundry.evals.report.words import PAGE
from foundry.evals.wording import percent, points

STYLE = Path(__file__).with_name("figure.css")

Report = Mapping[str, Any]


def write_figures(report: Report, folder: Path) -> list[Path]:
    """Write `NAME.LANGUAGE.svg` for each chart that has something to show; their paths."""
    made = []
    for language in report["languages"]:
        for name, chart in _charts(report, language):
            path = folder / f"{name}.{language}.svg"
            atomic.write_text(path, _alone(chart))
            made.append(path)
    return made


def _charts(report: Report, language: str) -> Iterator[tuple[str, str]]:
    for name, make in (("scores", scores), ("differences", differences), ("curve", curve)):
        chart = make(report, language)
        if chart:
            yield name, chart


def scores(report: Report, language: str) -> str:
    """Every column's score in each part by the metric that counts there; empty without scores."""
    columns = _by_name(report["columns"])
    groups = []
    for part in report["parts"]:
        marks = [
            svg.Mark(
                columns[score["column"]]["title"][language],
                *(score[key] for key in ("mean", "low", "high")),
                f"{percent(score['mean'])} ({percent(score['low'])}–{percent(score['high'])})",
                columns[score["column"]]["role"],
            )
            for score in report["scores"]
            if (score["part"], score["metric"]) == (part["name"], part["metric"])
            and score["mean"] is not None  # a judge, say, is not asked about every column
        ]
        if marks:
            groups.append((_heading(report, part["metric"], part["name"], language), marks))
    name = PAGE[language]["before_after"]
    return svg.interval_chart(groups, low=0.0, high=1.0, name=name) if groups else ""


def differences(report: Report, language: str) -> str:
    """What was compared, metric by metric, about zero; empty without comparisons."""
    columns = _by_name(report["columns"])
    groups: dict[str, list[svg.Mark]] = {}
    for row in report["differences"]:
        between = " − ".join(columns[row[side]]["title"][language] for side in ("a", "b"))
        low, high = (points(row[key], signed=True) for key in ("low", "high"))
        said = f"{points(row['mean'], signed=True)} ({low} … {high})"
        values = (row[key] for key in ("mean", "low", "high"))
        mark = svg.Mark(between, *values, said, row["verdict"].lower().replace(" ", "-"))
        heading = _heading(report, row["metric"], row["part"], language)
        groups.setdefault(heading, []).append(mark)
    if not groups:
        return ""
    rows = report["differences"]
    reach = max(0.01, *(abs(row[key]) for row in rows for key in ("mean", "low", "high")))
    name = PAGE[language]["comparisons"]
    return svg.interval_chart(list(groups.items()), low=-reach, high=reach, name=name)


def curve(report: Report, language: str) -> str:
    """The loss of training and of validation over the steps, or the reward; empty without points.

    Where answers are drawn and judged, the loss says nothing of how good they are.
    """
    words = PAGE[language]
    if rewards := _rewards(report):
        return svg.band_chart(rewards, name=words["curve"], x=words["step"], y=words["reward"])
    series = [(kind, _points(report, kind)) for kind in ("loss", "eval_loss")]
    lines = [line for line in series if line[1]]
    return svg.line_chart(lines, name=words["curve"], x=words["step"], y=words["loss"])


def pace(report: Report, language: str, kind: str) -> str:
    """One quantity of the training over the steps, such as `learning_rate`."""
    words = PAGE[language]
    line = _points(report, kind)
    return svg.line_chart(
        [(kind, line)] if line else [], name=words[kind], x=words["step"], y=words[kind]
    )


def _rewards(report: Report) -> list[tuple[float, float, float, float]]:
    """Steps with their mean reward and its interval; the mean alone where a step has none."""
    keys = ("reward", "reward_low", "reward_high")
    return [
        (float(point["step"]), *(float(point.get(key, point["reward"])) for key in keys))
        for point in report["curve"]
        if isinstance(point.get("reward"), (int, float))
    ]


def _points(report: Report, kind: str) -> list[svg.Point]:
    return [
        (float(point["step"]), float(point[kind]))
        for point in report["curve"]
        if isinstance(point.get(kind), (int, float))
    ]


def _heading(report: Report, metric: str, part: str, language: str) -> str:
    metrics, parts = _by_name(report["metrics"]), _by_name(report["parts"])
    return f"{parts[part]['title'][language]} · {metrics[metric]['title'][language]}"


def _by_name(entries: Any) -> dict[str, Any]:
    return {entry["name"]: entry for entry in entries}


def _alone(chart: str) -> str:
    """A chart that stands alone: with its name space and its own colours on white."""
    style = f"<style>{STYLE.read_text(encoding='utf-8').strip()}</style>"
    ground = '<rect class="paper" width="100%" height="100%"/>'
    head, title, body = chart.partition("</title>")
    spaced = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{spaced}{title}{style}{ground}{body}\n"
