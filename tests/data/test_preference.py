"""Preferences in every spelling: one prompt, two answers, and a pair that teaches nothing goes."""

import pytest

from foundry.core.records import ToolCall, Turn
from foundry.data import settling, sides
from foundry.data.formats import preference, unpaired_preference
from foundry.data.rows import JsonNumber, RowError
from foundry.data.settling import settle_draft
from tests.cases import case, change

PROMPT = [{"role": "system", "content": "規則"}, {"role": "user", "content": "問"}]
GOOD, BAD = {"role": "assistant", "content": "好"}, {"role": "assistant", "content": "壞"}
EXPLICIT = {"prompt": PROMPT, "chosen": [GOOD], "rejected": [BAD]}
SAME_PAIR = [
    {"prompt": PROMPT, "chosen": GOOD, "rejected": BAD},
    {"prompt": PROMPT, "chosen": "好", "rejected": "壞"},
    {"prompt": "問", "system": "規則", "chosen": "好", "rejected": "壞"},
    {"chosen": [*PROMPT, GOOD], "rejected": [*PROMPT, BAD]},
    {"prompt": "問", "chosen": [*PROMPT, GOOD], "rejected": [*PROMPT, BAD]},
    {
        "conversations": [{"from": "system", "value": "規則"}, {"from": "human", "value": "問"}],
        "chosen": {"from": "gpt", "value": "好"},
        "rejected": {"from": "gpt", "value": "壞"},
    },
]


def settled(row, **settings):
    return settle_draft(preference.to_draft(row, preference.Spec(**settings)))


def refusal(module, row, **settings):
    """The code with which the row is refused; none where it is used."""
    try:
        settle_draft(module.to_draft(row, module.Spec(**settings)))
    except RowError as error:
        return error.code
    return None


@case(
    "C25",
    {
        "two chats are answers alone": change(sides, "is_whole", lambda _: False),
        "sides are not compared": change(settling, "_refuse_pair", lambda *_: None),
        "an empty side is any turn": change(settling, "_refuse_empty_side", lambda _: None),
    },
)
def test_explicit_and_implicit_pairs_are_one_example_and_three_rows_are_told_by_line(bench):
    long = "長" * 10_000
    rows = [
        {"prompt": PROMPT, "chosen": [GOOD], "rejected": [BAD]},
        {"prompt": PROMPT, "chosen": [GOOD], "rejected": [GOOD]},
        {"prompt": "問", "chosen": f"{long}好", "rejected": f"{long}壞"},
        {"prompt": PROMPT, "chosen": "", "rejected": [BAD]},
        {"chosen": [*PROMPT, GOOD], "rejected": [*PROMPT, BAD]},
    ]
    bench.write("a.jsonl", rows)

    manifest = bench.prepare("a.jsonl", format={"kind": "preference"})

    # The implicit row says the same as the explicit one, to the last character, and repeats it.
    assert bench.refused() == [(2, "identical-pair"), (4, "empty-chosen"), (5, "duplicate")]
    first, cut = bench.part()
    assert first.messages == (Turn("system", "規則"), Turn("user", "問"), Turn("assistant", "好"))
    assert first.rejected == Turn("assistant", "壞")
    assert first.type == "preference"
    # What differs in text is kept: whether it differs after cutting is seen where rows are encoded.
    assert (cut.messages[-1].content, cut.rejected.content) == (f"{long}好", f"{long}壞")
    assert manifest.rows_used == 2


