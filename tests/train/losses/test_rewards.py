"""Every reward: what an answer is worth, and that it is what the evaluation counts."""

from typing import Any

import pytest
from pydantic import ValidationError

from foundry.core import plugins
from foundry.core.fields import Closed
from foundry.core.records import Example, Turn
from foundry.evals.answers import Answer, Item
from foundry.train.losses.rewarding import Reward, RewardSpec, Said, total

SCHEMA = {"type": "object", "properties": {"price": {"type": "integer"}}, "required": ["price"]}
# By kind: settings, an answer worth most and one worth least, and what each is worth.
WORTH: dict[str, tuple[dict[str, Any], tuple[str, float], tuple[str, float]]] = {
    "exact-answer": ({}, ("售價 １２ 元", 1.0), ("售價112元。", 0.0)),
    "required-facts": (
        {"required": "應含", "forbidden": "不應含"},
        ("售價12元，保固2年。", 1.0),
        ("售價12元，保固2年，不是30元。", 0.0),
    ),
    "json-schema": ({"json_schema": SCHEMA}, ('{"price": 12}', 1.0), ('{"price": "12"}', 0.0)),
    "length": ({"free_tokens": 10, "max_tokens": 20}, ("短", 0.0), ("長" * 40, -1.0)),
}
ASKED = Example(
    id="a",
    messages=(Turn("user", "多少錢？"), Turn("assistant", "售價12元。")),
    source="s",
    line=1,
    group="a",
    fields={"應含": "12元|2年", "不應含": "30元"},
)


def made(kind: str, **values: Any) -> Reward:
    return Reward(kind, plugins.load("reward", kind).Spec(**WORTH[kind][0], **values))


def said(text: str) -> Said:
    return Said(text, len(text), stopped=True)


@pytest.mark.parametrize("kind", plugins.names("reward"))
def test_every_reward_tells_the_best_answer_from_the_worst(kind: str):
    best, worst = WORTH[kind][1:]

    assert made(kind).of(ASKED, said(best[0])) == best[1]
    assert made(kind).of(ASKED, said(worst[0])) == worst[1]


@pytest.mark.parametrize("kind", plugins.names("reward"))
def test_every_reward_takes_a_weight_and_nothing_unknown(kind: str):
    spec = plugins.load("reward", kind).Spec

    assert issubclass(spec, RewardSpec) and issubclass(spec, Closed)
    assert all(field.description for field in spec.model_fields.values())
    assert made(kind, weight=2).weight == 2.0
    with pytest.raises(ValidationError, match="weight"):
        made(kind, weight=0)
    with pytest.raises(ValidationError, match="wieght"):
        made(kind, wieght=1)


def test_total_is_the_weighted_sum_of_what_applies():
    facts = made("required-facts", weight=3)
    short = made("length", weight=0.5)
    bare = Example(**{**vars(ASKED), "fields": {}})
    answer = Said("售價12元，保固2年。", 15, stopped=True)

    assert total([facts, short], ASKED, answer) == 3 - 0.5 * 0.5
    assert total([facts, short], bare, answer) == -0.5 * 0.5
    assert total([facts], bare, answer) is None


def test_share_of_the_facts_is_worth_a_share_where_that_is_asked():
    half = said("售價12元。")

    assert made("required-facts", credit="share").of(ASKED, half) == 0.5
    assert made("required-facts").of(ASKED, half) == 0.0


@pytest.mark.parametrize(("tokens", "worth"), [(1, 0.0), (10, 0.0), (15, -0.5), (99, -1.0)])
def test_length_costs_as_dapo_has_it(tokens: int, worth: float):
    assert made("length").of(ASKED, Said("", tokens, stopped=False)) == worth


def test_length_that_cannot_fall_is_refused():
    with pytest.raises(
        ValidationError, match=r"`free_tokens` must be less than `max_tokens` \(5\)"
    ):
        plugins.load("reward", "length").Spec(free_tokens=5, max_tokens=5)


@pytest.mark.parametrize(
    ("kind", "evaluator"),
    [
        ("exact-answer", "exact-match"),
        ("required-facts", "required-facts"),
        ("json-schema", "json-schema"),
    ],
)
@pytest.mark.parametrize(
    "text",
    [
        *("售價12元。", "售價 12 元", "112元，2年", "12元、2年", "12元、2年、30元", "12元 12年"),
        *(
            '{"price": 12}',
            '```json\n{"price": 12}\n```',
            '{"price": 12} 以上',
            '{"price": 1.5}',
            "",
        ),
    ],
)
def test_reward_is_the_score_of_the_evaluation(kind: str, evaluator: str, text: str):
    plugin = plugins.load("evaluator", evaluator)
    spec = plugin.Spec(**WORTH[kind][0])
    answer = Answer("a", text, len(text), stopped=True)

    assert made(kind).of(ASKED, said(text)) == plugin.score(Item(ASKED, "t"), answer, spec)
