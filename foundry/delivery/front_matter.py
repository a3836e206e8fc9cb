"""The front matter of the model card: what the hub reads, with every measured score.

The hub's `model-index` has no key for an interval; its parser keeps what stands in a metric's
`args`, so how many were asked and the interval are there.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from foundry.core.yaml_places import value_spans
from foundry.delivery.claims import CLOSE, DIGIT, OPEN, YAML, Found, Writer, by, plain
from foundry.policy.duties import TERMS
from foundry.train.gives import gives_reward

# Identifiers the hub knows, of those in configs/licences/; any other is `license: other`.
# Source: https://huggingface.co/docs/hub/repositories-licenses.
HUB_LICENCES = {
    *("apache-2.0", "mit", "gemma", "llama2", "llama3", "llama3.1", "llama3.2", "llama3.3"),
    *("cc0-1.0", "cc-by-4.0", "cc-by-nc-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
}
# The hub's words for relation and library, by the first of these exports that is there.
RELATIONS = {
    "adapter": ("adapter", "peft"),
    "merged": ("finetune", "transformers"),
    "gguf": ("finetune", "gguf"),
    "gguf-adapter": ("adapter", "gguf"),
}


def front_matter(sources: Mapping[str, Found]) -> dict[str, Any]:
    """The metadata, in which every value with a digit is `Found`.

    It names no `datasets`, which must be the hub's own: a recipe reads files.

    Args:
        sources: The package's JSON files by their short names, as `documents.py` has them.
    """
    record = sources["record"]
    kinds = [export["kind"] for export in record["exports"]]
    relation, library = next(RELATIONS[kind] for kind in RELATIONS if kind in kinds)
    values = sources["plan"]["values"]
    judges = gives_reward(str(values["train"]["kind"]))
    task = "text-classification" if judges else "text-generation"
    results = list(_results(sources["report"], task))
    base, adapter = record["base"], values["adapter"]["kind"]
    own = ("zh-TW", "foundry", *["reward-model"] * judges)
    tags = {str(tag): tag for tag in (*own, adapter, *kinds)}
    return {
        "base_model": base["hub_id"] or base["name"],
        "base_model_relation": relation,
        "library_name": library,
        "pipeline_tag": task,
        "language": ["zh", "en"],
        **_licence(list(sources["licence"]["licences"])),
        "tags": list(tags.values()),
        **({"model-index": [{"name": record["name"], "results": results}]} if results else {}),
    }


def _licence(licences: Sequence[Found]) -> dict[str, Any]:
    """The base's licence; `other` where the hub does not know it or data adds conditions."""
    base, *others = licences
    adding = [one for one in others if _adds_conditions(plain(one))]
    names = [by(name, "lower case") for name in (base["name"], base["spdx"], *base["aliases"])]
    known = [name for name in names if str(name) in HUB_LICENCES]
    if known and not adding:
        return {"license": known[0]}
    if not adding:
        link = base["url"] or TERMS
        return {"license": "other", "license_name": base["name"], "license_link": link}
    joined = (piece for one in adding for piece in ("-and-", one["name"]))
    return {"license": "other", "license_name": (base["name"], *joined), "license_link": TERMS}


def _adds_conditions(licence: Mapping[str, Any]) -> bool:
    """Whether whoever receives the model is bound to more than by the base's licence alone.

    What is not known of a licence counts as a condition.
    """
    allows = licence["commercial"] is True and licence["derivatives"] is True
    asks = licence["attribution"] or licence["share_alike"] or licence["passthrough_terms"]
    return not licence["results_free"] and (not allows or bool(asks))


def _results(report: Found, task: str) -> Iterator[dict[str, Any]]:
    """One result for each test part, of the tuned model, in the hub's model-index form."""
    tuned = column(report, "tuned")
    titles = {str(metric["name"]): metric["title"]["en"] for metric in report["metrics"]}
    for part in report["parts"]:
        metrics = [
            _metric(score, titles[str(score["metric"])], report)
            for score in report["scores"]
            if score["part"] == part["name"] and score["column"] == tuned
            if plain(score["mean"]) is not None
        ]
        if metrics:
            yield {
                "task": {"type": task},
                "dataset": {"name": part["title"]["en"], "type": part["name"], "split": "test"},
                "metrics": metrics,
            }


def _metric(score: Found, title: Found, report: Found) -> dict[str, Any]:
    args = {
        "n": score["n"],
        "interval_low": score["low"],
        "interval_high": score["high"],
        "interval_level": report["method"]["level"],
    }
    return {"type": score["metric"], "value": score["mean"], "name": title, "args": args}


def column(report: Found, role: str) -> str | None:
    """The column of a report in a role, by name."""
    return next((str(c["name"]) for c in report["columns"] if c["role"] == role), None)


def marked(tree: Mapping[str, Any], writer: Writer) -> str:
    """The metadata as YAML, with the marks of `claims.py` around each value that has a digit.

    A tuple in the tree is one text in pieces.

    Raises:
        ProofError: A value with a digit is from no file of the package.
    """
    text = yaml.safe_dump(_plain(tree), allow_unicode=True, sort_keys=False, width=float("inf"))
    made, end = "", 0
    for start, stop, value in _places(tree, text):
        writer.show(value)
        made += f"{text[end:start]}{OPEN}{text[start:stop]}{CLOSE}"
        end = stop
    return made + text[end:]


def _plain(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {key: _plain(item) for key, item in tree.items()}
    if isinstance(tree, list):
        return [_plain(item) for item in tree]
    if isinstance(tree, tuple):
        return "".join(map(str, tree))
    return plain(tree) if isinstance(tree, Found) and tree._rule == "as it is" else _text(tree)


def _text(leaf: Any) -> Any:
    return str(leaf) if isinstance(leaf, Found) else leaf


def _places(tree: Any, text: str) -> Iterator[tuple[int, int, Any]]:
    """Where each value with a digit begins and ends in the YAML text, in order."""
    for (start, stop), leaf in zip(value_spans(text), _leaves(tree), strict=True):
        yield from _in_scalar(start, stop, leaf, text)


def _leaves(tree: Any) -> Iterator[Any]:
    if isinstance(tree, Mapping | list):
        for item in tree.values() if isinstance(tree, Mapping) else tree:
            yield from _leaves(item)
    else:
        yield tree


def _in_scalar(start: int, stop: int, leaf: Any, text: str) -> Iterator[tuple[int, int, Any]]:
    for value in leaf if isinstance(leaf, tuple) else [leaf]:
        said = str(value)
        if not DIGIT.search(said):
            continue
        at = text.find(said, start, stop)
        if at < 0 and isinstance(value, Found):
            yield start, stop, by(value, YAML)  # in quotes with escapes, or as 1.0e-05
        else:
            yield at, at + len(said), value
            start = at + len(said)
