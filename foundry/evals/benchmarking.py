"""Ask every model the same items of a benchmark, and report the models side by side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from foundry.core import atomic
from foundry.core.environment import environment
from foundry.core.errors import Problem, ResourceError
from foundry.core.events import Events
from foundry.core.language import gettext as _
from foundry.core.records import Example
from foundry.core.rundir import RunDir
from foundry.evals import harness
from foundry.evals.answering import (
    BATCH,
    OPTION_RULE,
    TEXT_RULE,
    Asked,
    Prompting,
    Sheet,
    ask,
    fill,
    keep_prompts,
    settings,
)
from foundry.evals.answers import Answer, Column, Item
from foundry.evals.benchmark import OPTION_COUNT, Task
from foundry.evals.compare import Evidence, Measures, measure, report_on
from foundry.evals.comparison import Roles
from foundry.evals.contamination import Overlap, overlaps
from foundry.evals.harness import HarnessTask
from foundry.evals.report.html import write_report
from foundry.evals.report.rows import write_rows
from foundry.evals.room import check_longest
from foundry.evals.run_facts import made_by
from foundry.evals.subjects import Speech, Subject, check_template
from foundry.evals.wording import LANGUAGES, Text
from foundry.runtime.contract import Decoding, LogLikelihood, Runtime

SPARE_TOKENS = 8  # llama.cpp wants a little room beyond the last token


@dataclass(frozen=True)
class Prompts:
    """One model's prompts of one task, as ids by item; `continuations` where texts are scored."""

    prompts: Mapping[str, list[int]]
    continuations: Mapping[str, list[list[int]]]
    decoding: Decoding
    settings: Mapping[str, Any]

    @cached_property
    def longest(self) -> int:
        """Tokens of the longest prompt with its answer."""
        most = self.decoding.max_new_tokens
        return SPARE_TOKENS + max(
            len(prompt) + max([most, *map(len, self.continuations.get(key, ()))])
            for key, prompt in self.prompts.items()
        )


@dataclass
class Bench:
    """What is evaluated and where its record lies."""

    folder: RunDir
    events: Events
    batch_size: int
    seed: int
    languages: tuple[str, ...] = LANGUAGES
    part_titles: Mapping[str, Text] = field(default_factory=dict)


def evaluate(
    bench: Bench,
    subjects: Sequence[Subject],
    tasks: Sequence[Task | HarnessTask],
    roles: Roles | None = None,
) -> list[Path]:
    """Ask every subject every task, and write `<task>/report.json` and `.html` for each.

    One model is loaded at a time, and none of which every answer is on disk. Without `roles` the
    models are peers, and the first is the reference.

    Returns:
        The JSON file of each report, in the order of the tasks.

    Raises:
        ResourceError: A model has no chat template, or cannot tell what a task asks.
    """
    columns: dict[str, list[Column]] = {task.name: [] for task in tasks}
    results: dict[str, dict[str, Any]] = {task.name: {} for task in tasks}
    for subject in subjects:
        for task, column in _columns(bench, subject, [t for t in tasks if isinstance(t, Task)]):
            columns[task.name].append(column)
        for task in tasks:
            if isinstance(task, HarnessTask):
                column, numbers = _column_of_harness(bench, subject, task)
                columns[task.name].append(column)
                results[task.name][column.name] = numbers
    made = []
    for task in tasks:
        told: dict[str, Any] = {"models": {s.name: dict(s.facts) for s in subjects}}
        if found := results[task.name]:
            told["lm_eval"] = harness.plain(found)
        learned = overlaps_of(task.items, subjects)
        made.append(_reported(bench, task, columns[task.name], roles, told, learned))
    return made


def overlaps_of(items: Sequence[Item], subjects: Sequence[Subject]) -> list[Overlap] | None:
    """The questions that some model was trained on; None where no model's training rows are here.

    The training row is named with its model before it.
    """
    trained = [(one.name, one.learned) for one in subjects if one.learned is not None]
    found: dict[str, Overlap] = {}
    for name, learned in trained:
        for one in overlaps(items, learned()):
            found.setdefault(one.item_id, replace(one, source=f"{name}: {one.source}"))
    order = (item.example.id for item in items)
    return [found[key] for key in order if key in found] if trained else None


def look(subjects: Sequence[Subject], tasks: Sequence[Task | HarnessTask]) -> list[dict[str, Any]]:
    """What would be asked: for each task and model the items and the tokens of their prompts."""
    found = []
    for subject in subjects:
        with subject.speaking() as speech:
            for task in tasks:
                tokens = _tokens(subject, speech, task)
                found.append(
                    {
                        "task": task.name,
                        "model": subject.name,
                        "runtime": subject.runtime,
                        "items": len(task.items),
                        "longest_prompt_tokens": max(tokens),
                        "prompt_tokens": sum(tokens),
                    }
                )
    return found


