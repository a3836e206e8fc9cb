"""The parity record: an artefact, opened as its user opens it, is the live model.

Gate 3 of `cases.md` §1b (C30-C40, C81). Five checks, each from the artefact's own files: the ids
of texts, the prompt its own template makes, log-probabilities of the next token, greedy
continuations, and the stop. Tolerances are published in each exporter.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from foundry.core.errors import ProofError
from foundry.core.records import EncodedRow, Turn
from foundry.delivery.artefact import Tuned
from foundry.delivery.parity_record import failures
from foundry.encode.render import render
from foundry.encode.tokenize import IGNORED
from foundry.models import gguf_header
from foundry.models.probes import TEXTS
from foundry.models.tokenizer import open_tokenizer
from foundry.runtime.contract import Decoding, Generation, Runtime
from foundry.runtime.llamacpp import LlamaCppRuntime
from foundry.runtime.transformers import TransformersRuntime
from foundry.train.proof import asked, is_text

CONVERSATIONS = (
    (Turn("user", TEXTS[0]),),
    (Turn("user", TEXTS[2]),),
    (Turn("user", TEXTS[4]), Turn("assistant", "不客氣。"), Turn("user", TEXTS[1])),
)
# A user of the file may send a system turn, whether the recipe has one or not (C19).
RENDERED = (*CONVERSATIONS, (Turn("system", TEXTS[3]), Turn("user", TEXTS[2])))
PREFIXES = 40
READ_ROWS = 64
GREEDY_PROMPTS = 8
GENERAL_TOKENS = 16
# Room for an answer that differs a little from the trained one to end by itself.
SPARE_TOKENS = 16
LIVE_TOP = 5
ARTEFACT_TOP = 64
# Ids the live model gives less than this are noise in a logarithm.
MIN_PROBABILITY = 0.01


@dataclass(frozen=True)
class Subject:
    """An artefact under test: how it opens, what it says of itself, what is allowed."""

    name: str
    opened: AbstractContextManager[Runtime]
    facts: Mapping[str, Any]
    tolerance: Mapping[str, float]


@dataclass(frozen=True)
class Reference:
    """What the live model says, computed once for all artefacts of a run.

    `trained` are prompts of training rows, `general` the fixed conversations; `answers` continues
    both, in this order. `ends` are the ids that the rows' answers end with, read off the rows
    themselves; `longest` is how many tokens a trained answer may take to end. `ending` are the
    prompts of `trained`, by index, after which it must: those of conversations, and beginnings of
    texts that the live model brings to an end. `texts` are what training rows say, control tokens
    and all.
    """

    general: Sequence[Sequence[int]]
    trained: Sequence[Sequence[int]]
    prefixes: Sequence[Sequence[int]]
    ends: frozenset[int]
    longest: int
    logprobs: Sequence[Mapping[int, float]]
    answers: Sequence[Generation]
    taught: frozenset[int]
    texts: Sequence[str] = ()
    ended: Mapping[str, int] | None = None


def reference(tuned: Tuned, rows: Sequence[EncodedRow], *, teaches_end: bool = True) -> Reference:
    """Ask the live model everything that artefacts will be asked.

    Args:
        tuned: The trained model.
        rows: What it was trained on.
        teaches_end: Whether its trainer teaches the answers of conversations to their end.
    """
    live = TransformersRuntime(tuned.model, tuned.encoder.tokenizer)
    general = [tuned.encoder.prompt_ids(turns) for turns in CONVERSATIONS]
    chosen = spread(rows, GREEDY_PROMPTS)
    trained = [list(row.input_ids[: asked(row)]) for row in chosen]
    longest = max(len(row.input_ids) - asked(row) for row in chosen) + SPARE_TOKENS
    prefixes = [*general, *prefixes_of(rows)]
    return Reference(
        general=general,
        trained=trained,
        prefixes=prefixes,
        ends=frozenset(_last(row) for row in rows if not is_text(row)),
        longest=longest,
        logprobs=live.next_logprobs(prefixes, LIVE_TOP),
        answers=_answers(live, trained, general, longest, tuned.stop_ids),
        taught=frozenset(n for n, row in enumerate(chosen) if teaches_end and not is_text(row)),
        texts=tuned.encoder.backend.decode_batch(
            [list(row.input_ids) for row in spread(rows, READ_ROWS)], skip_special_tokens=False
        ),
    )


def ended(tuned: Tuned, live: Reference) -> dict[str, int]:
    """How many answers to training prompts end by themselves, of the trained model and its base.

    Returns:
        `tuned` and `base` of `prompts`, each within `tokens` tokens.
    """
    with tuned.untrained() as model:
        runtime = TransformersRuntime(model, tuned.encoder.tokenizer)
        before = runtime.generate(live.trained, Decoding(live.longest, tuned.stop_ids))
    return {
        "tuned": sum(answer.stopped for answer in live.answers[: len(live.trained)]),
        "base": sum(answer.stopped for answer in before),
        "prompts": len(live.trained),
        "tokens": live.longest,
    }


def _answers(
    runtime: Runtime,
    trained: Sequence[Sequence[int]],
    general: Sequence[Sequence[int]],
    longest: int,
    stops: tuple[int, ...],
) -> list[Generation]:
    return [
        *runtime.generate(trained, Decoding(longest, stops)),
        *runtime.generate(general, Decoding(GENERAL_TOKENS, stops)),
    ]


def prove(tuned: Tuned, live: Reference, subject: Subject) -> dict[str, Any]:
    """Run every check and return the record.

    Raises:
        ProofError: Names each check that failed, with what was found and what is allowed.
    """
    with subject.opened as artefact:
        made = _answers(artefact, live.trained, live.general, live.longest, tuned.stop_ids)
        to_end = _to_end(live, made, tuned.stop_ids)
        record: dict[str, Any] = {
            "runtime": artefact.name,
            "tolerance": dict(subject.tolerance),
            **token_ids(tuned, artefact),
            **rows_read(tuned, artefact, live.texts),
            **templates(tuned, artefact, subject.facts),
            **_logprobs(live, artefact),
            **_greedy(live.answers, made, tuned.stop_ids),
            **_stops(to_end, live.ends | {*tuned.stop_ids}, subject.facts),
        }
    if live.ended is not None:
        record["ended"] = dict(live.ended)
    record |= {k: v for k, v in subject.facts.items() if k.endswith("_difference")}
    problems = failures(subject.name, record)
    if problems:
        raise ProofError(problems)
    return record


def spread(rows: Sequence[EncodedRow], count: int) -> Sequence[EncodedRow]:
    """At most `count` rows, evenly spread over the training data."""
    return rows[:: max(1, len(rows) // count)][:count]


def prefixes_of(rows: Sequence[EncodedRow]) -> list[list[int]]:
    """Prompts with a growing part of the trained answer, `PREFIXES` in all where rows allow."""
    chosen = spread(rows, PREFIXES)
    ends = [min(asked(row) + n % 6, len(row.input_ids) - 1) for n, row in enumerate(chosen)]
    return [list(row.input_ids[:end]) for row, end in zip(chosen, ends, strict=True)]


def _last(row: EncodedRow) -> int:
    return next(label for label in reversed(row.labels) if label != IGNORED)


def token_ids(tuned: Tuned, artefact: Runtime) -> dict[str, Any]:
    """C34, C35: the artefact splits texts as the training did."""
    wrong = [text for text in TEXTS if not _reads_alike(tuned, artefact, text)]
    return {"texts": len(TEXTS), "texts_with_other_ids": wrong}


def rows_read(tuned: Tuned, artefact: Runtime, texts: Sequence[str]) -> dict[str, int]:
    """The same of what the training rows say, which the record only counts: it may be private."""
    wrong = sum(not _reads_alike(tuned, artefact, text) for text in texts)
    return {"rows_read": len(texts), "rows_with_other_ids": wrong}


def _reads_alike(tuned: Tuned, artefact: Runtime, text: str) -> bool:
    ids = tuned.encoder.tokenizer(text, add_special_tokens=False)["input_ids"]
    return artefact.tokens(text) == list(ids)


def templates(tuned: Tuned, artefact: Runtime, facts: Mapping[str, Any]) -> dict[str, Any]:
    """C37: the artefact's own template is the trained one, and makes the same prompts there."""
    if "render" not in facts:
        return {"prompts": 0, "prompts_with_other_ids": []}
    wrong = []
    for turns in RENDERED:
        with_system = tuned.encoder.with_system(turns)
        text = facts["render"](artefact, with_system)
        if tuned.encoder.once_bos(artefact.tokens(text)) != tuned.encoder.prompt_ids(turns):
            wrong.append(text)
    return {
        "prompts": len(RENDERED),
        "prompts_with_other_ids": wrong,
        "template_is_trained": facts["template"] == tuned.encoder.template,
    }


