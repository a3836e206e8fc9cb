"""vLLM: what is asked of it and read from it; the answers themselves where it and a GPU are."""

from importlib import util
from pathlib import Path
from types import SimpleNamespace

import pytest

from foundry.core.errors import RecipeError, ResourceError
from foundry.runtime import vllm
from foundry.runtime.contract import Decoding
from foundry.runtime.transformers import TransformersRuntime
from tests.tiny_recipe import call
from tests.tiny_run import Trained

IS_HERE = util.find_spec("vllm") is not None


def worth(**logprobs: float) -> dict[int, SimpleNamespace]:
    """Ids and what vLLM calls `Logprob`s."""
    return {int(key[1:]): SimpleNamespace(logprob=value) for key, value in logprobs.items()}


@pytest.mark.skipif(IS_HERE, reason="vLLM is installed")
def test_missing_library_is_refused_with_the_command_that_installs_it(
    tiny_llama: Path, tmp_path: Path
):
    data = tmp_path / "choices.csv"
    data.write_text("question,A,B,answer\n一？,甲,乙,A\n二？,甲,乙,B\n", "utf-8")

    made = call(
        *("eval", str(tiny_llama), "--vllm", "--tasks", "twinkle", "--few-shot", "0"),
        *("--data", str(data)),
    )

    assert made.code == ResourceError.exit_code
    assert "pip install vllm" in made.err


def test_own_tests_of_a_package_are_not_asked_under_it(tmp_path: Path):
    made = call("eval", str(tmp_path), "--vllm")

    assert made.code == RecipeError.exit_code
    assert "leave out `--vllm`" in made.err


def test_only_what_the_asker_names_ends_an_answer():
    made = vllm.generation_arguments(Decoding(8, (1, 2), ("\n",)))

    assert made["stop_token_ids"] == [1, 2] and made["stop"] == ["\n"]
    assert made["ignore_eos"] and made["max_tokens"] == 8


def test_drawn_token_is_no_more_than_the_others():
    assert vllm.most_likely(worth(_7=-3.0, _1=-0.1, _2=-2.5), 2) == {1: -0.1, 2: -2.5}


@pytest.mark.parametrize(("second", "is_greedy"), [(-0.5, True), (-2.0, False)])
def test_likelihood_is_the_sum_over_the_continuation(second: float, is_greedy: bool):
    told = [worth(_5=-0.25), worth(_6=second, _9=-1.0)]

    found = vllm.likelihood(told, [5, 6])

    assert (found.sum, found.tokens, found.is_greedy) == (-0.25 + second, 2, is_greedy)


@pytest.mark.slow
@pytest.mark.skipif(not IS_HERE, reason="vLLM is not installed (it wants an NVIDIA GPU)")
def test_answers_are_those_of_the_live_model(trained_llama: Trained, tmp_path: Path):
    tuned = trained_llama.tuned
    tuned.freshly_merged().save_pretrained(tmp_path)
    tuned.encoder.tokenizer.save_pretrained(tmp_path)
    live = TransformersRuntime(tuned.model, tuned.encoder.tokenizer)
    decoding = Decoding(40, tuned.stop_ids)
    prompts = trained_llama.live.trained

    found = vllm.VllmRuntime(tmp_path, context=256)

    assert [found.tokens(text) for text in ("a", "售價")] == [live.tokens(t) for t in ("a", "售價")]
    assert found.generate(prompts, decoding) == live.generate(prompts, decoding)
    for ours, theirs in zip(
        found.loglikelihoods(prompts, [[7, 8]] * len(prompts)),
        live.loglikelihoods(prompts, [[7, 8]] * len(prompts)),
        strict=True,
    ):
        assert ours.sum == pytest.approx(theirs.sum, abs=0.1)  # another kernel
