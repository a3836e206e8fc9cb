"""The one place that knows the order of the stages.

A stage is skipped when its stamp says that it was made from the same inputs and every file it
made still has its hash. The inputs of a stage are the plan and the stamps of the stages before.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundry.core import atomic, network, plugins
from foundry.core.environment import country, peak_memory_bytes, record
from foundry.core.errors import ProofError, RecipeError, told
from foundry.core.events import Events, to_file
from foundry.core.load import LoadedRecipe
from foundry.core.records import Export, Exports, Part, Plan, Record, ShardSet, TrainResult
from foundry.core.rundir import STAGES, RunDir, stages_until
from foundry.planning import shortage
from foundry.planning.charging import charges
from foundry.planning.outcome import beside
from foundry.planning.plan import make_plan
from foundry.planning.settled import as_settled
from foundry.planning.shortfalls import tell_shortfalls
from foundry.planning.trainers import not_read
from foundry.planning.unchanged import refuse_changed
from foundry.store.ledger import recorded

if TYPE_CHECKING:
    from foundry.core.records import EncodedRow
    from foundry.delivery.artefact import Tuned
    from foundry.encode.tokenize import Encoder


@dataclass
class Walk:
    """One recipe on its way through the stages; what is heavy is loaded at its first use."""

    loaded: LoadedRecipe
    plan: Plan
    run: RunDir
    events: Events
    results: dict[str, Any] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)

    @cached_property
    def encoder(self) -> "Encoder":
        """Tokenizer and template of the base model."""
        from foundry.encode.tokenize import open_encoder

        return open_encoder(self.plan.base, self.loaded.recipe.encode.system)

    @cached_property
    def rows(self) -> "list[EncodedRow]":
        """The encoded training rows, read from the shards."""
        from foundry.encode.shards import read_shards

        return read_shards(self.run.file("data", "shards", self.results["encode"]["file"]))

    @cached_property
    def stop_ids(self) -> tuple[int, ...]:
        """Every id that ends an answer."""
        from foundry.encode.ends import ends_of

        trained = self.results["encode"]["stop_ids"]
        return ends_of(self.plan.base, trained, self.encoder.tokenizer.eos_token_id)

    @cached_property
    def tuned(self) -> "Tuned":
        """Base and adapter, for exports and evaluation."""
        from foundry.delivery.artefact import Tuned
        from foundry.delivery.padding import padding_of

        title = f"{self.plan.name} {self.plan.values['package']['version']}"
        kind, said = self.loaded.recipe.train.kind, (self.encoder, self.stop_ids)
        return Tuned(self.plan.base, self.trained, *said, title, padding_of(kind, self.rows, *said))

    @property
    def trained(self) -> Path:
        """The folder of what was trained."""
        return self.run.file(self.results["train"]["adapter"])

    @property
    def exports(self) -> list[Export]:
        """The artefacts made by the export stage."""
        return [Export(**item) for item in self.results["export"]["items"]]


def walk(
    loaded: LoadedRecipe,
    *,
    runs: Path,
    events: Events,
    until: str = "package",
    accepted_terms: Collection[str] = (),
    override: str | None = None,
) -> Walk:
    """Take a recipe through its stages up to and including `until`.

    Args:
        loaded: A checked recipe.
        runs: The folder of run directories.
        events: Told of every stage and step.
        until: The last stage, one of `STAGES` of core/rundir.py.
        accepted_terms: Licences whose conditions the user accepted.
        override: Why to go on although licences conflict; None refuses.

    Raises:
        FoundryError: A stage refused to go on; everything before it stays as it is.
    """
    stages = stages_until(until)
    country()  # refused now, and not after hours
    events.emit("plan", "base", name=loaded.recipe.base_model)
    plan = make_plan(loaded, accepted_terms=accepted_terms, override=override, runs=runs)
    run = RunDir(runs / plan.run_name)
    events.run = plan.run_name
    way = Walk(loaded, plan, run, events)
    with run.locked(), events.heard_by(to_file(run.file("events.jsonl"))):
        atomic.remove_unfinished(run.path)
        if plan.override is not None:
            events.emit("plan", "override", **plan.override)
        for stage in stages:
            try:
                _take(way, stage)
            except BaseException as error:
                events.emit(stage, "failed", **told(error))
                raise
    return way


def _take(way: Walk, stage: str) -> None:
    """Run one stage, or skip it when its stamp fits."""
    if stage == "train":
        _refuse_type(way)
    inputs = stage_inputs(way.plan, way.run, stage)
    if way.run.is_done(stage, inputs):
        stamp = way.run.stamp(stage)
        assert stamp is not None
        way.results[stage] = stamp["result"]
        way.skipped.append(stage)
        way.events.emit(stage, "skipped")
        return
    started = time.monotonic()
    way.events.emit(stage, "begin")
    _keep(way, stage, started)
    peak = peak_memory_bytes()
    seconds = round(time.monotonic() - started, 1)
    way.events.emit(stage, "end", seconds=seconds, peak_memory_bytes=peak)


def _keep(way: Walk, stage: str, started: float) -> None:
    """Run a stage and stamp what it made."""
    inputs = stage_inputs(way.plan, way.run, stage)
    with network.watched():
        with shortage.told(stage, way.plan, way.run):
            result, outputs = RUNNERS[stage](way)
        way.results[stage] = result.as_dict() if isinstance(result, Record) else dict(result)
        way.run.finish(stage, inputs, _plain(way.results[stage]), outputs, started)


def _refuse_type(way: Walk) -> None:
    """Refuse rows of a dataset type that the recipe's trainer does not read."""
    problem = not_read(way.loaded, way.results["encode"]["type"])
    if problem is not None:
        raise RecipeError(problem)


