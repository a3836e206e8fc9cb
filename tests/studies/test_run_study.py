"""A study runs every arm with every seed, goes on where it stopped, and is then compared."""

import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from foundry.core import shipped
from foundry.core.environment import cores
from foundry.core.errors import DataError, RecipeError
from foundry.core.load import load_recipe
from foundry.core.rundir import RunDir
from foundry.core.study import LoadedStudy, StudyArm, load_study, read_outline
from foundry.planning.plan import settle as settled_plan
from foundry.stages.walk import stage_inputs
from foundry.store.runs import Run, find
from foundry.store.share import share
from foundry.studies.answers import take_answers
from foundry.studies.crew import Crew, shares
from foundry.studies.launch import Launch, launch
from foundry.studies.run import run_study
from foundry.studies.settle import _steps, _too_many, length, settle
from tests.evals.arms.made import Made, finish, items, make_run, right
from tests.tiny_recipe import Outcome, TinyRecipe, call

ACCEPTED = ("unknown",)
STUDY = """
schema_version: 1
name: tiny-study
title: {zh-TW: 小, en: Tiny}
recipe: recipe.yaml
seeds: [0]
budget: {steps: 8}
set: {exports: []}
arms:
  - {name: small, set: {encode: {max_seq_len: 8}}}
  - {name: smaller, set: {encode: {max_seq_len: 8}, adapter: {kind: lora, rank: 2}}}
"""


def study(recipe: TinyRecipe, text: str = STUDY) -> LoadedStudy:
    """A study beside the tiny recipe."""
    file = recipe.folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    return load_study(file)


def ignore(_line: str) -> None:
    """Nobody listens."""


@pytest.mark.parametrize("name", shipped.study_names())
def test_every_arm_of_a_shipped_study_loads_and_sees_the_same_rows(name: str):
    loaded = load_study(name)

    found = [
        load_recipe(loaded.recipe_of(arm), loaded.overrides(arm, seed)).recipe
        for arm in loaded.study.arms
        for seed in loaded.study.seeds
    ]
    assert len({recipe.model_copy(update={"seed": 0}).adapter.kind for recipe in found}) > 1
    assert len({recipe.data.model_dump_json() for recipe in found}) == 1
    assert len({recipe.train.spec.model_dump()["global_batch_size"] for recipe in found}) == 1


ARMS = [
    pytest.param(loaded, arm, id=f"{loaded.study.name}-{arm.name}")
    for loaded in map(load_study, shipped.study_names())
    for arm in loaded.study.arms
]


@pytest.mark.slow
@pytest.mark.parametrize(("loaded", "arm"), ARMS)
def test_every_arm_of_a_shipped_study_can_be_trained_here(loaded: LoadedStudy, arm: StudyArm):
    assert loaded.study.budget is not None
    steps = int(loaded.study.budget.amount)
    sets = [*loaded.overrides(arm, 0), *length(steps)]
    options = [word for text in sets for word in ("--set", text)]

    outcome = call(
        *("train", loaded.recipe_of(arm), *options, "--dry-run", "--json"),
        *("--accept-terms", "gemma"),
    )

    assert outcome.code == 0, outcome.err
    found = outcome.document
    assert found["values"]["train"]["max_steps"] == steps
    assert found["values"]["adapter"]["kind"] == arm.set["adapter"]["kind"]
    assert found["values"]["exports"] == []


def test_every_mistake_of_a_study_is_named_by_line(tmp_path: Path):
    file = tmp_path / "bad.yaml"
    file.write_text(
        "schema_version: 1\nname: X\nbudget: {steps: 1, tokens: 3}\nrecipe: r\nseeds: []\n"
        "arms: [{name: a, sett: {}}]\ntitle: {zh-TW: 小, en: Small}\n",
        encoding="utf-8",
    )

    with pytest.raises(RecipeError) as error:
        load_study(file)

    found = [problem.where.removeprefix(f"{file}:") for problem in error.value.problems]
    assert found == ["2:1: name", "5:1: seeds", "3:1: budget", "6:18: arms.0.sett"]
    assert "rename it to `set`" in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("rank: 2}", "rank: 2}, seed: 3", "decides the seed"),
        ("rank: 2}", "rank: 2}, train: {max_steps: 9}", "`train.max_steps` is decided by the"),
        ("rank: 2}", "rank: 2}, train.epochs: 1", "`train.epochs` is decided by the budget"),
        ("name: smaller", "name: small", "two arms have one name"),
        ("seeds: [0]", "seeds: [0, 0]", "a seed is named twice"),
    ],
)
def test_study_that_contradicts_itself_is_refused(recipe: TinyRecipe, old, new, said):
    with pytest.raises(RecipeError, match=said):
        study(recipe, STUDY.replace(old, new))


