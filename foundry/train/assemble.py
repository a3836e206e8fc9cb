"""From a plan and what was encoded to what a trainer is given; the same for any process."""

from functools import partial
from typing import Any

from foundry.core import plugins
from foundry.core.events import Events
from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.train.batches.arrange import resolved_arrangement
from foundry.train.inputs import FitInputs
from foundry.train.material import Material
from foundry.train.opening import as_planned, open_model, open_place
from foundry.train.processes import sharding
from foundry.train.processes.crew import ALONE, Crew


def assemble(
    plan: Plan, material: Material, run: RunDir, events: Events, crew: Crew = ALONE
) -> tuple[FitInputs, Any]:
    """The inputs of a plan's trainer, and its settings with nothing open.

    Raises:
        ResourceError: The device that the run began on is not there.
    """
    values = plan.values
    trainer, settings = _plugin("trainer", values["train"])
    adapter, spec = _plugin("adapter", values["adapter"])
    place = open_place(plan, adapter.TRAINS, run.path, events)
    lengths = [len(row.input_ids) for row in material.rows]
    sequences = trainer.sequences(lengths, max_seq_len=values["encode"]["max_seq_len"])
    loading = sharding.where_to_load(place, crew, adapter.BASE)
    model = open_model(plan, values["adapter"]["kind"], spec, loading)
    inputs = FitInputs(
        model=sharding.held(model, place, crew),
        tokenizer=material.tokenizer,
        base=plan.base,
        rows=material.rows,
        validation=material.validation,
        stop_ids=material.stop_ids,
        run=run,
        events=events,
        seed=values["seed"],
        arrangement=resolved_arrangement(plan.resolved),
        steps=trainer.steps_for(settings, len(sequences)),
        sequences=sequences,
        storage=adapter.BASE,
        place=place,
        optimizer=own_optimizer(adapter, spec),
        times_rate=getattr(adapter, "TIMES_RATE", 1.0),
        crew=crew,
        teacher=material.teacher,
        ends=material.ends,
        asked=material.asked,
        most_pack_tokens=plan.resolved.get("most_pack_tokens"),
    )
    return inputs, as_planned(settings, plan)


def _plugin(point: str, block: Any) -> tuple[Any, Any]:
    """The plug-in that a block of a plan names, and its settings."""
    found = plugins.load(point, block["kind"])
    return found, found.Spec.model_validate({k: v for k, v in block.items() if k != "kind"})


def own_optimizer(adapter: Any, spec: Any) -> Any:
    """How the adapter has its optimizer made; None where it leaves that to the trainer."""
    own = getattr(adapter, "optimizer", None)
    return None if own is None else partial(own, spec=spec)
