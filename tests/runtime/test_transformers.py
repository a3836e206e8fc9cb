"""The live model: batches change nothing, and it ends where it is told to (C26)."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.runtime import leaving, likelihood, transformers
from foundry.runtime.contract import Decoding
from foundry.runtime.likelihood import Scored, scored_batch
from foundry.runtime.transformers import TransformersRuntime
from tests.cases import case, change
from tests.padding import PADDED_RIGHT, WRONG_PADDING
from tests.tiny_run import Trained

SHORT, LONG = [0, 20, 30], [0, *range(40, 51)]  # 3 and 12 tokens


@pytest.fixture(params=["trained_llama", "trained_gemma3"])
def trained(request: pytest.FixtureRequest) -> Trained:
    made: Trained = request.getfixturevalue(request.param)
    return made


def runtime(trained: Trained, batch_size: int = 32) -> TransformersRuntime:
    tuned = trained.tuned
    return TransformersRuntime(tuned.model, tuned.encoder.tokenizer, batch_size=batch_size)


@case("C26", PADDED_RIGHT)
def test_batch_of_two_says_what_each_says_alone(trained: Trained):
    decoding = Decoding(max_new_tokens=12)

    alone = runtime(trained, 1).generate([SHORT, LONG], decoding)
    together = runtime(trained, 2).generate([SHORT, LONG], decoding)

    assert together == alone
    assert [len(made.ids) for made in alone] == [12, 12]


def test_answers_come_in_the_order_of_the_prompts(trained: Trained):  # C26
    prompts = trained.live.trained
    decoding = Decoding(40, trained.tuned.stop_ids)

    forwards = runtime(trained, 3).generate(prompts, decoding)
    backwards = runtime(trained, 3).generate(prompts[::-1], decoding)

    assert forwards == backwards[::-1]
    assert len({made.text for made in forwards}) == len(prompts)


def test_trained_answer_ends_by_itself_with_its_stop_id(trained: Trained):  # C01, C36
    rows, stops = trained.rows, trained.tuned.stop_ids

    made = runtime(trained).generate(trained.live.trained, Decoding(60, stops))

    for row, one in zip(rows, made, strict=True):
        answer = tuple(label for label in row.labels if label != -100)
        assert one.ids == answer
        assert one.stopped
        assert one.text == trained.tuned.encoder.tokenizer.decode(answer[:-1])


def test_answer_cut_by_its_length_has_not_stopped(trained: Trained):
    (made,) = runtime(trained).generate(
        trained.live.trained[:1], Decoding(2, trained.tuned.stop_ids)
    )

    assert len(made.ids) == 2
    assert not made.stopped


def test_stop_string_ends_an_answer_and_is_not_part_of_it(trained: Trained):
    (prompt,) = trained.live.trained[4:5]  # 300 dollars.

    (made,) = runtime(trained).generate([prompt], Decoding(40, (), (" dollars",)))

    assert made.text == "300"
    assert made.stopped
    assert len(made.ids) < 20


def test_answer_ended_by_a_stop_string_is_the_same_in_a_batch(trained: Trained):  # C26
    decoding = Decoding(40, trained.tuned.stop_ids, (" dollars",))
    prompts = trained.live.trained[:5]  # the last one ends there, before the others

    alone = runtime(trained, 1).generate(prompts, decoding)
    together = runtime(trained, 5).generate(prompts, decoding)

    assert together == alone
    assert len(alone[-1].ids) < max(len(made.ids) for made in alone)


RULES = {"repetition_penalty": 5.0, "no_repeat_ngram_size": 1, "min_new_tokens": 30}


@case("C28", {"the base's own rules hold": change(leaving, "GREEDY", {"do_sample": False})})
def test_the_likeliest_token_is_taken_whatever_the_base_declares(trained: Trained):
    model, decoding = trained.tuned.model, Decoding(40, trained.tuned.stop_ids)
    wanted = runtime(trained, 3).generate(trained.live.trained, decoding)

    with pytest.MonkeyPatch.context() as patch:
        for name, value in RULES.items():
            patch.setattr(model.generation_config, name, value)
        assert runtime(trained, 3).generate(trained.live.trained, decoding) == wanted


def test_without_stop_strings_the_same_answer_goes_on(trained: Trained):
    (prompt,) = trained.live.trained[4:5]

    (made,) = runtime(trained).generate([prompt], Decoding(40, trained.tuned.stop_ids))

    assert made.text == "300 dollars."


def test_every_batch_is_told(trained: Trained):
    told: list[int] = []

    runtime(trained, 3).generate(
        trained.live.trained, Decoding(2), on_batch=lambda done: told.append(done)
    )

    assert told == [3, 6, 8]


def logprobs_by_hand(model: Any, prefix: list[int]) -> torch.Tensor:
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([prefix])).logits[0, -1].double()
    return logits - logits.logsumexp(0)


def test_logprobs_are_those_of_the_most_likely_ids(trained: Trained):
    (found,) = runtime(trained).next_logprobs([LONG], top_n=5)

    wanted = logprobs_by_hand(trained.tuned.model, LONG)
    assert list(found) == wanted.topk(5).indices.tolist()
    # Float32 against float64.
    assert all(abs(wanted[token] - value) < 1e-5 for token, value in found.items())


def test_prefix_lies_where_the_model_does(tiny_llama: Path):
    """`meta` stands for a GPU here: ids on the processor would be refused there too."""
    model = load_model(locate(str(tiny_llama), tiny_llama)).to("meta")
    seen = []

    def look(_model: Any, _given: Any, named: dict[str, torch.Tensor]) -> None:
        seen.append(named["input_ids"].device.type)
        raise StopIteration  # numbers cannot be read from there

    model.register_forward_pre_hook(look, with_kwargs=True)

    with pytest.raises(StopIteration):
        TransformersRuntime(model, None).next_logprobs([SHORT], top_n=1)

    assert seen == ["meta"]


def test_logprobs_of_all_ids_sum_to_one(trained: Trained):
    (found,) = runtime(trained).next_logprobs([SHORT], top_n=640)

    assert sum(math.exp(value) for value in found.values()) == pytest.approx(1, abs=1e-5)


def likelihood_by_hand(model: Any, prompt: list[int], continuation: list[int]) -> float:
    total = 0.0
    for n, token in enumerate(continuation):
        total += float(logprobs_by_hand(model, [*prompt, *continuation[:n]])[token])
    return total


CONTINUATIONS = [[7], [9, 8, 7], [3, 4, 5, 6, 7, 8], [9]]
PROMPTS = [SHORT, LONG, SHORT, SHORT]


def positions_of_the_batch(
    model: Any, ids: torch.Tensor, mask: torch.Tensor, rows: Any, shared: Any = None
) -> dict[Any, Any]:
    """Logits are looked up as if every row were as long as the longest."""
    return dict(scored_batch(model, ids.roll(-1, 1), mask.roll(-1, 1), rows, shared))


@case(
    "C26",
    WRONG_PADDING
    | {"places are one off": change(transformers, "scored_batch", positions_of_the_batch)},
)
def test_loglikelihoods_do_not_depend_on_the_batch(trained: Trained):
    model = trained.tuned.model
    wanted = [likelihood_by_hand(model, p, c) for p, c in zip(PROMPTS, CONTINUATIONS, strict=True)]

    found = {
        size: runtime(trained, size).loglikelihoods(PROMPTS, CONTINUATIONS) for size in (1, 2, 4)
    }

    for made in found.values():
        # Float32 against float64, at most six summands.
        assert [one.sum for one in made] == pytest.approx(wanted, abs=1e-4)
        assert [one.tokens for one in made] == [1, 3, 6, 1]


def test_loglikelihood_says_whether_it_is_what_the_model_would_say(trained: Trained):
    prompt = trained.live.trained[0]
    (made,) = runtime(trained).generate([prompt], Decoding(4))
    other = [*made.ids[:3], made.ids[3] + 1]

    found = runtime(trained).loglikelihoods([prompt, prompt], [made.ids, other])

    assert [one.is_greedy for one in found] == [True, False]
    assert found[0].sum > found[1].sum


def test_loglikelihood_of_nothing_is_refused(trained: Trained):
    with pytest.raises(ValueError, match="neither a prompt nor a continuation"):
        runtime(trained).loglikelihoods([SHORT], [[]])


@pytest.mark.parametrize(("limit", "sizes"), [(1 << 29, [3, 1]), (2 * 640 * 4 * 6, [3, 1])])
def test_batches_keep_to_their_size(limit: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(likelihood, "LOGITS_BYTES", limit)
    scored = [Scored((1, n), (n,)) for n in range(3)] + [Scored((1, 2), (3, 4, 5, 6, 7, 8))]

    made = list(likelihood.batches(scored, size=3, vocabulary=640))

    assert [len(batch) for batch in made] == sizes


def test_options_of_one_prompt_are_read_once():
    scored = [Scored((1, 2), (n,)) for n in range(4)]

    (((*together,),),) = likelihood.batches(scored, size=8, vocabulary=640)

    assert together == scored


def test_tokens_of_a_text_have_no_bos(trained: Trained):  # C09
    encoder = trained.tuned.encoder

    assert runtime(trained).tokens(encoder.bos_token + "a") == encoder.ids("a")
    assert runtime(trained).tokens("a") == encoder.ids("a")[1:]
