"""The model card: `README.md` with the hub's front matter, in Traditional Chinese and English.

Only facts of the run are in it, each with how many were measured. The two languages are two
templates beside this file; a test holds that both say the same things.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from foundry.core import plugins
from foundry.core.records import Plan
from foundry.delivery.package_record import PackageRecord
from foundry.evals.wording import percent, points
from foundry.policy.licence import Licence

LANGUAGES = ("zh-TW", "en")
HUB = "https://huggingface.co/"
# Identifiers the hub knows, of those in configs/licences/; any other is `license: other`.
# Source: https://huggingface.co/docs/hub/repositories-licenses.
HUB_LICENCES = {
    *("apache-2.0", "mit", "gemma", "llama3.1", "llama3.2", "cc0-1.0", "cc-by-4.0"),
    *("cc-by-nc-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
}
# The hub's words for relation and library, by the first of these exports that is there.
RELATIONS = {
    "adapter": ("adapter", "peft"),
    "merged": ("finetune", "transformers"),
    "gguf": ("finetune", "gguf"),
    "gguf-adapter": ("adapter", "gguf"),
}
UNKNOWN = "–"
# What stands on the card where the maker went past a conflict of licences (`--override`).
TAINT = {
    "zh-TW": "授權條款有衝突，製作者仍繼續製作。",
    "en": "The licences conflict, and the maker went on all the same.",
}


@dataclass(frozen=True)
class Evidence:
    """The run's records as JSON values: manifest, mask report, train result, eval report."""

    manifest: Mapping[str, Any]
    mask: Mapping[str, Any]
    train: Mapping[str, Any]
    report: Mapping[str, Any]


def card(record: PackageRecord, plan: Plan, evidence: Evidence) -> str:
    """The text of `README.md`.

    Args:
        record: What `package.json` says.
        plan: The run's plan.
        evidence: The run's records.
    """
    licences = _licences(record)
    header = yaml.safe_dump(
        front_matter(record, evidence, licences[0][1], plan.values["adapter"]["kind"]),
        allow_unicode=True,
        sort_keys=False,
        width=1000,
    )
    values = _values(record, plan, evidence, licences)
    bodies = [_render(language, values) for language in LANGUAGES]
    return f"---\n{header}---\n\n" + "\n".join(bodies)


def _licences(record: PackageRecord) -> list[tuple[str, Licence]]:
    """The base's name and each source's, with their licences; the base's own first."""
    ours = {"base", "built-on"}
    return [(record.base.name if x.role in ours else x.of, x.licence) for x in record.bound()]


def _overruled(record: PackageRecord) -> dict[str, Any] | None:
    """Why conflicts were gone past, and which; None where there was none."""
    if record.override is None:
        return None
    told = record.verdict().as_dict()["conflicts"]
    return {"reason": _cell(record.override.reason), "said": TAINT, "conflicts": told}


def front_matter(
    record: PackageRecord, evidence: Evidence, base_licence: Licence, adapter: str
) -> dict[str, Any]:
    """The metadata that the hub reads; `adapter` is the recipe's kind of it."""
    kinds = [export.kind for export in record.exports]
    relation, library = next(RELATIONS[kind] for kind in RELATIONS if kind in kinds)
    return {
        "base_model": record.base.hub_id or record.base.name,
        "base_model_relation": relation,
        "library_name": library,
        "pipeline_tag": "text-generation",
        "language": ["zh", "en"],
        **_licence(base_licence),
        "datasets": [PurePosixPath(s["path"]).name for s in learned(evidence.manifest)],
        "tags": list(dict.fromkeys(["zh-TW", "foundry", adapter, *kinds])),
        "model-index": [{"name": record.name, "results": list(_results(evidence.report))}],
    }


def _licence(licence: Licence) -> dict[str, str]:
    known = HUB_LICENCES & licence.names
    if known:
        return {"license": sorted(known)[0]}
    link = licence.url or "LICENCE.md"
    return {"license": "other", "license_name": licence.name, "license_link": link}


def _results(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One result for each test part, of the tuned model, in the hub's model-index form."""
    tuned = _column(report, "tuned")
    titles = {metric["name"]: metric["title"]["en"] for metric in report["metrics"]}
    for part in report["parts"]:
        metrics = [
            {"type": s["metric"], "value": s["mean"], "name": f"{titles[s['metric']]} (n={s['n']})"}
            for s in report["scores"]
            if s["part"] == part["name"] and s["column"] == tuned and s["mean"] is not None
        ]
        if metrics:
            yield {
                "task": {"type": "text-generation"},
                "dataset": {"name": part["title"]["en"], "type": part["name"], "split": "test"},
                "metrics": metrics,
            }


def _column(report: Mapping[str, Any], role: str) -> str | None:
    return next((c["name"] for c in report["columns"] if c["role"] == role), None)


def _render(language: str, values: Mapping[str, Any]) -> str:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
    )
    template = Path(__file__).with_name(f"card.{language}.md.jinja")
    text = environment.from_string(template.read_text(encoding="utf-8")).render(values)
    return text.rstrip() + "\n"


