"""Stage 7: ask the base, the tuned model and the delivered file the same questions, and report.

The base is asked twice: exactly as the tuned model is, and as suits a base model, with solved
examples in plain text and a stop string. Two naive baselines stand beside them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.events import Events
from foundry.core.recipe import Recipe
from foundry.core.records import EvalReport, Example
from foundry.core.rundir import RunDir
from foundry.encode.tokenize import Encoder
from foundry.evals.answering import Asked, Prompting, ask, settings
from foundry.evals.answers import Column, Item
from foundry.evals.baselines import most_frequent_answer, nearest_question
from foundry.evals.compare import Evidence, Measured, Measures, measure, report_on
from foundry.evals.comparison import Roles
from foundry.evals.judging import judged
from foundry.evals.prompts import STOP, Labels, few_shot_text, pick_shots
from foundry.evals.report.html import write_report
from foundry.evals.report.rows import write_rows
from foundry.evals.unmeasured import measures_nothing, unmeasured_report
from foundry.runtime.contract import Decoding, Runtime
from foundry.store.ledger import Charges

TITLES: Mapping[str, dict[str, str]] = {
    "base": {"en": "Base model, as it is", "zh-TW": "基底模型（原樣）"},
    "base-few-shot": {"en": "Base model, shown examples", "zh-TW": "基底模型（先看範例）"},
    "tuned": {"en": "Tuned model", "zh-TW": "訓練後的模型"},
    "delivered": {"en": "Delivered GGUF file", "zh-TW": "交付的 GGUF 檔案"},
}
# llama.cpp wants a little room beyond the last token.
SPARE_TOKENS = 8


@dataclass(frozen=True)
class Examination:
    """What is examined, on what, and what the report shows beside the scores.

    `tuned` gives the live model, `untrained` the base inside a block; `base_gguf` and `delivered`
    are files for llama.cpp, or None. `identity` names base, adapter and encoding by their hashes:
    answers of another are not kept.
    """

    recipe: Recipe
    run: RunDir
    events: Events
    encoder: Encoder
    stop_ids: tuple[int, ...]
    tuned: Callable[[], Any]
    untrained: Callable[[], AbstractContextManager[Any]]
    base_gguf: Path | None
    delivered: Path | None
    identity: Mapping[str, Any]
    train: Sequence[Example]
    items: Sequence[Item]
    curve: Sequence[Mapping[str, Any]]
    facts: Mapping[str, Any]
    charges: Charges = field(default_factory=Charges)


def examine(exam: Examination) -> EvalReport:
    """Ask every column, compare, and write the report and its tables into `evals`.

    Where the recipe measures nothing, nobody is asked and the report says so.
    """
    recipe = exam.recipe
    if measures_nothing(recipe.evals, exam.items):
        return _written(exam, unmeasured_report(_evidence(exam), exam.items, recipe.seed))
    evidence = _evidence(exam)
    measured = _measured(exam, evidence)
    write_rows(measured, exam.run.file("evals"))
    return _written(exam, report_on(measured, evidence))


def _measured(exam: Examination, evidence: Evidence) -> Measured:
    columns = [*_base_columns(exam), *_tuned_columns(exam)]
    naive = [
        most_frequent_answer(exam.train, exam.items),
        nearest_question(exam.train, exam.items),
    ]
    delivered = "delivered" if exam.delivered is not None else None
    roles = Roles(
        base=tuple(c.name for c in columns if c.name.startswith("base")),
        tuned="tuned",
        delivered=delivered,
        naive=tuple(column.name for column in naive),
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
    return measure(
        exam.items,
        [*columns, *naive],
        measures=Measures(recipe.evals, recipe.gates),
        roles=roles,
        part_titles=evidence.part_titles,
        seed=recipe.seed,
    )


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
        part_titles=titles,
        curve=exam.curve,
        facts=exam.facts,
        charges=exam.charges,
        languages=tuple(recipe.evaluation.languages),
    )


def _base_columns(exam: Examination) -> Iterator[Column]:
    few_shot = exam.recipe.evaluation.few_shot
    asked = [_chat_prompts(exam, "base")]
    if few_shot:
        asked.append(_few_shot_prompts(exam, few_shot))
    with _base_runtime(exam, asked) as runtime:
        for one in asked:
            yield _ask(exam, runtime, one)


def _tuned_columns(exam: Examination) -> Iterator[Column]:
    from foundry.runtime.transformers import TransformersRuntime

    size = exam.recipe.evaluation.batch_size
    live = TransformersRuntime(exam.tuned(), exam.encoder.tokenizer, batch_size=size)
    yield _ask(exam, live, _chat_prompts(exam, "tuned"))
    if exam.delivered is not None:
        asked = _chat_prompts(exam, "delivered")
        with _llamacpp(exam.delivered, [asked]) as runtime:
            yield _ask(exam, runtime, asked)


@contextmanager
def _base_runtime(exam: Examination, asked: Sequence[Asked]) -> Iterator[Runtime]:
    """The base's own GGUF file where it has one (the very weights that were trained on)."""
    if exam.base_gguf is not None:
        with _llamacpp(exam.base_gguf, asked) as runtime:
            yield runtime
        return
    from foundry.runtime.transformers import TransformersRuntime

    size = exam.recipe.evaluation.batch_size
    with exam.untrained() as model:
        yield TransformersRuntime(model, exam.encoder.tokenizer, batch_size=size)