@pytest.mark.parametrize("row", SAME_PAIR)
def test_spelling_of_a_pair_does_not_matter(row):  # C25, C57
    assert settled(row).turns == settled(EXPLICIT).turns
    assert settled(row).rejected == settled(EXPLICIT).rejected


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"chosen": "好", "rejected": "壞"}, "missing-prompt"),
        ({"chosen": [GOOD], "rejected": [BAD]}, "missing-prompt"),
        ({"chosen": "\n\nHuman: 問\n\nAssistant: 好", "rejected": "壞"}, "missing-prompt"),
        ({"prompt": "", "chosen": "好", "rejected": "壞"}, "empty-prompt"),
        ({"prompt": [], "chosen": "好", "rejected": "壞"}, "empty-prompt"),
        ({"prompt": [*PROMPT, GOOD], "chosen": "好", "rejected": "壞"}, "answered-prompt"),
        (
            {"prompt": "別的", "chosen": [*PROMPT, GOOD], "rejected": [*PROMPT, BAD]},
            "different-prompts",
        ),
        ({"chosen": [*PROMPT, GOOD], "rejected": [*PROMPT[1:], BAD]}, "different-prompts"),
        ({"prompt": "問", "chosen": "好"}, "missing-field"),
        ({"prompt": "問", "chosen": "好", "rejected": None}, "empty-rejected"),
        ({"prompt": "問", "chosen": [], "rejected": "壞"}, "empty-chosen"),
        ({"prompt": {"text": "問"}, "chosen": "好", "rejected": "壞"}, "type"),
    ],
)
def test_row_that_is_no_pair_is_refused_by_its_own_code(row, code):  # C25
    assert refusal(preference, row) == code


@pytest.mark.parametrize("written", ["0.5", JsonNumber("0.5"), JsonNumber("5e-1")])
def test_margin_is_a_number_in_whatever_form(written):
    draft = preference.to_draft({**EXPLICIT, "by": written}, preference.Spec(margin="by"))

    assert draft.margin == 0.5
    assert preference.to_draft({**EXPLICIT, "by": written}, preference.Spec()).margin is None


@pytest.mark.parametrize("written", [JsonNumber("-1"), "nan", "inf", "much", "", None, True])
def test_margin_that_is_no_number_of_nought_or_more_is_refused(written):
    assert refusal(preference, {**EXPLICIT, "by": written}, margin="by") == "margin"


def test_instruction_with_an_input_is_a_prompt():
    row = {"instruction": "翻成英文", "input": "你好", "chosen": "Hello", "rejected": "Hi!"}

    turns = settled(row, prompt="instruction", input="input").turns

    assert turns == (Turn("user", "翻成英文\n\n你好"), Turn("assistant", "Hello"))


def test_tool_calls_can_be_preferred():
    call = {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"n": JsonNumber("1")}}]}
    row = {"prompt": "問", "chosen": call, "rejected": "不知道", "tools": [{"name": "f"}]}

    draft = preference.to_draft(row, preference.Spec())

    assert draft.tools == ({"type": "function", "function": {"name": "f"}},)
    assert settle_draft(draft).turns[-1].tool_calls == (ToolCall("f", {"n": 1}, id="call00001"),)


KTO = [
    {"messages": [*PROMPT, GOOD], "label": True},
    {"conversations": [*PROMPT, GOOD], "label": "TRUE"},
    {"prompt": "問", "system": "規則", "completion": "好", "label": JsonNumber("1")},
    {"prompt": PROMPT, "completion": [GOOD], "label": " true"},
]


@pytest.mark.parametrize("row", KTO)
def test_spelling_of_a_labelled_answer_does_not_matter(row):
    draft = unpaired_preference.to_draft(row, unpaired_preference.Spec())

    assert draft.label is True
    assert settle_draft(draft).turns == (
        Turn("system", "規則"),
        Turn("user", "問"),
        Turn("assistant", "好"),
    )


@pytest.mark.parametrize("label", [False, "false", "0", JsonNumber("0")])
def test_bad_answer_is_kept_as_such(label):
    spec = unpaired_preference.Spec(label="kto_tag")

    assert (
        unpaired_preference.to_draft({"messages": [*PROMPT, BAD], "kto_tag": label}, spec).label
        is False
    )


@pytest.mark.parametrize("label", [None, "", "maybe", JsonNumber("2"), JsonNumber("0.5"), [True]])
def test_label_that_is_neither_true_nor_false_is_refused(label):
    assert refusal(unpaired_preference, {"messages": [*PROMPT, BAD], "label": label}) == "label"


def test_same_answer_with_both_labels_is_no_repetition(bench):
    bench.write(
        "a.jsonl", [{"messages": [*PROMPT, GOOD], "label": label} for label in (True, False)]
    )

    bench.prepare("a.jsonl", format={"kind": "unpaired-preference"})

    assert [example.label for example in bench.part()] == [True, False]
    assert {example.type for example in bench.part()} == {"unpaired-preference"}
