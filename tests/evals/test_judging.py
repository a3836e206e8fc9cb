"""A judge compares two columns in both orders; a biased, silent or dead judge is told as such."""

import json
from pathlib import Path

import pytest

from foundry.core.errors import DataError, RecipeError, ResourceError
from foundry.core.load import load_recipe
from foundry.evals.answers import Item
from foundry.evals.compare import Evidence, Measures, build_report
from foundry.evals.comparison import Roles
from foundry.evals.endpoint import LONGEST_WAIT_S, TRIES, waiting
from foundry.evals.evaluators.judge import COMPANIONS, agreement
from foundry.evals.judge_prompt import choice
from foundry.evals.judging import judged
from foundry.evals.report.html import write_report
from foundry.planning.refusals import check_judge
from tests.evals.conftest import Shop
from tests.evals.judge_server import always_first, fair, rambling, serving
from tests.tiny_recipe import lay_out

KEY = "sk-stand-in-0123456789abcdef"
ROLES = Roles(base=("base",), tuned="tuned")


class Trial:
    """The shop's 52 questions: the tuned model has 30 of 40 facts right, the base 10."""

    def __init__(self, shop: Shop, file: Path) -> None:
        self.shop, self.file, self.told = shop, file, []
        self.columns = [
            shop.column("base", shop.right(10)),
            shop.column("tuned", shop.right(30)),
        ]

    def judge(self, url: str, *, roles: Roles = ROLES, **spec):
        """The columns with judgements; answers to decline are equal in both."""
        evals = [self.shop.block("judge", base_url=url, model="stand-in", **spec)]
        made = judged(
            evals,
            self.shop.items,
            self.columns,
            roles=roles,
            file=self.file,
            on_verdict=lambda done, of: self.told.append((done, of)),
        )
        return evals, made

    def report(self, url: str, **spec):
        """The report on them, by the real scoring path."""
        evals, columns = self.judge(url, **spec)
        return build_report(
            self.shop.items,
            columns,
            measures=Measures(evals),
            roles=ROLES,
            evidence=Evidence({"en": "Shop", "zh-TW": "商店"}),
            seed=7,
        )

    def mean(self, report, metric: str, column: str = "tuned", part: str = "facts") -> float:
        """One score of a report."""
        return self.shop.score(report, column, metric, part)["mean"]


@pytest.fixture
def trial(shop: Shop, tmp_path: Path) -> Trial:
    return Trial(shop, tmp_path / "judge.jsonl")


def verdict(report, part: str = "facts") -> str:
    (found,) = [
        d["verdict"]
        for d in report["differences"]
        if (d["metric"], d["part"], d["kind"]) == ("judge", part, "tuned-base")
    ]
    return found


def test_a_fair_judge_prefers_the_better_model_by_exactly_what_is_better(trial: Trial):
    with serving(fair) as endpoint:
        report = trial.report(endpoint.url)

    assert trial.mean(report, "judge") == (20 + 0.5 * 20) / 40  # 20 of 40 won, the others level
    assert trial.mean(report, "judge", "base") == 0.5 * 20 / 40
    assert trial.mean(report, "judge", part="outside") == 0.5
    assert verdict(report) == "BETTER"
    assert trial.mean(report, "judge-consistency") == 1.0
    assert trial.mean(report, "judge-first") == 0.0
    assert trial.mean(report, "judge-found") == 1.0


def test_a_judge_that_takes_the_first_is_exposed_and_decides_nothing(trial: Trial):
    with serving(always_first) as endpoint:
        report = trial.report(endpoint.url)

    assert trial.mean(report, "judge") == trial.mean(report, "judge", "base") == 0.5
    assert verdict(report) == "NO DIFFERENCE"
    assert trial.mean(report, "judge-consistency") == 0.0
    assert trial.mean(report, "judge-first") == 1.0


