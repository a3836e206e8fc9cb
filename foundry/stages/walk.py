"""One recipe on its way through the stages, and how the outcome of a stage is kept."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundry.core import atomic, network
from foundry.core.events import Events
from foundry.core.load import LoadedRecipe
from foundry.core.records import Export, Plan, Record
from foundry.core.rundir import STAGES, RunDir
from foundry.planning import shortage

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


Result = tuple[Record | Mapping[str, Any], list[Path]]


def keep(way: Walk, stage: str, run: Callable[[Walk], Result], started: float) -> None:
    """Run a stage and stamp what it made.

    A training that went on after a stop took the time before it too.
    """
    inputs = stage_inputs(way.plan, way.run, stage)
    with network.watched(), shortage.told(stage, way.plan, way.run):
        result, outputs = run(way)
        made = result.as_dict() if isinstance(result, Record) else dict(result)
        way.results[stage] = made
        before = made.get("seconds_before", 0.0)
        way.run.finish(stage, inputs, plain(made), outputs, started, before)


def stage_inputs(plan: Plan, run: RunDir, stage: str) -> str:
    """The fingerprint of what a stage is made from: the plan, and by hash what was made before.

    Of a package the texts of licences too.
    """
    before = STAGES[1 : STAGES.index(stage)]  # the plan's fingerprint stands for the plan
    upstream = [(run.stamp(name) or {}).get("outputs") for name in before]
    texts = _licence_texts(plan) if stage == "package" else {}
    return atomic.fingerprint([plan.fingerprint, stage, upstream, *([texts] if texts else [])])


def _licence_texts(plan: Plan) -> dict[str, str]:
    """The hashes of the texts that a package takes from beside the recipe, by licence.

    They are no part of the plan's fingerprint: another text makes another package, and no training.
    """
    beside = Path(plan.recipe_path).parent
    given = plan.values["package"]["licence_texts"].items()
    return {name: atomic.sha256(beside / file) for name, file in given if (beside / file).is_file()}


def plain(value: Mapping[str, Any]) -> dict[str, Any]:
    """The same as JSON gives it back."""
    return dict(json.loads(json.dumps(value, allow_nan=False)))
