"""What prompts share is read once, and every answer is the one that a prompt alone gets (C26)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.runtime import shared_prefix
from foundry.runtime.contract import Decoding
from foundry.runtime.shared_prefix import SharedPrefix, shared_length
from foundry.runtime.transformers import TransformersRuntime, padded_left
from tests import tiny
from tests.cases import case, change
from tests.padding import WRONG_PADDING
from tests.tiny_models import MODELS, STATEFUL
from tests.tiny_run import Trained

SHARED = [1, *range(300, 340)]  # 41 ids; the window of the tiny models is 32
PROMPTS = [[*SHARED, *range(20, 20 + n)] for n in (1, 3, 9, 20)]


def not_moved(x_1HPD: torch.Tensor, padding: Sequence[int]) -> torch.Tensor:
    """What is read stands where the longest row has it."""
    return x_1HPD.expand(len(padding), -1, -1, -1).contiguous()


def moved_back(x_1HPD: torch.Tensor, padding: Sequence[int]) -> torch.Tensor:
    """A shorter row loses the first of what is read instead of the last."""
    made = not_moved(x_1HPD, padding)
    for row, pad in enumerate(padding):
        made[row, :, :pad] = 0
    return made


NOT_MOVED = {
    "what is read is not moved": change(shared_prefix, "_moved", not_moved),
    "the end is kept instead of the beginning": change(shared_prefix, "_moved", moved_back),
}


def after_them(model: Any, prompts: Sequence[Sequence[int]], read: SharedPrefix) -> torch.Tensor:
    """Logits after each prompt, of a batch whose first columns are read; (prompts, vocabulary)."""
    ids, mask = padded_left(prompts, 0)
    places = (mask.cumsum(dim=1) - 1).clamp(min=0)
    padding = [ids.shape[1] - len(prompt) for prompt in prompts]
    return torch.as_tensor(
        model(
            input_ids=ids[:, read.length :],
            attention_mask=mask,
            position_ids=places[:, read.length :],
            cache=read.cache(padding),
            logits_to_keep=1,
        ).logits[:, -1]
    )


@torch.no_grad()
def check_logits(model: Any) -> None:
    read = SharedPrefix.read(model, PROMPTS)

    assert read is not None
    assert read.length == len(SHARED)
    together = after_them(model, PROMPTS, read)
    for prompt, logits in zip(PROMPTS, together, strict=True):
        alone = model(input_ids=torch.tensor([prompt]), use_cache=False).logits[0, -1]
        # Float32 in another order.
        torch.testing.assert_close(logits, alone, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", sorted(MODELS.keys() - STATEFUL))
def test_logits_of_every_family_are_those_of_a_prompt_alone(name: str):
    check_logits(tiny.random_model(name))


@case("C26", NOT_MOVED)
@pytest.mark.parametrize("name", ["llama", "gemma3"])
def test_row_stands_where_its_padding_puts_it(name: str):
    check_logits(tiny.random_model(name))


def test_layers_that_look_at_the_keys_of_others_are_served():
    """Gemma 4's E models: the last layers have no keys of their own."""
    made = tiny.random_model("gemma4")
    settings = made.config.to_dict() | {
        "num_hidden_layers": 4,
        "layer_types": ["sliding_attention", "full_attention"] * 2,
        "num_kv_shared_layers": 2,
    }
    for inferred in ("kv_sharing_modes", "per_layer_config"):
        settings.pop(inferred, None)
    config = type(made.config)(**settings)
    assert config.kv_sharing_modes == ["store", "store", "reuse", "reuse"]

    check_logits(type(made)(config).eval())


@pytest.mark.parametrize("name", sorted(STATEFUL))
def test_state_of_a_whole_text_is_not_taken_apart(name: str):
    assert SharedPrefix.read(tiny.random_model(name), PROMPTS) is None


@pytest.mark.parametrize("kind", ["dynamic", "longrope"])
def test_places_that_depend_on_the_length_are_not_read_ahead(kind: str):
    model = tiny.random_model("llama")
    model.config.rope_parameters = {**model.config.rope_parameters, "rope_type": kind}

    assert SharedPrefix.read(model, PROMPTS) is None


@pytest.fixture(params=["trained_llama", "trained_gemma3"])
def trained(request: pytest.FixtureRequest) -> Trained:
    made: Trained = request.getfixturevalue(request.param)
    return made