def test_refused_arm_is_named_and_the_others_are_tried(recipe: TinyRecipe, tmp_path: Path):
    told = list[str]()

    with pytest.raises(DataError) as error:
        run_study(study(recipe), tmp_path / "out", accepted_terms=ACCEPTED, crew=Crew(told.append))

    assert [p.where for p in error.value.problems] == ["small, seed 0", "smaller, seed 0"]
    failed = "{}: failed; the others go on"
    assert told == [
        *("small, seed 0 (1/2)", failed.format("small, seed 0")),
        *("smaller, seed 0 (2/2)", failed.format("smaller, seed 0")),
    ]
    assert read_outline(tmp_path / "out").runs == {"small": {0: None}, "smaller": {0: None}}
    outcome = call("compare", "--study", str(tmp_path / "out"))
    assert (outcome.code, "small, seed 0: it has not been run yet" in outcome.err) == (1, True)
    changed = study(recipe, STUDY.replace("steps: 8", "steps: 9"))
    with pytest.raises(RecipeError, match="another study lies in this folder"):
        run_study(changed, tmp_path / "out", accepted_terms=ACCEPTED, crew=Crew(ignore))


@pytest.fixture
def encoded(recipe: TinyRecipe) -> TinyRecipe:
    """The tiny recipe with one run that has come to its encoded rows."""
    assert recipe.train("--until", "encode").code == 0
    return recipe


def shared(recipe: TinyRecipe, *overrides: str) -> tuple[RunDir, list[str]]:
    """A run that takes over what those that were begun have, and which stages that was."""
    plan = settled_plan(load_recipe(recipe.file, overrides), ACCEPTED)
    run, donors = RunDir(recipe.runs / plan.run_name), [one.dir for one in find(recipe.runs)]
    taken = share(run, plan, donors, lambda stage: stage_inputs(plan, run, stage))
    return run, taken


def test_rows_prepared_for_another_arm_are_taken_over_and_not_made_again(encoded: TinyRecipe):
    run, taken = shared(encoded, "adapter.rank=4", "seed=1")

    assert taken == ["data", "encode"]
    options = ["--until", "encode", "--set", "adapter.rank=4", "--set", "seed=1"]
    outcome = call(*encoded.arguments(*options))
    skipped = [e["stage"] for e in Run(run).events if e["event"] == "skipped"]
    assert (outcome.code, skipped) == (0, ["data", "encode"])


@pytest.mark.parametrize(
    ("override", "stages"),
    [("encode.max_seq_len=48", ["data"]), ("data.split.test=0.3", [])],
)
def test_rows_made_from_something_else_are_not_taken_over(encoded: TinyRecipe, override, stages):
    assert shared(encoded, override)[1] == stages


def test_planted_rows_of_another_seed_are_not_taken_over(recipe: TinyRecipe):
    planting = "evals=[{kind: canaries, count: 1, repeats: 1}]"
    assert recipe.train("--until", "data", "--set", planting).code == 0

    assert shared(recipe, planting, "adapter.rank=4")[1] == ["data"]
    assert shared(recipe, planting, "seed=1")[1] == []
    assert shared(recipe, "adapter.rank=2")[1] == []


def test_rows_are_prepared_once_for_runs_that_begin_together(recipe: TinyRecipe):
    crew = Crew(ignore, places=shares(2))
    made = [
        Launch(str(recipe.file), (f"adapter.rank={rank}",), recipe.runs, "encode", ACCEPTED)
        for rank in (2, 4)
    ]

    with ThreadPoolExecutor(2) as pool:
        begun = zip(made, crew.places, strict=True)
        found = [pool.submit(launch, one, "", crew, place) for one, place in begun]
        runs = [one.result() for one in found]

    told = [[e["event"] for e in run.events if e["stage"] == "encode"] for run in runs]
    assert sorted(events.count("begin") for events in told) == [0, 1]
    assert runs[0].name != runs[1].name
    assert runs[0].stamps["encode"]["outputs"] == runs[1].stamps["encode"]["outputs"]


