"""What is known of a shape gives the masks of the full check, at a fraction of its renderings."""

from typing import Any

import pytest

from foundry.core.records import Turn
from foundry.encode import masking
from foundry.encode.masking import Outcome, Talk, mask_many
from foundry.encode.render import Job, Template, render_many
from foundry.encode.shapes import shape_of
from tests.encoders import conversation
from tests.templates import stock_template

END = {
    "gemma3": "<end_of_turn>",
    "llama3_2": "<|eot_id|>",
    "qwen2_5": "<|im_end|>",
    "qwen3": "<|im_end|>",
    "phi3": "<|end|>",
    "gptoss": "<|return|>",
}
CHATS = {
    "plain": conversation("一？", "甲。", "二？", "乙。", "三？", "丙。"),
    "white space": conversation(" 一？\n", "\n甲。 ", "二\n\n？", "乙。\n\n"),
    "with system": conversation("一？", "甲。", "二？", "乙。", system="你是店員。"),
    "same words": conversation("yes", "yes", "yes", "yes"),
    "words of the template": conversation("user", "assistant\n", "model", "system"),
    "an end inside": conversation("問", "寫成 {end}", "再問", "{end}"),
    "thinking inside": conversation("問", "<think>\n想\n</think>\n\n答", "再問", "答"),
    "an empty answer": conversation("問", "", "再問", "答"),
    "a private character": conversation("問\U000f0001", "\U000f0000答", "再問", "答"),
}


def chat(name: str, end: str) -> tuple[Turn, ...]:
    return tuple(Turn(t.role, t.content.replace("{end}", end)) for t in CHATS[name])


def masked(turns: tuple[Turn, ...], name: str) -> Outcome:
    template = Template(stock_template(name), "<bos>", "<eos>")
    (made,) = mask_many([Talk(turns)], template, frozenset({END[name], "<eos>"}))
    return made


@pytest.mark.parametrize("name", END)
@pytest.mark.parametrize("kind", CHATS)
def test_masks_are_those_of_the_full_check(name: str, kind: str, monkeypatch: pytest.MonkeyPatch):
    turns = chat(kind, END[name])

    quick = masked(turns, name)
    monkeypatch.setattr(masking, "_moulds", lambda *_arguments: ())
    full = masked(turns, name)

    assert quick == full


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Every job that is rendered from now on."""
    jobs = list[Job]()

    def counting(some: Any, template: Template) -> Any:
        jobs.extend(some)
        return render_many(some, template)

    monkeypatch.setattr(masking, "render_many", counting)
    masking._learned.cache_clear()
    return jobs


def views(jobs: list[Job]) -> int:
    return sum(len(job.views) for job in jobs)


@pytest.mark.parametrize("name", ["gemma3", "phi3"])
def test_known_shape_takes_two_renderings_however_many_turns_it_has(rendered: list[Job], name: str):
    turns = conversation(*(f"第 {n} 句" for n in range(40)))
    masked(turns, name)
    first = views(rendered)
    rendered.clear()

    masked(tuple(Turn(t.role, t.content + "！") for t in turns), name)

    assert first == 40 + 40 + 2
    assert views(rendered) == 2


def test_one_conversation_of_a_blind_shape_is_rendered_in_a_batch(rendered: list[Job]):
    talks = [Talk(conversation(f"問{n}", f"答{n}", "再問", "再答")) for n in range(50)]
    control = frozenset({END["gemma3"]})
    mask_many(talks, Template(stock_template("gemma3"), "<bos>", "<eos>"), control)
    rendered.clear()

    mask_many(talks, Template(stock_template("gemma3"), "<bos>", "<eos>"), control)

    assert [job.turns for job in rendered] == [talks[0].turns]


def test_conversation_that_is_not_rendered_as_its_shape_gets_the_full_check(rendered: list[Job]):
    masked(CHATS["plain"], "qwen3")
    rendered.clear()

    thinking = conversation("一？", "<think>\n想\n</think>\n\n甲。", "二？", "乙。", "三？", "丙。")
    masked(thinking, "qwen3")

    assert views(rendered) == 2 * 3 + 2 * 3  # a prompt and an end for each answer, twice


def test_conversation_with_calls_thinking_or_names_has_no_shape():
    turns = CHATS["plain"]

    assert shape_of(turns) == shape_of(conversation(*"abcdef"))
    assert shape_of((*turns[:-1], Turn("assistant", "丙。", reasoning="想"))) is None
    assert shape_of((*turns, Turn("tool", "晴", name="lookup"))) is None
