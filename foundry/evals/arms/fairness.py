"""Whether arms may be compared: the same test, asked alike, the same rows in the same order, and
the same budget.

Another test or another way of asking makes a comparison meaningless, so it is refused (cases.md
C27, C28). Another order of the rows or another budget makes it a comparison of something else than
the recipes; it is refused unless whoever asks says that this is meant, and then the table says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from foundry.core.errors import Problem, ProofError
from foundry.core.language import gettext as _
from foundry.evals.arms.arm import Arm
from foundry.evals.arms.entry import Entry
from foundry.evals.settings import differing

Budget = Literal["tokens", "steps", "seconds", "trainable-parameters"]
BUDGETS: tuple[Budget, ...] = get_args(Budget)
TOLERANCE: dict[Budget, float] = {
    "steps": 0.0,
    "tokens": 0.01,
    "seconds": 0.1,
    "trainable-parameters": 0.05,
}
"""How far two arms may lie apart, as a share of the larger. Ours: a step more or less of a hundred
is 1 % of the tokens; the seconds of one step vary by some 5 % on an idle machine, and a rank is a
whole number."""

FIGURES: dict[Budget, str] = {
    "steps": "steps",
    "tokens": "tokens",
    "seconds": "step_seconds",
    "trainable-parameters": "trainable_parameters",
}
"""What of a run is held against each budget; of seconds those of the steps alone, since proving
and saving takes longer the more is trained."""


@dataclass(frozen=True)
class Unequal:
    """In what two arms were not treated alike, with the value of each.

    `what` is `order`, `seeds`, `encoding` or a budget; `key` says which value of the order it is.
    `encoding` says that the order could not be compared, since the rows have other ids.
    """

    what: str
    key: str
    arm: str
    other: str
    values: tuple[Any, Any]

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "values": list(self.values)}


def check_alike(arms: Sequence[Arm]) -> None:
    """Refuse arms that were not given the same test, or not in the same way.

    Raises:
        ProofError: Names every run, and the test part, setting or evaluator that differs from the
            first run's.
    """
    entries = [entry for arm in arms for entry in arm.entries]
    first = entries[0]
    problems = [problem for entry in entries[1:] for problem in _unlike(entry, first)]
    if problems:
        raise ProofError(problems)


def check_equal(arms: Sequence[Arm], budget: Budget, *, allowed: bool) -> list[Unequal]:
    """In what the arms were not treated alike: rows and their order, seeds, budget.

    Rows that were encoded otherwise (another tokenizer, template or length) are said, not refused:
    that may be what is compared.

    Raises:
        ProofError: They differ, and that was not allowed; names each difference.
    """
    found = [*_orders(arms), *_budgets(arms, budget)]
    refused = [one for one in found if one.what != "encoding"]
    if refused and not allowed:
        fix = _("compare runs that are alike in it, or say `--allow-unequal`")
        raise ProofError([Problem(one.arm, sentence(one), fix) for one in refused])
    return found


def sentence(one: Unequal) -> str:
    """A difference in words, without the name of its arm."""
    a, b = one.values
    if one.what == "seeds":
        what = _("other seeds than {other}: {a} and {b}")
    elif one.what == "encoding":
        what = _("encoded otherwise than {other}: the order of the rows could not be compared")
    elif one.what == "order":
        what = _("not the same rows in the same order as {other}: `{key}` is {a} and {b}")
    else:
        what = _("another budget than {other}: {a} and {b} {unit}")
    return what.format(other=one.other, key=one.key, a=_short(a), b=_short(b), unit=one.key)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.10g}"
    return str(value)[:16] if isinstance(value, str) else str(value)


def _unlike(entry: Entry, first: Entry) -> Iterator[Problem]:
    run, other = entry.run.name, first.run.name
    for part in dict.fromkeys([*first.tests, *entry.tests]):
        if entry.tests.get(part) != first.tests.get(part):
            what = _("the test part `{part}` does not hold the same items as in {other}")
            fix = _("train both with the same test rows")
            yield Problem(run, what.format(part=part, other=other), fix)
    keys = differing(entry.column, first.column)
    if keys:
        what = _("asked otherwise than {other}: {keys} differ; the comparison would not be fair")
        yield Problem(run, what.format(other=other, keys=", ".join(keys)))
    if _measures(entry) != _measures(first):
        what = _("measured by other evaluators than {other}")
        fix = _("evaluate both with the same `evals` and the same version of this program")
        yield Problem(run, what.format(other=other), fix)


def _measures(entry: Entry) -> list[tuple[Any, ...]]:
    return [(one["name"], one["version"], one["spec"]) for one in entry.report["metrics"]]


def order(entry: Entry) -> dict[str, Any]:
    """What decides which rows a step saw."""
    parts = entry.run.result("data")["parts"]
    train = next(part for part in parts if part["name"] == "train")
    return {
        "train.kind": entry.run.value("train", "kind"),
        "train.global_batch_size": entry.run.value("train", "global_batch_size"),
        "data.train": train["sha256"],
    }


def _seen(entry: Entry) -> tuple[str, list[int]]:
    """The encoded rows by their key, and the tokens seen up to each step, as was recorded."""
    key = str(entry.run.result("encode").get("key"))
    return key, [line["tokens"] for line in entry.run.metrics if "tokens" in line]


def _orders(arms: Sequence[Arm]) -> Iterator[Unequal]:
    first = arms[0]
    for arm in arms[1:]:
        if arm.seeds != first.seeds:
            yield Unequal("seeds", "seed", arm.name, first.name, (arm.seeds, first.seeds))
            continue
        for entry, other in zip(arm.entries, first.entries, strict=True):
            found = list(_order(entry, other))
            yield from (Unequal(what, k, arm.name, first.name, v) for what, k, v in found)
            if found:
                break


def _order(entry: Entry, other: Entry) -> Iterator[tuple[str, str, tuple[Any, Any]]]:
    """What of two runs differs, as `what`, `key` and `values` of an `Unequal`."""
    mine, theirs = order(entry), order(other)
    differing_keys = [key for key in mine if mine[key] != theirs[key]]
    yield from (("order", key, (mine[key], theirs[key])) for key in differing_keys)
    (rows, seen), (other_rows, other_seen) = _seen(entry), _seen(other)
    if rows != other_rows and not differing_keys:
        yield "encoding", "encode.key", (rows, other_rows)
    if differing_keys or rows != other_rows:  # other ids: their numbers say nothing of the order
        return
    steps = enumerate(zip(seen, other_seen, strict=False), start=1)
    apart = next(((step, pair) for step, pair in steps if pair[0] != pair[1]), None)
    if apart is not None:
        yield "order", f"tokens at step {apart[0]}", apart[1]


def _budgets(arms: Sequence[Arm], budget: Budget) -> Iterator[Unequal]:
    """Each arm that had another budget than the first; else the two furthest apart if too far.

    Two arms that are both near the first may lie on either side of it.
    """
    first, far = arms[0], [arm for arm in arms[1:] if _is_apart(arm, arms[0], budget)]
    pairs = [(arm, first) for arm in far]
    if not far:
        own = sorted(arms, key=lambda arm: arm.figure(FIGURES[budget]) or 0.0)
        pairs = [(own[-1], own[0])] if _is_apart(own[-1], own[0], budget) else []
    for arm, other in pairs:
        values = (arm.figure(FIGURES[budget]), other.figure(FIGURES[budget]))
        yield Unequal(budget, budget, arm.name, other.name, values)


def _is_apart(arm: Arm, other: Arm, budget: Budget) -> bool:
    """Whether two arms had another budget, or nobody knows what one of them had."""
    a, b = (one.figure(FIGURES[budget]) for one in (arm, other))
    return a is None or b is None or abs(a - b) > TOLERANCE[budget] * max(a, b)