@pytest.mark.parametrize("kinds", [("judge", "exact-match"), ("exact-match", "judge")])
def test_report_has_no_bar_for_a_column_that_was_not_judged(trial: Trial, kinds, tmp_path: Path):
    """Of four columns, as a recipe with exports has them, a judge is asked about two."""
    shop = trial.shop
    trial.columns[1:1] = [shop.column("base-few-shot", shop.right(10))]
    trial.columns.append(shop.column("delivered", shop.right(30)))
    roles = Roles(base=("base", "base-few-shot"), tuned="tuned", delivered=("delivered",))
    with serving(fair) as endpoint:
        judge, columns = trial.judge(endpoint.url, roles=roles)
    blocks = {"judge": judge[0], "exact-match": shop.block("exact-match")}

    report = build_report(
        shop.items,
        columns,
        measures=Measures([blocks[kind] for kind in kinds]),
        roles=roles,
        evidence=Evidence({"en": "Shop", "zh-TW": "商店"}),
        seed=7,
    )

    json_file, html_file = write_report(report, tmp_path / "evals")
    assert json_file.is_file() and "judge" in html_file.read_text(encoding="utf-8")
    assert trial.mean(report, "judge") > 0.5


def test_pairs_without_a_verdict_are_counted_and_not_scored(trial: Trial):
    with serving(lambda p: fair(p) if "商品1多少錢" not in p else rambling(p)) as endpoint:
        report = trial.report(endpoint.url)

    assert trial.shop.score(report, "tuned", "judge", "facts")["n"] == 39
    assert trial.mean(report, "judge-found") == 39 / 40


def test_each_pair_is_asked_in_both_orders_and_nobody_is_named(trial: Trial):
    with serving(fair) as endpoint:
        trial.judge(endpoint.url, parts=["facts"])

    first, second = (
        [p for p in endpoint.prompts if "商品20多少錢？" in p and f"<answer_{x}>\n售價120元" in p]
        for x in "ab"
    )
    # Equal answers are one prompt: 10 that both have right, 10 that both have wrong.
    assert len(first) == len(second) == 1
    assert len(endpoint.prompts) == 20 * 2 + 20
    assert trial.told[-1] == (60, 60)
    assert not any(word in p for p in endpoint.prompts for word in ("tuned", "base", "訓練"))
    assert {body["model"] for body in endpoint.bodies} == {"stand-in"}
    assert {body["temperature"] for body in endpoint.bodies} == {0}


def test_verdicts_that_are_there_are_not_asked_again(trial: Trial):
    with serving(fair) as endpoint:
        before = trial.judge(endpoint.url)[1]
        asked = len(endpoint.prompts)
        after = trial.judge(endpoint.url)[1]
        trial.judge(endpoint.url, criteria="politeness")

    assert before == after
    assert len(endpoint.prompts) == 2 * asked  # other criteria are other questions


def test_a_judging_that_broke_off_goes_on(trial: Trial):
    with serving(fair) as endpoint:
        whole = trial.judge(endpoint.url, parallel=1)[1]
        lines = trial.file.read_bytes().splitlines(keepends=True)
        trial.file.write_bytes(b"".join(lines[:7]) + lines[7][:9])
        endpoint.prompts.clear()

        again = trial.judge(endpoint.url, parallel=1)[1]

    assert again == whole
    assert len(endpoint.prompts) == len(lines) - 7


def test_without_a_judge_in_the_recipe_nothing_is_asked(trial: Trial):
    evals = [trial.shop.block("stop-rate")]

    same = judged(
        evals,
        trial.shop.items,
        trial.columns,
        roles=ROLES,
        file=trial.file,
        on_verdict=lambda *_: None,
    )

    assert same == trial.columns
    assert not trial.file.exists()


def test_an_endpoint_that_asks_to_wait_is_asked_again(trial: Trial):
    with serving(fair) as endpoint:
        endpoint.refusals += [(429, {"Retry-After": "0"}, "slow down"), (503, {}, "busy")]
        columns = trial.judge(endpoint.url, items=2, parallel=1)[1]

    assert sum(a.judgement is not None for a in columns[1].answers.values()) == 2
    assert not endpoint.refusals


def test_an_endpoint_that_goes_on_refusing_is_a_missing_resource(trial: Trial):
    with serving(fair) as endpoint:
        endpoint.refusals += [(429, {"Retry-After": "0"}, "slow down")] * TRIES
        with pytest.raises(ResourceError, match=r"429: slow down\)\n.*run it again later"):
            trial.judge(endpoint.url, items=1, parallel=1)


