"""A comparison of runs as text: arms and their cost, scores, verdicts, and in what they differ."""

from collections.abc import Mapping
from typing import Any

from foundry.cli.output import print_table
from foundry.cli.rows import visible
from foundry.core.language import gettext as _
from foundry.core.language import tag
from foundry.core.sizes import readable
from foundry.evals.wording import VERDICTS

Document = Mapping[str, Any]
SHOWN = 60  # characters of a value


def print_comparison(found: Document) -> None:
    """Everything on a page."""
    _warn(found)
    _arms(found)
    _scores(found)
    _differences(found)
    _differ(found)


def _warn(found: Document) -> None:
    for one in found["unequal"]:
        print("≠ " + visible(f"{one['arm']}: {one['sentence']}"))
    if found["unequal"]:
        print(_("≠: not treated alike; a difference below need not come from the recipes"))
    if any(len(arm["seeds"]) < 2 for arm in found["arms"]):
        print(_("one seed: the verdicts are about these trainings, not about the recipes"))


def _arms(found: Document) -> None:
    """A line for each arm; a star where no other is as good in all and better in something."""
    print(
        "\n"
        + _("arms, by {metric}; * nothing else is better or cheaper without loss").format(
            metric=found["front"]["metric"]
        )
    )
    quality = {
        one["arm"]: one for one in found["scores"] if one["metric"] == found["front"]["metric"]
    }
    head = ["", _("arm"), _("seeds"), _("quality"), _("peak memory"), _("trained size")]
    head += [_("seconds"), _("seconds per answer"), _("steps"), _("tokens"), _("parameters")]
    rows = []
    for arm in found["arms"]:
        star = "*" if arm["name"] in found["front"]["arms"] else ""
        row = [star, visible(arm["name"]), str(len(arm["seeds"])), _score(quality[arm["name"]])]
        row += [_bytes(arm["memory_bytes"]), _bytes(arm["size_bytes"])]
        row += [_spread(arm["seconds"], 1), _spread(arm["seconds_per_answer"], 2)]
        row += [_spread(arm[key], 0) for key in ("steps", "tokens", "trainable_parameters")]
        rows.append(row)
    print_table(head, rows)


def _scores(found: Document) -> None:
    """A line for each metric and part, a column for each arm."""
    print("\n" + _("scores: mean [95% interval], least and most of a seed"))
    names = [arm["name"] for arm in found["arms"]]
    keys = dict.fromkeys((one["metric"], one["part"]) for one in found["scores"])
    cells = {(one["metric"], one["part"], one["arm"]): one for one in found["scores"]}
    rows = []
    for metric, part in keys:
        own = [cells[metric, part, name] for name in names]
        counts = f"{own[0]['n']}/{own[0]['groups']}"
        rows.append([metric, part or _("all"), counts, *(_score(one) for one in own)])
    print_table([_("metric"), _("part"), _("items/groups"), *map(visible, names)], rows)


def difference(one: Document) -> str:
    """A difference with its interval."""
    return f"{one['mean']:+.3f} [{one['low']:+.3f}, {one['high']:+.3f}]"


def verdict(one: Document) -> str:
    """The verdict on a difference in the language shown."""
    shown = tag()
    word: str = one["verdict"]
    return VERDICTS[word][shown] if shown == "zh-TW" else word


def _differences(found: Document) -> None:
    print("\n" + _("differences; p is corrected for the number of pairs (Holm)"))
    head = [_("metric"), _("part"), _("arms"), _("difference"), "p", _("won/lost/equal")]
    head.append(_("verdict"))
    rows = [
        [
            one["metric"],
            one["part"] or _("all"),
            visible(f"{one['a']} − {one['b']}"),
            difference(one),
            f"{one['p_value']:.3f}",
            "-" if one["won"] is None else f"{one['wins']}/{one['losses']}/{one['ties']}",
            verdict(one),
        ]
        for one in found["differences"]
    ]
    print_table(head, rows)


def _differ(found: Document) -> None:
    titles = {
        "recipe": _("recipe"),
        "base": _("base model"),
        "data": _("data"),
        "resolved": _("choices"),
        "environment": _("environment"),
    }
    names = [arm["name"] for arm in found["arms"]]
    for part, title in titles.items():
        rows = [
            [key, *(_value(values[name]) for name in names)]
            for key, values in found["differ"][part].items()
        ]
        if rows:
            print(f"\n{title}")
            print_table([_("key"), *map(visible, names)], rows)


def _score(one: Mapping[str, Any]) -> str:
    text = f"{one['mean']:.3f} [{one['low']:.3f}, {one['high']:.3f}]"
    if one["seeds"] < 2:
        return text
    return f"{text} {one['seed_low']:.3f}–{one['seed_high']:.3f}"


def _spread(one: Mapping[str, Any] | None, places: int) -> str:
    if one is None:
        return "-"
    mean, low, high = (f"{one[key]:,.{places}f}" for key in ("mean", "low", "high"))
    return mean if low == high else f"{mean} ({low}–{high})"


def _bytes(one: Mapping[str, Any] | None) -> str:
    if one is None:
        return "-"
    mean, low, high = (readable(one[key]) for key in ("mean", "low", "high"))
    return mean if low == high else f"{mean} ({low}–{high})"


def _value(value: Any) -> str:
    text = visible("-" if value is None else str(value))
    return text if len(text) <= SHOWN else text[:SHOWN] + "…"
