"""`controls` measures what training took away, on questions that no other metric sees."""

import json

import pytest

from foundry.core.blocks import Block
from foundry.core.errors import DataError, ProofError
from foundry.core.recipe import Gate
from foundry.evals.answers import BROUGHT, Column
from foundry.evals.asking import brought_prompts
from foundry.evals.brought import brought_by, part_titles
from foundry.evals.compare import Evidence
from foundry.evals.comparison import Roles
from foundry.evals.controls.items import KINDS
from foundry.evals.evaluators.controls import MAX_NEW_TOKENS, Spec, items
from tests.encoders import tiny_encoder
from tests.tiny_recipe import lay_out

GATE = Gate(metric="controls", max_drop_pp=2)
SYSTEM = "你是商店的客服。"
ASKED = items(Spec())


@pytest.fixture
def asked(shop):
    """The shop's test with the 80 control questions beside it."""
    shop.items = [*shop.items, *ASKED]
    return shop


def remembers(count: int):
    """Right on the shop's questions and on the first `count` of the control questions."""
    forgotten = {item.example.id for item in ASKED[count:]}
    return lambda item: "嗯。" if item.example.id in forgotten else item.example.answer


def evals(shop) -> list[Block]:
    return [shop.required(parts=["facts"]), shop.block("stop-rate"), shop.block("controls")]


def difference(report, metric: str) -> dict:
    (found,) = [
        d for d in report["differences"] if (d["metric"], d["kind"]) == (metric, "tuned-base")
    ]
    return found


def test_scores_exactly_what_was_remembered(asked):
    columns = [asked.column("base", remembers(80)), asked.column("tuned", remembers(60))]

    report = asked.report(columns, evals=evals(asked), gates=[GATE])

    assert asked.score(report, "base", "controls", "controls")["mean"] == 1.0
    assert asked.score(report, "tuned", "controls", "controls")["mean"] == 0.75
    assert difference(report, "controls")["mean"] == -0.25
    assert difference(report, "controls")["verdict"] == "WORSE"
    assert report["gates_passed"] is False


def test_a_model_that_forgot_one_question_in_eighty_passes_the_gate(asked):
    columns = [asked.column("base", remembers(80)), asked.column("tuned", remembers(79))]

    report = asked.report(columns, evals=evals(asked), gates=[GATE])

    assert difference(report, "controls")["mean"] == -0.0125
    assert report["gates_passed"] is True


def test_each_kind_has_its_own_score(asked):
    arithmetic = {i.example.id for i in ASKED if i.example.fields["kind"] == "arithmetic"}

    def forgot_sums(item):
        return "嗯。" if item.example.id in arithmetic else item.example.answer

    columns = [asked.column("base", remembers(80)), asked.column("tuned", forgot_sums)]
    report = asked.report(columns, evals=evals(asked))

    found = {k: asked.score(report, "tuned", f"controls-{k}", "controls") for k in KINDS}
    assert {kind: score["mean"] for kind, score in found.items()} == {
        kind: 0.0 if kind == "arithmetic" else 1.0 for kind in KINDS
    }
    assert {score["n"] for score in found.values()} == {10}


def test_no_other_metric_and_no_baseline_sees_the_control_questions(asked, shop):
    columns = [asked.column("base", remembers(0)), asked.column("tuned", remembers(0))]

    report = asked.report(columns, evals=evals(asked))

    assert {s["part"] for s in report["scores"] if s["metric"] == "stop-rate"} == {
        "facts",
        "outside",
    }
    assert all(answer["part"] != "controls" for answer in report["telling"])
    assert report["columns"][0]["tokens_per_answer"] == pytest.approx(
        sum(len(i.example.answer) for i in shop.items if i.brought_by is None) / 52
    )


def test_a_column_that_was_not_asked_them_has_no_score_and_is_no_base(asked):
    few_shot = asked.column("base-few-shot", remembers(80))
    own = {
        key: a for key, a in few_shot.answers.items() if key not in {i.example.id for i in ASKED}
    }
    few_shot = Column(few_shot.name, few_shot.title, few_shot.settings, own, few_shot.seconds)
    columns = [asked.column("base", remembers(40)), few_shot, asked.column("tuned", remembers(40))]

    report = asked.report(
        columns,
        evals=evals(asked),
        roles=Roles(base=("base", "base-few-shot"), tuned="tuned"),
    )

    assert difference(report, "controls")["b"] == "base"
    assert not [
        s for s in report["scores"] if (s["column"], s["part"]) == (few_shot.name, "controls")
    ]


