"""Templates written in our own words are the published formats, by what others make of them."""

from pathlib import Path

import pytest
import xllamacpp

from foundry.core.records import Turn
from foundry.encode.render import render
from foundry.encode.system import with_system_turns
from foundry.models.fetch import GGUF_NAME
from foundry.runtime.llamacpp import LlamaCppRuntime
from tests import own_templates
from tests.family_talks import TALKS, TOOLS
from tests.templates import stock_template

SYSTEM = (*TALKS["multi-turn with system"][:-1],)
PLAIN = (*TALKS["multi-turn"][:-1],)
CALL = (*TALKS["tools"][:-1],)


def prompt(template: str, turns: tuple[Turn, ...], *, tools: bool = False) -> str:
    """What a model is asked with, as the product renders it."""
    return render(
        turns,
        with_system_turns(template, "<s>", "</s>"),
        bos_token="<s>",
        eos_token="</s>",
        add_generation_prompt=True,
        tools=TOOLS if tools else (),
    )


# What mistral-common 1.13.1 encodes, decoded; for version 3 with the tokenizer it ships, for
# version 13 with the tokens of that version added to its Tekken vocabulary.
DECLARED = (
    '[{"type": "function", "function": {"name": "lookup", "description": "查天氣", "parameters": '
    '{"type": "object", "properties": {"city": {"type": "string", "description": "城市"}, "days": '
    '{"type": "integer", "description": "天數"}}, "required": ["city"]}}}]'
)
MISTRAL_COMMON = {
    ("MISTRAL_V3", "plain"): "<s>[INST] 多少錢？[/INST] 三百元。</s>[INST] Is it white?[/INST]",
    (
        "MISTRAL_V3",
        "tools",
    ): f"<s>[AVAILABLE_TOOLS] {DECLARED}[/AVAILABLE_TOOLS][INST] 天氣？[/INST]"
    '[TOOL_CALLS] [{"name": "lookup", "arguments": {"city": "臺北", "days": 2}, "id": "call12345"}]'
    '</s>[TOOL_RESULTS] {"content": {"sky": "晴"}, "call_id": "call12345"}[/TOOL_RESULTS]',
    ("MINISTRAL_3", "plain"): "<s>[INST]多少錢？[/INST]三百元。</s>[INST]Is it white?[/INST]",
    ("MINISTRAL_3", "system"): "<s>[SYSTEM_PROMPT]你是店員。[/SYSTEM_PROMPT][INST]多少錢？[/INST]"
    "三百元。</s>[INST]白色嗎？[/INST]",
    ("MINISTRAL_3", "tools"): f"<s>[AVAILABLE_TOOLS]{DECLARED}[/AVAILABLE_TOOLS][INST]天氣？[/INST]"
    '[TOOL_CALLS]lookup[ARGS]{"city": "臺北", "days": 2}</s>[TOOL_RESULTS]{"sky": "晴"}'
    "[/TOOL_RESULTS]",
}


@pytest.mark.parametrize(("name", "talk"), MISTRAL_COMMON)
def test_template_of_mistral_writes_what_mistral_common_encodes(name: str, talk: str):
    turns = {"plain": PLAIN, "system": SYSTEM, "tools": CALL}[talk]

    text = prompt(getattr(own_templates, name), turns, tools=talk == "tools")

    assert text == MISTRAL_COMMON[name, talk]


# llama.cpp's renderers in C++ by name; they leave the BOS to the tokenizer.
LLAMA_CPP = {
    "llama2-sys": own_templates.LLAMA2,
    "mistral-v3": own_templates.MISTRAL_V3,
    "mistral-v7-tekken": own_templates.MINISTRAL_3,
    "phi4": own_templates.PHI_4,
    "granite": own_templates.GRANITE,
    "phi3": stock_template("phi3"),
    "llama3": stock_template("llama3"),
    "gemma": stock_template("gemma3"),
    "chatml": stock_template("qwen2_5"),
}
# What it joins in other words: it writes no blanks around the answers of Llama 2.
BLANKS = {"llama2-sys": " "}


@pytest.mark.parametrize("name", LLAMA_CPP)
def test_template_writes_what_the_renderer_of_llama_cpp_writes(
    name: str, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
):
    make = xllamacpp.CommonParams

    def built_in() -> xllamacpp.CommonParams:
        made = make()
        made.chat_template, made.use_jinja = name, False
        return made

    monkeypatch.setattr(xllamacpp, "CommonParams", built_in)
    with LlamaCppRuntime(tiny_base / GGUF_NAME, slots=1, context=64) as runtime:
        written = runtime.rendered(SYSTEM)

    text = prompt(LLAMA_CPP[name], SYSTEM).replace("<s>", "")
    blank = BLANKS.get(name, "\0")
    assert text.replace(blank, "") == written.replace(blank, "")
    assert "你是店員。" in written
