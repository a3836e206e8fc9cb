"""Gates: what holds, what does not, and the sentence that says so."""

from dataclasses import replace

import pytest

from foundry.core import plugins
from foundry.core.recipe import Gate
from foundry.data.canaries import Canaries, canary_rows
from foundry.evals.comparison import Roles
from foundry.evals.judgement import Judgement
from foundry.evals.metrics import metrics_of

ROLES = Roles(base=("base",), tuned="tuned")


@pytest.fixture
def judged(shop):
    def judge(*gates: Gate, base: int = 20, tuned: int = 30, delivered: int | None = None):
        columns = [shop.column("base", shop.right(base)), shop.column("tuned", shop.right(tuned))]
        roles = ROLES
        if delivered is not None:
            columns.append(shop.column("gguf", shop.right(delivered)))
            roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",))
        return shop.report(columns, roles=roles, gates=gates)

    return judge


def gate(metric: str = "required-facts", part: str | None = "facts", **bounds: float) -> Gate:
    return Gate.model_validate({"metric": metric, "part": part, **bounds})


@pytest.mark.parametrize(
    ("bounds", "passed"),
    [
        ({"min": 0.75}, True),
        ({"min": 0.76}, False),
        ({"min_gain": 0.3}, True),  # exactly the gain, by six groups of two
        ({"min_gain": 0.31}, False),
        ({"max_drop_pp": 0}, True),
    ],
)
def test_a_bound_holds_up_to_the_number_itself(judged, bounds, passed):
    (result,) = judged(gate(**bounds), base=18)["gates"]

    assert result["passed"] is passed


def test_the_last_bit_of_a_float_decides_nothing(judged):
    bound = 0.1 + 0.2  # 0.30000000000000004

    results = judged(gate(min_gain=bound, min=bound), base=0, tuned=12)["gates"]

    assert [result["passed"] for result in results] == [True, True]


@pytest.mark.parametrize(("drop", "passed"), [(2.5, True), (2.4, False)])
def test_a_drop_is_in_percentage_points_against_the_base(judged, drop, passed):
    report = judged(gate(max_drop_pp=drop), base=31)

    assert report["gates_passed"] is passed
    assert report["gates"][0]["found"] == -0.025


@pytest.mark.parametrize(("margin", "passed"), [(14, True), (13, False)])
def test_equal_scores_do_not_prove_that_nothing_was_lost(judged, margin, passed):
    (result,) = judged(gate(non_inferiority_pp=margin), base=30)["gates"]

    assert (result["passed"], result["found"]) == (passed, 0.0)
    assert result["low"] == pytest.approx(-0.1345, abs=1e-3)  # 20 groups: t 2.093 * sqrt(2) / 22
    assert "must be ruled out" in result["sentence"]["en"]
    assert ("Add test questions" in result["sentence"]["en"]) is not passed


def test_no_loss_is_ruled_out_by_too_few_groups(shop):
    shop.items = shop.facts[:8]  # four groups
    columns = [shop.column("base", shop.right(8)), shop.column("tuned", shop.right(8))]
    report = shop.report(columns, gates=[gate(non_inferiority_pp=99)], evals=[shop.required()])

    (result,) = report["gates"]
    assert result["passed"] is False
    assert "Only 4 groups" in result["sentence"]["en"]


def test_a_measured_drop_says_that_more_is_not_ruled_out(judged):
    kept, proven = judged(gate(max_drop_pp=2), gate(max_drop_pp=60), base=30)["gates"]

    assert (kept["passed"], proven["passed"]) == (True, True)
    assert "may be as low as −13.5" in kept["sentence"]["en"]
    assert "may be as low" not in proven["sentence"]["en"]


def test_a_gain_too_small_for_the_test_part_asks_for_more_questions(judged):
    (result,) = judged(gate(min_gain=0.05), base=28)["gates"]

    assert result["passed"] is False
    assert "40 questions in 20 groups are too few" in result["sentence"]["en"]


def test_a_gain_that_chance_explains_does_not_hold(judged):
    report = judged(gate(min_gain=0.01), base=29)

    (result,) = report["gates"]
    assert (result["found"], result["low"] <= 0, result["passed"]) == (0.025, True, False)


def test_a_gain_over_too_few_groups_does_not_hold_and_says_why(shop):
    shop.items = shop.facts[:8]  # four groups
    report = shop.report(
        [shop.column("base", shop.right(0)), shop.column("tuned", shop.right(8))],
        gates=[gate(min_gain=0.1)],
        evals=[shop.required()],
    )

    (result,) = report["gates"]
    assert (result["passed"], result["found"]) == (False, 1.0)
    assert "Only 4 groups" in result["sentence"]["en"]


