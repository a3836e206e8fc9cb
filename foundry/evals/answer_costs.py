"""What a thousand answers take: seconds as measured here, electricity and NT$ as they follow.

A meter of the processors counts what they alone drew; where there is none, the whole machine is
assumed to draw what the plan states for it. Either way the report says which. Of a machine that
others used at the same time, only this run's share counts.
"""

from collections.abc import Sequence
from typing import Any

from foundry.evals.answers import Answer, Column, Item
from foundry.evals.comparison import rounded
from foundry.store.ledger import JOULES_PER_KWH, Charges

ANSWERS = 1000


def answer_costs(
    columns: Sequence[Column], items: Sequence[Item], charges: Charges
) -> dict[str, Any]:
    """Per model column what a thousand answers take, and how fast it makes them.

    A column has `{column, seconds, tokens_per_s, kwh, kwh_from, twd, rent_twd}`; the tokens are
    those of its answers, prompts left out. What evaluators bring among `items` counts neither as
    answers nor as seconds. A number is None where it is not known: money without a price, anything
    of a column without seconds. Beside the columns stand the assumptions: `watts`, `watts_from`,
    `twd_per_kwh`, `price_from`, `twd_per_hour`, `rent_from`, and `share`, of the machine.
    """
    return {
        "answers": ANSWERS,
        "watts": rounded(charges.watts),
        "watts_from": charges.watts_from,
        "twd_per_kwh": charges.twd_per_kwh,
        "price_from": charges.price_from,
        "twd_per_hour": charges.twd_per_hour,
        "rent_from": charges.rent_from,
        "share": rounded(charges.share),
        "columns": [_cost(one, one.own(items), charges) for one in columns if one.settings],
    }


def _cost(column: Column, answers: Sequence[Answer], charges: Charges) -> dict[str, Any]:
    scale = ANSWERS / max(1, len(answers))
    seconds = None if column.seconds is None else column.seconds * scale
    tokens = scale * sum(answer.tokens for answer in answers)
    metered = None if column.joules is None else column.joules * scale
    joules, is_metered = charges.joules(metered, seconds)
    kwh = None if joules is None else joules / JOULES_PER_KWH
    price, rent = charges.twd_per_kwh, charges.twd_per_hour
    hours = None if seconds is None else seconds / 3600 * charges.share
    return {
        "column": column.name,
        "seconds": rounded(seconds),
        "tokens_per_s": rounded(tokens / seconds) if seconds else None,
        "kwh": rounded(kwh),
        "kwh_from": "meter" if is_metered else "assumed",
        "twd": None if None in (kwh, price) else rounded(kwh * price),
        "rent_twd": None if None in (hours, rent) else rounded(hours * rent),
    }