def _values(
    record: PackageRecord, plan: Plan, evidence: Evidence, licences: Sequence[tuple[str, Licence]]
) -> dict[str, Any]:
    base, chat = record.base, record.chat
    return {
        "title": record.title.model_dump(),
        "description": plan.values["description"],
        "recipe_name": record.name,
        "version": record.version,
        "foundry_version": plan.foundry_version,
        "author": plan.values["package"]["author"],
        "base_name": base.hub_id or base.name,
        "base_linked": f"[{base.hub_id}]({HUB}{base.hub_id})" if base.hub_id else base.name,
        "on_hub": base.hub_id is not None,
        "base_sha256": base.weights_sha256,
        "revision": base.revision,
        "quantized_base": plan.base.gguf is not None,
        "four_bits": plugins.load("adapter", plan.values["adapter"]["kind"]).BASE == "nf4",
        "artefact": chat.artefact,
        "adapter": next((e.path for e in record.exports if e.kind == "adapter"), None),
        "system": chat.system,
        "context": chat.context,
        "display": list(dict.fromkeys(s for _name, x in licences for s in x.display)),
        "statements": _statements(licences),
        "override": _overruled(record),
        "licences": [{"of": n, "title": x.title.model_dump()} for n, x in _unique(licences)],
        "accepted_terms": list(record.accepted_terms),
        **_results_values(evidence.report),
        **_data_values(evidence.manifest),
        **_proof_values(record, evidence),
    }


def _unique(licences: Sequence[tuple[str, Licence]]) -> list[tuple[str, Licence]]:
    """Each licence once, with the names of all that it covers."""
    covers: dict[str, list[str]] = {}
    for name, licence in licences:
        covers.setdefault(licence.name, []).append(name)
    found = {licence.name: licence for _name, licence in licences}
    return [(", ".join(covers[name]), licence) for name, licence in found.items()]


def _statements(licences: Sequence[tuple[str, Licence]]) -> list[dict[str, str]]:
    """What licences want to be said, in the card's two languages, each once."""
    said = {rule.en: rule for _name, x in licences for rule in x.statements}
    return [{"zh-TW": rule.zh_TW, "en": rule.en} for rule in said.values()]


def _results_values(report: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "numbers": list(_numbers(report)),
        "headlines": report["headlines"],
        "gates": report["gates"],
    }


def _numbers(report: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The rows of the table: each metric on each part, base beside tuned and delivered."""
    scores = {(s["metric"], s["part"], s["column"]): s for s in report["scores"]}
    gains = {
        (d["metric"], d["part"]): d for d in report["differences"] if d["kind"] == "tuned-base"
    }
    tuned, delivered = _column(report, "tuned"), _column(report, "delivered")
    for part in report["parts"]:
        for metric in report["metrics"]:
            key = (metric["name"], part["name"])
            if (*key, tuned) not in scores:
                continue
            gain = gains.get(key)
            base = scores.get((*key, gain["b"])) if gain else None
            yield {
                "part": _cells(part["title"]),
                "metric": _cells(metric["title"]),
                "lower_is_better": metric["lower_is_better"],
                "n": scores[(*key, tuned)]["n"],
                "base": _score(base),
                "tuned": _score(scores[(*key, tuned)]),
                "delivered": _score(scores.get((*key, delivered))),
                "difference": _gain(gain),
            }


def _score(score: Mapping[str, Any] | None) -> str:
    if score is None or score["mean"] is None:
        return UNKNOWN
    return f"{points(score['mean'])} [{points(score['low'])}, {points(score['high'])}]"


def _gain(gain: Mapping[str, Any] | None) -> str:
    if gain is None:
        return UNKNOWN
    mean, low, high = (points(gain[key], signed=True) for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


def _cells(texts: Mapping[str, str]) -> dict[str, str]:
    return {language: _cell(text) for language, text in texts.items()}


def _cell(text: object) -> str:
    """Text as it may stand in a cell of a Markdown table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def learned(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The sources that went into the model; files for testing only carry no licence."""
    return [source for source in manifest["sources"] if source["licence"]]


def _data_values(manifest: Mapping[str, Any]) -> dict[str, Any]:
    sources = [
        {
            "path": _cell(source["path"]),
            "rows": source["rows"],
            "licence": _cell(source["licence"]),
            **{
                key: _cell(source["declaration"].get(key) or UNKNOWN)
                for key in ("basis", "by", "purpose")
            },
        }
        for source in learned(manifest)
    ]
    return {"sources": sources, "rows": manifest, "parts": manifest["parts"]}


def _proof_values(record: PackageRecord, evidence: Evidence) -> dict[str, Any]:
    mask, train = evidence.mask, evidence.train
    parity = [
        {
            "name": export.name,
            "runtime": export.parity["runtime"],
            "prefixes": export.parity["prefixes"],
            "largest": export.parity["largest_logprob_difference"],
            "allowed": export.parity["tolerance"]["max"],
            "greedy": f"{export.parity['greedy_same']}/{export.parity['greedy_prompts']}",
            "stopped": f"{export.parity['stopped']}/{export.parity['stop_prompts']}",
        }
        for export in record.exports
    ]
    return {
        "mask": {**mask, "share": percent(mask["supervised_tokens"] / mask["tokens"])},
        "train": {
            **train,
            "first_loss": round(train["first_loss"], 4),
            "last_loss": round(train["last_loss"], 4),
        },
        "proof": [f"`{name}`: {_flat(value)}" for name, value in train["proof"].items()],
        "parity": parity,
    }


def _flat(value: Any) -> str:
    """A check of the learning proof in one line."""
    if not isinstance(value, Mapping):
        return _cell(value)
    return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
