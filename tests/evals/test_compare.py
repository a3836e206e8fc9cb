"""Mock models of known accuracy score exactly that, and the report says no more than it knows."""

import json
from dataclasses import replace

import pytest

from foundry.core.errors import DataError, ProofError
from foundry.evals import compare
from foundry.evals.answers import append_answer, load_answers
from foundry.evals.compare import Evidence, to_plain
from foundry.evals.comparison import Roles
from tests.cases import case, change


@pytest.fixture
def base(shop):
    return shop.column("base", shop.right(4))


@pytest.fixture
def tuned(shop):
    return shop.column("tuned", shop.right(30))


def the_difference(report, kind, metric="required-facts", part="facts"):
    (found,) = [
        d
        for d in report["differences"]
        if (d["kind"], d["metric"], d["part"]) == (kind, metric, part)
    ]
    return found


def test_thirty_of_forty_right_scores_exactly_that(shop, base, tuned):
    score = shop.score(shop.report([base, tuned]), "tuned", "required-facts")

    assert (score["mean"], score["n"], score["groups"]) == (0.75, 40, 20)
    assert score["low"] < 0.75 < score["high"]


def test_a_model_that_recites_the_whole_sheet_scores_nothing(shop, base):
    tuned = shop.column("tuned", lambda item: item.example.prompt[0].content)

    assert shop.score(shop.report([base, tuned]), "tuned", "required-facts")["mean"] == 0.0


def test_a_model_that_never_stops_has_stop_rate_nought(shop, base):
    tuned = shop.column("tuned", lambda item: (item.example.answer * 9, False))

    assert shop.score(shop.report([base, tuned]), "tuned", "stop-rate")["mean"] == 0.0


def test_a_model_that_always_declines_is_seen_from_both_sides(shop, base):
    report = shop.report([base, shop.column("tuned", lambda item: shop.decline)])

    assert shop.score(report, "tuned", "declines", "outside")["mean"] == 1.0
    assert shop.score(report, "tuned", "wrongly-declined")["mean"] == 1.0
    assert shop.score(report, "tuned", "required-facts")["mean"] == 0.0
    assert {"zh-TW": "該回答的 40 題裡，有 40 題被誤拒。"}.items() <= report["headlines"][2].items()


def test_wrongly_declining_more_is_worse(shop, base):
    report = shop.report([base, shop.column("tuned", lambda item: shop.decline)])

    found = the_difference(report, "tuned-base", "wrongly-declined")

    assert (found["mean"], found["verdict"]) == (-1.0, "WORSE")


def test_the_tuned_model_is_compared_with_the_better_base(shop, base, tuned):
    few = shop.column("few", shop.right(12), {**shop.settings, "template_sha256": None})

    report = shop.report([base, few, tuned], roles=Roles(base=("base", "few"), tuned="tuned"))

    found = the_difference(report, "tuned-base")
    assert (found["b"], found["mean"], found["verdict"]) == ("few", 18 / 40, "BETTER")


def test_equal_models_are_said_to_show_no_difference(shop, base):
    found = the_difference(shop.report([base, replace(base, name="tuned")]), "tuned-base")

    assert (found["mean"], found["p_value"]) == (0.0, 1.0)
    assert found["verdict"] == "NO DIFFERENCE"
    assert "no difference" in found["sentence"]["en"]


def test_a_baseline_that_is_not_beaten_is_named(shop, base, tuned):
    naive = shop.column("look-up", shop.right(34), {})

    report = shop.report(
        [base, tuned, naive], roles=Roles(base=("base",), tuned="tuned", naive=("look-up",))
    )

    cautions = [text["en"] for text in report["headlines"] if text["en"].startswith("Caution")]
    assert cautions[0] == (
        "Caution, facts: without any model, “look-up model” scores 85.0; "
        "the 75.0 after training is not clearly better."
    )
    assert the_difference(report, "tuned-naive")["mean"] == -0.1


def test_a_baseline_has_no_stop_rate(shop, base, tuned):
    naive = shop.column("look-up", shop.right(34), {})
    roles = Roles(base=("base",), tuned="tuned", naive=("look-up",))

    report = shop.report([base, tuned, naive], roles=roles)

    measured = {s["column"] for s in report["scores"] if s["metric"] == "stop-rate"}
    assert measured == {"base", "tuned"}


