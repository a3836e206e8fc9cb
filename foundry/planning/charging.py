"""What the ledger charges a training by: operations of a token, the machine's draw, the price."""

from pathlib import Path

from foundry.core.records import Plan
from foundry.planning.shapes import shape_in
from foundry.store.ledger import Charges

FULL = "full"


def charges(plan: Plan) -> Charges:
    """Rates of a run, as its plan states them; what it does not state is not known.

    A weight costs two operations a token forward and two for the gradient of its input; one that
    is trained two more (Kaplan et al. 2020, section 2.1). So 4N a token where the base is frozen
    and 6N where it is not, N the numbers of the linear layers that a token passes, and 2N of those
    below the last layers where only these train; for the head the same at each supervised token,
    4N where it is frozen. Attention, the adapter and what is computed twice are left
    out: it is what such a training needs on any machine. A shape that is guessed says nothing.
    """
    known = shape_in(Path(plan.base.folder))
    body, head = known.shape.active_weights, known.shape.hidden * known.shape.vocabulary
    adapter = plan.values["adapter"]
    last = adapter.get("last_layers") if adapter["kind"] == FULL else None
    forward, backward = 2, 4 if adapter["kind"] == FULL else 2
    reached = 1.0 if last is None else last / known.shape.layers
    at_head = forward + (backward if last is None else 2)
    cost = plan.estimate.get("cost")
    return Charges(
        flops_per_token=None if known.is_guessed else (forward + backward * reached) * body,
        flops_per_target=None if known.is_guessed else float(at_head * head),
        watts=None if cost is None else 1000 * cost["kwh"]["expected"] / cost["hours"]["expected"],
        watts_from="" if cost is None else f"assumed for {plan.estimate['device']}",
        is_metered=plan.resolved["device"] == "cpu",
        twd_per_kwh=None if cost is None else cost["rates"]["electricity"],
        price_from="" if cost is None else cost["rates"]["electricity_from"],
        twd_per_hour=None if cost is None else cost["rates"]["rent"],
        rent_from="" if cost is None else cost["rates"]["rent_from"],
    )
