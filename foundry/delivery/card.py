"""The model card: `README.md` with the hub's front matter, in Traditional Chinese and English.

Only facts of the run are in it, each with how many were measured. The two languages are two
templates beside this file; a test holds that both say the same things.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from foundry.core import plugins
from foundry.delivery.claims import UNKNOWN, Found, Writer, by, has, plain
from foundry.delivery.front_matter import column, front_matter, marked
from foundry.policy import origins
from foundry.train.gives import gives_reward

LANGUAGES = ("zh-TW", "en")
HUB = "https://huggingface.co/"
POINTS = "percentage points, 1 decimal"
# What stands on the card where the maker went past a conflict (`--override`).
LICENCES_CONFLICT = {
    "zh-TW": "授權條款有衝突，製作者仍繼續製作。",
    "en": "The licences conflict, and the maker went on all the same.",
}
ORIGIN_REFUSED = {
    "zh-TW": "採用的政策不接受基底模型的來源，製作者仍繼續製作。",
    "en": "The policy refuses the base model's origin, and the maker went on all the same.",
}


def taint(rules: Iterable[str]) -> list[Mapping[str, str]]:
    """The sentences, in each language, on what the maker went past, by the rules of conflicts."""
    met, of_origin = set(rules), set(origins.RULES)
    said = [LICENCES_CONFLICT] if met - of_origin else []
    return [*said, ORIGIN_REFUSED] if met & of_origin else said


def card(sources: Mapping[str, Found], writer: Writer, *, quantized_base: bool) -> str:
    """The text of `README.md`, with the marks of `claims.py`.

    Args:
        sources: The package's JSON files by their short names, as `documents.py` has them.
        writer: Keeps account of the numbers.
        quantized_base: Whether the base's weights were read from a quantised file.
    """
    header = marked(front_matter(sources), writer)
    values = {**_values(sources), "quantized_base": quantized_base}
    bodies = [writer.render(template("card", language), values) for language in LANGUAGES]
    return f"---\n{header}---\n\n" + "\n".join(bodies)


def template(name: str, language: str) -> Path:
    """The template of a card in a language."""
    return Path(__file__).with_name(f"{name}.{language}.md.jinja")


def _values(sources: Mapping[str, Found]) -> dict[str, Any]:
    record, plan, report = sources["record"], sources["plan"], sources["report"]
    base, values = record["base"], plan["values"]
    hub = base["hub_id"]
    overruled = list(record["override"]["conflicts"]) if record["override"] else []
    return {
        **sources,
        "base": base,
        "values": values,
        "base_name": hub or base["name"],
        "base_linked": ("[", hub, f"]({HUB}", hub, ")") if hub else base["name"],
        "four_bits": plugins.load("adapter", str(values["adapter"]["kind"])).BASE == "nf4",
        "judges": gives_reward(str(values["train"]["kind"])),
        "adapter": next((e["path"] for e in record["exports"] if e["kind"] == "adapter"), None),
        "merged": next((e["path"] for e in record["exports"] if e["kind"] == "merged"), None),
        "taint": taint(str(conflict["rule"]) for conflict in overruled),
        "refused_origins": [x for x in overruled if str(x["rule"]) in origins.RULES],
        "display": _each(s for x in sources["licence"]["licences"] for s in x["display"]),
        "statements": _each(
            (s for x in sources["licence"]["licences"] for s in x["statements"]), "en"
        ),
        "covered": {str(x["name"]): _covered(x, base) for x in sources["licence"]["licences"]},
        "numbers": list(_numbers(report)),
        "answering": _answering(report),
        "learned": [_source(source) for source in learned(sources["manifest"])],
        "planted": has(sources["manifest"], "planted") and sources["manifest"]["planted"],
        "proofs": list(plain(sources["train"]["proof"])),
    }


def _each(found: Iterator[Found], *keys: str) -> list[Found]:
    """Those that say something else than the ones before."""
    said: dict[str, Found] = {}
    for one in found:
        said.setdefault(str(one[keys[0]] if keys else one), one)
    return list(said.values())


def _covered(licence: Found, base: Found) -> tuple[Any, ...]:
    """What a licence is of, by name, with commas between."""
    names = [base["name"] if name == "base_model" else name for name in licence["covers"]]
    return tuple(piece for name in names for piece in (", ", name))[1:]


def learned(manifest: Found) -> list[Found]:
    """The sources that went into the model; files for testing only carry no licence."""
    return [source for source in manifest["sources"] if source["licence"]]


def _source(source: Found) -> dict[str, Any]:
    """A row of the table of sources."""
    said = {key: source["declaration"][key] for key in plain(source["declaration"])}
    cells = {"path": source["path"], "licence": source["licence"], "rows": source["rows"]}
    cells |= {key: said.get(key) or UNKNOWN for key in ("basis", "by", "purpose")}
    return {k: by(v, "one line") if isinstance(v, Found) else v for k, v in cells.items()}


def _numbers(report: Found) -> Iterator[dict[str, Any]]:
    """The rows of the table: each metric on each part, base beside tuned and delivered."""
    scores = {_key(s, "metric", "part", "column"): s for s in report["scores"]}
    gains = {
        _key(d, "metric", "part"): d for d in report["differences"] if d["kind"] == "tuned-base"
    }
    tuned, delivered = column(report, "tuned"), column(report, "delivered")
    for part in report["parts"]:
        for metric in report["metrics"]:
            key = (str(metric["name"]), str(part["name"]))
            if (*key, tuned) not in scores:
                continue
            gain = gains.get(key)
            base = scores.get((*key, str(gain["b"]))) if gain else None
            yield {
                "part": part["title"],
                "metric": metric["title"],
                "lower_is_better": metric["lower_is_better"],
                "n": scores[(*key, tuned)]["n"],
                "base": _with_interval(base, POINTS),
                "tuned": _with_interval(scores[(*key, tuned)], POINTS),
                "delivered": _with_interval(scores.get((*key, delivered)), POINTS),
                "difference": _with_interval(gain, f"signed {POINTS}"),
            }


def _key(found: Found, *keys: str) -> tuple[str, ...]:
    return tuple(str(found[key]) for key in keys)


def _with_interval(found: Found | None, rule: str) -> Any:
    if found is None or plain(found["mean"]) is None:
        return UNKNOWN
    mean, low, high = (by(found[key], rule) for key in ("mean", "low", "high"))
    return (mean, " [", low, ", ", high, "]")


def _answering(report: Found) -> Found | None:
    """What a thousand answers take of the file handed over, or else of the trained model."""
    if not report["costs"]:  # nothing was measured
        return None
    costs = {str(one["column"]): one for one in report["costs"]["columns"]}
    names = (column(report, role) for role in ("delivered", "tuned"))
    return next((costs[name] for name in names if name in costs), None)