def test_a_column_that_was_asked_half_of_them_is_refused(asked):
    tuned = asked.column("tuned", remembers(80))
    some = {key: a for key, a in tuned.answers.items() if key != ASKED[7].example.id}
    columns = [
        asked.column("base", remembers(80)),
        Column(tuned.name, tuned.title, tuned.settings, some, tuned.seconds),
    ]

    with pytest.raises(DataError, match="1 of 132 items have no answer"):
        asked.report(columns, evals=evals(asked))


def test_models_that_were_asked_them_otherwise_are_not_compared(asked):
    settings = {name: {**asked.settings, BROUGHT: {"controls": name}} for name in ("base", "tuned")}
    columns = [asked.column(name, remembers(80), settings[name]) for name in settings]

    with pytest.raises(ProofError, match="brought differ"):
        asked.report(columns, evals=evals(asked))


def test_its_part_has_a_title_of_its_own(asked):
    brought = brought_by(evals(asked))
    evidence = Evidence({"en": "x", "zh-TW": "x"}, part_titles=part_titles(brought))
    columns = [asked.column("base", remembers(80)), asked.column("tuned", remembers(60))]

    report = asked.report(columns, evals=evals(asked), evidence=evidence)

    assert report["parts"][-1]["title"] == {"en": "General questions", "zh-TW": "一般題目"}
    assert "60 of 80" in " ".join(sentence["en"] for sentence in report["headlines"])


def prompts_of(shop, system: str | None, form: str):
    encoder = tiny_encoder("gemma3", system=system)
    brought = brought_by([shop.block("controls", form=form)])
    (asked,) = brought_prompts(brought, encoder, "tuned", (1,))
    return asked


@pytest.mark.parametrize("form", ["text", "chat"])
def test_asked_without_the_recipe_s_system_text(shop, form):
    asked = prompts_of(shop, SYSTEM, form)

    assert asked.prompts == prompts_of(shop, None, form).prompts
    assert len(asked.prompts) == 80
    assert asked.settings["system"] is None
    assert asked.decoding.max_new_tokens == MAX_NEW_TOKENS


def test_as_text_two_solved_questions_of_the_same_kind_stand_before_each(shop):
    (brought,) = brought_by([shop.block("controls", sample=16)])

    text = brought.texts["arithmetic-en-01"]

    assert text == (
        "Question: What is 6 + 5?\nWrite only the answer.\nAnswer: 11\n\n"
        "Question: How many seconds are there in 2 minutes?\nWrite only the answer.\n"
        "Answer: 120\n\n"
        "Question: What is 2 + 3?\nWrite only the answer.\nAnswer:"
    )


def test_as_chat_the_template_holds_the_question_alone(shop):
    first = ASKED[0].example

    asked = prompts_of(shop, None, "chat")

    assert asked.prompts[first.id] == tiny_encoder("gemma3").prompt_ids(first.prompt)
    assert asked.decoding.stop_strings == ()


def test_a_run_asks_every_model_but_the_one_shown_examples(tiny_base, tmp_path):
    recipe = lay_out(
        tmp_path / "tiny",
        tiny_base,
        exports=[],
        evals=[{"kind": "exact-match"}, {"kind": "controls", "sample": 16}],
        encode={"max_seq_len": 64, "system": "答"},
        gates=[{"metric": "controls", "part": "controls", "max_drop_pp": 100}],
    )

    outcome = recipe.train("--until", "evaluate")

    assert outcome.code == 0, outcome.err
    report = json.loads(recipe.run.file("evals", "report.json").read_text(encoding="utf-8"))
    scored = {s["column"]: s["n"] for s in report["scores"] if s["metric"] == "controls"}
    assert scored == {"base": 16, "tuned": 16}
    columns = {column["name"]: column for column in report["columns"]}
    assert columns["base"]["asked_unlike_tuned"] == []
    assert columns["base"]["settings"]["brought"] == columns["tuned"]["settings"]["brought"]
    answers = recipe.run.file("evals", "answers", "tuned.controls.jsonl")
    assert answers.read_text(encoding="utf-8").count('"item_id"') == 16
