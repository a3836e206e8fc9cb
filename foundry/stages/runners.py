"""What each stage does, by its name."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from foundry.core import atomic, plugins
from foundry.core.environment import record
from foundry.core.errors import GateError, ProofError
from foundry.core.records import Exports, Part, ShardSet, TrainResult
from foundry.planning.charging import charges
from foundry.planning.outcome import beside
from foundry.planning.settled import as_settled
from foundry.planning.shortage import tell_beforehand
from foundry.planning.shortfalls import tell_shortfalls
from foundry.planning.unchanged import refuse_changed
from foundry.stages.walk import Result, Walk, keep
from foundry.store.ledger import recorded

if TYPE_CHECKING:
    from foundry.evals.answers import Item
    from foundry.evals.examine import Delivered


def _plan(way: Walk) -> Result:
    run = way.run
    atomic.write_text(run.file("recipe.yaml"), way.loaded.source_text)
    way.plan = as_settled(way.plan, run)
    atomic.write_json(run.file("plan.json"), way.plan.as_dict())
    atomic.write_json(run.file("env.json"), record())
    return way.plan, [run.file(name) for name in ("recipe.yaml", "plan.json", "env.json")]


def _data(way: Walk) -> Result:
    from foundry.data.prepare import prepare
    from foundry.data.telling import tell
    from foundry.evals.beforehand import check_fit
    from foundry.evals.brought import canaries, check_brought
    from foundry.evals.plain_texts import check_questions
    from foundry.train.gives import gives_reward

    recipe, out = way.loaded.recipe, way.run.file("data")
    planted = canaries(recipe.evals, recipe.seed)
    manifest = prepare(recipe.data, folder=way.loaded.path.parent, out=out, canaries=planted)
    refuse_changed(way.loaded, way.plan)
    check_brought(recipe.evals, way.run.file(manifest.part("train").file))
    tests = {part.name: way.run.file(part.file) for part in _tests(manifest.parts)}
    check_questions(recipe.evals, tests)
    if not gives_reward(recipe.train.kind):  # its pairs are made of the rows after training
        check_fit(recipe.evals, tests)
    tell(way.events, manifest)
    tell_shortfalls(way.events, recipe, manifest, way.run)
    if recipe.exports:
        tell_beforehand(way.events, way.plan)
    names = [part.file for part in manifest.parts]
    return manifest, [
        out / "manifest.json",
        out / "refused.jsonl",
        *(way.run.file(name) for name in names),
    ]


def _encode(way: Walk) -> Result:
    from foundry.encode.mask_text import as_text
    from foundry.encode.page.html import render

    recipe, out, manifest = way.loaded.recipe, way.run.file("data"), way.results["data"]
    shards = _shards(way, "train")
    if recipe.data.is_validated:
        held = _shards(way, "validation").as_dict()
        kept = ("file", "sha256", "rows", "tokens", "supervised_tokens")
        shards = replace(shards, validation={key: held[key] for key in kept})
    title = {"zh-TW": recipe.title.zh_TW, "en": recipe.title.en}
    page = render(shards, manifest, title=title, template=way.encoder.template)
    atomic.write_json(out / "mask_report.json", dict(shards.mask))
    atomic.write_text(out / "mask_report.txt", as_text(shards.mask, manifest))
    atomic.write_text(out / "mask_report.html", page)
    reports = [out / f"mask_report.{kind}" for kind in ("json", "txt", "html")]
    return shards, [out / "shards", *reports]


def _check_questions(way: Walk) -> None:
    """Refuse questions that the evaluation after training could not ask."""
    from foundry.evals.room import check_questions_fit
    from foundry.evals.unmeasured import measures_nothing
    from foundry.planning.references import references_of
    from foundry.train.gives import gives_reward

    recipe = way.loaded.recipe
    items = [one for one in _questions(way) if one.example.prompt]
    if gives_reward(recipe.train.kind) or measures_nothing(recipe.evals, items):
        return  # nothing is asked
    most = recipe.evaluation.max_new_tokens
    check_questions_fit(items, way.encoder, way.plan.base, references_of(way.loaded), most)


def _questions(way: Walk) -> "list[Item]":
    from foundry.data.prepare import read_examples
    from foundry.evals.answers import Item

    parts = [Part(**part) for part in way.results["data"]["parts"]]
    return [
        Item(example, part.name)
        for part in _tests(parts)
        for example in read_examples(way.run.file(part.file))
    ]


def _shards(way: Walk, name: str) -> ShardSet:
    from foundry.data.prepare import iterate_lines
    from foundry.encode.mask_report import MaskReport
    from foundry.encode.shards import shard_key, write_shards

    part = _part(way, name)
    return write_shards(
        iterate_lines(way.run.file(part.file)),
        way.loaded.recipe.encode,
        MaskReport(way.encoder, name),
        key_parts=shard_key(way.plan, part.sha256, way.encoder),
        folder=way.run.file("data", "shards"),
        max_refused=way.loaded.recipe.data.max_refused,
    )


def _part(way: Walk, name: str) -> Part:
    return next(Part(**part) for part in way.results["data"]["parts"] if part["name"] == name)


def _tests(parts: Sequence[Part]) -> list[Part]:
    """The parts whose rows are questions of the evaluation."""
    return [part for part in parts if part.name not in ("train", "validation")]


def _train(way: Walk) -> Result:
    from foundry.train.tracking import tracked

    _check_questions(way)
    folder = way.run.path
    with (
        tracked(way.loaded.recipe.track, way.plan, way.run, way.events),
        recorded(folder.parent, folder.name, charges(way.plan), way.events),
    ):
        return _fit(way)


def _fit(way: Walk) -> Result:
    started = time.monotonic()
    if way.plan.resolved["world_size"] > 1:
        from foundry.train.processes.launcher import launch

        _plan_again(way)  # the processes read it, and their number may be another
        fitted = launch(way.plan, way.run, way.events)
    else:
        fitted = _fit_here(way)
    _plan_again(way)
    seconds = fitted.seconds_before + time.monotonic() - started
    result = replace(fitted, forecast=beside(way.loaded, way.plan, way.results["encode"], seconds))
    atomic.write_json(way.run.file("train.json"), result.as_dict())
    return result, [way.run.file(n) for n in (result.adapter, "metrics.jsonl", "train.json")]


def _plan_again(way: Walk) -> None:
    """Stamp the plan with what was settled meanwhile; planning took as long as it did."""
    took = (way.run.stamp("plan") or {}).get("seconds", 0.0)
    keep(way, "plan", _plan, time.monotonic() - took)


def _fit_here(way: Walk) -> TrainResult:
    from foundry.models.quiet import quiet

    with quiet():
        from foundry.train.assemble import assemble
        from foundry.train.material import material_of

    material = material_of(way.plan, way.run, way.encoder, way.rows)
    inputs, settings = assemble(way.plan, material, way.run, way.events)
    trainer = plugins.load("trainer", way.loaded.recipe.train.kind)
    fitted: TrainResult = trainer.fit(inputs, settings)
    return fitted


def _export(way: Walk) -> Result:
    from foundry.delivery.export import export, live_model

    blocks, trainer = way.loaded.recipe.exports, way.loaded.recipe.train.kind
    live = live_model(way.tuned, way.rows, trainer, way.events) if blocks else None
    made = [
        export(way.tuned, live, block.kind, block.spec, run=way.run, events=way.events)
        for block in blocks
    ]
    way.tuned.forget()
    exports = Exports(tuple(made))
    atomic.write_json(way.run.file("exports", "exports.json"), exports.as_dict())
    return exports, [way.run.file("exports")]


def _evaluate(way: Walk) -> Result:
    from foundry.data.mixture import replayed_files
    from foundry.data.prepare import read_once
    from foundry.evals.examine import Examination, examine
    from foundry.evals.run_facts import base_identity, made_by, run_facts
    from foundry.planning.references import references_of

    run, base = way.run, way.plan.base
    exam = Examination(
        recipe=way.loaded.recipe,
        run=run,
        events=way.events,
        encoder=way.encoder,
        stop_ids=way.stop_ids,
        tuned=lambda: way.tuned.model,
        untrained=way.tuned.untrained,
        base_gguf=Path(base.gguf) if base.gguf else None,
        delivered=_delivered(way),
        identity={
            "base": base.sha256,
            "adapter": [atomic.sha256(p) for p in sorted(way.trained.glob("*.safetensors"))],
            "exports": [export.files for export in way.exports],
            "made_by": made_by(),
        },
        base_identity=base_identity(base),
        train=read_once(run.file(_part(way, "train").file)),
        context=base.context,
        items=_questions(way),
        curve=[json.loads(line) for line in _lines(run.file("metrics.jsonl"))],
        facts=run_facts(way.plan, run, way.results, way.exports),
        charges=charges(way.plan),
        replayed=replayed_files(way.results["data"]),
        references=references_of(way.loaded),
    )
    return examine(exam), [run.file("evals")]


def _delivered(way: Walk) -> "dict[str, Delivered]":
    """The GGUF files that are handed over, by the names of their columns.

    Where no whole model is among them, the adapters, each on the base's own file; beside a whole
    model an adapter has its parity record alone.
    """
    from foundry.evals.examine import Delivered

    made = [one for one in way.exports if one.kind == "gguf"]
    adapters = [one for one in way.exports if one.kind == "gguf-adapter"]
    base = Path(way.plan.base.gguf) if way.plan.base.gguf and not made else None
    files: dict[str, Delivered] = {}
    for export in made or adapters:
        name = f"delivered-{export.name.removeprefix('gguf-')}" if files else "delivered"
        file = next(way.run.file(file) for file in export.files if file.endswith(".gguf"))
        files[name] = Delivered(file, base)
    return files


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _package(way: Walk) -> Result:
    from foundry.delivery.package import ChatFormat, PackageInputs, build_package, check_gates
    from foundry.delivery.verify import verify

    if not way.exports:
        check_gates(way.results["evaluate"]["gates"])
        way.events.emit("package", "nothing")
        return {}, []
    chat, folder = ChatFormat.of(way.encoder, way.stop_ids), way.run.file("package")
    try:
        package = build_package(PackageInputs(way.run, way.plan, chat))
    except GateError:
        _withdraw(way, folder)
        raise
    try:
        verify(folder)
    except ProofError:
        atomic.remove(folder)
        raise
    return package, [folder]


def _withdraw(way: Walk, folder: Path) -> None:
    """Remove the package of earlier results, which a gate refuses now."""
    way.run.file("stamps", "package.json").unlink(missing_ok=True)
    if folder.is_dir():
        atomic.remove(folder)
        way.events.emit("package", "withdrawn")


RUNNERS: Mapping[str, Callable[[Walk], Result]] = {
    "plan": _plan,
    "data": _data,
    "encode": _encode,
    "train": _train,
    "export": _export,
    "evaluate": _evaluate,
    "package": _package,
}
