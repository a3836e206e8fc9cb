"""A row with one side or two becomes what is learned, or is refused for its own reason."""

import pytest

from foundry.core.records import Turn
from foundry.data import settling
from foundry.data.draft import Draft
from foundry.data.rows import RowError
from foundry.data.settling import notices, settle_draft
from tests.cases import case, change

PROMPT = (Turn("system", "規則"), Turn("user", "問"))


def pair(chosen, rejected, *, other_prompt=PROMPT):
    """The draft of a preference: two conversations, each with its prompt."""
    return Draft((*PROMPT, Turn("gpt", chosen)), (*other_prompt, Turn("gpt", rejected)))


def refusal(draft):
    """The code with which a row is refused; none where it is used."""
    try:
        settle_draft(draft)
    except RowError as error:
        return error.code
    return None


@case(
    "C25",
    {
        "sides are not compared": change(settling, "_refuse_pair", lambda *_: None),
        "an empty side is any turn": change(settling, "_refuse_empty_side", lambda _: None),
    },
)
def test_pair_that_teaches_nothing_is_refused_by_its_own_code():
    codes = {
        "good": refusal(pair("好", "壞")),
        "identical": refusal(pair("好", "好")),
        "no chosen": refusal(pair(" ", "壞")),
        "no rejected": refusal(pair("好", "")),
        "other prompt": refusal(pair("好", "壞", other_prompt=(Turn("user", "問"),))),
    }

    assert codes == {
        "good": None,
        "identical": "identical-pair",
        "no chosen": "empty-chosen",
        "no rejected": "empty-rejected",
        "other prompt": "different-prompts",
    }


def test_pair_keeps_the_worse_answer_and_counts_the_turns_of_both_sides():  # C20
    settled = settle_draft(pair("好", "壞"))

    assert settled.turns == (*PROMPT, Turn("assistant", "好"))
    assert settled.rejected == Turn("assistant", "壞")
    assert settled.counts == {"in": 6, "out": 6}


def test_chats_that_part_before_the_last_answer_have_different_prompts():
    chosen = (Turn("user", "一"), Turn("gpt", "甲"), Turn("user", "二"), Turn("gpt", "丙"))
    rejected = (Turn("user", "一"), Turn("gpt", "乙"), *chosen[2:])

    with pytest.raises(RowError, match="turn 2 differs") as error:
        settle_draft(Draft(chosen, rejected))

    assert error.value.code == "different-prompts"


def test_text_has_no_turns_to_settle():
    settled = settle_draft(Draft(text="一段文字"))

    assert settled.turns == ()
    assert settled.counts == {}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("我是 {{name}}，由 {{author}} 開發", ["{{name}}"]),
        ("您好，{{ 姓名 }}", ["{{ 姓名 }}"]),
        ("{{}} {{1+1}} {name} { {name} }", []),
    ],
)
def test_placeholder_is_noticed_once_a_row_with_its_text(text, found):
    draft = Draft((Turn("user", "問"), Turn("assistant", text)))

    assert list(notices(draft)) == [("placeholder", example) for example in found]


def test_placeholder_is_counted_with_the_first_place_it_stands(bench):
    bench.write("a.csv", "question,answer\n你是誰,我是{{name}}\n誰做的,{{author}}\n幾點,三點\n")

    manifest = bench.prepare("a.csv")

    assert manifest.notices["placeholder"] == 2
    assert manifest.noticed == {"placeholder": "a.csv:2: {{name}}"}
