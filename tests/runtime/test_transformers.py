"""The live model: batches change nothing, and it ends where it is told to (C26)."""

import math
from typing import Any

import pytest
import torch

from foundry.runtime.contract import Decoding
from foundry.runtime.transformers import TransformersRuntime
from tests.cases import case
from tests.padding import PADDED_RIGHT
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


def test_logprobs_of_all_ids_sum_to_one(trained: Trained):
    (found,) = runtime(trained).next_logprobs([SHORT], top_n=640)

    assert sum(math.exp(value) for value in found.values()) == pytest.approx(1, abs=1e-5)


def test_tokens_of_a_text_have_no_bos(trained: Trained):  # C09
    encoder = trained.tuned.encoder

    assert runtime(trained).tokens(encoder.bos_token + "a") == encoder.ids("a")
    assert runtime(trained).tokens("a") == encoder.ids("a")[1:]