@pytest.mark.parametrize(
    ("asked", "attempt", "seconds"),
    [("3", 0, 3.0), (None, 0, 1.0), (None, 3, 8.0), ("9999", 0, LONGEST_WAIT_S), ("-1", 0, 0.0)],
)
def test_the_wait_is_what_the_endpoint_asks_for_else_doubles(asked, attempt, seconds):
    assert waiting(asked, attempt) == seconds


def test_a_date_to_wait_for_is_understood():
    assert waiting("Wed, 21 Oct 2015 07:28:00 GMT", 0) == 0.0
    assert waiting("soon", 1) == 2.0


def test_a_dead_endpoint_is_a_missing_resource_with_a_fix(trial: Trial):
    with serving(fair) as endpoint:
        url = endpoint.url

    with pytest.raises(ResourceError, match=r"nobody answers.*\n.*start the server") as found:
        trial.judge(url)

    assert found.value.exit_code == 3


def test_a_page_that_is_no_endpoint_is_told_as_such(trial: Trial):
    with serving(fair) as endpoint:
        endpoint.refusals.append((200, {}, "<html>hello</html>"))
        with pytest.raises(ResourceError, match=r"ends in `/v1`"):
            trial.judge(endpoint.url, items=1, parallel=1)
        with pytest.raises(ResourceError, match="404: no such page"):
            trial.judge(endpoint.url.removesuffix("/v1"), items=1, parallel=1)


def test_the_key_comes_from_the_environment_and_stands_nowhere(trial: Trial, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with serving(fair) as endpoint:
        report = trial.report(endpoint.url, key_env="JUDGE_KEY", items=3)
        endpoint.refusals.append((400, {}, f"bad request with {KEY}"))
        with pytest.raises(ResourceError) as found:
            trial.judge(endpoint.url, key_env="JUDGE_KEY", criteria="x", parallel=1)

    assert endpoint.keys == {f"Bearer {KEY}"}
    assert KEY not in json.dumps(report) + trial.file.read_text("utf-8") + str(found.value)
    assert "***" in str(found.value)


def test_a_refused_key_and_a_missing_one_name_the_variable(trial: Trial, monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with serving(fair) as endpoint:
        with pytest.raises(ResourceError, match=r"JUDGE_KEY holds no key\n.*export JUDGE_KEY"):
            trial.judge(endpoint.url, key_env="JUDGE_KEY")
        endpoint.refusals.append((401, {}, "who are you"))
        with pytest.raises(ResourceError, match=r"refuses the key \(401\)\n.*`key_env`"):
            trial.judge(endpoint.url, items=1, parallel=1)


def test_offline_forbids_what_leaves_the_machine(trial: Trial, monkeypatch):
    monkeypatch.setenv("FOUNDRY_OFFLINE", "1")

    with pytest.raises(ResourceError, match="forbids any connection"):
        trial.judge("https://judge.example/v1")
    with serving(fair) as endpoint:
        trial.judge(endpoint.url, items=1)  # this machine's own is no leaving


@pytest.mark.parametrize("url", ["https://me:word@judge.example/v1", "https://x.example/v1?key=1"])
def test_a_secret_in_the_address_is_refused(shop: Shop, url: str):
    with pytest.raises(ValueError, match="holds a user name, a password or a query"):
        shop.block("judge", base_url=url, model="m")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("because\nVERDICT: A", "A"),
        ("**VERDICT: B**", "B"),
        ("verdict: tie.", "TIE"),
        ("VERDICT: A? No.\nVERDICT: B", "B"),
        ("VERDICT: Apple", None),
        ("A", None),
        ("", None),
    ],
)
def test_a_verdict_is_the_last_line_that_gives_one(text, found):
    assert choice(text) == found


