"""Rendering is transformers' own, in a sandbox."""

import pytest

from foundry.core.errors import DataError
from foundry.core.records import Turn
from foundry.encode.render import MAX_TEMPLATE_CHARS, render
from tests.templates import TERMINATORS, WITH_SYSTEM, stock_template
from tests.tiny import tiny_tokenizer

QUESTION = Turn("user", "請問電風扇保固多久？")
ANSWER = Turn("assistant", "保固一年。\n另有兩年方案。")
AGAIN = Turn("user", '  Thank you <b>&</b> "bye" 👍  ')
SYSTEM = Turn("system", "你是店員。")
CONVERSATIONS = {
    "question": [QUESTION],
    "answered": [QUESTION, ANSWER],
    "two questions": [QUESTION, ANSWER, AGAIN],
    "two answers": [QUESTION, ANSWER, AGAIN, ANSWER],
}
# transformers tells llama3_2 today's date where nobody gives one; a trained prompt must not change
# from one day to the next, so ours has no clock and the template falls back to its own date.
NO_CLOCK = {"date_string": "26 Jul 2024"}


def by_transformers(turns: list[Turn], template: str, *, prompt: bool) -> str:
    """What `apply_chat_template` makes of a conversation."""
    return tiny_tokenizer("llama").apply_chat_template(
        [turn.as_dict() for turn in turns],
        chat_template=template,
        add_generation_prompt=prompt,
        tokenize=False,
        **NO_CLOCK,
    )


def rendered(turns: list[Turn], template: str, *, prompt: bool = False) -> str:
    return render(
        turns,
        template,
        bos_token="<|begin_of_text|>",
        eos_token="<|end_of_text|>",
        add_generation_prompt=prompt,
    )


@pytest.mark.parametrize("prompt", [False, True], ids=["whole", "prompt"])
@pytest.mark.parametrize("turns", CONVERSATIONS.values(), ids=CONVERSATIONS)
@pytest.mark.parametrize("name", TERMINATORS)
def test_stock_template_renders_as_in_transformers(name: str, turns: list[Turn], prompt: bool):
    template = stock_template(name)

    text = rendered(turns, template, prompt=prompt)

    assert text == by_transformers(turns, template, prompt=prompt)
    assert QUESTION.content in text


@pytest.mark.parametrize("name", WITH_SYSTEM)
def test_system_turn_renders_as_in_transformers(name: str):  # C19
    template, turns = stock_template(name), [SYSTEM, QUESTION, ANSWER]

    text = rendered(turns, template)

    assert text == by_transformers(turns, template, prompt=False)
    assert text.count(SYSTEM.content) == 1


@pytest.mark.parametrize("name", ["gemma3_training", "llama3_training", "qwen2_5_training"])
def test_template_with_generation_markers_renders_as_in_transformers(name: str):  # C04
    template = stock_template(name)

    text = rendered([QUESTION, ANSWER], template)

    assert text == by_transformers([QUESTION, ANSWER], template, prompt=False)
    assert ANSWER.content in text


def test_json_filter_writes_characters_as_they_are():
    template = "{{ messages[0] | tojson }}|{{ messages[0] | tojson(indent=2) }}"

    text = rendered([Turn("user", "<臺北>")], template)

    assert text == by_transformers([Turn("user", "<臺北>")], template, prompt=False)
    assert text.startswith('{"role": "user", "content": "<臺北>"}')


@pytest.mark.parametrize("name", ["gemma", "gemma3"])
def test_roles_out_of_order_are_told_without_a_traceback(name: str):  # C58
    with pytest.raises(DataError, match="must alternate"):
        rendered([QUESTION, QUESTION], stock_template(name))


def test_template_without_a_system_role_is_told_without_a_traceback():  # C19
    with pytest.raises(DataError, match="System role not supported"):
        rendered([SYSTEM, QUESTION], stock_template("gemma"))


ATTACKS = {
    "attribute walk": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of a function": "{{ cycler.__init__.__globals__.os.system('true') }}",
    "append to the messages": "{{ messages.append({'role': 'user', 'content': 'x'}) }}",
    "change of a message": "{% set _ = messages[0].update(content='x') %}{{ messages[0].content }}",
    "long range": "{% for i in range(1000000000) %}{% endfor %}",
}


@pytest.mark.parametrize("template", ATTACKS.values(), ids=ATTACKS)
def test_template_cannot_leave_the_sandbox(template: str):  # C75
    with pytest.raises(DataError, match="refused the conversation"):
        rendered([QUESTION], template)


def test_format_string_shows_nothing_of_an_object():  # C75
    text = rendered([QUESTION], "{{ '[{0.__class__}]'.format(messages) }}")

    assert text == "[]"


def test_huge_output_is_refused_with_its_size():  # C75
    with pytest.raises(DataError, match="made 10000001 characters; the most is 10000000"):
        rendered([QUESTION], "{{ 'x' * 10000001 }}")


def test_huge_template_is_refused_with_its_size():  # C75
    template = "x" * (MAX_TEMPLATE_CHARS + 1)

    with pytest.raises(DataError, match="200001 characters; the most is 200000"):
        rendered([QUESTION], template)


def test_broken_template_is_told_without_a_traceback():
    with pytest.raises(DataError, match="refused the conversation"):
        rendered([QUESTION], "{% for message in messages %}")
