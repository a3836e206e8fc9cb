"""What the ledger charges a training by: operations of a token, the machine's draw, the price."""

from pathlib import Path

from foundry.core import plugins
from foundry.core.environment import machine_share
from foundry.core.records import Plan
from foundry.models.shape import Shape
from foundry.planning.shapes import shape_in
from foundry.store.ledger import Charges
from foundry.train.gives import gives_reward

FULL = "full"


def charges(plan: Plan) -> Charges:
    """Rates of a run, as its plan states them; what it does not state is not known.

    A weight costs two operations a token forward and two for the gradient of its input; one that
    is trained two more (Kaplan et al. 2020, section 2.1). So 4N a token where the base is frozen
    and 6N where it is not, N the numbers of the linear layers that a token passes, and 2N of those
    below the last layers where only these train; for the head the same at each supervised token,
    4N where it is frozen. Each pass that only reads, of a reference, a teacher or what is drawn,
    costs 2N more. The head of a reward says one number an answer, which counts as nothing.
    Attention, the adapter and what is computed twice are left out: it is what such a training
    needs on any machine. A shape that is guessed says nothing.
    """
    cost = plan.estimate.get("cost")
    body, head = _operations(plan)
    return Charges(
        flops_per_token=body,
        flops_per_target=head,
        watts=None if cost is None else 1000 * cost["kwh"]["expected"] / cost["hours"]["expected"],
        watts_from="" if cost is None else f"assumed for {plan.estimate['device']}",
        is_metered=plan.resolved["device"] == "cpu",
        twd_per_kwh=None if cost is None else cost["rates"]["electricity"],
        price_from="" if cost is None else cost["rates"]["electricity_from"],
        twd_per_hour=None if cost is None else cost["rates"]["rent"],
        rent_from="" if cost is None else cost["rates"]["rent_from"],
        share=machine_share(),
    )


def _operations(plan: Plan) -> tuple[float | None, float | None]:
    """Of a token and of a supervised one; None where the shape or what reads beside is unknown."""
    known, train = shape_in(Path(plan.base.folder)), plan.values["train"]
    says_reward, readers = gives_reward(train["kind"]), _readers(plan, known.shape)
    if known.is_guessed or readers is None:
        return None, None
    adapter = plan.values["adapter"]
    last = adapter.get("last_layers") if adapter["kind"] == FULL else None
    forward, backward = 2, 4 if adapter["kind"] == FULL else 2
    reached = 1.0 if last is None else last / known.shape.layers
    at_head = 0 if says_reward else forward + (backward if last is None else 2)
    body = (forward + backward * reached) * known.shape.active_weights
    body += 2 * sum(one.active_weights for one in readers)
    read = 0 if says_reward else 2 * sum(_head(one) for one in readers)
    return float(body), float(at_head * _head(known.shape) + read)


def _readers(plan: Plan, shape: Shape) -> list[Shape] | None:
    """What reads every token beside the training: a reference, a teacher, the model that draws.

    None where there is such a thing and the plan has no forecast, which would say what it is.
    """
    train, job = plan.values["train"], plan.estimate.get("job")
    if job is None:
        trainer = plugins.load("trainer", train["kind"])
        more = plugins.optional(trainer, "REFERENCE_PASSES"), train.get("max_new_tokens")
        return None if any(more) or train.get("teacher") else []
    readers = [shape] * (job["reference_passes"] + bool(job["drawn_tokens"]))
    if job["teacher"] is not None:
        readers.append(Shape.model_validate(job["teacher"]))
    return readers


def _head(shape: Shape) -> int:
    return shape.hidden * shape.vocabulary