def _llamacpp(file: Path, asked: Sequence[Asked]) -> Any:
    """llama.cpp with just the context that the longest prompt and its answer need."""
    from foundry.runtime.llamacpp import LlamaCppRuntime

    longest = max(
        len(ids) + one.decoding.max_new_tokens for one in asked for ids in one.prompts.values()
    )
    return LlamaCppRuntime(file, context=longest + SPARE_TOKENS)


def _chat_prompts(exam: Examination, name: str) -> Asked:
    """The prompts of training: the chat template up to the answer."""
    prompts = {i.example.id: exam.encoder.prompt_ids(i.example.prompt) for i in exam.items}
    decoding = Decoding(exam.recipe.evaluation.max_new_tokens, exam.stop_ids)
    first = exam.encoder.with_system(exam.items[0].example.prompt)[0]
    system = first.content if first.role == "system" else None
    return _asked(exam, name, prompts, decoding, _prompting(exam, exam.encoder.template, system))


def _few_shot_prompts(exam: Examination, few_shot: int) -> Asked:
    """Plain text with solved examples, ended by a line end."""
    shots = pick_shots(exam.train, n=few_shot, seed=exam.recipe.seed)
    prompts = {
        i.example.id: exam.encoder.ids(few_shot_text(shots, i.example, Labels()))
        for i in exam.items
    }
    decoding = Decoding(exam.recipe.evaluation.max_new_tokens, exam.stop_ids, (STOP,))
    template = few_shot_text(shots, shots[0], Labels())
    return _asked(exam, "base-few-shot", prompts, decoding, _prompting(exam, template))


def _prompting(exam: Examination, template: str, system: str | None = None) -> Prompting:
    return Prompting(template, system, exam.encoder.bos_id)


def _asked(
    exam: Examination,
    name: str,
    prompts: dict[str, list[int]],
    decoding: Decoding,
    prompting: Prompting,
) -> Asked:
    in_order = [prompts[item.example.id] for item in exam.items]
    return Asked(name, TITLES[name], prompts, decoding, settings(in_order, decoding, prompting))


def _ask(exam: Examination, runtime: Runtime, asked: Asked) -> Column:
    def told(done: int, of: int) -> None:
        exam.events.emit("evaluate", "answers", column=asked.name, done=done, of=of)

    made_from = atomic.fingerprint(
        {
            "column": asked.name,
            "runtime": runtime.name,
            "identity": dict(exam.identity),
            "settings": dict(asked.settings),
            "prompts": {key: list(ids) for key, ids in asked.prompts.items()},
        }
    )
    file = exam.run.file("evals", "answers", f"{asked.name}.jsonl")
    return ask(runtime, exam.items, asked, file=file, made_from=made_from, on_answer=told)