def test_the_delivered_file_must_hold_the_gate_too(judged):
    (result,) = judged(gate(min=0.7), delivered=27)["gates"]

    assert (result["passed"], result["column"], result["found"]) == (False, "gguf", 0.675)


def test_a_gate_on_a_judge_looks_at_the_tuned_model_alone_and_says_so(shop):
    base, tuned, file = (shop.column(name, shop.right(30)) for name in ("base", "tuned", "gguf"))
    won = {k: replace(a, judgement=Judgement("win", "win")) for k, a in tuned.answers.items()}
    judge = shop.block("judge", base_url="http://127.0.0.1:9/v1", model="m")

    report = shop.report(
        [base, replace(tuned, answers=won), file],
        roles=Roles(base=("base",), tuned="tuned", delivered=("gguf",)),
        gates=[gate("judge", min=0.6), gate("judge-consistency", min=0.6), gate(min=0.8)],
        evals=[judge, shop.required(parts=["facts"])],
    )

    of_pairs, companion, facts = report["gates"]
    assert (of_pairs["passed"], of_pairs["column"]) == (True, "tuned")
    assert (companion["passed"], facts["passed"]) == (True, False)
    assert "the tuned model alone" in of_pairs["sentence"]["en"]
    assert "the tuned model alone" not in facts["sentence"]["en"]


def test_exposure_is_of_the_tuned_model_alone(shop):
    canaries = plugins.load("evaluator", "canaries")
    block, row = shop.block("canaries"), shop.example("a", "問", "答")
    asked = canaries.items_from(block.spec, list(canary_rows(Canaries(8, 2, 1), row)))

    alone = {metric.name: metric.of_tuned for metric in metrics_of([block], asked)}

    assert alone["canary-exposure"] and not alone["canaries"]


def test_a_gate_without_a_part_covers_every_part(judged):
    (result,) = judged(gate("stop-rate", None, min=0.95))["gates"]

    assert (result["passed"], result["found"]) == (True, 1.0)
    assert "all parts" in result["sentence"]["en"]


@pytest.mark.parametrize(("metric", "part"), [("exact-match", "facts"), ("declines", "facts")])
def test_a_gate_on_what_nobody_measured_does_not_hold(judged, metric, part):
    report = judged(gate(metric, part, min=0.0))

    (result,) = report["gates"]
    assert (result["passed"], result["found"]) == (False, None)
    assert "not measured" in result["sentence"]["en"]
    assert report["gates_passed"] is False


def test_each_bound_of_a_gate_is_judged(judged):
    results = judged(gate(min=0.5, min_gain=0.9, max_drop_pp=2))["gates"]

    assert [(r["gate"]["bound"], r["passed"]) for r in results] == [
        ("min", True),
        ("min_gain", False),
        ("max_drop_pp", True),
    ]


def test_sentences_name_part_metric_bound_and_what_was_found(judged):
    (result,) = judged(gate(min=0.8))["gates"]

    assert result["sentence"] == {
        "zh-TW": "「facts」的「答對」至少要 80%；tuned 模型是 75%。",
        "en": "Right answers, facts: at least 80% is required; tuned model: 75%.",
    }


@pytest.mark.parametrize(("most", "passed"), [(0.25, True), (0.24, False)])
def test_where_less_is_better_the_largest_score_is_bounded(shop, most, passed):
    declined = {item.example.id for item in [*shop.facts[:10], *shop.outside]}
    columns = [
        shop.column("base", shop.right(40)),
        shop.column("tuned", lambda item: shop.decline if item.example.id in declined else "好"),
    ]

    (result,) = shop.report(columns, gates=[gate("wrongly-declined", max=most)])["gates"]

    assert (result["passed"], result["found"]) == (passed, 0.25)
    assert f"at most {most:.0%} is allowed; tuned model: 25%" in result["sentence"]["en"]


def test_the_file_furthest_above_a_largest_score_is_told(shop):
    says = {
        name: lambda item, n=n: (
            shop.decline if item in [*shop.facts[:n], *shop.outside] else item.example.answer
        )
        for name, n in {"base": 0, "tuned": 4, "gguf": 8}.items()
    }
    columns = [shop.column(name, one) for name, one in says.items()]
    roles = Roles(base=("base",), tuned="tuned", delivered=("gguf",))

    (result,) = shop.report(columns, roles=roles, gates=[gate("wrongly-declined", max=0.15)])[
        "gates"
    ]

    assert (result["passed"], result["column"], result["found"]) == (False, "gguf", 0.2)
