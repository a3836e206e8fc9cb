"""Stage 7: ask the base, the tuned model and every delivered file the same questions, and report.

The base is asked twice: exactly as the tuned model is, and as suits a base model, with solved
examples in plain text and a stop string. Two naive baselines stand beside them, and further models
where the recipe names some.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.events import Events
from foundry.core.recipe import Recipe
from foundry.core.records import BaseModel, EvalReport, Example
from foundry.core.rundir import RunDir
from foundry.data.canaries import is_canary
from foundry.encode.tokenize import Encoder
from foundry.evals.answering import BATCH, Asked, Prompting, Sheet, ask, is_beyond, keep_prompts
from foundry.evals.answers import BROUGHT, Column, Item
from foundry.evals.asking import asked_of, brought_prompts, in_template, titled
from foundry.evals.baselines import most_frequent_answer, nearest_question
from foundry.evals.brought import Brought, brought_by, part_titles
from foundry.evals.compare import Evidence, Measured, Measures, measure, report_on
from foundry.evals.comparison import Roles, same
from foundry.evals.contamination import overlaps
from foundry.evals.judging import judged
from foundry.evals.prompts import STOP, Labels, few_shot_text, pick_shots
from foundry.evals.references import Reference, named
from foundry.evals.report.html import write_report
from foundry.evals.report.rows import write_rows
from foundry.evals.reward_pairs import LONGER, Pairs, longer_answer, model_columns, pairs_of
from foundry.evals.room import longest_of
from foundry.evals.run_facts import base_identity
from foundry.evals.unmeasured import measures_nothing, unmeasured_report
from foundry.runtime.contract import Decoding, Runtime
from foundry.store.ledger import Charges
from foundry.train.gives import gives_reward

# llama.cpp wants a little room beyond the last token.
SPARE_TOKENS = 8
ANSWERS, BASE = ("evals", "answers"), "base"  # the columns of the base begin so
SHOTS_SEED = 0  # the training's seed must not decide what the base is shown (C28)


@dataclass(frozen=True)
class Delivered:
    """A file for llama.cpp; `base` is the model that it is put on, where it is an adapter."""

    file: Path
    base: Path | None = None


@dataclass(frozen=True)
class Examination:
    """What is examined, on what, and what the report shows beside the scores.

    `items` are the recipe's questions; evaluators bring theirs beside them.

    `tuned` gives the live model, `untrained` the base inside a block; `base_gguf` is a file for
    llama.cpp, or None, `delivered` such files by the names of their columns. `identity` names base,
    adapter and encoding by their hashes: answers of another are not kept. `base_identity` is all
    that decides the base's answers beside the prompts; another run that has the same may be asked
    in this one's place. `train` has each training row once; `replayed` names the files whose rows
    are only there against forgetting. `references` are models that stand beside the tuned one.
    `context` is how many tokens the base reads; None where examples are not to be left out for it.
    """

    recipe: Recipe
    run: RunDir
    events: Events
    encoder: Encoder
    stop_ids: tuple[int, ...]
    tuned: Callable[[], Any]
    untrained: Callable[[], AbstractContextManager[Any]]
    base_gguf: Path | None
    delivered: Mapping[str, Delivered]
    identity: Mapping[str, Any]
    base_identity: Mapping[str, Any]
    train: Sequence[Example]
    items: Sequence[Item]
    curve: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any]
    charges: Charges = field(default_factory=Charges)
    replayed: Collection[str] = ()
    references: Sequence[BaseModel] = ()
    context: int | None = None

    @cached_property
    def brought(self) -> list[Brought]:
        """The questions that evaluators bring."""
        return brought_by(self.recipe.evals, self.train)

    @cached_property
    def learned(self) -> list[Example]:
        """The training rows that came from files, without what was planted among them."""
        return [row for row in self.train if not is_canary(row)]

    @property
    def shown(self) -> list[Example]:
        """The training rows of the task, from which examples and baselines are taken."""
        return [row for row in self.learned if row.source not in self.replayed]

    @cached_property
    def beside(self) -> Mapping[str, Reference]:
        """The models of `references` by the names of their columns."""
        return named(self.references)

    def identity_of(self, column: str) -> Mapping[str, Any]:
        """All that decides what a column's model answers, beside the prompts."""
        if one := self.beside.get(column):
            return base_identity(one.base)
        return self.base_identity if column.startswith(BASE) else self.identity

    @property
    def all_items(self) -> list[Item]:
        """The recipe's questions and those that evaluators bring."""
        return [*self.items, *(item for one in self.brought for item in one.items)]


