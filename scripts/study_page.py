"""The comparison of a study as a section of `docs/studies.md`.

    foundry compare --study DIR --out DIR/comparison
    python scripts/study_page.py DIR

The table holds one metric over all parts, the study's first or `--metric`; the verdicts are those
of the comparison for each pair of arms. Run it on the machine that trained: it is named beside the
table, since seconds and memory are its own.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

# Run as a file, Python looks for modules beside it; what is read is the checkout's `foundry`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.performance import machine, put_section

PAGE = Path(__file__).resolve().parents[1] / "docs" / "studies.md"
LIBRARIES = ("torch", "transformers", "peft", "trl")
COLUMNS = (
    *("arm", "score", "95 % interval", "by seed", "trained numbers"),
    *("peak MB", "size MB", "seconds", "front"),
)
Found = Mapping[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Put a study's comparison into docs/studies.md.")
    parser.add_argument("study", type=Path, help="the study's folder, compared")
    parser.add_argument("--metric", help="default: the recipe's first evaluator")
    parser.add_argument("--note", default="", help="a sentence on how the runs were made")
    parser.add_argument("--page", type=Path, default=PAGE)
    options = parser.parse_args()
    made = json.loads((options.study / "comparison" / "comparison.json").read_text("utf-8"))
    outline = json.loads((options.study / "study.json").read_text("utf-8"))
    metric = options.metric or made["front"]["metric"]
    body = section(made, metric, note=options.note)
    put_section(options.page, outline["name"], f"{outline['title']['en']}\n\n{body}")


def section(made: Found, metric: str, *, note: str = "") -> str:
    """The table, the verdict of each pair, and what the arms differ in without being told to."""
    unequal = [f"- unequal: {one['sentence']['en']}" for one in made["unequal"]]
    about = f"Metric: `{metric}` over all parts. {machine(LIBRARIES)}. {note}".rstrip()
    return "\n".join([about, "", *table(made, metric), "", *verdicts(made, metric), *unequal])


def table(made: Found, metric: str) -> Iterator[str]:
    """A row for each arm, the best first."""
    yield f"| {' | '.join(COLUMNS)} |"
    yield f"|---|{'--:|' * (len(COLUMNS) - 1)}"
    whole = {one["arm"]: one for one in made["scores"] if is_whole(one, metric)}
    arms = {arm["name"]: arm for arm in made["arms"]}
    for name in sorted(arms, key=lambda name: -whole[name]["mean"]):
        score, arm = whole[name], arms[name]
        seeds = [run["scores"][metric] for run in made["runs"] if run["arm"] == name]
        cells = [
            f"{score['mean']:.3f}",
            f"{score['low']:.3f} to {score['high']:.3f}",
            ", ".join(f"{one:.3f}" for one in seeds),
            f"{arm['trainable_parameters']['mean']:,.0f}",
            f"{arm['memory_bytes']['mean'] / 1e6:,.0f}",
            f"{arm['size_bytes']['mean'] / 1e6:,.1f}",
            f"{arm['seconds']['mean']:,.0f}",
            "★" if name in made["front"]["arms"] else "",
        ]
        yield f"| {' | '.join([name, *cells])} |"


def verdicts(made: Found, metric: str) -> Iterator[str]:
    """What is said of each pair over all parts."""
    for one in made["differences"]:
        if is_whole(one, metric):
            yield f"- {one['a']} against {one['b']}: {one['verdict']}. {one['sentence']['en']}"


def is_whole(one: Found, metric: str) -> bool:
    """Whether a score or a difference is the metric's over all parts."""
    return bool(one["metric"] == metric and one["part"] is None)


if __name__ == "__main__":
    main()