def test_runs_on_one_processor_have_a_share_of_its_cores_each():
    assert shares(1) == ({"OMP_NUM_THREADS": str(cores()), "FOUNDRY_MACHINE_SHARE": "1.000000"},)
    seen = "import os, sys; sys.exit(int(os.environ['OMP_NUM_THREADS']))"
    (place,) = shares(1)
    assert Crew(ignore).call([sys.executable, "-c", seen], place) == cores()

    with pytest.raises(RecipeError) as error:
        shares(cores() + 1)
    (problem,) = error.value.problems
    assert (problem.where, problem.fix) == ("--at-once", f"--at-once {cores()}")
    both = call("study", "run", "adapters-shop", "--parallel", "--at-once", "1")
    assert both.code == 2 and "leave out one of the two" in both.err, both


def test_wrong_arm_is_refused_before_any_is_trained(recipe: TinyRecipe, tmp_path: Path):
    text = STUDY.replace("kind: lora, rank: 2", "kind: lora, rank: 0")

    with pytest.raises(RecipeError) as error:
        run_study(study(recipe, text), tmp_path / "out", accepted_terms=ACCEPTED, crew=Crew(ignore))

    (problem,) = error.value.problems
    assert problem.where.startswith("smaller: --set adapter")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("words", ["train: 5", "train: [max_steps]", "train: words"])
def test_block_that_is_no_block_is_a_mistake_of_the_study(recipe: TinyRecipe, words, tmp_path):
    loaded = study(recipe, STUDY.replace("rank: 2}", f"rank: 2}}, {words}"))

    with pytest.raises(RecipeError, match="smaller: "):
        run_study(loaded, tmp_path / "out", accepted_terms=ACCEPTED, crew=Crew(ignore))


def test_study_does_not_go_on_with_a_recipe_that_was_changed(recipe: TinyRecipe, tmp_path: Path):
    crew, out = Crew(ignore), tmp_path / "out"
    with pytest.raises(DataError):  # rows of more than eight tokens: nothing is trained
        run_study(study(recipe), out, accepted_terms=ACCEPTED, crew=crew)
    values = json.loads(recipe.file.read_text(encoding="utf-8"))
    values["train"]["learning_rate"] = 0.5
    recipe.file.write_text(json.dumps(values), encoding="utf-8")

    with pytest.raises(RecipeError, match="was changed since it began here"):
        run_study(study(recipe), out, accepted_terms=ACCEPTED, crew=crew)


def test_trial_is_trained_where_the_arms_are(recipe: TinyRecipe, tmp_path: Path):
    text = STUDY.replace("{steps: 8}", "{seconds: 1}").replace("max_seq_len: 8", "max_seq_len: 64")
    loaded, places = study(recipe, text), shares(2) if cores() > 1 else shares(1)

    settle(loaded, tmp_path, ACCEPTED, Crew(ignore, places=places))

    (trial, _other) = find(tmp_path / "trials")
    assert trial.environment["settings"]["OMP_NUM_THREADS"] == places[0]["OMP_NUM_THREADS"]
    assert "FOUNDRY_MACHINE_SHARE" not in os.environ


def test_base_answers_are_taken_from_a_run_that_asked_the_same(
    whole_run: tuple[TinyRecipe, Outcome], finished: TinyRecipe
):
    def taken(*overrides: str) -> list[str]:
        plan = settled_plan(load_recipe(whole_run[0].file, overrides), ACCEPTED)
        return take_answers(RunDir(finished.folder / plan.run_name), plan, [finished.run])

    files = [f"evals/answers/{name}.jsonl" for name in ("base", "base-few-shot")]
    assert sorted(taken("adapter.rank=4", "seed=1")) == sorted(files)
    assert taken("evaluation.max_new_tokens=8") == []
    assert taken("encode.system=短。") == []
    with finished.run.file(files[0]).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert taken("adapter.rank=2") == files[1:]