def _logprobs(live: Reference, artefact: Runtime) -> dict[str, Any]:
    """Differences over the ids the live model finds likely, in nats."""
    found = artefact.next_logprobs(live.prefixes, ARTEFACT_TOP)
    differences = []
    for ours, theirs in zip(live.logprobs, found, strict=True):
        floor = min(theirs.values())
        best = max(ours, key=ours.__getitem__)
        likely = {i: p for i, p in ours.items() if math.exp(p) >= MIN_PROBABILITY or i == best}
        differences += [abs(p - theirs.get(i, floor)) for i, p in likely.items()]
    return {
        "prefixes": len(live.prefixes),
        "largest_logprob_difference": round(max(differences), 6),
        "mean_logprob_difference": round(sum(differences) / len(differences), 6),
    }


def _greedy(
    wanted: Sequence[Generation], found: Sequence[Generation], stops: tuple[int, ...]
) -> dict[str, Any]:
    """The number of prompts that both continue with the same ids."""
    same = sum(
        _body(a.ids, stops) == _body(b.ids, stops) for a, b in zip(wanted, found, strict=True)
    )
    return {"greedy_prompts": len(wanted), "greedy_same": same}


def _body(ids: Sequence[int], stops: tuple[int, ...]) -> list[int]:
    """Ids before the stop; engines differ in whether they return it."""
    return [token for token in ids if token not in stops]


