"""`foundry compare` over finished runs: what is found, what is refused, and what is said of it."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import DataError, ProofError, RecipeError, ResourceError
from foundry.core.study import Outline, write_outline
from foundry.data.canaries import Canaries, canary_rows
from foundry.evals.arms import contest, entry, fairness
from foundry.evals.arms.contest import Question, compare_runs, compare_study
from foundry.evals.arms.page import render
from foundry.evals.multiplicity import holm
from foundry.store.runs import Run
from tests.cases import case, change
from tests.evals.arms.made import Made, items, make_run, right
from tests.tiny_recipe import call

FULL = {"adapter": {"kind": "full"}}
FEW = items(24)


def few(runs: Path, name: str, share: float = 0.8, draw: int = 0, **special: Any) -> Run:
    """A run asked 24 questions."""
    return Run(make_run(runs, name, right(share, draw), Made(**special), FEW))


def difference(found: dict[str, Any], metric: str = "exact-match") -> dict[str, Any]:
    """The one difference by a metric."""
    (one,) = [d for d in found["differences"] if (d["metric"], d["part"]) == (metric, "test")]
    return dict(one)


def compare(runs: Path, *names: str) -> dict[str, Any]:
    """What `foundry compare --json` prints."""
    outcome = call("compare", *names, "--runs", str(runs), "--json")
    assert outcome.code == 0, outcome
    return outcome.document


def test_two_identical_adapters_show_no_difference(tmp_path: Path):
    for name in ("a-1", "b-2"):
        few(tmp_path, name)

    found = difference(compare(tmp_path, "a-1", "b-2"))

    assert (found["mean"], found["p_value"], found["ties"]) == (0.0, 1.0, 24)
    assert (found["won"], found["lost"], found["verdict"]) == ([], [], "NO DIFFERENCE")


def test_thirty_of_200_answers_spoilt_are_found(tmp_path: Path):
    asked, good = items(200), right(0.8, 0)
    spoilt = {i.example.id for i in random.Random(1).sample(asked, 30)}
    make_run(tmp_path, "good-1", good, asked=asked)
    make_run(
        tmp_path, "noisy-2", lambda i: "嗯" if i.example.id in spoilt else good(i), asked=asked
    )

    found = difference(compare(tmp_path, "good-1", "noisy-2"))

    hit = [i.example.id for i in asked if i.example.id in spoilt and good(i) == i.example.answer]
    assert found["verdict"] == "BETTER" and found["p_value"] < 0.001
    assert (found["won"], found["lost"], found["ties"]) == (hit, [], 200 - len(hit))
    assert found["mean"] == len(hit) / 200
    assert found["low"] > 0
    assert f"{found['mean']:.1%}"[:-1] + " points higher" in found["sentence"]["en"]
    assert "高" in found["sentence"]["zh-TW"] and "進步" not in found["sentence"]["zh-TW"]


def test_runs_that_differ_in_the_seed_only_are_one_arm(tmp_path: Path):
    for seed in (1, 0):
        few(tmp_path, f"lora-{seed}", draw=seed, seed=seed)
        few(tmp_path, f"full-{seed}", draw=5 + seed, seed=seed, values=FULL)

    found = compare(tmp_path, "lora-1", "full-1", "full-0", "lora-0")

    arms = {arm["name"]: (arm["seeds"], arm["runs"]) for arm in found["arms"]}
    assert arms == {
        "lora-0": ([0, 1], ["lora-0", "lora-1"]),
        "full-0": ([0, 1], ["full-0", "full-1"]),
    }
    assert found["differ"]["recipe"]["adapter.kind"] == {"lora-0": "lora", "full-0": "full"}
    score = next(s for s in found["scores"] if s["arm"] == "lora-0")
    each = [r["scores"]["exact-match/test"] for r in found["runs"] if r["arm"] == "lora-0"]
    assert [score["seed_low"], score["seed_high"]] == sorted(each)


# C28
@case(
    "C28",
    {
        "nobody looks": change(contest, "check_alike", lambda arms: None),
        "settings are not compared": change(fairness, "differing", lambda a, b: []),
    },
)
@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"template_sha256": "bb"}, "template_sha256"),
        ({"bos_count": 2, "system": "You sell fans."}, "system, bos_count"),
    ],
)
def test_runs_that_were_asked_otherwise_are_refused(tmp_path: Path, settings, named):
    runs = [few(tmp_path, "a-1"), few(tmp_path, "b-2", settings=settings)]

    with pytest.raises(ProofError, match=f"b-2: asked otherwise than a-1: {named} differ"):
        compare_runs(runs, Question(allow_unequal=True))


# C27: what was tested is the same file, by its hash
@case("C27", {"nobody looks": change(contest, "check_alike", lambda arms: None)})
def test_another_test_is_refused_by_the_name_of_its_part(tmp_path: Path):
    a = few(tmp_path, "a-1")
    b = Run(make_run(tmp_path, "b-2", right(0.8, 0), asked=items(22)))

    with pytest.raises(ProofError) as error:
        compare_runs([a, b], Question(allow_unequal=True))

    assert str(error.value).startswith("b-2: the test part `test` does not hold the same items")


UNEQUAL = {
    "other rows": ({"train_sha256": "ff"}, "`data.train` is ff and dd"),
    "other order": ({"tokens": (100, 200, 300)}, "`tokens at step 2` is 200 and 210"),
    "other seed": ({"seed": 1, "values": FULL}, "other seeds than a-1: [1] and [0]"),
    "fewer steps": ({"tokens": (100, 210)}, "another budget than a-1: 210 and 300 tokens"),
}


@pytest.mark.parametrize(("special", "said"), UNEQUAL.values(), ids=UNEQUAL)
def test_unequal_treatment_is_refused_or_said(tmp_path: Path, special, said):
    runs = [few(tmp_path, "a-1"), few(tmp_path, "b-2", **special)]

    with pytest.raises(ProofError) as error:
        compare_runs(runs, Question())
    shown = call("compare", "a-1", "b-2", "--runs", str(tmp_path), "--allow-unequal")

    assert said in str(error.value) and "--allow-unequal" in str(error.value)
    assert any(line.startswith("≠ b-2: ") and said in line for line in shown.out.splitlines())


def test_budget_is_the_one_that_is_asked_for(tmp_path: Path):
    runs = [few(tmp_path, "a-1"), few(tmp_path, "b-2", parameters=9000)]

    compare_runs(runs, Question(budget="tokens"))
    with pytest.raises(ProofError, match="another budget than a-1: 9000 and 5000 trainable"):
        compare_runs(runs, Question(budget="trainable-parameters"))


def test_two_arms_on_either_side_of_the_first_are_found_apart(tmp_path: Path):
    names = {"a-1": 1000, "b-2": 1008, "c-3": 993}  # 1 % is let pass
    runs = [few(tmp_path, name, tokens=(100, total)) for name, total in names.items()]

    with pytest.raises(ProofError, match="b-2: another budget than c-3: 1008 and 993 tokens"):
        compare_runs(runs, Question(allow_unequal=False))


def test_rows_that_were_encoded_otherwise_are_said(tmp_path: Path):
    runs = [few(tmp_path, "a-1"), few(tmp_path, "b-2", encoding="ff", tokens=(90, 210, 300))]

    found = compare_runs(runs, Question())

    (said,) = found["unequal"]
    assert (said["what"], said["sentence"]) == (
        "encoding",
        "encoded otherwise than a-1: the order of the rows could not be compared",
    )
    assert "b-2 was encoded otherwise than a-1" in render(found)


def study_of(folder: Path, **last: Any) -> None:
    """A study of two arms with two seeds each; the last run may be special."""
    runs: dict[str, dict[int, str | None]] = {"lora": {}, "full": {}}
    for seed in (0, 1):
        few(folder / "runs", f"lora-{seed}", draw=seed, seed=seed)
        special = {"values": FULL, **(last if seed else {})}
        few(folder / "runs", f"full-{seed}", draw=seed + 2, seed=seed, **special)
        runs["lora"][seed], runs["full"][seed] = f"lora-{seed}", f"full-{seed}"
    write_outline(Outline("s", {"en": "s", "zh-TW": "s"}, "steps", {}, runs), folder)


def test_what_differs_with_the_second_seed_is_told(tmp_path: Path):
    study_of(tmp_path, python="3.12")

    found = compare_study(tmp_path, Question())

    assert found["differ"]["environment"] == {"python": {"lora": "3.11", "full": "3.12"}}


def test_run_of_another_recipe_is_no_seed_of_an_arm(tmp_path: Path):
    study_of(tmp_path, values={"adapter": {"kind": "full", "last_layers": 2}})

    with pytest.raises(ProofError, match="full, full-1: it differs from full-0, a run of the same"):
        compare_study(tmp_path, Question())


# C28: rescoring from the record reproduces the number
@case(
    "C28", {"the report is believed": change(entry, "_unlike_its_report", lambda entry: iter(()))}
)
def test_answers_that_do_not_give_the_reports_scores_are_refused(tmp_path: Path):
    runs = [few(tmp_path, "a-1", 1.0), few(tmp_path, "b-2", 1.0)]
    file = runs[1].dir.file("evals", "answers", "tuned.jsonl")
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("答3。", "答4。"), encoding="utf-8")

    with pytest.raises(DataError, match=r"give exact-match 0.958333 in test, its report says 1.0"):
        compare_runs(runs, Question())


def test_questions_that_an_evaluator_brings_are_compared_too(tmp_path: Path):
    evals = ({"kind": "exact-match"}, {"kind": "controls"})
    good = few(tmp_path, "a-1", 1.0, evals=evals)
    other = few(tmp_path, "b-2", 0.5, evals=evals)
    for run in (good, other):
        assert run.dir.file("evals", "answers", "tuned.controls.jsonl").is_file()

    found = compare_runs([good, other], Question())

    sizes = {(s["metric"], s["part"]): s["n"] for s in found["scores"]}
    assert sizes["exact-match", "test"] == 24
    assert sizes["controls", "controls"] >= 40


def test_training_rows_that_are_asked_again_are_compared_too(tmp_path: Path):
    planted = tuple(canary_rows(Canaries(count=8, repeats=1, seed=1), FEW[0].example))
    evals = [{"kind": "exact-match"}, {"kind": "canaries", "count": 8, "repeats": 1}]
    learned = Made(evals=evals, rows=planted)
    make_run(tmp_path, "safe-1", right(0.8, 0), learned, FEW)
    make_run(tmp_path, "leaky-2", lambda item: item.example.answer, learned, FEW)

    found = compare(tmp_path, "safe-1", "leaky-2")

    (one,) = [d for d in found["differences"] if d["metric"] == "canaries"]
    assert (one["n"], one["part"]) == (8, "canaries")
    assert one["mean"] > 0  # 0.8 of the secrets are given away against all of them


def test_every_run_that_is_not_finished_is_named(tmp_path: Path):
    runs = [few(tmp_path, name) for name in ("a-1", "b-2", "c-3")]
    for run in runs[1:]:
        run.dir.file("stamps", "evaluate.json").unlink()

    with pytest.raises(DataError) as error:
        compare_runs([Run(run.dir) for run in runs], Question())

    assert [p.where for p in error.value.problems] == ["b-2", "c-3"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "name either runs or a study"),
        (["a-1", "--study", "x"], "name either runs or a study"),
        (["a-1"], "only one arm"),
        (["a-1", "a-1"], "named twice"),
        (["a-1", "b-2", "--budget", "money"], "must be one of tokens, steps"),
        (["a-1", "b-2", "--metric", "bleu"], "use one of exact-match, stop-rate"),
    ],
)
def test_what_cannot_be_compared_ends_with_2(tmp_path: Path, words: list[str], said: str):
    for name in ("a-1", "b-2"):
        few(tmp_path, name)

    outcome = call("compare", *words, "--runs", str(tmp_path))

    assert (outcome.code, said in outcome.err) == (RecipeError.exit_code, True), outcome


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--study", "nowhere"], "not the folder of a study"),
        (["a-1", "c-3"], "no run of this name"),
    ],
)
def test_what_is_not_there_ends_with_3(tmp_path: Path, words: list[str], said: str):
    few(tmp_path, "a-1")

    outcome = call("compare", *words, "--runs", str(tmp_path))

    assert (outcome.code, said in outcome.err) == (ResourceError.exit_code, True), outcome


def test_tables_regenerate_byte_for_byte(tmp_path: Path):
    few(tmp_path, "a-1")
    few(tmp_path, "b-2", 0.5, 1, values=FULL, seconds=60.0)
    written = []
    for folder in ("first", "second"):
        out = tmp_path / folder
        call("compare", "a-1", "b-2", "--runs", str(tmp_path), "--out", str(out))
        written.append({path.name: path.read_bytes() for path in sorted(out.iterdir())})

    assert written[0] == written[1]
    names = ["arms", "differ", "differences", "items", "runs", "scores"]
    whole = ["comparison.html", "comparison.json"]
    assert list(written[0]) == sorted([*(f"{name}.csv" for name in names), *whole])
    head, *lines = written[0]["items.csv"].decode("utf-8-sig").splitlines()
    assert head == "item,part,group,metric,arm,score" and len(lines) == 24 * 2 * 2


def test_front_leaves_out_what_costs_more_and_is_no_better(tmp_path: Path):
    few(tmp_path, "cheap-1", 0.5)
    few(tmp_path, "good-2", 1.0, values=FULL, size_bytes=9000)
    few(tmp_path, "bad-3", 0.5, values={"adapter": {"kind": "qlora"}}, memory_bytes=1 << 31)

    found = compare(tmp_path, "cheap-1", "good-2", "bad-3")

    assert found["front"]["arms"] == ["cheap-1", "good-2"]


def test_a_study_is_compared_by_its_arms_once_all_of_it_was_run(tmp_path: Path):
    for seed in (0, 1):
        few(tmp_path / "runs", f"shop-{seed}", draw=seed, seed=seed)
        few(tmp_path / "runs", f"shop-{seed + 2}", draw=seed + 2, seed=seed, values=FULL)
    runs: dict[str, dict[int, str | None]] = {
        "lora": {0: "shop-0", 1: "shop-1"},
        "full": {0: "shop-2", 1: None},
    }
    title = {"en": "Which?", "zh-TW": "哪個？"}
    write_outline(Outline("adapters", title, "steps", {}, runs), tmp_path)
    with pytest.raises(DataError, match="full, seed 1: it has not been run yet"):
        compare_study(tmp_path, Question())
    runs["full"][1] = "shop-3"
    write_outline(Outline("adapters", title, "steps", {}, runs), tmp_path)

    found = compare_study(tmp_path, Question())

    assert (found["study"], found["budget"]["kind"]) == ("adapters", "steps")
    assert [(arm["name"], arm["seeds"]) for arm in found["arms"]] == [
        ("lora", [0, 1]),
        ("full", [0, 1]),
    ]
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize(
    ("p_values", "adjusted"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.5, 0.9], [1.0, 1.0]),
        ([0.02], [0.02]),
        ([], []),
    ],
)
def test_holm(p_values, adjusted):
    assert holm(p_values) == pytest.approx(adjusted)


@pytest.mark.parametrize("kind", ["reward", "sft"])
def test_pairs_that_no_reward_model_was_asked_are_no_questions(tmp_path: Path, kind: str):
    train, ranks = {"train": {"kind": kind, "global_batch_size": 8}}, {"a-1": 4, "b-2": 8}
    runs = [
        make_run(
            tmp_path, name, right(0.5, rank), Made(values={**train, "adapter": {"rank": rank}})
        )
        for name, rank in ranks.items()
    ]
    (left_out,) = items(1, "long")
    for run in runs:
        file = run.file("data", "test.jsonl")
        line = json.dumps(left_out.example.as_dict(), ensure_ascii=False)
        file.write_text(f"{file.read_text('utf-8')}{line}\n", encoding="utf-8")

    def compared() -> dict[str, Any]:
        return compare_runs([Run(run) for run in runs], Question(allow_unequal=True))

    if kind == "reward":
        assert {score["n"] for score in compared()["scores"]} == {200}
    else:
        with pytest.raises(DataError):
            compared()
