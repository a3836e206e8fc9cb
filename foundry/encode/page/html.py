"""The mask report as one self-contained page: every language, no script, no request.

Rows, templates and file names are untrusted text. The template of the page escapes everything, the
page's policy forbids every source, and control characters are shown instead of obeyed.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from foundry.core import page
from foundry.core.records import ShardSet
from foundry.encode.mask_report import NAMED
from foundry.encode.page.histogram import bar_width, histogram
from foundry.encode.page.words import DROPPED, KINDS, LEFT_OUT, PAGE, TURNS
from foundry.encode.tally import HISTOGRAM_STEP

TEMPLATE = Path(__file__).with_name("page.html.jinja")
STYLE = Path(__file__).with_name("page.css")
OVER = ("examples", "dropped", "cut", "split", "split_into", "tokens_lost")

Report = Mapping[str, Any]


def render(shards: ShardSet, manifest: Report, *, title: Mapping[str, str], template: str) -> str:
    """The page.

    Args:
        shards: What the encode stage made; its `mask` is the report.
        manifest: The data manifest as JSON has it.
        title: The recipe's name for people, by language.
        template: The chat template under which the rows were rendered.
    """
    return page.render(
        TEMPLATE,
        STYLE,
        {},
        report=shards.mask,
        sources=manifest["sources"],
        pages=[_page(shards.mask, manifest, title, language) for language in PAGE],
        named=NAMED,
        over=OVER,
        template=template,
        key=shards.key,
        key_parts=shards.key_parts,
    )


def _page(
    report: Report, manifest: Report, title: Mapping[str, str], language: str
) -> dict[str, Any]:
    """What the page needs beside the report itself, in one language."""
    from markupsafe import Markup

    words = PAGE[language]
    counts = {int(low): count for low, count in report["length_histogram"].items()}
    return {
        "language": language,
        "words": words,
        "title": title[language],
        "right": words["right"].format(
            rows=report["rows"],
            tokens=report["tokens"],
            supervised=report["supervised_tokens"],
            share=f"{report['supervised_share']:.1%}",
        ),
        "lengths_note": words["lengths_note"].format(
            step=bar_width(counts, HISTOGRAM_STEP), limit=report["over_limit"]["limit"]
        ),
        "headlines": list(_headlines(report, words)),
        "steps": list(_steps(report, words, language)),
        "turns": [(_said(TURNS, k, language), n) for k, n in manifest.get("turns", {}).items()],
        "dropped": {code: _said(DROPPED, code, language) for code in report["dropped"]},
        "kinds": {kind: texts[language] for kind, texts in KINDS.items()},
        "facts": list(_facts(report, words, language)),
        # Markup is safe here: the labels are ours and the bars are numbers.
        "chart": Markup(
            histogram(
                counts,
                HISTOGRAM_STEP,
                report["over_limit"]["limit"],
                name=words["lengths"],
                x=words["tokens"],
            )
        ),
    }


def _headlines(report: Report, words: Mapping[str, str]) -> Iterator[str]:
    over = report["over_limit"]
    yield words["stops"].format(
        turns=report["assistant_turns"], stops=", ".join(report["stop_texts"].values())
    )
    if over["examples"]:
        yield words["some_over"].format(**over)
    else:
        yield words["all_fit"].format(limit=over["limit"], longest=report["longest"])
    yield words["something_lost" if report["left_out_by_template"] else "nothing_lost"]


def _steps(report: Report, words: Mapping[str, str], language: str) -> Iterator[tuple[str, int]]:
    yield words["examples"], report["examples"]
    for code, count in report["dropped"].items():
        yield f"− {_said(DROPPED, code, language)}", count
    yield words["encoded"], report["rows"]


def _facts(
    report: Report, words: Mapping[str, str], language: str
) -> Iterator[tuple[str, list[str]]]:
    template, texts = report["template"], report["stop_texts"]
    stops = report["stops_supervised"].items()
    yield words["stop"], [f"{texts[number]} ({number} × {count})" for number, count in stops]
    yield words["bos"], [words["bos_one" if report["bos_per_row"] else "bos_none"]]
    yield words["seams"], [str(report["rows_with_merged_seam"])]
    lost = report["left_out_by_template"].items()
    left_out = [f"{_said(LEFT_OUT, kind, language)} × {count}" for kind, count in lost]
    yield words["left_out"], left_out or [words["none"]]
    added = [f"{said} × {count}" for said, count in report["added_by_template"].items()]
    yield words["added"], added or [words["none"]]
    yield words["system"], [template["system_text"] or words["no_system"]]
    yield words["system_turns"], [words[f"system_{template['system_turns']}"]]
    yield words["tool_turns"], [words[f"tools_{template['tools']}"]]
    yield words["date"], [template["date"] or words["none"]]


def _said(words: Mapping[str, Mapping[str, str]], code: str, language: str) -> str:
    """What a code means; the code itself where it has no words."""
    return words[code][language] if code in words else code