def _to_end(
    live: Reference, made: Sequence[Generation], stops: tuple[int, ...]
) -> list[Generation]:
    """The answers that must end: those taught so, and those that say all the live model's do.

    An answer that goes another way by a rounding is counted by `_greedy`, and may end elsewhere.
    """
    found = []
    for number in range(len(live.trained)):
        wanted, answer = live.answers[number], made[number]
        body = _body(wanted.ids, stops)
        says_all = wanted.stopped and _body(answer.ids, stops)[: len(body)] == body
        if number in live.taught or says_all:
            found.append(answer)
    return found


def _stops(
    made: Sequence[Generation], stops: frozenset[int], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """C36: the artefact declares every stop id and stops on the trained terminator."""
    record = {"stopped": sum(g.stopped for g in made), "stop_prompts": len(made)}
    if "stop_ids" in facts:
        record["stop_ids_missing"] = sorted(stops - set(facts["stop_ids"]))
    return record


def folder_facts(folder: Path) -> dict[str, Any]:
    """Stop ids of a Hugging Face folder, and its own template with its own tokenizer."""
    from foundry.delivery.hf_files import declared_stop_ids

    return {"stop_ids": declared_stop_ids(folder), **folder_template(folder)}


def folder_template(folder: Path) -> dict[str, Any]:
    """The template of a Hugging Face folder, and how it renders with the folder's tokenizer."""
    from foundry.delivery.hf_files import TEMPLATE

    tokenizer = open_tokenizer(folder)
    template = (folder / TEMPLATE).read_bytes().decode("utf-8")

    def rendered(_artefact: Runtime, turns: Sequence[Turn]) -> str:
        bos, eos = tokenizer.bos_token or "", tokenizer.eos_token or ""
        return render(turns, template, bos_token=bos, eos_token=eos, add_generation_prompt=True)

    return {"render": rendered, "template": template}


def gguf_facts(tuned: Tuned, path: Path) -> dict[str, Any]:
    """What the file declares and renders, and the distance of every stored tensor.

    `tensor_difference` is the largest deviation in units of what the storage allows; infinite when
    a tensor is missing, one too many is there, or a value is not a number.
    """
    from foundry.delivery.gguf_files import declared_ends, deviation, gguf_tensors
    from foundry.models.gguf_reader import Reader

    reader = Reader(path)
    stored = {tensor.name: tensor for tensor in reader.tensors}
    stop_ids, largest, seen = declared_ends(reader), 0.0, set()
    for name, weight in gguf_tensors(tuned, tuned.merged):
        seen.add(name)
        if name not in stored:
            return {"tensor_difference": math.inf, "stop_ids": stop_ids}
        largest = max(largest, deviation(stored[name], weight))

    def rendered(artefact: LlamaCppRuntime, turns: Sequence[Turn]) -> str:
        return artefact.rendered(turns)

    difference = largest if seen == set(stored) else math.inf
    return {
        "tensor_difference": round(difference, 6),
        "stop_ids": stop_ids,
        "render": rendered,
        "template": gguf_header.texts(path).get("tokenizer.chat_template", ""),
    }