def examine(exam: Examination) -> EvalReport:
    """Ask every column, compare, and write the report and its tables into `evals`.

    Where the recipe measures nothing, nobody is asked and the report says so.
    """
    recipe = exam.recipe
    if measures_nothing(recipe.evals, exam.items):
        return _written(exam, unmeasured_report(_evidence(exam), exam.items, recipe.seed))
    evidence = _evidence(exam)
    if gives_reward(recipe.train.kind):
        pairs = pairs_of(exam.items, exam.encoder)
        if pairs.left_out:
            counts = {"left_out": len(pairs.left_out), "kept": len(pairs.items)}
            exam.events.emit("evaluate", "not-encoded", **counts)
            listed = [one.as_dict() for one in pairs.left_out]
            evidence = replace(evidence, facts={**evidence.facts, "left_out": listed})
        measured = _rewarded(exam, evidence, pairs)
    else:
        measured = _measured(exam, evidence)
    write_rows(measured, exam.run.file("evals"))
    return _written(exam, report_on(measured, evidence))


def _measured(exam: Examination, evidence: Evidence) -> Measured:
    columns = [*_base_columns(exam), *_reference_columns(exam), *_tuned_columns(exam)]
    naive = [
        most_frequent_answer(exam.shown, exam.items),
        nearest_question(exam.shown, exam.items),
    ]
    roles = Roles(
        base=tuple(c.name for c in columns if c.name.startswith(BASE)),
        tuned="tuned",
        delivered=tuple(exam.delivered),
        naive=tuple(column.name for column in naive),
        references=tuple(exam.beside),
    )
    recipe = exam.recipe
    columns = judged(
        recipe.evals,
        exam.items,
        columns,
        roles=roles,
        file=exam.run.file("evals", "judge.jsonl"),
        on_verdict=lambda done, of: exam.events.emit(
            "evaluate", "answers", column="judge", done=done, of=of
        ),
    )
    measured = measure(
        exam.all_items,
        [*columns, *naive],
        measures=Measures(recipe.evals, recipe.gates),
        roles=roles,
        part_titles=evidence.part_titles,
        seed=recipe.seed,
    )
    trained = {one.kind for one in exam.brought if one.as_trained}
    unseen = [item for item in exam.all_items if item.brought_by not in trained]
    return replace(measured, overlaps=overlaps(unseen, exam.learned))


def _rewarded(exam: Examination, evidence: Evidence, pairs: Pairs) -> Measured:
    """The same of a reward model, which answers nothing: what it says of held-out pairs."""
    recipe = exam.recipe
    measured = measure(
        pairs.items,
        [*model_columns(exam, pairs), longer_answer(pairs)],
        measures=Measures(recipe.evals, recipe.gates),
        roles=Roles(base=(BASE,), tuned="tuned", naive=(LONGER,)),
        part_titles=evidence.part_titles,
        seed=recipe.seed,
    )
    return replace(measured, overlaps=overlaps(pairs.items, exam.learned))


def _written(exam: Examination, report: dict[str, Any]) -> EvalReport:
    json_file, html_file = write_report(report, exam.run.file("evals"))
    return EvalReport(
        json_file=exam.run.relative(json_file),
        html_files=(exam.run.relative(html_file),),
        scores={"scores": report["scores"], "differences": report["differences"]},
        gates=tuple(report["gates"]),
        headlines=tuple(report["headlines"]),
    )


def _evidence(exam: Examination) -> Evidence:
    recipe = exam.recipe
    titles = {
        test.name: test.title.model_dump(by_alias=True)
        for test in recipe.data.tests
        if test.title is not None
    }
    return Evidence(
        title=recipe.title.model_dump(by_alias=True),
        part_titles={**part_titles(exam.brought), **titles},
        curve=exam.curve,
        facts=exam.facts,
        charges=exam.charges,
        languages=tuple(recipe.evaluation.languages),
    )


def _base_columns(exam: Examination) -> Iterator[Column]:
    few_shot = exam.recipe.evaluation.few_shot
    asked = [[_chat_prompts(exam, "base"), *_brought(exam, "base")]]
    if few_shot and (shown := _few_shot_prompts(exam, few_shot)) is not None:
        asked.append([shown])
    with _base_runtime(exam, [one for each in asked for one in each]) as runtime:
        for each in asked:
            yield _ask_all(exam, runtime, each)


def _reference_columns(exam: Examination) -> Iterator[Column]:
    evaluation = exam.recipe.evaluation
    for one in exam.beside.values():
        encoder, asked = one.prompts(
            exam.items,
            exam.brought,
            system=exam.encoder.system,
            max_new_tokens=evaluation.max_new_tokens,
        )
        with one.opened(encoder, evaluation.batch_size) as runtime:
            column = _ask_all(exam, runtime, asked)
        yield replace(column, title=same(one.base.name))


def _tuned_columns(exam: Examination) -> Iterator[Column]:
    from foundry.runtime.transformers import TransformersRuntime

    size = exam.recipe.evaluation.batch_size
    live = TransformersRuntime(exam.tuned(), exam.encoder.tokenizer, batch_size=size)
    asked = [_chat_prompts(exam, "tuned"), *_brought(exam, "tuned")]
    yield _ask_all(exam, live, asked)
    for name, one in exam.delivered.items():
        asked = [_chat_prompts(exam, name), *_brought(exam, name)]
        with _llamacpp(one, asked) as runtime:
            column = _ask_all(exam, runtime, asked)
        is_only = len(exam.delivered) == 1
        yield column if is_only else replace(column, title=titled(column, one.file))


