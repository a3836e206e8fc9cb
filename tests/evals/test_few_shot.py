"""Few-shot prompts: a fair pick, and the text a base model sees."""

import pytest

from foundry.core.records import Example, ToolCall, Turn
from foundry.evals.prompts import ENGLISH, Labels, few_shot_text, pick_shots
from foundry.evals.questions import Question, question_of


@pytest.fixture
def train(shop):
    bare = [shop.example(f"b{n}", f"問{n}？", f"答{n}。", group=f"g{n % 3}") for n in range(9)]
    given = [
        shop.example(f"c{n}", f"資料{n}\n\n問{n}？", f"答{n}。", group=f"h{n % 3}")
        for n in range(9)
    ]
    return [*bare, *given]


def test_shots_are_the_same_for_a_seed_whatever_the_order(train):
    assert pick_shots(train, n=4, seed=3) == pick_shots(train[::-1], n=4, seed=3)


def test_another_seed_gives_other_shots(train):
    picks = {tuple(e.id for e in pick_shots(train, n=4, seed=seed)) for seed in range(10)}

    assert len(picks) > 5


@pytest.mark.parametrize("seed", range(10))
def test_shots_cover_rows_with_and_without_context_and_different_groups(train, seed):
    shots = pick_shots(train, n=4, seed=seed)

    assert [bool(question_of(shot).context) for shot in shots] == [True, False, True, False]
    assert len({shot.group for shot in shots}) == 4


def test_shots_come_from_the_rows_there_are(train):
    assert len(pick_shots(train[:3], n=9, seed=0)) == 3
    assert pick_shots([], n=4, seed=0) == []


def test_an_answer_of_two_lines_is_shown_last(shop):
    rows = [shop.example("a", "問", "一\n二"), shop.example("b", "問", "一")]

    assert [shot.id for shot in pick_shots(rows, n=2, seed=0)] == ["b", "a"]


def test_question_is_the_last_block_of_the_last_user_turn(shop):
    example = shop.example("x", "品名：鍋\n\n售價：95元\n\n多少錢？", "95元")

    assert question_of(example) == Question("多少錢？", "品名：鍋\n\n售價：95元")


def test_text_ends_where_the_answer_begins(shop):
    shots = [
        shop.example("a", "品名：鍋\n保固：2年\n\n保固多久？", "2年。"),
        shop.example("b", "運費多少？", "95元。"),
    ]

    text = few_shot_text(shots, shop.example("c", "可以退貨嗎？", "可以。"), Labels())

    assert text == (
        "資料：\n品名：鍋\n保固：2年\n問題：保固多久？\n回答：2年。\n\n"
        "問題：運費多少？\n回答：95元。\n\n"
        "問題：可以退貨嗎？\n回答："
    )


def test_english_labels_have_a_space_but_none_at_the_end(shop):
    shot = shop.example("a", "How much?", "95.")

    text = few_shot_text([shot], shop.example("b", "Why?", "So."), ENGLISH)

    assert text == "Question: How much?\nAnswer: 95.\n\nQuestion: Why?\nAnswer:"


def test_conversation_is_told_from_its_beginning_and_tools_once(shop):
    call = Turn("assistant", "", tool_calls=(ToolCall("lookup", {"city": "東京"}),))
    turns = (
        Turn("user", "東京呢？"),
        call,
        Turn("tool", "晴", name="lookup"),
        Turn("assistant", "晴天。"),
        Turn("user", "臺北呢？"),
        call,
    )
    tools = ({"type": "function", "function": {"name": "lookup"}},)
    shot, asked = (Example(key, turns, "t", 1, key, tools=tools) for key in "ab")

    text = few_shot_text([shot], asked, Labels())

    written = '<tool_call>{"name": "lookup", "arguments": {"city": "東京"}}</tool_call>'
    talk = f"問題：東京呢？\n回答：{written}\n結果：晴\n回答：晴天。\n問題：臺北呢？\n回答："
    offer = '工具：\n[{"type": "function", "function": {"name": "lookup"}}]\n'
    assert text == f"{offer}{talk}{written}\n\n{talk}"
    none = few_shot_text([shot], shop.example("c", "好嗎？", "好。"), Labels())
    assert none.endswith("\n\n工具：\n[]\n問題：好嗎？\n回答：")
