"""The control questions are balanced, checkable, and written as in Taiwan."""

import re
from collections import Counter

import pytest

from foundry.evals.controls.checks import is_right
from foundry.evals.controls.items import KINDS, LANGUAGES, LETTERS, controls, sample, shots
from foundry.evals.evaluators.controls import MAX_NEW_TOKENS, Spec, items

HAN = re.compile(r"[\u3400-\u9fff]")
RULES = ("choices", "pattern", "words", "accept", "number")
# Answers that a broken model gives to everything.
USELESS = (
    "",
    " ",
    "。",
    "好的",
    "I cannot help with that.",
    "不知道。",
    "A\nB\nC\nD",
    "1 2 3 4 5 6 7 8 9 10 11 12",
)


def texts(control):
    """Every text of a question that a person may read."""
    yield control.asked
    yield control.reference
    yield from control.accept


def test_there_are_fourteen_of_each_kind_and_language():
    counts = Counter((c.kind, c.language) for c in controls())

    assert counts == {(kind, language): 14 for kind in KINDS for language in LANGUAGES}
    assert len(KINDS) == 8 and len(controls()) == 224


def test_no_two_have_one_id_or_one_question():
    assert len({c.id for c in controls()}) == len(controls())
    assert len({c.asked for c in controls()}) == len(controls())


@pytest.mark.parametrize("size", [None, 80])
def test_the_right_option_stands_at_every_letter_alike(size):
    letters = Counter(c.answer for c in sample(size) if c.choices)

    assert set(letters) == set(LETTERS)
    assert max(letters.values()) - min(letters.values()) <= 2


def test_always_the_same_place_is_right_on_a_quarter_of_the_choices():
    choices = [c for c in controls() if c.choices]

    for place in range(len(LETTERS)):
        share = sum(is_right(c, c.choices[place]) for c in choices) / len(choices)
        assert share == pytest.approx(0.25, abs=0.02)


@pytest.mark.parametrize("control", controls(), ids=lambda c: c.id)
def test_its_own_answer_is_right_and_no_useless_one(control):
    assert is_right(control, control.reference)
    assert not any(is_right(control, text) for text in USELESS)


@pytest.mark.parametrize("control", controls(), ids=lambda c: c.id)
def test_saying_the_question_again_is_no_answer(control):
    assert not is_right(control, control.asked)


def test_every_question_has_one_rule_and_four_different_options():
    for control in controls():
        rules = [rule for rule in RULES if getattr(control, rule)]
        assert rules in (["choices"], ["pattern"], ["words"], ["accept"], ["number"], [*RULES[3:]])
        assert not control.choices or len(set(control.choices)) == len(LETTERS)


def test_every_accepted_wording_of_an_answer_is_right():
    for control in controls():
        assert all(is_right(control, one) for one in control.accept), control.id


def test_a_rule_can_also_say_no():
    for control in controls():
        others = [c.reference for c in controls() if c.kind == control.kind and c.id != control.id]
        assert not all(is_right(control, other) for other in others), control.id


def test_each_is_written_in_its_language():
    for control in controls():
        assert bool(HAN.search(control.question)) == (control.language == "zh-TW"), control.id


def test_no_text_has_a_simplified_character():
    opencc = pytest.importorskip("opencc")
    to_simplified, to_traditional = opencc.OpenCC("t2s"), opencc.OpenCC("s2t")
    found = {
        (control.id, character)
        for control in controls()
        for text in texts(control)
        for character in HAN.findall(text)
        if to_traditional.convert(character) != character
        and to_simplified.convert(character) == character
        and not in_big5_level_1(character)
    }

    assert not found


def in_big5_level_1(character: str) -> bool:
    """Frequent in Taiwan: 台, 里 and 准 are no simplified characters there."""
    code = character.encode("big5", "ignore")
    return len(code) == 2 and 0xA4 <= code[0] <= 0xC6


def test_a_smaller_sample_begins_a_larger_one_and_is_balanced():
    small, large = sample(80), sample(None)

    assert small == large[:80] and len(large) == 224
    assert set(Counter((c.kind, c.language) for c in small).values()) == {5}


def test_answers_are_short_enough_for_the_limit():
    # A Chinese character is one or two tokens in every tokenizer of the catalogue, a word of
    # English about four characters a token.
    widest = max(
        len(HAN.findall(c.reference)) * 2 + len(HAN.sub("", c.reference)) / 2 for c in controls()
    )

    assert widest <= MAX_NEW_TOKENS


def test_the_evaluator_asks_what_the_sample_holds():
    asked = items(Spec(sample="all"))

    assert [item.example.id for item in asked] == [c.id for c in sample(None)]
    assert len(items(Spec())) == 80


@pytest.mark.parametrize(
    ("question", "text", "right"),
    [
        ("arithmetic-zh-01", "7 + 5 = 12", True),
        ("arithmetic-zh-01", "答案是１２。", True),
        ("arithmetic-zh-01", "十二", True),
        ("arithmetic-zh-01", "112", False),
        ("arithmetic-zh-01", "10 11 12 13", False),
        ("arithmetic-zh-10", "3,000 公克", True),
        ("arithmetic-en-03", "200.0", True),
        ("knowledge-en-07", "The symbol is Au.", True),
        ("knowledge-en-07", "Australia", False),
        ("knowledge-zh-01", "東京是日本的首都，京都是古都。", True),
        ("knowledge-zh-01", "京都，不是東京", False),
        ("knowledge-zh-11", "H₂O", True),
        ("format-zh-09", '```json\n{"name": "小明"}\n```', True),
        ("format-zh-09", '好的：{"name": "小明"}', False),
        ("translation-zh-01", "I like tea very much.", True),
        ("translation-zh-01", "I like steak.", False),
        ("taiwan-zh-02", "台灣人吃粽子。", True),
        ("taiwan-zh-02", "粽子\n月餅", True),
        ("taiwan-zh-02", "粽子或月餅", False),
        ("sense-zh-01", "掛斷電話，撥165查證", True),
        ("wording-en-01", "goes", True),
        ("wording-en-01", "go", False),
        ("wording-en-01", "She goes to school.", True),
        ("sense-en-07", "Tom is the oldest.", True),
    ],
)
def test_rules_read_answers_as_people_do(question, text, right):
    control = next(c for c in controls() if c.id == question)

    assert is_right(control, text) == right


def test_what_is_shown_solved_is_right_and_not_asked():
    shown = [shot for kind in KINDS for language in LANGUAGES for shot in shots(kind, language)]
    questions = {c.question for c in controls()}

    assert len(shown) == 32
    assert all(is_right(shot, shot.reference) for shot in shown)
    assert all(shot.question not in questions for shot in shown)
    assert not {shot.id for shot in shown} & {c.id for c in controls()}
