"""A runtime of ours as a model of lm-eval, and a column of a report from what lm-eval finds.

lm-eval's own code cuts prompt and continuation and windows long texts, so that the numbers are
those of its `hf` model. Every answer is a line on disk with its ids, and is not asked for again.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence, Set
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import lm_eval
from lm_eval.api.model import TemplateLM
from lm_eval.models.utils import normalize_gen_kwargs
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window

from foundry.core import atomic
from foundry.core.errors import DataError, Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Turn
from foundry.evals.answering import BATCH, Prompting, decoding_settings, settings
from foundry.evals.answers import Answer, Column
from foundry.evals.harness import ROLLING, HarnessTask, item_id
from foundry.evals.room import check_longest
from foundry.evals.subjects import Speech, Subject, check_template
from foundry.models.quiet import quiet
from foundry.runtime.contract import Decoding, Generation, LogLikelihood, Runtime

# Tokens of a long text read at once: what lm-eval takes where a model declares nothing
# (`HFLM._DEFAULT_MAX_LENGTH`); more would want gigabytes of logits.
WINDOW = 2048
SPARE_TOKENS = 8  # llama.cpp wants a little room beyond the last token
Pair = tuple[tuple[int, ...], tuple[int, ...]]
Asked = tuple[tuple[int, ...], Decoding]


@dataclass
class Record:
    """What was asked and answered, one JSON line each; a torn last line is none.

    `made_from` names what decides the answers; those of something else are thrown away.
    """

    file: Path
    made_from: str
    lines: dict[str, dict[str, Any]] = field(default_factory=dict)
    batches: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        head = {"made_from": self.made_from}
        whole = atomic.whole_lines(self.file) if self.file.exists() else 0
        said = [json.loads(x) for x in self.file.read_bytes()[:whole].splitlines()] if whole else []
        if said[:1] != [head]:
            atomic.write_text(self.file, json.dumps(head) + "\n")
            said = []
        for line in said[1:]:
            self._keep(line)

    def _keep(self, line: dict[str, Any]) -> None:
        if "key" in line:
            self.lines[line["key"]] = line
        else:
            self.batches.append(line)

    def seconds_of(self, keys: Set[str]) -> float:
        """What answering took of the batches with one of these requests.

        Others were asked with another limit or other worked examples.
        """
        return sum(one["seconds"] for one in self.batches if not keys.isdisjoint(one["keys"]))

    def add(self, line: dict[str, Any]) -> None:
        """Flush a line to disk and keep it."""
        atomic.append_line(self.file, json.dumps(line, ensure_ascii=True))
        self._keep(line)


@dataclass(frozen=True)
class Opened:
    """Where a model and its record come from; `told` hears of every answer that is there.

    `at_once` is how many requests are given to the model together.
    """

    subject: Subject
    record: Record | None
    load: Callable[..., AbstractContextManager[Runtime]]
    told: Callable[[int, int], None]
    at_once: int = BATCH


class RuntimeLM(TemplateLM):  # type: ignore[misc]
    """A subject, loaded for each kind of request that is not all on disk."""

    def __init__(self, opened: Opened, speech: Speech) -> None:
        super().__init__()
        self.opened = opened
        self.speech = speech
        self.window = min(speech.context, WINDOW)
        self.samples: Mapping[str, Sequence[int]] = {}
        self.histories: list[Any] = []
        self.prompts: list[Sequence[int]] = []
        self.requests: set[str] = set()
        self.decodings: dict[Decoding, None] = {}
        self.tokens: dict[str, int] = {}
        self.stopped: dict[str, bool] = {}

    @property
    def eot_token_id(self) -> int:
        """What a text stands after where the tokenizer has no BOS."""
        if self.speech.start_id is None:
            what = _("the tokenizer has neither a BOS nor an end token for a text to stand after")
            raise ResourceError(Problem(self.opened.subject.name, what))
        return self.speech.start_id

    @property
    def tokenizer_name(self) -> str:
        """Only names a cache that is not used."""
        return self.opened.subject.name

    def tok_encode(
        self, string: str, add_special_tokens: bool | None = None, **_kwargs: Any
    ) -> list[int]:
        """A text's ids, with the BOS once in front unless that is not wanted."""
        return self.speech.plain(string) if add_special_tokens is False else self.speech.ids(string)

    def apply_chat_template(
        self, chat_history: list[dict[str, str]], add_generation_prompt: bool = True
    ) -> str:
        """The conversation as text; an answer that is begun stands open at its end."""
        self.histories.append([dict(turn) for turn in chat_history])
        assert self.speech.rendered is not None
        turns = [Turn(one["role"], one["content"]) for one in chat_history]
        if add_generation_prompt:
            return self.speech.rendered(turns)
        return self.speech.rendered(turns[:-1]) + turns[-1].content

    def loglikelihood(self, requests: Any, disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        """See `lm_eval.api.model.LM`."""
        made: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=True)
        return made

    def _loglikelihood_tokens(self, requests: Any, **_kwargs: Any) -> list[tuple[float, bool]]:
        pairs = [(tuple(context), tuple(asked)) for _texts, context, asked in requests]
        return [(one.sum, one.is_greedy) for one in self.worth(pairs)]

    def loglikelihood_rolling(self, requests: Any, disable_tqdm: bool = True) -> list[float]:
        """See `lm_eval.api.model.LM`; windows as `lm_eval.models.huggingface` cuts them."""
        windows = [
            [
                make_disjoint_window(pair)
                for pair in get_rolling_token_windows(
                    self.tok_encode(request.args[0]), self.prefix_token_id, self.window, 1
                )
            ]
            for request in requests
        ]
        worth = iter(self.worth([(tuple(a), tuple(b)) for own in windows for a, b in own]))
        sums = []
        for request, own in zip(requests, windows, strict=True):
            key = self._key(request)
            self.tokens[key] = sum(len(continuation) for _context, continuation in own)
            sums.append(math.fsum(next(worth).sum for _pair in own))
        return sums

    def generate_until(self, requests: Any, disable_tqdm: bool = True) -> list[str]:
        """See `lm_eval.api.model.LM`; greedy alone."""
        asked = [self._asked(*request.args[:2]) for request in requests]
        made = self.written(asked)
        for request, one in zip(requests, made, strict=True):
            key = self._key(request)
            self.tokens[key] = len(one.ids)
            self.stopped[key] = one.stopped
        return [one.text for one in made]

    def _key(self, request: Any) -> str:
        """The item of a request, whose `doc_id` counts the documents that were drawn."""
        return item_id(request.task_name, self.samples[request.task_name][request.doc_id])

    def _asked(self, context: str, given: Mapping[str, Any]) -> Asked:
        wanted = normalize_gen_kwargs(dict(given))
        if wanted["do_sample"]:
            what = _("the task wants answers drawn at random; only the likeliest are written here")
            raise DataError(Problem(self.opened.subject.name, what))
        stops = tuple(text for text in wanted["until"] if text)
        return tuple(self.tok_encode(context)), Decoding(
            wanted["max_gen_toks"], self.speech.stop_ids, stops
        )

    def worth(self, pairs: Sequence[Pair]) -> list[LogLikelihood]:
        """How likely each continuation is."""

        def ask(runtime: Runtime, batch: Sequence[Pair]) -> list[LogLikelihood]:
            return runtime.loglikelihoods([a for a, _b in batch], [b for _a, b in batch])

        self.prompts += [prompt for prompt, _continuation in pairs]
        longest = max((len(a) + len(b) for a, b in pairs), default=0)
        lines = [{"prompt": list(a), "continuation": list(b)} for a, b in pairs]
        made = self._answered(list(zip(pairs, lines, strict=True)), longest, ask)
        return [LogLikelihood(one["sum"], one["tokens"], one["is_greedy"]) for one in made]

    def written(self, asked: Sequence[Asked]) -> list[Generation]:
        """The greedy answer to each prompt."""

        def ask(runtime: Runtime, batch: Sequence[Asked]) -> list[Generation]:
            return runtime.generate([ids for ids, _decoding in batch], batch[0][1])

        self.prompts += [prompt for prompt, _decoding in asked]
        self.decodings |= dict.fromkeys(decoding for _prompt, decoding in asked)
        longest = max((len(ids) + d.max_new_tokens for ids, d in asked), default=0)
        lines = [{"prompt": list(ids), "decoding": decoding_settings(d)} for ids, d in asked]
        made: dict[int, Any] = {}
        for decoding in self.decodings:
            own = [n for n, (_ids, of) in enumerate(asked) if of == decoding]
            pairs = [(asked[n], lines[n]) for n in own]
            made.update(zip(own, self._answered(pairs, longest, ask), strict=True))
        return [
            Generation(tuple(made[n]["ids"]), made[n]["text"], made[n]["stopped"])
            for n in range(len(asked))
        ]

    def _answered(
        self,
        asked: Sequence[tuple[Any, dict[str, Any]]],
        longest: int,
        ask: Callable[[Runtime, Sequence[Any]], Sequence[Any]],
    ) -> list[dict[str, Any]]:
        """A line for each request; always in the same batches, as `answering.fill` says why."""
        check_longest(self.opened.subject.name, longest, self.speech.context)
        keys = [atomic.fingerprint(line) for _request, line in asked]
        distinct = dict(zip(keys, asked, strict=True))
        self.requests.update(distinct)
        order = sorted(distinct, key=lambda key: len(distinct[key][1]["prompt"]))
        record = self.opened.record
        assert record is not None
        size = self.opened.at_once
        batches = [order[n : n + size] for n in range(0, len(order), size)]
        todo = [batch for batch in batches if not all(key in record.lines for key in batch)]
        if todo:
            with self.opened.load(longest + SPARE_TOKENS) as runtime:
                for batch in todo:
                    started = time.monotonic()
                    made = ask(runtime, [distinct[key][0] for key in batch])
                    record.add({"seconds": round(time.monotonic() - started, 3), "keys": batch})
                    for key, one in zip(batch, made, strict=True):
                        if key not in record.lines:
                            record.add({"key": key, **distinct[key][1], **asdict(one)})
                    self.opened.told(sum(key in record.lines for key in distinct), len(distinct))
        return [record.lines[key] for key in keys]