def same_beginning(trained: Trained) -> list[list[int]]:
    """Prompts that the models learned to answer, after 41 ids that all have."""
    return [[*SHARED, *prompt] for prompt in trained.live.trained]


@case("C26", WRONG_PADDING)
def test_answers_are_those_of_each_prompt_alone(trained: Trained):
    prompts, decoding = same_beginning(trained), Decoding(30, trained.tuned.stop_ids)
    model, tokenizer = trained.tuned.model, trained.tuned.encoder.tokenizer
    assert SharedPrefix.read(model, prompts) is not None

    runtime = TransformersRuntime(model, tokenizer)
    alone = [made for prompt in prompts for made in runtime.generate([prompt], decoding)]

    for size in (3, 8):
        together = TransformersRuntime(model, tokenizer, batch_size=size)
        assert together.generate(prompts, decoding) == alone
    assert len({made.ids for made in alone}) > 1


@case("C26", WRONG_PADDING | NOT_MOVED)
def test_loglikelihoods_are_those_of_each_prompt_alone(trained: Trained):
    prompts = [prompt for prompt in same_beginning(trained) for _ in range(2)]
    continuations = [[token] * (1 + n % 3) for n, token in enumerate(range(50, 50 + len(prompts)))]
    model, tokenizer = trained.tuned.model, trained.tuned.encoder.tokenizer
    assert SharedPrefix.read(model, prompts) is not None

    together = TransformersRuntime(model, tokenizer).loglikelihoods(prompts, continuations)

    for prompt, continuation, made in zip(prompts, continuations, together, strict=True):
        (alone,) = TransformersRuntime(model, tokenizer).loglikelihoods([prompt], [continuation])
        assert made.sum == pytest.approx(alone.sum, abs=1e-4)  # float32 in another order
        assert (made.tokens, made.is_greedy) == (alone.tokens, alone.is_greedy)


def test_model_that_was_told_to_keep_no_cache_answers_the_same(trained: Trained):
    """As transformers' Trainer tells a model whose activations are computed twice."""
    model = trained.tuned.model
    runtime = TransformersRuntime(model, trained.tuned.encoder.tokenizer, batch_size=3)
    prompts, decoding = same_beginning(trained), Decoding(20, trained.tuned.stop_ids)
    expected = runtime.generate(prompts, decoding)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.config, "use_cache", False)
        patch.setattr(model.generation_config, "use_cache", False)
        found = runtime.generate(prompts, decoding)

    assert found == expected


def test_prompts_that_are_equal_leave_their_last_id_to_be_read(trained: Trained):
    runtime = TransformersRuntime(trained.tuned.model, trained.tuned.encoder.tokenizer)
    prompt, decoding = same_beginning(trained)[0], Decoding(8)

    assert runtime.generate([prompt] * 3, decoding) == runtime.generate([prompt], decoding) * 3


def test_nothing_is_kept_for_the_next_call(trained: Trained):
    """The same runtime may be asked again after its weights have changed."""
    model = trained.tuned.model
    runtime = TransformersRuntime(model, trained.tuned.encoder.tokenizer)
    prompts, decoding = same_beginning(trained), Decoding(8)
    tuned = runtime.generate(prompts, decoding)

    with model.disable_adapter():
        base = runtime.generate(prompts, decoding)

    assert base != tuned
    assert runtime.generate(prompts, decoding) == tuned


@pytest.mark.parametrize(
    ("prompts", "length"),
    [([[1, 2, 3], [1, 2, 4]], 2), ([[1, 2], [1, 2, 3]], 2), ([[1], [2]], 0), ([[5, 6]], 2)],
)
def test_length_that_prompts_share(prompts: list[list[int]], length: int):
    assert shared_length(prompts) == length


def test_short_beginning_and_single_prompt_are_not_read_ahead(tiny_llama: Path):
    from foundry.models.fetch import locate
    from foundry.models.load import load_model

    model = load_model(locate(str(tiny_llama), tiny_llama))

    assert SharedPrefix.read(model, []) is None
    assert SharedPrefix.read(model, PROMPTS[:1]) is None
    assert SharedPrefix.read(model, [prompt[-20:] for prompt in PROMPTS]) is None
