"""The mask report as text: every count on a line of its own, and the rows as they are trained."""

from collections.abc import Iterator, Mapping
from typing import Any

from foundry.core.language import gettext as _
from foundry.encode.samples import as_marked

Report = Mapping[str, Any]


def as_text(report: Report, manifest: Report) -> str:
    """The report for people; `manifest` is the data manifest as JSON has it."""
    rows = ["  " + as_marked(sample).replace("\n", "⏎") for sample in report["samples"]]
    marks = _("rows as trained; ⟦ ⟧ marks what is supervised:")
    return (
        "\n".join([*_sources(manifest), *_counts(report), *_template(report), marks, *rows]) + "\n"
    )


def _sources(manifest: Report) -> Iterator[str]:
    for source in manifest["sources"]:
        what = _("{path}: {rows} rows, {used} used, {refused} refused, {blank} blank")
        refused = sum(source["refused"].values())
        yield what.format(
            path=source["path"],
            rows=source["rows"],
            used=source["used"],
            refused=refused,
            blank=source["blank"],
        )
        if refused:
            yield "  " + _listed(source["refused"])
    for mixed in manifest.get("mixture", {}).get("sources", ()):
        what = _("{files}: {drawn} rows of an epoch ({share:.1%}), from {used} of {rows}")
        yield what.format(**{**mixed, "files": ", ".join(mixed["files"])})
    if manifest["turns"]:
        yield _("turns: {counts}").format(counts=_listed(manifest["turns"]))


def _counts(report: Report) -> Iterator[str]:
    yield _("rows to train on: {rows}, made of {examples} examples").format(
        rows=report["rows"], examples=report["examples"]
    )
    if report["dropped"]:
        yield _("left out: {counts}").format(counts=_listed(report["dropped"]))
    yield _(
        "over the limit of {limit} tokens ({policy}): {examples}; left out {dropped}, cut {cut}, "
        "split {split} into {split_into}; tokens lost: {tokens_lost}"
    ).format(**report["over_limit"])
    if report["split_turns"]["rows"]:
        what = _("{conversations} conversations became {rows} rows, as the template rewrites turns")
        yield what.format(**report["split_turns"])
    yield _("tokens: {tokens}; supervised: {supervised} ({share}); longest row: {longest}").format(
        tokens=report["tokens"],
        supervised=report["supervised_tokens"],
        share=f"{report['supervised_share']:.1%}",
        longest=report["longest"],
    )
    ids, texts = report["stops_supervised"], report["stop_texts"]
    stops = ", ".join(f"{texts[number]} ({number}) x{count}" for number, count in ids.items())
    yield _("assistant turns: {turns}; supervised stop ids: {stops}").format(
        turns=report["assistant_turns"], stops=stops
    )
    yield _(
        "BOS at the head of each row: {bos}; rows with a token merged over the seam: {seam}"
    ).format(bos=report["bos_per_row"], seam=report["rows_with_merged_seam"])


def _template(report: Report) -> Iterator[str]:
    if report["left_out_by_template"]:
        what = _("the template leaves out: {counts}")
        yield what.format(counts=_listed(report["left_out_by_template"]))
    if report["added_by_template"]:
        what = _("the template puts before answers: {counts}")
        yield what.format(counts=_listed(report["added_by_template"]).replace("\n", "⏎"))
    yield _(
        "template {sha256}; system turns: {system_turns}; tools: {tools}; date: {date}; "
        "system text: {system_text}"
    ).format(**{name: value or "–" for name, value in report["template"].items()})


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} x{count}" for name, count in counts.items())