@contextmanager
def _base_runtime(exam: Examination, asked: Sequence[Asked]) -> Iterator[Runtime]:
    """The base's own GGUF file where it has one (the very weights that were trained on)."""
    if exam.base_gguf is not None:
        with _llamacpp(Delivered(exam.base_gguf), asked) as runtime:
            yield runtime
        return
    with _untrained_runtime(exam) as runtime:
        yield runtime


@contextmanager
def _untrained_runtime(exam: Examination) -> Iterator[Runtime]:
    """The base as it lies in memory, its update taken off."""
    from foundry.runtime.transformers import TransformersRuntime

    size = exam.recipe.evaluation.batch_size
    with exam.untrained() as model:
        yield TransformersRuntime(model, exam.encoder.tokenizer, batch_size=size)


def _llamacpp(one: Delivered, asked: Sequence[Asked]) -> Any:
    """llama.cpp with just the context that the longest prompt and its answer need."""
    from foundry.runtime.llamacpp import LlamaCppRuntime

    longest = max(longest_of(one.prompts, one.decoding) for one in asked)
    context = longest + SPARE_TOKENS
    if one.base is None:
        return LlamaCppRuntime(one.file, context=context)
    return LlamaCppRuntime(one.base, one.file, context=context)


def _chat_prompts(exam: Examination, name: str) -> Asked:
    """The prompts of training: the chat template up to the answer."""
    decoding = Decoding(exam.recipe.evaluation.max_new_tokens, exam.stop_ids)
    return in_template(exam.encoder, exam.items, name, decoding)


def _brought(exam: Examination, name: str) -> list[Asked]:
    return brought_prompts(exam.brought, exam.encoder, name, exam.stop_ids)


def _few_shot_prompts(exam: Examination, few_shot: int) -> Asked | None:
    """Plain text with solved examples, ended by a line end.

    Only so many examples as the base can read before the longest question; None if not one.
    """
    shots = pick_shots(exam.shown, n=few_shot, seed=SHOTS_SEED)
    while shots:
        asked = _shown(exam, shots)
        if exam.context is None or longest_of(asked.prompts, asked.decoding) <= exam.context:
            return asked
        shots.pop()
    return None


def _shown(exam: Examination, shots: Sequence[Example]) -> Asked:
    prompts = {
        i.example.id: exam.encoder.ids(few_shot_text(shots, i.example, Labels()))
        for i in exam.items
    }
    decoding = Decoding(exam.recipe.evaluation.max_new_tokens, exam.stop_ids, (STOP,))
    template = few_shot_text(shots, shots[0], Labels())
    prompting = Prompting(template, None, exam.encoder.bos_id)
    asked = asked_of("base-few-shot", prompts, decoding, prompting)
    shown = {"few_shot": len(shots), "shots": [shot.id for shot in shots]}
    return replace(asked, settings={**asked.settings, **shown})


def _ask_all(exam: Examination, runtime: Runtime, asked: Sequence[Asked]) -> Column:
    """One column of all answers; its settings and seconds are those of the recipe's questions."""
    own, *brought = [_ask(exam, runtime, one) for one in asked]
    answers = {key: answer for c in (own, *brought) for key, answer in c.answers.items()}
    alike = {one.brought_by: one.settings for one in asked[1:]}
    settings = {**own.settings, BROUGHT: alike} if alike else own.settings
    ran = {kind: column.settings["runtime"] for kind, column in zip(alike, brought, strict=True)}
    if elsewhere := {k: name for k, name in ran.items() if name != own.settings["runtime"]}:
        settings = {**settings, "brought_runtimes": elsewhere}
    return replace(own, answers=answers, settings=settings)


def _ask(exam: Examination, runtime: Runtime, asked: Asked) -> Column:
    """A column's answers; where its file cannot say what an evaluator asks, the base does."""
    if asked.name == BASE and asked.brought_by is not None and is_beyond(runtime, asked):
        with _untrained_runtime(exam) as live:
            return _ask(exam, live, asked)

    def told(done: int, of: int) -> None:
        exam.events.emit("evaluate", "answers", column=asked.name, done=done, of=of)

    made_from = atomic.fingerprint(
        {
            "column": asked.name,
            "runtime": runtime.name,
            "identity": dict(exam.identity_of(asked.name)),
            "settings": dict(asked.settings),
            "prompts": {key: list(ids) for key, ids in asked.prompts.items()},
            "continuations": dict(asked.continuations),
        }
    )
    name = asked.name if asked.brought_by is None else f"{asked.name}.{asked.brought_by}"
    file = exam.run.file(*ANSWERS, f"{name}.jsonl")
    keep_prompts(exam.run.file("evals", "prompts", f"{name}.jsonl"), asked.prompts)
    items = [item for item in exam.all_items if item.example.id in asked.prompts]
    at_once = max(BATCH, exam.recipe.evaluation.batch_size)
    return ask(runtime, items, asked, Sheet(file, made_from, told, at_once))
