"""Runs as text: a line of a table, a page, a comparison."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import mean
from typing import Any

from foundry.cli.output import print_table
from foundry.cli.rows import visible
from foundry.core.language import gettext as _
from foundry.core.sizes import readable
from foundry.delivery.parity_record import says_reward
from foundry.store.run_list import Overview
from foundry.store.runs import at

BLOCKS = "▁▂▃▄▅▆▇█"
CURVE_WIDTH = 60
PFLOP = 1e15


def row(one: Overview) -> list[str]:
    """The cells of a run in the list."""
    steps = "-" if one.steps is None else f"{one.steps}/{one.of or '?'}"
    loss = "-" if one.loss is None else f"{one.loss:.3f}"
    texts = [one.name, one.base, one.adapter, one.trainer]
    state = state_text(one.state.as_dict())
    cells = [*(visible(str(text or "-")) for text in texts), steps, state, loss]
    date = (one.date or "-").replace("T", " ").removesuffix("Z")
    return [*cells, f"{one.seconds:.1f}", readable(one.size_bytes), date]


def state_text(state: Mapping[str, Any]) -> str:
    """How far a run came, in a few words."""
    texts = {
        "running": _("at work: {stage} (process {pid})"),
        "done": _("done"),
        "failed": _("failed at {stage}"),
        "interrupted": _("interrupted at {stage}"),
        "planned": _("planned"),
    }
    if state["kind"] == "done" and state["stage"] != "package":
        return _("done until {stage}").format(**state)
    return texts[state["kind"]].format(**{**state, "stage": state["stage"] or "-"})


def print_run(found: Mapping[str, Any]) -> None:
    """Everything of one run on a page."""
    print(f"{found['path']}: {state_text(found['state'])}, {readable(found['size_bytes'])}")
    if found["state"]["problem"]:
        print("  " + visible(found["state"]["problem"]))
    if found["curve"]:
        text = {
            "loss": _("loss: {first:.3f} -> {last:.3f} in {steps} steps"),
            "reward": _("reward: {first:.3f} -> {last:.3f} in {steps} steps"),
        }[found["curve_of"]]
        curve, steps = found["curve"], found["steps"]
        print(text.format(first=curve[0], last=curve[-1], steps=steps), sparkline(curve))
    choices = [
        [one["key"], *(visible(str(one[name])) for name in ("value", "origin"))]
        for one in found["choices"]
    ]
    _section(_("choices"), [_("key"), _("value"), _("origin")], choices)
    stages = [
        [name, _number(cost["seconds"]), _size(cost["peak_memory_bytes"])]
        for name, cost in found["stages"].items()
    ]
    _section(_("stages"), [_("stage"), _("seconds"), _("peak memory so far")], stages)
    forecast = [
        [key, _spread(key, pair["predicted"]), _one(key, pair["measured"])]
        for key, pair in found["forecast"].items()
    ]
    _section(_("forecast"), [_("what"), _("predicted"), _("measured")], forecast)
    _section(_("proofs"), [_("proof"), _("measured")], _proofs(found["proofs"]))
    _section(_("files"), [_("file or folder"), _("number"), _("size")], _files(found["files"]))


def sparkline(values: Sequence[float], width: int = CURVE_WIDTH) -> str:
    """A curve in one line: the mean of each stretch, between the least and the most of them."""
    count = min(width, len(values))
    bounds = [len(values) * number // count for number in range(count + 1)]
    means = [mean(values[a:b]) for a, b in pairwise(bounds)]
    least, most = min(means), max(means)
    scale = (len(BLOCKS) - 1) / (most - least) if most > least else 0.0
    return "".join(BLOCKS[round((value - least) * scale)] for value in means)


def print_diff(found: Mapping[str, Any]) -> None:
    """The values that differ, part by part; numbers beside each other."""
    parts = {
        "recipe": _("recipe"),
        "base": _("base model"),
        "data": _("data"),
        "resolved": _("choices"),
        "environment": _("environment"),
        "results": _("results"),
    }
    for part, title in parts.items():
        rows = [
            [key, *(visible("-" if value is None else str(value)) for value in pair)]
            for key, pair in found[part].items()
        ]
        _section(title, [_("key"), found["a"], found["b"]], rows)
    if not any(found[part] for part in parts):
        print(_("they do not differ"))


def amount(one: Mapping[str, Any], name: str, places: int) -> str:
    """A sum of the ledger; `≥` where a part of it is not known."""
    value = one[name]
    if value is None:
        return "-"
    known = "flops" if name == "pflop_days" else name
    shown = value / PFLOP if name == "flops" else value
    return f"{'≥ ' if one['unknown'].get(known) else ''}{shown:,.{places}f}"


def _section(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    if rows:
        print(f"\n{title}")
        print_table(head, rows)


def _proofs(proofs: Mapping[str, Any]) -> list[list[str]]:
    """A line for each proof, artefact and gate; the whole records are in `--json`."""
    rows = [[name, _short(record)] for name, record in proofs["learning"].items()]
    rows += [[name, _parity(record)] for name, record in proofs["parity"].items()]
    for gate in proofs["gates"]:
        word = _("met") if gate["passed"] else _("not met")
        rows.append([gate["gate"]["metric"], word])
    return [[visible(cell) for cell in row] for row in rows]


def _short(record: Mapping[str, Any]) -> str:
    """The numbers and words of a record; longer things are left out."""
    leaves = ((name, value) for name, value in record.items() if not isinstance(value, dict | list))
    return ", ".join(f"{name} {value}" for name, value in leaves)


def _parity(record: Mapping[str, Any]) -> str:
    if says_reward(record):
        text = _(
            "{runtime}: rewards differ by {difference} at most ({limit} allowed); "
            "{same} of {pairs} pairs in the same order"
        )
        return text.format(
            runtime=record.get("runtime"),
            difference=record.get("largest_reward_difference"),
            limit=at(record, "tolerance", "max"),
            same=record.get("pairs_ordered_alike"),
            pairs=record.get("pairs"),
        )
    text = _(
        "{runtime}: log-probabilities differ by {difference} at most ({limit} allowed); "
        "{same} of {prompts} answers the same"
    )
    return text.format(
        runtime=record.get("runtime"),
        difference=record.get("largest_logprob_difference"),
        limit=at(record, "tolerance", "max"),
        same=record.get("greedy_same"),
        prompts=record.get("greedy_prompts"),
    )


def _files(sizes: Mapping[str, int]) -> list[list[str]]:
    """What lies in the folder of the run, a folder in it with all of its files."""
    found = dict[str, list[int]]()
    for name, size in sizes.items():
        top, slash, _rest = name.partition("/")
        found.setdefault(top + slash, []).append(size)
    return [[name, str(len(parts)), readable(sum(parts))] for name, parts in found.items()]


def _one(key: str, value: Any) -> str:
    return _size(value) if key.endswith("bytes") else _number(value)


def _spread(key: str, value: Any) -> str:
    """A prediction: what is expected, and the bounds where there are any."""
    if not isinstance(value, dict):
        return _one(key, value)
    low, expected, high = (_one(key, value[name]) for name in ("low", "expected", "high"))
    return f"{expected} ({low} - {high})"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:,.1f}"


def _size(value: float | None) -> str:
    return "-" if value is None else readable(value)
