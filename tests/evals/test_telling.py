"""Which twenty answers the report shows."""

from foundry.evals.comparison import Roles


def kinds(report):
    return [entry["kind"] for entry in report["telling"]]


def test_twenty_answers_of_every_kind_are_shown_failures_first(shop):
    report = shop.report([shop.column("base", shop.right(4)), shop.column("tuned", shop.right(30))])

    assert len(report["telling"]) == 20
    assert kinds(report) == ["wrong"] * 6 + ["declined"] * 5 + ["gain"] * 5 + ["same"] * 4


def test_every_item_of_a_short_test_is_shown_once(shop):
    shop.items = shop.items[:7]
    evals = [shop.required()]

    report = shop.report(
        [shop.column("base", shop.right(3)), shop.column("tuned", shop.right(5))], evals=evals
    )

    shown = [entry["item_id"] for entry in report["telling"]]
    assert sorted(shown) == [item.example.id for item in shop.items]


def test_answers_come_from_every_part(shop):
    report = shop.report([shop.column("base", shop.right(0)), shop.column("tuned", shop.right(40))])

    assert {entry["part"] for entry in report["telling"]} == {"facts", "outside"}


def test_outcomes_count_every_item(shop):
    def says(item):
        return shop.decline if item.example.id == "item05" else shop.right(30)(item)

    base = shop.column("base", shop.right(4))
    gguf = shop.column("gguf", shop.right(29))
    roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",))

    report = shop.report([base, shop.column("tuned", says), gguf], roles=roles)

    facts, outside = report["outcomes"]
    assert (facts["part"], facts["metric"], facts["n"]) == ("facts", "required-facts", 40)
    assert facts["kinds"] == {
        "regression": 0,
        "wrongly-declined": 1,
        "wrong": 10,
        "changed-by-export": 1,
        "declined": 0,
        "gain": 24,
        "same": 4,
    }
    assert outside["n"] == outside["kinds"]["declined"] == 12


def test_answer_that_is_mostly_right_is_not_called_wrong(shop):
    """No answer in other words has a character F1 of 1."""
    shop.items = shop.items[:4]
    first, second, *_others = (item.example for item in shop.items)
    said = {first.id: first.answer, second.id: f"{second.answer}。喔"}

    report = shop.report(
        [
            shop.column("base", lambda item: ("嗯", True)),
            shop.column("tuned", lambda item: (said.get(item.example.id, "嗯"), True)),
        ],
        evals=[shop.block("character-f1")],
    )

    (found,) = report["outcomes"]
    assert {kind: n for kind, n in found["kinds"].items() if n} == {"gain": 2, "wrong": 2}


def test_one_wrong_answer_among_many_is_shown(shop):
    report = shop.report([shop.column("base", shop.right(0)), shop.column("tuned", shop.right(39))])

    wrong = [entry["item_id"] for entry in report["telling"] if entry["kind"] == "wrong"]
    assert wrong == ["item39"]


def test_what_was_right_before_and_is_wrong_now_comes_first(shop):
    report = shop.report(
        [shop.column("base", shop.right(40)), shop.column("tuned", shop.right(30))]
    )

    assert kinds(report)[:5] == ["regression"] * 5


def test_before_is_the_one_base_that_the_headline_names(shop):
    """Of 40, the base knows the first 10, with examples the next 10, the tuned model the rest."""

    def few(item):
        return item.example.answer if item.example.id in knows else "不知道。"

    knows = {f"item{n:02}" for n in range(10, 20)}
    zero = shop.column("base", shop.right(10))
    tuned = shop.column("tuned", _last_twenty)
    roles = Roles(base=("base", "base-few-shot"), tuned="tuned")

    report = shop.report([zero, shop.column("base-few-shot", few), tuned], roles=roles)

    facts = report["outcomes"][0]
    assert facts["kinds"]["regression"] == 10
    assert facts["kinds"]["gain"] == 20


def _last_twenty(item):
    """What knows the last twenty facts alone."""
    number = item.example.id.removeprefix("item")
    return item.example.answer if not number.isdecimal() or int(number) >= 20 else "不知道。"


def test_a_wrong_refusal_is_shown(shop):
    def says(item):
        return shop.decline if item.example.id == "item05" else item.example.answer

    report = shop.report([shop.column("base", shop.right(0)), shop.column("tuned", says)])

    shown = {entry["item_id"]: entry["kind"] for entry in report["telling"]}
    assert shown["item05"] == "wrongly-declined"


def test_an_answer_spoiled_by_the_export_is_shown(shop):
    columns = [
        shop.column("base", shop.right(0)),
        shop.column("tuned", shop.right(40)),
        shop.column("gguf", shop.right(39)),
    ]

    report = shop.report(columns, roles=Roles(base=("base",), tuned="tuned", delivered=("gguf",)))

    shown = {entry["kind"]: entry["item_id"] for entry in report["telling"]}
    assert shown["changed-by-export"] == "item39"


def test_wins_come_from_different_groups(shop):
    report = shop.report([shop.column("base", shop.right(0)), shop.column("tuned", shop.right(40))])

    gains = [entry["item_id"] for entry in report["telling"] if entry["kind"] == "gain"]
    groups = {item.example.id: item.example.group for item in shop.items}
    assert len({groups[key] for key in gains}) == len(gains)


def test_an_entry_holds_question_context_reference_and_every_answer(shop):
    report = shop.report([shop.column("base", shop.right(0)), shop.column("tuned", shop.right(39))])

    entry = report["telling"][0]
    assert (entry["question"], entry["reference"]) == ("商品39多少錢？", "售價139元。")
    assert entry["context"] == "售價：139元\n原價：339元\n保固：40年"
    assert [(a["column"], a["text"], a["score"]) for a in entry["answers"]] == [
        ("base", "不知道。", 0.0),
        ("tuned", "不知道。", 0.0),
    ]
