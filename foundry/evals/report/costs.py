"""How the page tells what a thousand answers take, with every assumption beside the figures."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from foundry.evals.report.words import PAGE

MARK = re.compile("^[A-Z?] ")
LEADING = ("delivered", "tuned")

Report = Mapping[str, Any]


def costs(report: Report, language: str) -> dict[str, Any]:
    """`costs` (rows, empty where nothing was measured), `costs_lead`, `cost_notes`, `answers`."""
    found = report["costs"]
    rows = [] if found is None else [r for r in found["columns"] if r["seconds"] is not None]
    if not rows:
        return {"costs": []}
    return {
        "costs": rows,
        "costs_lead": _lead(report, rows, language),
        "cost_notes": list(_notes(found, rows, PAGE[language])),
        "answers": f"{found['answers']:,}",
    }


def amount(value: float | None) -> str:
    """Three digits that count: `1,234`, `12.3`, `0.0123`; `< 0.001` below that."""
    if value is None:
        return "–"
    if 0 < value < 0.001:
        return "< 0.001"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _lead(report: Report, rows: list[Report], language: str) -> str | None:
    """The sentence on the file that is handed over, or else on the tuned model."""
    columns = {column["role"]: column for column in reversed(report["columns"])}  # the first counts
    timed = {row["column"]: row for row in rows}
    for role in LEADING:
        column = columns.get(role)
        if column is not None and column["name"] in timed:
            row = timed[column["name"]]
            key = "costs_lead_seconds" if row["twd"] is None else "costs_lead"
            return PAGE[language][key].format(
                column=column["title"][language],
                answers=f"{report['costs']['answers']:,}",
                seconds=amount(row["seconds"]),
                twd=amount(row["twd"]),
            )
    return None


def _source(mark: str) -> str:
    """Where a price is from, without the letter that says how well it is known (configs/)."""
    return MARK.sub("", mark)


def _notes(found: Report, rows: list[Report], words: Mapping[str, str]) -> Iterator[str]:
    yield words["costs_seconds"].format(answers=f"{found['answers']:,}")
    sources = {row["kwh_from"] for row in rows if row["kwh"] is not None}
    if "meter" in sources:
        yield words["costs_metered"]
    if "assumed" in sources:
        watts = amount(found["watts"])
        yield words["costs_assumed"].format(watts=watts, watts_from=_source(found["watts_from"]))
    if sources and found.get("share", 1) < 1:
        yield words["costs_share"].format(percent=f"{100 * found['share']:.0f}")
    if sources and found["twd_per_kwh"] is not None:
        price, source = found["twd_per_kwh"], _source(found["price_from"])
        yield words["costs_price"].format(price=price, price_from=source)
    if found["twd_per_hour"] is not None:
        rent, source = found["twd_per_hour"], _source(found["rent_from"])
        yield words["costs_rent"].format(rent=rent, rent_from=source)
