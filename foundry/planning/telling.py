"""A forecast in words and numbers for people; the same tables in every language."""

from collections.abc import Mapping
from typing import Any

from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.sizes import GIB
from foundry.planning.cost import Cost
from foundry.planning.estimate.memory import FLOAT32
from foundry.planning.estimate.spread import Spread
from foundry.planning.forecast import Forecast
from foundry.planning.hardware import Device
from foundry.planning.shapes import CATALOGUE, FOLDER

PFLOP_DAY = 86_400e15
Table = list[list[str]]


def head() -> list[str]:
    """The columns of `rows`."""
    return [_("what"), _("low"), _("expected"), _("high"), _("from")]


def rows(made: Forecast, device: Device) -> Table:
    """Every part of a forecast with its bounds and where it is from."""
    return [*_work(made), *_memory(made, device), *_disk(made), *_cost(made, device)]


def verdict(made: Forecast, device: Device) -> str:
    """Whether it fits, in a sentence."""
    found = made.usable_bytes / GIB
    if not made.fits:
        said = _("does not fit {device}, which has {found:.1f} GiB for it")
    elif made.is_tight:
        said = _("should fit {device} but may not: at most it takes more than its {found:.1f} GiB")
    else:
        said = _("fits {device}, which has {found:.1f} GiB for it")
    return said.format(device=device.title.text(language()), found=found)


def notes(made: Forecast, device: Device) -> list[str]:
    """What a reader must know to trust the figures no more than they deserve."""
    job, said = made.job, list[str]()
    if made.shape_from not in (FOLDER, CATALOGUE):
        said.append(_("the base model's sizes are not known; those of a typical one are taken"))
    if job.rows.origin == "characters":
        said.append(_("its tokenizer is not on this machine; tokens are guessed from characters"))
    if made.learned_from:
        what = _("corrected by {count} runs on this machine")
        said.append(what.format(count=made.learned_from))
    if job.processes > 1:
        what = _("{count} processes ({strategy}): memory is that of each, time and cost are of all")
        said.append(what.format(count=job.processes, strategy=job.strategy))
    if job.tried_pack > job.pack_tokens:
        what = _(
            "packs of up to {tokens} tokens are tried first; the memory is that of the largest"
        )
        said.append(what.format(tokens=job.tried_pack))
    said += [_capacity(one, has_rank=job.rank > 0) for one in made.warnings]
    if job.experimental:
        what = _("TRL calls this trainer experimental ({place}): it may change with any version")
        said.append(what.format(place=job.experimental))
    unsure = [key for key, mark in device.marks.items() if mark.startswith("?")]
    if unsure:
        what = _("assumed or not verified of {device}: {keys}")
        keys = ", ".join(unsure)
        said.append(what.format(device=device.title.text(language()), keys=keys))
    what = _(
        "training alone; evaluation and exports come on top, and hold the model in float32: "
        "{size:.1f} GiB of the computer's memory and more"
    )
    said.append(what.format(size=FLOAT32 * job.shape.parameters / GIB))
    return said


def _capacity(found: Mapping[str, Any], *, has_rank: bool) -> str:
    what = _(
        "fewer numbers are trained ({trained:,}) than tokens are supervised "
        "({supervised:,}); an adapter with more, such as `lora`, may learn more"
    )
    if has_rank:
        what = _(
            "fewer numbers are trained ({trained:,}) than tokens are supervised "
            "({supervised:,}); a higher `adapter.rank` may learn more"
        )
    return what.format(**found)