def stage_inputs(plan: Plan, run: RunDir, stage: str) -> str:
    """The fingerprint of what a stage is made from: the plan, and by hash what was made before."""
    before = STAGES[1 : STAGES.index(stage)]  # the plan's fingerprint stands for the plan
    upstream = [(run.stamp(name) or {}).get("outputs") for name in before]
    return atomic.fingerprint([plan.fingerprint, stage, upstream])


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return dict(json.loads(json.dumps(value, allow_nan=False)))


Result = tuple[Record | Mapping[str, Any], list[Path]]


def _plan(way: Walk) -> Result:
    run = way.run
    atomic.write_text(run.file("recipe.yaml"), way.loaded.source_text)
    atomic.write_json(run.file("plan.json"), as_settled(way.plan, run))
    atomic.write_json(run.file("env.json"), record())
    return way.plan, [run.file(name) for name in ("recipe.yaml", "plan.json", "env.json")]


def _data(way: Walk) -> Result:
    from foundry.data.prepare import prepare
    from foundry.data.telling import tell
    from foundry.evals.brought import canaries, check_brought

    recipe, out = way.loaded.recipe, way.run.file("data")
    planted = canaries(recipe.evals, recipe.seed)
    manifest = prepare(recipe.data, folder=way.loaded.path.parent, out=out, canaries=planted)
    refuse_changed(way.loaded, way.plan)
    check_brought(recipe.evals, way.run.file(manifest.part("train").file))
    tell(way.events, manifest)
    tell_shortfalls(way.events, recipe, manifest, way.run)
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


def _train(way: Walk) -> Result:
    from foundry.train.tracking import tracked

    folder = way.run.path
    with (
        tracked(way.loaded.recipe.track, way.plan, way.run, way.events),
        recorded(folder.parent, folder.name, charges(way.plan), way.events),
    ):
        return _fit(way)


def _fit(way: Walk) -> Result:
    plan, started = way.plan, time.monotonic()
    if plan.resolved["world_size"] > 1:
        from foundry.train.processes.launcher import launch

        _keep(way, "plan", started)  # the processes read it, and their number may be another
        fitted = launch(plan, way.run, way.events)
    else:
        fitted = _fit_here(way)
    _keep(way, "plan", time.monotonic())
    seconds = time.monotonic() - started
    result = replace(fitted, forecast=beside(way.loaded, plan, way.results["encode"], seconds))
    atomic.write_json(way.run.file("train.json"), result.as_dict())
    return result, [way.run.file(n) for n in (result.adapter, "metrics.jsonl", "train.json")]


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
    exports = Exports(tuple(made))
    atomic.write_json(way.run.file("exports", "exports.json"), exports.as_dict())
    return exports, [way.run.file("exports")]


def _evaluate(way: Walk) -> Result:
    from foundry.data.mixture import replayed_files
    from foundry.data.prepare import read_examples, read_once
    from foundry.evals.answers import Item
    from foundry.evals.examine import Examination, examine
    from foundry.evals.run_facts import base_identity, run_facts

    run, base = way.run, way.plan.base
    names = [part["name"] for part in way.results["data"]["parts"]]
    tests = [name for name in names if name not in ("train", "validation")]
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
        },
        base_identity=base_identity(base),
        train=read_once(run.file(_part(way, "train").file)),
        items=[
            Item(example, name)
            for name in tests
            for example in read_examples(run.file(_part(way, name).file))
        ],
        curve=[json.loads(line) for line in _lines(run.file("metrics.jsonl"))],
        facts=run_facts(way.plan, run, way.results, way.exports),
        charges=charges(way.plan),
        replayed=replayed_files(way.results["data"]),
    )
    return examine(exam), [run.file("evals")]


def _delivered(way: Walk) -> Path | None:
    """The GGUF file that is handed over, if the recipe asks for one."""
    files = (way.run.file(n) for e in way.exports if e.kind == "gguf" for n in e.files)
    return next((path for path in files if path.suffix == ".gguf"), None)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _package(way: Walk) -> Result:
    from foundry.delivery.package import ChatFormat, PackageInputs, build_package, check_gates
    from foundry.delivery.verify import verify

    if not way.exports:
        check_gates(way.results["evaluate"]["gates"])
        way.events.emit("package", "nothing")
        return {}, []
    chat = ChatFormat.of(way.encoder, way.stop_ids)
    package = build_package(PackageInputs(way.run, way.plan, chat))
    folder = way.run.file(package.path)
    try:
        verify(folder)
    except ProofError:
        atomic.remove(folder)
        raise
    return package, [folder]


RUNNERS: Mapping[str, Callable[[Walk], Result]] = {
    "plan": _plan,
    "data": _data,
    "encode": _encode,
    "train": _train,
    "export": _export,
    "evaluate": _evaluate,
    "package": _package,
}