def _tokens(subject: Subject, speech: Speech, task: Task | HarnessTask) -> list[int]:
    """How many tokens each prompt has."""
    if isinstance(task, Task):
        prompts = make_prompts(subject, speech, task).prompts
        return [len(ids) for ids in prompts.values()]
    from foundry.evals.harness_model import counted

    return counted(task, subject, speech)


def make_prompts(subject: Subject, speech: Speech, task: Task) -> Prompts:
    """The ids that a model is given for every item of a task, and how it was asked (C28)."""
    if task.form == "chat":
        check_template(subject, speech)
    method = task.method
    prompts = {item.example.id: _prompt(speech, task, item, subject) for item in task.items}
    continuations: dict[str, list[list[int]]] = {}
    if method == "text":
        continuations = {i.example.id: [speech.plain(i.example.text)] for i in task.items}
    elif method == "options":
        continuations = {
            i.example.id: [speech.plain(text) for text in _options(task, i.example)]
            for i in task.items
        }
    decoding = _decoding(task, speech)
    template = speech.template if task.form == "chat" else task.template
    prompting = Prompting(template, task.system, speech.bos_id)
    said = settings([*prompts.values()], decoding, prompting)
    rules = {"options": OPTION_RULE, "text": TEXT_RULE}
    if method != "generate":
        said["decoding"]["rule"] = rules[method]
    own = {"task": dict(task.said), "form": task.form, "questions_sha256": _questions(task)}
    return Prompts(prompts, continuations, decoding, {**own, **said})


def _options(task: Task, example: Example) -> Sequence[str]:
    """The texts that are weighed after an example's prompt."""
    if task.option_texts is not None:
        return task.option_texts(example)
    return task.options[: int(example.fields.get(OPTION_COUNT, len(task.options)))]


def _decoding(task: Task, speech: Speech) -> Decoding:
    if task.method != "generate":
        return Decoding(0)
    # In a conversation the model's own end ends an answer, which may have several lines.
    stops = task.stop if task.form == "text" else ()
    return Decoding(task.max_new_tokens, speech.stop_ids, stops)


def _prompt(speech: Speech, task: Task, item: Item, subject: Subject) -> list[int]:
    if task.method == "text" and not item.example.prompt:
        if speech.start_id is None:
            what = _("the tokenizer has neither a BOS nor an end token for a text to stand after")
            raise ResourceError(Problem(subject.name, what))
        return [speech.start_id]
    if task.form == "chat":
        return speech.chat(task.turns(item.example), item.example.tools)
    return speech.ids(task.text(item.example))


def _questions(task: Task) -> str:
    """Hash of every question in words, the same for every model."""
    if task.method == "text":
        texts = [[i.example.text, [t.as_dict() for t in i.example.prompt]] for i in task.items]
        return atomic.fingerprint([texts, task.system])
    if task.form == "chat":
        asked = [i.example for i in task.items]
        turns = [[t.as_dict() for t in task.turns(example)] for example in asked]
        tools = [example.tools for example in asked]
        return atomic.fingerprint([turns, tools] if any(tools) else turns)
    return atomic.fingerprint([task.text(item.example) for item in task.items])


def _columns(
    bench: Bench, subject: Subject, tasks: Sequence[Task]
) -> Iterator[tuple[Task, Column]]:
    if not tasks:
        return
    with subject.speaking() as speech:
        made = [make_prompts(subject, speech, task) for task in tasks]
    longest = max(prompts.longest for prompts in made)
    check_longest(subject.name, longest - SPARE_TOKENS, speech.context)
    with ExitStack() as stack:
        model = Late(subject, stack, lambda: subject.opened(longest, bench.batch_size))
        for task, prompts in zip(tasks, made, strict=True):
            yield task, _column(bench, subject, task, prompts, model)


def _column_of_harness(
    bench: Bench, subject: Subject, task: HarnessTask
) -> tuple[Column, dict[str, Any]]:
    """A subject's column of a task of lm-eval, and lm-eval's own numbers."""
    from foundry.evals.harness_model import Opened, Record, RuntimeLM, column_of, run

    made_from = atomic.fingerprint(
        [dict(subject.identity), subject.runtime, subject.name, made_by()]
    )
    record = Record(bench.folder.file(task.name, "requests", f"{subject.name}.jsonl"), made_from)

    def told(done: int, of: int) -> None:
        column = f"{subject.name}, {task.name}"
        bench.events.emit("evaluate", "answers", column=column, done=done, of=of)

    def load(longest: int) -> AbstractContextManager[Runtime]:
        return subject.opened(longest, bench.batch_size)

    with subject.speaking() as speech:
        at_once = max(BATCH, bench.batch_size)
        model = RuntimeLM(Opened(subject, record, load, told, at_once), speech)
        found = run(task, model)
    column = column_of(task, model, found)
    lines = [one.as_dict() for one in column.answers.values()]
    text = "".join(atomic.CANONICAL.encode(line) + "\n" for line in lines)
    atomic.write_text(bench.folder.file(task.name, "answers", f"{subject.name}.jsonl"), text)
    return column, found["results"]