def test_the_delivered_file_is_measured_like_the_model(shop, base, tuned):
    delivered = shop.column("gguf", shop.right(29))
    roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",))

    report = shop.report([base, tuned, delivered], roles=roles)

    assert the_difference(report, "delivered-tuned")["mean"] == -1 / 40
    (column,) = [c for c in report["columns"] if c["name"] == "gguf"]
    assert (column["role"], column["same_text_as_tuned"]) == ("delivered", 51)


def test_report_is_strict_json_and_the_same_every_time(shop, base, tuned):
    curve = [{"step": 1, "loss": float("nan")}, {"step": 2, "loss": 0.5}]
    evidence = Evidence({"en": "Shop", "zh-TW": "商店"}, curve=curve, facts={"x": (1, None)})

    texts = {
        json.dumps(shop.report([base, tuned], evidence=evidence), allow_nan=False) for _ in range(2)
    }

    assert len(texts) == 1
    assert json.loads(texts.pop())["curve"] == [{"step": 1, "loss": None}, {"step": 2, "loss": 0.5}]


def test_rescoring_from_the_record_gives_the_same_report(shop, base, tuned, tmp_path):
    for answer in tuned.answers.values():
        append_answer(tmp_path / "tuned.jsonl", answer)

    again = replace(tuned, answers=load_answers(tmp_path / "tuned.jsonl"))

    assert shop.report([base, again]) == shop.report([base, tuned])  # C28


def test_a_column_without_some_answer_is_refused(shop, base, tuned):
    answers = {key: answer for key, answer in tuned.answers.items() if key != "item07"}

    with pytest.raises(DataError, match=r"tuned: 1 of 52 items have no answer .*item07"):
        shop.report([base, replace(tuned, answers=answers)])


@case("C28", {"nobody compares": change(compare, "check_settings", lambda *_, **__: None)})
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("template_sha256", "bb"),
        ("system", "你是客服"),
        ("bos_count", 2),
        ("first_prompt_ids", [2, 2, 105]),
        ("prompts_sha256", "dd"),
        ("stop_ids", [1]),
        ("decoding", {"max_new_tokens": 64, "temperature": 1}),
    ],
)
def test_models_asked_differently_are_not_compared(shop, tuned, key, value):
    base = shop.column("base", shop.right(4), {**shop.settings, key: value})

    with pytest.raises(ProofError, match=f"base: asked otherwise than tuned: {key} differ"):
        shop.report([base, tuned])  # C28


def test_a_delivered_file_asked_differently_is_not_compared(shop, base, tuned):
    delivered = shop.column("gguf", shop.right(30), {**shop.settings, "bos_count": 2})
    roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",))

    with pytest.raises(ProofError, match="gguf: asked otherwise than tuned: bos_count"):
        shop.report([base, tuned, delivered], roles=roles)  # C28


def test_a_model_that_does_not_say_how_it_was_asked_is_refused(shop, base, tuned):
    silent = {key: value for key, value in shop.settings.items() if key != "stop_ids"}

    with pytest.raises(ProofError, match="tuned: the setting `stop_ids` is missing"):
        shop.report([base, replace(tuned, settings=silent)])  # C28


def test_the_report_shows_how_each_column_was_asked(shop, base, tuned):
    few = shop.column("few", shop.right(12), {**shop.settings, "template_sha256": None})

    report = shop.report([base, few, tuned], roles=Roles(base=("base", "few"), tuned="tuned"))

    shown = {c["name"]: (c["settings"], c["asked_unlike_tuned"]) for c in report["columns"]}
    assert shown["tuned"] == (shop.settings, [])
    assert shown["few"][1] == ["template_sha256"]  # C28


def test_the_order_of_answers_changes_nothing(shop, base, tuned):
    backwards = dict(reversed(tuned.answers.items()))

    assert shop.report([base, replace(tuned, answers=backwards)]) == shop.report([base, tuned])


def test_a_value_without_a_json_form_is_refused():
    with pytest.raises(TypeError, match="no JSON form for a value of type set"):
        to_plain({"x": {1}})
