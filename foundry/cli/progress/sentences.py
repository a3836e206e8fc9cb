"""Say an event in a sentence for people."""

from collections.abc import Callable

from foundry.core.events import Event
from foundry.core.language import gettext as _
from foundry.core.sizes import readable
from foundry.data.notices import not_read
from foundry.data.notices import sentence as of_notice

# Events that come again and again and count up to a number.
STEPS = {"step": "step", "answers": "done", "bytes": "done"}


def is_step(event: Event) -> bool:
    """Whether the event is one of many that count up to `of`."""
    return event["event"] in STEPS


def is_last(event: Event) -> bool:
    """Whether a step is the last of its kind."""
    return bool(event[STEPS[event["event"]]] == event["of"])


def sentence(event: Event) -> str | None:
    """The event for people, or None when it is only for programs."""
    if event["stage"] is None:
        return None
    kind, stage = event["event"], _stage(event["stage"])
    own: dict[str, Callable[[Event], str | None]] = {
        **{"step": _step, "layers": _layers, "warning": _warning, "bytes": _bytes},
        "validation": _validation,
        **{"notice": _notice, "not-read": _not_read, "source": _source, "end": _end},
        **{"mixed": _mixed, "ends": _ends, "base": _base},
    }
    if kind in own:
        return own[kind](event)
    sentences = {
        "begin": _("{stage}: begins {name}"),
        "nothing": _("{stage}: no package, since the recipe's `exports` are empty"),
        "withdrawn": _("{stage}: the package that was there is removed, since it no longer holds"),
        "skipped": _("{stage}: unchanged, skipped"),
        "settled": _("{stage}: {key} is {value} ({reason})"),
        "resume": _("{stage}: goes on from step {step}"),
        "kept": _("{stage}: keeps the weights of step {step}, whose validation loss is the lowest"),
        "not-measured": _(
            "{stage}: the validation loss was not measured, so the last step's weights are kept"
        ),
        "other-machine": _("{stage}: `{key}` is not as it was; the last digits may differ"),
        "skipped-checkpoint": _("{stage}: a checkpoint is not used ({reason})"),
        "unpacked": _(
            "{stage}: rows side by side, since this model lets rows in one sequence see each other"
        ),
        "alone": _(
            "{stage}: each row by itself, since this model reads whatever goes along with a long "
            "row as if it were long too"
        ),
        "not-judged": _(
            "{stage}: {left_out} rows are left out, since no reward can judge them; {kept} are kept"
        ),
        "not-encoded": _(
            "{stage}: {left_out} pairs are left out, since they cannot be encoded; {kept} are kept"
        ),
        "answers": _("{stage}: {column}: {done} of {of} answers"),
    }
    if kind not in sentences:
        return None
    values = {"name": "", "seconds": "", **event, "stage": stage}
    return " ".join(sentences[kind].format(**values).split())


def _base(event: Event) -> str:
    text = _("{stage}: base model {name}")
    if not event["ready"]:
        text = _("{stage}: base model {name}; it is not ready yet, and getting it takes minutes")
    return text.format(stage=_stage(event["stage"]), name=event["name"])


def _validation(event: Event) -> str:
    text = _("{stage}: validation loss {loss} after step {step}{note}")
    loss = _("not measured") if event["loss"] is None else f"{event['loss']:.3f}"
    note = _(", the best so far") if event["is_best"] else ""
    if event["stops"]:
        note += _("; it no longer falls, so the training ends here")
    return text.format(stage=_stage(event["stage"]), loss=loss, step=event["step"], note=note)


def _step(event: Event) -> str:
    text = _("training: step {step} of {of}, loss {loss:.3f}").format(
        step=event["step"], of=event["of"], loss=event["loss"]
    )
    if "reward" in event:
        text += _(", reward {mean:.2f} ± {spread:.2f}").format(
            mean=event["reward"], spread=event["reward_std"]
        )
    if "eta_s" not in event:
        return text
    pace = _("{speed:.0f} tokens/s, {left} left")
    minutes, seconds = divmod(int(event["eta_s"]), 60)
    left = f"{minutes}:{seconds:02d}"
    return f"{text}, {pace.format(speed=event['tokens_per_s'], left=left)}"


def _layers(event: Event) -> str:
    counts = ", ".join(f"{name} {count}" for name, count in event["layers"].items())
    text = _("{stage}: layers with an update: {counts}")
    return text.format(stage=_stage(event["stage"]), counts=counts)