class Counting(RuntimeLM):
    """Says how many tokens would be read, and loads nothing."""

    def worth(self, pairs: Sequence[Pair]) -> list[LogLikelihood]:
        """Nothing is asked."""
        self.prompts += [prompt for prompt, _continuation in pairs]
        return [LogLikelihood(0.0, len(b), False) for _a, b in pairs]

    def written(self, asked: Sequence[Asked]) -> list[Generation]:
        """Nothing is asked."""
        self.prompts += [prompt for prompt, _decoding in asked]
        return [Generation((), "", True) for _one in asked]


def run(task: HarnessTask, model: RuntimeLM) -> Mapping[str, Any]:
    """What lm-eval makes of a model's answers: `results`, and `samples` by task."""
    if task.is_chat:
        check_template(model.opened.subject, model.speech)
    model.samples = task.samples
    for one in task.tasks.values():
        seeded(one, task.seed)
    with quiet():
        made = lm_eval.evaluate(
            lm=model,
            task_dict={"tasks": dict(task.tasks)},
            samples=dict(task.samples),
            bootstrap_iters=0,
            apply_chat_template=task.is_chat,
            fewshot_as_multiturn=task.is_chat,
        )
    found: Mapping[str, Any] = made
    return found


def seeded(task: Any, seed: int) -> None:
    """Draw the same worked examples for every model; lm-eval goes on where the last one stopped."""
    task.set_fewshot_seed(seed=seed)


