"""A system text is said alike in training, evaluation, chat and every exported file (C19)."""

from dataclasses import replace
from pathlib import Path

import pytest

from foundry.delivery.artefact import Tuned
from foundry.delivery.conversation import Speaker
from foundry.delivery.gguf_files import write_model
from foundry.delivery.hf_files import write_tokenizer
from foundry.encode import system, tokenize
from foundry.encode.rows import encode
from foundry.encode.tokenize import IGNORED, Encoder, encoder_of, open_encoder
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.tokenizer import open_tokenizer
from foundry.runtime.llamacpp import LlamaCppRuntime
from tests.cases import case, change
from tests.delivery.test_conversation import CHAT as SPOKEN
from tests.encoders import example
from tests.templates import LLAMA_SYSTEM_TURNS

SAID = "你是店員。"
ROW = example("多少錢？", "三百元。", "白色嗎？", "是白色。")
FOLDED = example(f"{SAID}\n\n多少錢？", "三百元。", "白色嗎？", "是白色。")


@pytest.fixture(scope="module")
def plain(tiny_llama: Path) -> Tuned:
    """A tiny model whose tokenizer brings no template."""
    base = locate(str(tiny_llama), Path())
    encoder = open_encoder(base)
    return Tuned(base, Path(), encoder, (encoder.special["<|eot_id|>"],), "Tiny 1.0.0")


def untouched(template: str, bos_token: str, eos_token: str) -> str:
    return template


@case(
    "C19",
    {
        "the template is left as it is": change(tokenize, "with_system_turns", untouched),
        "a line break instead of a blank line": change(
            system, "FOLD", system.FOLD.replace("\\n\\n", "\\n")
        ),
        "the system text is supervised": change(
            tokenize, "supervise", lambda ids, offsets, masked, control=(): list(ids)
        ),
        "the recipe's system text is forgotten": change(
            Encoder, "with_system", lambda self, turns: tuple(turns)
        ),
    },
)
def test_refused_system_turn_is_folded_in_training_evaluation_chat_and_exports(
    plain: Tuned, tmp_path: Path
):
    tokenizer, refusing = plain.encoder.tokenizer, LLAMA_SYSTEM_TURNS["refused"]
    encoder = encoder_of(tokenizer, refusing, SAID)
    wanted = encode(FOLDED, encoder_of(tokenizer, refusing))

    trained = encode(ROW, encoder)

    assert trained.row == wanted.row
    assert tokenizer.decode(trained.row.input_ids).count(SAID) == 1
    assert SAID not in tokenizer.decode([i for i in trained.row.labels if i != IGNORED])
    evaluated = encoder.prompt_ids(ROW.prompt)
    assert list(trained.row.input_ids[: len(evaluated)]) == evaluated

    turns = encoder.with_system(ROW.prompt)
    tuned = replace(plain, encoder=encoder)
    write_tokenizer(tuned, tmp_path)
    folder = open_tokenizer(tmp_path)
    messages = [turn.as_dict() for turn in turns]
    merged = folder.apply_chat_template(messages, add_generation_prompt=True, return_dict=False)
    assert merged == evaluated

    write_model(tuned, load_model(plain.base), tmp_path / "model.gguf", quantization="f16")
    with LlamaCppRuntime(tmp_path / "model.gguf", slots=1, context=64) as runtime:
        assert encoder.once_bos(runtime.tokens(runtime.rendered(turns))) == evaluated
        chat = SPOKEN.model_copy(update={"bos_id": encoder.bos_id, "system": SAID})
        speaker = Speaker(
            chat.model_copy(update={"bos_token": encoder.bos_token}), encoder.template, runtime, 64
        )
        assert speaker.prompt_ids(ROW.prompt) == evaluated