def _warning(event: Event) -> str | None:
    if event["code"] == "tracker":
        what = _("{stage}: {tracker} failed and is told nothing more ({detail})")
        return what.format(**{**event, "stage": _stage(event["stage"])})
    if event["code"] == "test-too-small":
        from foundry.planning.shortfalls import sentence as too_small

        return f"{_stage(event['stage'])}: {too_small(event)}"
    if event["code"] == "loss-rose":
        what = _(
            "{stage}: the loss rose from {before:.4f} in the first two steps to {after:.4f} in the "
            "mean of the last {last_steps}\n  fix: set a lower `train.learning_rate`; what was "
            "trained may be worse than its base"
        )
        return what.format(**{**event, "stage": _stage(event["stage"])})
    if event["code"] == "whole-model":
        what = _(
            "{stage}: exports and evaluation hold the model in float32, which takes {needed}; "
            "{limit} of memory can be had\n  fix: add memory or swap space before they begin, or "
            "take a smaller base of `foundry model list`"
        )
        sizes = {key: readable(event[key]) for key in ("needed", "limit")}
        return what.format(stage=_stage(event["stage"]), **sizes)
    if event["code"] != "capacity":
        return None
    what = _(
        "{stage}: fewer numbers are trained ({trained:,}) than tokens are supervised "
        "({supervised:,})\n  fix: if it learns too little, set a higher `adapter.rank`, or take an "
        "adapter that has one, such as `lora`"
    )
    return what.format(**{**event, "stage": _stage(event["stage"])})


def _ends(event: Event) -> str:
    """What of a training that teaches no end of an answer came of the base's ends."""
    text = _(
        "{stage}: {tuned} of {prompts} answers end by themselves within {tokens} tokens, "
        "of the base {base}"
    )
    if event["tuned"] == event["base"] == 0:
        text = _(
            "{stage}: none of {prompts} answers ends by itself within {tokens} tokens; the base "
            "does not stop either\n  fix: train it by `train.kind: sft` first, which teaches the "
            "end of an answer, or use an instruction-tuned base"
        )
    elif event["tuned"] < event["base"]:
        text += "\n  " + _(
            "fix: if answers run on, lower `train.learning_rate`; "
            "`evals: [{{kind: stop-rate}}]` measures it on the test"
        )
    return text.format(**{**event, "stage": _stage(event["stage"])})


def _bytes(event: Event) -> str:
    text = _("fetching {name}: {done} of {of}")
    done, of = readable(event["done"]), readable(event["of"])
    return text.format(name=event["name"], done=done, of=of)


def _end(event: Event) -> str:
    text = _("{stage}: done {name} ({cost})")
    cost = [_("{seconds} s").format(seconds=event["seconds"])] if "seconds" in event else []
    if event.get("peak_memory_bytes"):
        peak = readable(event["peak_memory_bytes"])
        cost.append(_("at most {size} of memory so far").format(size=peak))
    values = {"name": "", **event, "stage": _stage(event["stage"]), "cost": ", ".join(cost)}
    return " ".join(text.format(**values).split())


def _source(event: Event) -> str:
    text = _(
        "{stage}: {file}: {kind} ({encoding}), read by `{format}`{guessed}; "
        "{rows} rows: {used} used, {refused} refused{codes}; {blank} blank"
    )
    refused = event["refused"]
    codes = ", ".join(f"{code} {count}" for code, count in refused.items())
    values = {
        **event,
        "stage": _stage(event["stage"]),
        "guessed": _(", guessed from its columns") if event["guessed"] else "",
        "refused": sum(refused.values()),
        "codes": f" ({codes})" if codes else "",
    }
    return text.format(**values)


def _mixed(event: Event) -> str:
    text = _("{stage}: {files}: {drawn} rows of an epoch ({share:.1%}), from {used} of {rows}")
    files = ", ".join(event["files"])
    told = text.format(**{**event, "stage": _stage(event["stage"]), "files": files})
    return told + (_(", replayed against forgetting") if event["replay"] else "")


def _not_read(event: Event) -> str:
    text = _("{stage}: not read: {count} files ({reason}; first {first})")
    reason, fix = not_read(event["reason"])
    told = text.format(**{**event, "stage": _stage(event["stage"]), "reason": reason})
    return f"{told}\n  {_('fix')}: {fix}" if fix else told


def _notice(event: Event) -> str:
    values = {**event, "stage": _stage(event["stage"]), "what": of_notice(event["code"])}
    if event["first"]:
        return _("{stage}: look at this: {what} ({count}; first {first})").format(**values)
    return _("{stage}: look at this: {what} ({count})").format(**values)


def _stage(name: str) -> str:
    names = {
        "plan": _("plan"),
        "data": _("data"),
        "encode": _("encoding"),
        "train": _("training"),
        "export": _("export"),
        "evaluate": _("evaluation"),
        "package": _("packaging"),
        "fetch": _("fetching"),
    }
    return names[name]
