"""Settle what a format made of a row: every side of it, and what a person should look at.

Of a preference both conversations are settled by the policy of `foundry/data/turns.py`, and then
must have one prompt and two answers (cases.md C25). What differs in text and is equal only after
it was cut to a length is found where rows are encoded.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.data.draft import Draft
from foundry.data.rows import RowError, is_blank
from foundry.data.turns import Settled, settle

PLACEHOLDER = "placeholder"
# `{{name}}` and the like, which a template was meant to fill in.
PLACEHOLDERS = re.compile(r"\{\{\s*[^\W\d][\w.-]*\s*\}\}")


@dataclass(frozen=True)
class SettledDraft:
    """The turns to learn, the worse answer of a preference, and counts by code.

    `counts` has the turns of both sides of a preference: `in` = `out` + all others (C20).
    """

    turns: tuple[Turn, ...]
    rejected: Turn | None
    counts: Counter[str]
    notices: tuple[tuple[str, str], ...]
    """Codes of what a person should look at, each with an example."""


def settle_draft(draft: Draft) -> SettledDraft:
    """Bring a row into the form in which it is learned.

    Raises:
        RowError: The row is refused; its code says why.
    """
    if draft.rejected:
        _refuse_empty_side(draft)
    sides = [] if draft.text else [settle(draft.turns)]
    if draft.rejected:
        sides.append(settle(draft.rejected))
        _refuse_pair(sides[0].turns, sides[1].turns)
    settled = chain.from_iterable(side.notices for side in sides)
    return SettledDraft(
        turns=sides[0].turns if sides else (),
        rejected=sides[1].turns[-1] if draft.rejected else None,
        counts=_counts(draft, sides),
        notices=(*settled, *notices(draft)),
    )


def notices(draft: Draft) -> Iterator[tuple[str, str]]:
    """A code for each thing in the texts of a row that is suspicious and yet no fault.

    `placeholder` comes at most once a row: a name in double braces that nobody filled in. What
    the format itself found comes first.
    """
    yield from draft.notices
    texts = [draft.text, *(turn.content for turn in (*draft.turns, *draft.rejected))]
    found = (PLACEHOLDERS.search(text) for text in texts)
    first = next((match for match in found if match), None)
    if first:
        yield PLACEHOLDER, first.group()


def _counts(draft: Draft, sides: Sequence[Settled]) -> Counter[str]:
    counts = Counter[str]()
    for written, side in zip((draft.turns, draft.rejected), sides, strict=False):
        if len(written) != len(side.turns) + sum(side.changes.values()):
            raise RuntimeError(f"turns do not balance: {written}")
        counts.update({"in": len(written), "out": len(side.turns), **side.changes})
    return counts


def _refuse_empty_side(draft: Draft) -> None:
    if draft.turns and is_blank(draft.turns[-1].content) and not draft.turns[-1].tool_calls:
        raise RowError("empty-chosen", _("the better answer (`chosen`) is empty"))
    if is_blank(draft.rejected[-1].content) and not draft.rejected[-1].tool_calls:
        raise RowError("empty-rejected", _("the worse answer (`rejected`) is empty"))


def _refuse_pair(chosen: Sequence[Turn], rejected: Sequence[Turn]) -> None:
    pairs = zip(chosen[:-1], rejected[:-1], strict=False)
    same = next((n for n, (one, other) in enumerate(pairs) if one != other), None)
    if same is not None or len(chosen) != len(rejected):
        number = min(len(chosen), len(rejected)) if same is None else same + 1
        what = _(
            "`chosen` and `rejected` have different prompts: turn {number} differs; "
            "only the last answer may"
        )
        raise RowError("different-prompts", what.format(number=number))
    if chosen[-1] == rejected[-1]:
        what = _("`chosen` and `rejected` are the same answer, of which nothing can be learned")
        raise RowError("identical-pair", what)