@dataclass
class Late:
    """A model that is loaded at the first question, because there may be none left."""

    subject: Subject
    stack: ExitStack
    load: Callable[[], AbstractContextManager[Runtime]]

    @cached_property
    def runtime(self) -> Runtime:
        """The model, loaded."""
        return self.stack.enter_context(self.load())

    @property
    def name(self) -> str:
        """What runs it."""
        return self.subject.runtime

    def generate(self, prompts: Sequence[Sequence[int]], decoding: Decoding) -> Any:
        """See `Runtime.generate`."""
        return self.runtime.generate(prompts, decoding)


def _column(bench: Bench, subject: Subject, task: Task, prompts: Prompts, model: Late) -> Column:
    made_from = atomic.fingerprint(
        {
            "model": dict(subject.identity),
            "runtime": subject.runtime,
            "made_by": made_by(),
            "settings": dict(prompts.settings),
            "continuations": dict(prompts.continuations),
        }
    )
    file = bench.folder.file(task.name, "answers", f"{subject.name}.jsonl")
    keep_prompts(bench.folder.file(task.name, "prompts", f"{subject.name}.jsonl"), prompts.prompts)

    def told(done: int, of: int) -> None:
        column = f"{subject.name}, {task.name}"
        bench.events.emit("evaluate", "answers", column=column, done=done, of=of)

    at_once = max(BATCH, bench.batch_size)
    sheet = Sheet(file, made_from, told, at_once, ready=lambda: model.runtime)
    asked = Asked(subject.name, subject.title, prompts.prompts, prompts.decoding, prompts.settings)
    if task.method == "generate":
        return ask(model, task.items, asked, sheet)

    def score(batch: Sequence[Item]) -> list[Answer]:
        return _scored(model.runtime, task, prompts, batch)

    filled = fill(task.items, score, sheet)
    recorded = {**prompts.settings, "runtime": subject.runtime}
    return Column(
        subject.name, subject.title, recorded, filled.answers, filled.seconds, filled.joules
    )


def _scored(runtime: Runtime, task: Task, prompts: Prompts, batch: Sequence[Item]) -> list[Answer]:
    """Each item's answer by log-probability: the likeliest option, or the one text's worth.

    Raises:
        ResourceError: The runtime does not tell log-probabilities of so many tokens.
    """
    pairs = [
        (prompts.prompts[item.example.id], ids)
        for item in batch
        for ids in prompts.continuations[item.example.id]
    ]
    worth = iter(runtime.loglikelihoods([p for p, _ids in pairs], [ids for _p, ids in pairs]))
    answers = []
    for item in batch:
        key = item.example.id
        own = [next(worth) for _ids in prompts.continuations[key]]
        text = likeliest(task.options, own) if task.method == "options" else ""
        sums = tuple(round(one.sum, 6) for one in own)
        tokens = sum(one.tokens for one in own)
        answers.append(Answer(key, text, tokens, stopped=True, logprobs=sums))
    return answers


def likeliest(options: Sequence[str], worths: Sequence[LogLikelihood]) -> str:
    """The one option with the largest log-probability per token; none where two have it."""
    means = [one.sum / one.tokens for one in worths]
    best = [option for option, mean in zip(options, means, strict=False) if mean == max(means)]
    return best[0] if len(best) == 1 else ""


def _reported(
    bench: Bench,
    task: Task | HarnessTask,
    columns: Sequence[Column],
    roles: Roles | None,
    facts: Mapping[str, Any],
    learned: Sequence[Overlap] | None,
) -> Path:
    own = harness.metrics_of(task, columns) if isinstance(task, HarnessTask) else []
    titles = {} if isinstance(task, HarnessTask) else dict(task.part_titles)
    titles |= bench.part_titles
    evidence = Evidence(
        title=task.title,
        part_titles=titles,
        facts={
            "benchmark": dict(task.said),
            "environment": environment(),
            **facts,
        },
        languages=bench.languages,
    )
    measured = measure(
        task.items,
        columns,
        measures=Measures(task.evals, metrics=own),
        roles=roles or Roles(peers=tuple(column.name for column in columns)),
        part_titles=titles,
        seed=bench.seed,
    )
    folder = bench.folder.file(task.name)
    measured = replace(measured, overlaps=learned)
    write_rows(measured, folder)
    json_file, _html = write_report(report_on(measured, evidence), folder)
    return json_file