def with_people(shop: Shop) -> list[Item]:
    """Ten questions whose rows bring a pair; people err on two of them, and say nothing of one."""
    made = []
    for n, item in enumerate(shop.facts[:11]):
        right, wrong = item.example.answer, "不知道。"
        pair = {"甲": right, "乙": wrong} if n % 2 else {"甲": wrong, "乙": right}
        better = "first" if n % 2 else "second"
        if n < 2:
            better = "second" if n % 2 else "first"
        fields = {**pair, "較好": "" if n == 10 else better}
        example = shop.example(item.example.id, f"商品{n}多少錢？", right, **fields)
        made.append(Item(example, "facts"))
    return made


PEOPLE = {"first": "甲", "second": "乙", "better": "較好"}


def test_agreement_with_people_is_measured_on_pairs_that_rows_bring(trial: Trial):
    trial.shop.items = with_people(trial.shop)
    with serving(fair) as endpoint:
        report = trial.report(endpoint.url, people=PEOPLE)

    found = trial.shop.score(report, "tuned", "judge-agreement", "facts")
    assert (found["mean"], found["n"]) == (0.8, 10)
    assert found["low"] < 0.8 < found["high"]
    (table,) = [t for t in report["tables"] if t["name"] == "agreement"]
    assert "80%" in table["explain"]["en"] and "kappa 0.60" in table["explain"]["en"]
    assert [row[1:] for row in table["rows"]] == [[4, 0, 1], [0, 0, 0], [1, 0, 4]]


def test_a_label_that_nobody_defined_is_refused_with_its_line(trial: Trial):
    item = trial.shop.item(0)
    fields = {"甲": "a", "乙": "b", "較好": "A"}
    trial.shop.items = [Item(trial.shop.example("item00", "問", "答", **fields), "facts")]

    with pytest.raises(DataError, match=r"shop\.csv:2: column `較好` is `A`, which is none of"):
        trial.judge("http://127.0.0.1:9/v1", people=PEOPLE)
    assert item.part == "facts"


@pytest.mark.parametrize(
    ("pairs", "found"),
    [
        ([("win", "win")] * 5 + [("loss", "loss")] * 5, (1.0, 1.0)),
        ([("win", "loss")] * 5 + [("loss", "win")] * 5, (0.0, -1.0)),
        ([("win", "win")] * 4, (1.0, 0.0)),  # who always says the same shows nothing
        # Cohen's own kind of table: 20, 5, 10, 15 -> p 0.7, e 0.5
        (
            [("win", "win")] * 20
            + [("win", "loss")] * 5
            + [("loss", "win")] * 10
            + [("loss", "loss")] * 15,
            (0.7, 0.4),
        ),
    ],
)
def test_kappa_is_agreement_beyond_chance(pairs, found):
    assert agreement(pairs) == pytest.approx(found)


JUDGE = {"kind": "judge", "base_url": "http://127.0.0.1:9/v1", "model": "m"}


def recipe(tmp_path: Path, tiny_llama: Path, judge, *gates):
    evals = [judge, {"kind": "exact-match"}]
    return load_recipe(str(lay_out(tmp_path / "r", tiny_llama, evals=evals, gates=[*gates]).file))


def test_a_judge_nobody_checked_may_not_be_the_only_gate(tmp_path: Path, tiny_llama: Path):
    alone = recipe(tmp_path, tiny_llama, JUDGE, {"metric": "judge", "min": 0.5})

    with pytest.raises(RecipeError, match=r"only a judge.*\n.*`people`"):
        check_judge(alone)


@pytest.mark.parametrize("is_checked", [True, False])
def test_a_judge_beside_another_gate_or_checked_by_people_is_allowed(
    tmp_path: Path, tiny_llama: Path, is_checked: bool
):
    judge = {**JUDGE, "people": PEOPLE} if is_checked else JUDGE
    gates = [{"metric": "judge", "min": 0.5}, {"metric": "exact-match", "min": 0.1}]

    check_judge(recipe(tmp_path, tiny_llama, judge, *gates[: 1 if is_checked else 2]))


def test_a_judge_that_always_takes_the_second_is_as_unfair_as_one_that_takes_the_first():
    (bias,) = (one for one in COMPANIONS if one.name == "judge-first")

    assert bias.statistic({"second": 8.0}) == bias.statistic({"first": 8.0}) == 1.0
    assert bias.statistic({"first": 5.0, "second": 3.0}) == 0.25
    assert bias.statistic({}) == 0.0