def counted(task: HarnessTask, subject: Subject, speech: Speech) -> list[int]:
    """How many tokens each prompt has; nothing is loaded and nothing written."""
    model = Counting(Opened(subject, None, subject.opened, lambda _done, _of: None), speech)
    run(task, model)
    return [len(ids) for ids in model.prompts]


def column_of(task: HarnessTask, model: RuntimeLM, found: Mapping[str, Any]) -> Column:
    """A subject's answers and scores, and how it was asked (C28)."""
    subject = model.opened.subject
    answers: dict[str, Answer] = {}
    for name, samples in found["samples"].items():
        for sample in samples:
            key = item_id(name, sample["doc_id"])
            before = answers.get(key)
            scores = {**(before.scores if before else {}), **_scores(sample)}
            answers[key] = _answer(key, task.tasks[name], sample, model, scores)
    recorded = {**_settings(task, model), "runtime": subject.runtime}
    assert model.opened.record is not None
    seconds = round(model.opened.record.seconds_of(model.requests), 3)
    return Column(subject.name, subject.title, recorded, answers, seconds)


def _answer(
    key: str, task: Any, sample: Mapping[str, Any], model: RuntimeLM, scores: Mapping[str, float]
) -> Answer:
    said = [one[0] for one in sample["resps"]]
    if task.OUTPUT_TYPE == "generate_until":
        return Answer(key, str(said[0]), model.tokens[key], model.stopped[key], scores=dict(scores))
    if task.OUTPUT_TYPE == ROLLING:
        sums, text = (float(said[0]),), ""
    else:
        sums = tuple(round(float(one[0]), 6) for one in said)
        best = max(range(len(sums)), key=lambda n: (sums[n], -n))
        text = str(sample["arguments"][best][-1]).strip()
    tokens = model.tokens.get(key, len(sums))
    return Answer(key, text, tokens, stopped=True, logprobs=sums, scores=dict(scores))


def _scores(sample: Mapping[str, Any]) -> dict[str, float]:
    """The document's numbers by lm-eval's name, `metric,filter`; what is no number is left out."""
    given = ((metric, sample[metric]) for metric in sample["metrics"])
    return {
        f"{metric},{sample['filter']}": float(value)
        for metric, value in given
        if isinstance(value, (bool, int, float)) and math.isfinite(value)
    }


def _settings(task: HarnessTask, model: RuntimeLM) -> dict[str, Any]:
    speech = model.speech
    decodings = list(model.decodings) or [Decoding(0)]
    template = speech.template if task.is_chat else str(task.said["config_sha256"])
    said = settings(model.prompts, decodings[0], Prompting(template, None, speech.bos_id))
    said["decoding"] |= {
        "rule": f"lm-eval {task.said['lm_eval']}",
        "all": [decoding_settings(one) for one in decodings],
    }
    if ROLLING in task.said["output_types"].values():
        said["decoding"]["window"] = model.window
    requests = [one for each in task.tasks.values() for one in each.instances]
    words = [[str(text) for text in one.args[task.is_chat :]] for one in requests]
    asked = atomic.fingerprint([words, model.histories])
    return {"task": dict(task.said), "form": task.form, "questions_sha256": asked, **said}