def test_damaged_rows_are_not_taken_over(encoded: TinyRecipe):
    with encoded.run.file("data", "train.jsonl").open("ab") as file:
        file.write(b"{}\n")

    assert shared(encoded, "adapter.rank=4")[1] == []


def trial(tmp_path: Path) -> Run:
    """A trial of 3 steps of 8 rows, 300 tokens at 50 a second, that trained 5000 numbers."""
    run = make_run(tmp_path, "trial-1", right(1.0, 0), Made(), items(2))
    finish(run, "encode", {"tokens": 1000, "rows": 100})
    run.file("events.jsonl").write_text('{"tokens_per_s": 50.0}\n', encoding="utf-8")
    return Run(run)


@pytest.mark.parametrize(
    ("kind", "amount", "steps"),
    [("tokens", 8000, 100), ("tokens", 1, 1), ("seconds", 60.0, 30), ("seconds", 0.1, 1)],
)
def test_budget_becomes_steps_by_what_the_trial_measured(tmp_path: Path, kind, amount, steps):
    # 10 tokens a row and 8 rows a step; 300 tokens at 50 a second are 2 seconds a step.
    assert _steps(trial(tmp_path), kind, amount) == steps


@pytest.mark.parametrize("kind", ["pretrain", "grpo"])
def test_tokens_of_a_step_are_counted_where_it_is_not_so_many_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
):
    made, value = trial(tmp_path), Run.value

    def other(run: Run, *keys: str) -> object:
        return kind if keys == ("train", "kind") else value(run, *keys)

    monkeypatch.setattr(Run, "value", other)

    assert _steps(made, "tokens", 8000) == 80  # 300 tokens in 3 steps


def test_arm_that_trains_too_much_is_told_its_rank(tmp_path: Path, recipe: TinyRecipe):
    arm, found = study(recipe).study.arms[0], trial(tmp_path)

    assert _too_many(arm, found, 5100) == []
    (problem,) = _too_many(arm, found, 10_000)
    assert (problem.where, problem.fix) == ("small", "set `adapter.rank` to about 16 for it")


@pytest.mark.slow
def test_first_study_walks_goes_on_after_a_stop_and_is_compared(recipe: TinyRecipe, tmp_path: Path):
    text = load_study("adapters-shop").text
    for old, new in [
        ("recipe: retail/customer-service", "recipe: recipe.yaml"),
        ("seeds: [0, 1, 2]", "seeds: [0]"),
        ("steps: 50", "steps: 8"),
    ]:
        assert old in text
        text = text.replace(old, new)
    loaded, out, told = study(recipe, text), tmp_path / "out", list[str]()

    def stop(line: str) -> None:
        told.append(line)
        if line.startswith("qlora"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_study(loaded, out, accepted_terms=ACCEPTED, crew=Crew(stop))
    before = {run.name: run.dir.file("stamps", "train.json").stat() for run in find(out / "runs")}
    outline = run_study(loaded, out, accepted_terms=ACCEPTED, crew=Crew(ignore))

    assert told == ["lora, seed 0 (1/4)", "rslora, seed 0 (2/4)", "qlora, seed 0 (3/4)"]
    runs = {arm: Run(RunDir(out / "runs" / str(named[0]))) for arm, named in outline.runs.items()}
    assert {run.value("adapter", "kind") for run in runs.values()} == set(runs)
    assert {run.result("train")["steps"] for run in runs.values()} == {8}
    for name, stat in before.items():
        again = out / "runs" / name / "stamps" / "train.json"
        assert again.stat().st_mtime_ns == stat.st_mtime_ns
    skipped = {
        arm: [e["stage"] for e in run.events if e["event"] == "skipped"]
        for arm, run in runs.items()
    }
    assert skipped == {"lora": [], **{arm: ["data", "encode"] for arm in list(runs)[1:]}}
    found = call("compare", "--study", str(out), "--json")
    assert (found.code, found.document["unequal"]) == (0, [])
    assert [arm["name"] for arm in found.document["arms"]] == ["lora", "rslora", "qlora", "full"]
    assert found.out == call("compare", "--study", str(out), "--json").out
