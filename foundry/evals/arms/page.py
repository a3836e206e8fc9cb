"""A comparison as one self-contained page: every language, no script, no request.

It is made of the document alone, so that the same runs give the same bytes. What models said and
what recipes hold is untrusted text, which the template escapes.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from foundry.core import page
from foundry.core.sizes import readable
from foundry.evals.arms.words import PAGE
from foundry.evals.report import svg
from foundry.evals.report.costs import amount
from foundry.evals.report.html import STYLE, by, p_value
from foundry.evals.wording import LANGUAGES, VERDICTS, points

TEMPLATE = Path(__file__).with_name("comparison.html.jinja")
AXES = ("memory_bytes", "size_bytes", "seconds")
FIGURES = (*AXES, "seconds_per_answer", "steps", "tokens", "trainable_parameters")
BYTES = ("memory_bytes", "size_bytes")
SHOWN_ITEMS = 30
LONGEST = 200
"""Characters of a setting that are shown; a hash of a file and a sentence fit."""

Document = Mapping[str, Any]
Words = Mapping[str, str]


def render(document: Document) -> str:
    """The page of a document as `contest` makes it, or as read back from its JSON."""
    filters = {
        "points": partial(points, signed=True),
        "score": points,
        "p_value": p_value,
        "amount": amount,
        "value": _value,
    }
    return page.render(
        TEMPLATE,
        STYLE,
        filters,
        title=_title(document),
        found=document,
        pages=[_page(document, language) for language in LANGUAGES],
    )


def _title(document: Document) -> dict[str, str]:
    if "title" in document:
        return dict(document["title"])
    return {name: PAGE[name]["title"].format(n=len(document["arms"])) for name in LANGUAGES}


def _page(document: Document, language: str) -> dict[str, Any]:
    """What the template needs beside the document itself, in one language."""
    words, metrics = PAGE[language], {one["name"]: one for one in document["metrics"]}
    chosen, quality = metrics[document["front"]["metric"]], quality_of(document)
    told = document["told"]
    return {
        "language": language,
        "words": words,
        "metrics": metrics,
        "verdicts": {key: text[language] for key, text in VERDICTS.items()},
        "conclusion": list(_conclusion(document, quality, chosen, language)),
        "unequal": [_unequal(one, words) for one in document["unequal"]],
        "arms": [
            {**arm, "star": arm["name"] in document["front"]["arms"], "score": quality[arm["name"]]}
            | {"figures": [_figure(arm[key], key) for key in FIGURES]}
            for arm in document["arms"]
        ],
        "figures": [words[key] for key in FIGURES],
        "charts": list(_charts(document, quality, chosen, language)),
        "scores": by(("metric", "part"), document["scores"]),
        "differences_chart": _differences_chart(document, metrics, language),
        "differences": by(("metric", "part"), document["differences"]),
        "right": 0 if chosen["lower_is_better"] else 1,
        "told": told[:SHOWN_ITEMS],
        "told_note": words["won_note"].format(
            metric=chosen["title"][language], shown=min(SHOWN_ITEMS, len(told)), n=len(told)
        ),
    }


def quality_of(document: Document) -> dict[str, Document]:
    """Each arm's score by the metric of the front, over all of its parts."""
    name = document["front"]["metric"]
    # All parts together come last.
    return {one["arm"]: one for one in document["scores"] if one["metric"] == name}


def _conclusion(
    document: Document, quality: Mapping[str, Document], chosen: Document, language: str
) -> Iterator[str]:
    """Which mean is best, and what is said of every pair by the metric of the front."""
    words, lower = PAGE[language], chosen["lower_is_better"]
    pick = min if lower else max
    best = pick(quality.values(), key=lambda one: one["mean"])
    yield words["by"].format(metric=chosen["title"][language], n=best["n"], groups=best["groups"])
    numbers = {key: points(best[key]) for key in ("mean", "low", "high")}
    yield words["lowest" if lower else "best"].format(arm=best["arm"], **numbers)
    pairs = [one for one in document["differences"] if one["metric"] == chosen["name"]]
    for one in by(("metric", "part"), pairs)[-1]:
        head = words["against"].format(a=one["a"], b=one["b"])
        yield head + one["sentence"][language]
    if any(len(arm["seeds"]) < 2 for arm in document["arms"]):
        yield words["one_seed"]


def _unequal(one: Document, words: Words) -> str:
    a, b = (_short(value) for value in one["values"])
    what = one["what"] if one["what"] in ("seeds", "order", "encoding") else "budget"
    told = words[f"unequal-{what}"]
    return told.format(arm=one["arm"], other=one["other"], key=one["key"], a=a, b=b)


def _charts(
    document: Document, quality: Mapping[str, Document], chosen: Document, language: str
) -> Iterator[Any]:
    """Quality against memory, size and seconds; one that an arm does not tell is left out."""
    from markupsafe import Markup

    words = PAGE[language]
    for axis in AXES:
        arms = list(enumerate(document["arms"], start=1))
        if any(arm[axis] is None for _number, arm in arms):
            continue
        dots = [
            svg.Dot(
                str(number),
                arm["name"],
                _spread(arm[axis], "mean"),
                _spread(quality[arm["name"]], "mean"),
                "tuned" if arm["name"] in document["front"]["arms"] else "base",
            )
            for number, arm in arms
        ]
        made = svg.scatter_chart(
            dots,
            name=words["against_cost"].format(cost=words[axis]),
            x=words[axis],
            y=chosen["title"][language],
            shown=(readable if axis in BYTES else amount, points),
        )
        # Markup is safe here: `svg` escapes what it is given to write.
        yield Markup(made)


def _spread(one: Document, middle: str) -> tuple[float, float, float]:
    return one[middle], one["low"], one["high"]


def _differences_chart(document: Document, metrics: Mapping[str, Document], language: str) -> Any:
    """Every difference with its interval, metric by metric, about zero."""
    from markupsafe import Markup

    words, groups = PAGE[language], []
    rows = document["differences"]
    for own in by(("metric", "part"), rows):
        part = own[0]["part"] or words["all"]
        marks = [_mark(row) for row in own]
        groups.append((f"{metrics[own[0]['metric']]['title'][language]} · {part}", marks))
    reach = max(0.01, *(abs(row[key]) for row in rows for key in ("mean", "low", "high")))
    name = words["differences"]
    # Markup is safe here: `svg` escapes what it is given to write.
    return Markup(svg.interval_chart(groups, low=-reach, high=reach, name=name))


def _mark(row: Document) -> svg.Mark:
    low, high = (points(row[key], signed=True) for key in ("low", "high"))
    said = f"{points(row['mean'], signed=True)} ({low} … {high})"
    kind = row["verdict"].lower().replace(" ", "-")
    return svg.Mark(f"{row['a']} − {row['b']}", *_spread(row, "mean"), said, kind)


def _figure(one: Document | None, key: str) -> dict[str, str] | None:
    """A mean with its least and most, as the table shows them; `range` empty where they agree."""
    if one is None:
        return None
    shown = readable if key in BYTES else amount
    mean, low, high = (shown(one[name]) for name in ("mean", "low", "high"))
    return {"mean": mean, "range": "" if low == high else f"{low}–{high}"}


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)[:16] if isinstance(value, str) else str(value)


def _value(value: Any) -> str:
    """A setting as it stands, cut where it is long."""
    text = page.visible("–" if value is None else str(value))
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