def _work(made: Forecast) -> Table:
    job = made.job
    tokens, supervised = job.rows.tokens, job.rows.supervised
    counted = _("its tokenizer") if job.rows.origin == "tokenizer" else _("characters")
    step = [
        ("linear", _("linear layers")),
        ("update", _("update")),
        ("attention", _("attention")),
        ("head", _("head")),
        ("recomputed", _("computed twice")),
        ("reference", _("passes without gradient")),
        ("beside", _("teacher or drawing")),
        ("validation", _("loss on validation rows")),
    ]
    done = made.step.as_dict()
    parts = [(words, done[name] * job.steps / 1e12) for name, words in step if done[name]]
    return [
        _one(_("rows to train on"), f"{job.rows.count:,}", _("data files")),
        *map(_mixed, job.rows.mixture),
        _line(_("tokens of a row"), tokens, "{:,.0f}", counted),
        _line(_("supervised tokens of a row"), supervised, "{:,.0f}", counted),
        _one(_("steps"), f"{job.steps:,}", _("recipe")),
        _one(_("tokens in one pass, at most"), f"{job.largest_pass:,}", _("computed")),
        _one(_("parameters"), f"{job.shape.parameters:,}", made.shape_from),
        _one(_("trained parameters"), f"{job.trained_weights:,}", _("computed")),
        *(_one(f"TFLOP: {words}", f"{count:,.1f}", _("computed")) for words, count in parts),
        _one("PFLOP-days", f"{made.operations / PFLOP_DAY:.6f}", _("computed")),
    ]


def _mixed(one: Mapping[str, Any]) -> list[str]:
    """How many rows of an epoch are drawn from a source, and from how many."""
    what = _("replayed from {path}") if one["replay"] else _("drawn from {path}")
    origin = _("of {rows} rows there").format(rows=f"{one['rows']:,}")
    return _one(what.format(path=one["path"]), f"{one['drawn']:,}", origin)


def _memory(made: Forecast, device: Device) -> Table:
    words: Mapping[str, str] = {
        "weights": _("weights"),
        "adapter": _("update"),
        "gradients": _("gradients"),
        "optimizer": _("optimizer"),
        "first_copy": _("copy for the proof"),
        "rounded": _("weights in half precision"),
        "reference": _("copy as the reference"),
        "teacher": _("teacher"),
        "activations": _("activations"),
        "logits": _("logits"),
        "proof": _("second model of the proof"),
        "libraries": _("libraries"),
        "fragments": _("fragments"),
    }
    learned = _("computed, learned") if made.memory.learned else _("computed")
    there = f"{made.usable_bytes / GIB:,.2f}"
    return [
        *(
            _line(_mib(words[name]), _scaled(part, 2**20), "{:,.1f}", learned)
            for name, part in made.memory.parts.items()
        ),
        _line(_("memory, GiB: all"), _scaled(made.memory.total, GIB), "{:,.2f}", learned),
        _one(_("memory, GiB: there is"), there, device.marks["memory_gb"]),
    ]


def _mib(words: str) -> str:
    return _("memory, MiB: {part}").format(part=words)


def _disk(made: Forecast) -> Table:
    words = {
        "data": _("data"),
        "shards": _("encoded rows"),
        "checkpoints": _("checkpoints"),
        "adapter": _("update"),
        "exports": _("exports"),
        "package": _("package"),
    }
    return [
        _one(_("disk, MiB: {part}").format(part=words[name]), f"{size / 2**20:,.1f}", _("computed"))
        for name, size in made.disk.parts.items()
    ]


def _cost(made: Forecast, device: Device) -> Table:
    cost: Cost = made.cost
    lines = [
        _line(_("seconds"), made.seconds, "{:,.0f}", device.marks["achievable"]),
        _line(_("hours"), cost.hours, "{:,.3f}", ""),
        _line("kWh", cost.kwh, "{:,.4f}", device.marks["power_w"]),
    ]
    owned = _("NT$, own machine at {rate} a kWh").format(rate=cost.rates.electricity)
    lines.append(_line(owned, cost.electricity, "{:,.2f}", cost.rates.electricity_from))
    if cost.rent is not None:
        rented = _("NT$, rented at {rate} an hour").format(rate=cost.rates.rent)
        lines.append(_line(rented, cost.rent, "{:,.2f}", cost.rates.rent_from))
    return lines


def _scaled(value: Spread, by: int) -> Spread:
    return value.times(1 / by, 1 / by, 1 / by)


def _one(what: str, value: str, origin: str) -> list[str]:
    return [what, "", value, "", origin]


def _line(what: str, value: Spread, form: str, origin: str) -> list[str]:
    return [what, *(form.format(n) for n in (value.low, value.expected, value.high)), origin]
