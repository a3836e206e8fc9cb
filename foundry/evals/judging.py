"""Let a judge compare two columns, pair by pair in both orders, resumable verdict by verdict.

Each verdict is a line of a file, keyed by everything that was asked (model, settings, prompt), so
that a run that broke off, or one whose answers changed in part, asks only what is not there yet.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from foundry.core import atomic
from foundry.core.blocks import Block
from foundry.core.errors import DataError, Problem
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.evals.answers import Column, Item
from foundry.evals.comparison import Roles
from foundry.evals.endpoint import Endpoint
from foundry.evals.evaluators.judge import Spec
from foundry.evals.judge_prompt import VERSION, Choice, choice, prompt
from foundry.evals.judgement import Judgement, Outcome

KIND = "judge"
BETTER: Mapping[str, Outcome] = {"first": "win", "second": "loss", "tie": "tie"}
TOLD = Callable[[int, int], None]


@dataclass(frozen=True)
class Pair:
    """Two answers to one question."""

    example: Example
    one: str
    other: str

    def prompts(self, criteria: str | None) -> tuple[str, str]:
        """The judge's prompts with `one` first, and with `one` second."""
        first = prompt(self.example, self.one, self.other, criteria=criteria)
        return first, prompt(self.example, self.other, self.one, criteria=criteria)


def judged(
    evals: Sequence[Block],
    items: Sequence[Item],
    columns: Sequence[Column],
    *,
    roles: Roles,
    file: Path,
    on_verdict: TOLD,
) -> list[Column]:
    """The columns, with judgements in the two that were compared; as they are without a judge.

    Args:
        evals: The recipe's; nothing is asked unless one is `judge`.
        items: What was asked.
        columns: What was answered.
        roles: The tuned model is compared with the base that was shown examples, else the base.
        file: JSON lines of the verdicts.
        on_verdict: Told how many of how many are there.

    Raises:
        ResourceError: The endpoint does not answer; what was said so far is kept.
        DataError: A row does not say which answer of its pair people found better.
    """
    spec = next((block.spec for block in evals if block.kind == KIND), None)
    if not isinstance(spec, Spec) or roles.tuned is None or not roles.base:
        return list(columns)
    by_name = {column.name: column for column in columns}
    tuned, base = by_name[roles.tuned], by_name[roles.base[-1]]
    chosen = _chosen(items, spec)
    pairs = {item.example.id: _pair(item, tuned, base) for item in chosen}
    people = _people(chosen, spec)
    wanted = [
        p for pair in (*pairs.values(), *people.values()) for p in pair.prompts(spec.criteria)
    ]
    verdicts = _verdicts(wanted, spec, file, on_verdict)

    def outcomes(pair: Pair) -> tuple[Outcome | None, Outcome | None]:
        first, second = (verdicts[one] for one in pair.prompts(spec.criteria))
        return _outcome(first, "A"), _outcome(second, "B")

    found = {
        item.example.id: _judgement(item, spec, outcomes(pairs[item.example.id]), people, outcomes)
        for item in chosen
    }
    turned = {key: one.turned() for key, one in found.items()}
    with_verdicts = {tuned.name: _with(tuned, found), base.name: _with(base, turned)}
    return [with_verdicts.get(column.name, column) for column in columns]


def _chosen(items: Sequence[Item], spec: Spec) -> list[Item]:
    own = [item for item in items if item.is_in(spec.parts)]
    return sorted(own, key=lambda item: item.example.id)[: spec.items]


def _pair(item: Item, tuned: Column, base: Column) -> Pair:
    key = item.example.id
    return Pair(item.example, tuned.answers[key].text, base.answers[key].text)


def _people(items: Sequence[Item], spec: Spec) -> dict[str, Pair]:
    """The pair that people judged, of each item whose row brings one."""
    if spec.people is None:
        return {}
    pairs, problems = {}, []
    what = _("column `{column}` is `{value}`, which is none of {known}")
    known = ", ".join(f"`{value}`" for value in BETTER)
    for example in (item.example for item in items):
        fields = example.fields
        first, second = (fields.get(name, "") for name in (spec.people.first, spec.people.second))
        better = fields.get(spec.people.better, "").strip()
        if not (first and second and better):
            continue
        if better not in BETTER:
            place = f"{example.source}:{example.line}"
            text = what.format(column=spec.people.better, value=better, known=known)
            problems.append(Problem(place, text, _("write one of them, or leave it empty")))
        pairs[example.id] = Pair(example, first, second)
    if problems:
        raise DataError(problems)
    return pairs


def _verdicts(
    wanted: Sequence[str], spec: Spec, file: Path, on_verdict: TOLD
) -> dict[str, Choice | None]:
    """What the judge says to each prompt, asked at most once."""
    settings = {} if spec.temperature is None else {"temperature": spec.temperature}
    asked = {"base_url": spec.base_url, "model": spec.model, "settings": settings}
    keys = {text: atomic.fingerprint([VERSION, asked, text]) for text in wanted}
    said = dict(_read(file))
    todo = [text for text, key in keys.items() if key not in said]
    if todo:
        with (
            Endpoint(spec.base_url, spec.model, spec.key_env, settings) as judge,
            ThreadPoolExecutor(spec.parallel) as pool,
        ):
            waiting = {pool.submit(judge.say, text): text for text in todo}
            try:
                for done in as_completed(waiting):
                    key = keys[waiting[done]]
                    said[key] = done.result()
                    line = {"key": key, "said": said[key]}
                    atomic.append_line(file, json.dumps(line, ensure_ascii=True))
                    on_verdict(sum(one in said for one in keys.values()), len(keys))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
    return {text: choice(said[key]) for text, key in keys.items()}


def _read(file: Path) -> Iterator[tuple[str, str]]:
    """Key and text of each verdict that is there; a torn last line is none."""
    if not file.exists():
        return
    for line in file.read_bytes()[: atomic.whole_lines(file)].splitlines():
        record = json.loads(line)
        yield record["key"], record["said"]


def _outcome(verdict: Choice | None, own: Choice) -> Outcome | None:
    if verdict is None or verdict == "TIE":
        return None if verdict is None else "tie"
    return "win" if verdict == own else "loss"


def _judgement(
    item: Item,
    spec: Spec,
    own: tuple[Outcome | None, Outcome | None],
    people: Mapping[str, Pair],
    outcomes: Callable[[Pair], tuple[Outcome | None, Outcome | None]],
) -> Judgement:
    pair = people.get(item.example.id)
    if pair is None or spec.people is None:
        return Judgement(*own)
    better = BETTER[item.example.fields[spec.people.better].strip()]
    return Judgement(*own, people=better, as_people=Judgement(*outcomes(pair)).outcome)


def _with(column: Column, found: Mapping[str, Judgement]) -> Column:
    answers = {
        key: replace(answer, judgement=found.get(key)) for key, answer in column.answers.items()
    }
    return replace(column, answers=answers)
