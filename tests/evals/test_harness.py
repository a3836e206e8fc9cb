"""lm-eval's tasks asked through our runtimes: its own numbers, on disk, comparable or refused."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from foundry.core.errors import DataError, ProofError, RecipeError, ResourceError
from foundry.evals import harness
from foundry.evals.benchmark import Wanted
from foundry.evals.settings import check_peers
from foundry.evals.subjects import Subject, of_folder
from foundry.models.fetch import locate
from foundry.models.load import load_model
from foundry.models.tokenizer import load_tokenizer
from foundry.runtime.transformers import TransformersRuntime
from tests.cases import case, change
from tests.tiny_recipe import Outcome, call

pytest.importorskip("lm_eval", reason="lm-eval is an extra: pip install 'ai-foundry[lm-eval]'")

from foundry.evals import harness_model

COMMON = """
dataset_path: json
dataset_kwargs: {data_files: {train: rows.jsonl, test: rows.jsonl}}
training_split: train
test_split: test
fewshot_split: train
metadata: {version: 1.0}
"""
CHOICE = """task: shop_choice
output_type: multiple_choice
doc_to_text: "問題：{{question}}\\n答案："
doc_to_choice: choices
doc_to_target: answer
metric_list:
  - {metric: acc, aggregation: mean, higher_is_better: true}
  - {metric: acc_norm, aggregation: mean, higher_is_better: true}
"""
WRITTEN = """task: shop_written
output_type: generate_until
doc_to_text: "問題：{{question}}\\n答案："
doc_to_target: "{{choices[answer]}}"
generation_kwargs: {until: ["\\n", "元"], max_gen_toks: 12}
metric_list:
  - {metric: exact_match, aggregation: mean, higher_is_better: true}
"""
ROLLING = """task: shop_text
output_type: loglikelihood_rolling
doc_to_text: ""
doc_to_target: "{{question}}{{choices[0]}}，"
metric_list:
  - {metric: byte_perplexity, aggregation: weighted_perplexity, higher_is_better: false}
"""
TASKS = {"shop_choice": CHOICE, "shop_written": WRITTEN, "shop_text": ROLLING}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three tasks over eight questions."""
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    made = tmp_path / "tasks"
    made.mkdir()
    rows = [
        {
            "question": f"第{n}號電風扇保固多久？" + "謝謝。" * (n % 3),
            "choices": [f"{n}年", f"售價{n}00元", "三百元", "fan"],
            "answer": n % 4,
        }
        for n in range(8)
    ]
    lines = [json.dumps(row, ensure_ascii=False) for row in rows]
    (made / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    for name, text in TASKS.items():
        (made / f"{name}.yaml").write_text(text + COMMON, encoding="utf-8")
    return made


def subject(base: Path) -> Subject:
    return of_folder("m", locate(str(base), Path()))


def model(base: Path, file: Path, *, batch_size: int = 3, at_once: int = 32) -> Any:
    """A tiny model as lm-eval sees it, with its record in `file`."""
    asked = subject(base)
    record = harness_model.Record(file, "a")

    def load(longest: int) -> Any:
        return asked.opened(longest, batch_size)

    opened = harness_model.Opened(asked, record, load, lambda _d, _of: None, at_once)
    with asked.speaking() as speech:
        return harness_model.RuntimeLM(opened, speech)


def test_questions_about_one_text_are_one_group():
    first, second = ({"flores_passage": "甲文", "question": q} for q in ("一？", "二？"))
    other, alone = {"context": "乙文", "question": "一？"}, {"question": "一？"}

    groups = [harness._group(str(n), one) for n, one in enumerate((first, second, other, alone))]

    assert groups[0] == groups[1] != groups[2]
    assert groups[3] == "3"


def test_seconds_are_those_of_the_requests_of_this_run(tmp_path: Path):
    record = harness_model.Record(tmp_path / "a.jsonl", "a")
    record.add({"seconds": 2.0, "keys": ["a", "b"]})
    record.add({"seconds": 5.0, "keys": ["c"]})

    again = harness_model.Record(tmp_path / "a.jsonl", "a")

    assert [again.seconds_of(keys) for keys in ({"a"}, {"b", "c"}, {"d"})] == [2.0, 7.0, 0]


def of_lm_eval(base: Path) -> Any:
    """The same model as lm-eval's own `hf`, in batches of one."""
    from lm_eval.models.huggingface import HFLM

    known = locate(str(base), Path())
    live, tokenizer = load_model(known), load_tokenizer(known)
    return HFLM(pretrained=live, tokenizer=tokenizer, batch_size=1, device="cpu")


@pytest.mark.parametrize(("base", "few_shot"), [("tiny_llama", 2), ("tiny_gemma3", 0)])
def test_numbers_are_those_of_lm_evals_own_model(
    base: str, few_shot: int, folder: Path, tmp_path: Path, request: pytest.FixtureRequest
):
    path = request.getfixturevalue(base)
    reference = of_lm_eval(path)
    for name in TASKS:
        task = harness.load(name, folder, Wanted(few_shot=few_shot))

        theirs = harness_model.run(task, reference)
        ours = harness_model.run(task, model(path, tmp_path / f"{name}.jsonl"))

        assert numbers(ours) == pytest.approx(numbers(theirs), rel=1e-4)
        for one, other in zip(said(ours, name), said(theirs, name), strict=True):
            # Float32, in batches of three and of one.
            assert one == (other if isinstance(other, str) else pytest.approx(other, abs=1e-3))


def numbers(found: Any) -> dict[str, float]:
    """lm-eval's own numbers, by task and metric."""
    return {
        f"{name} {key}": value
        for name, scores in found["results"].items()
        for key, value in scores.items()
        if isinstance(value, float) and "," in key and "stderr" not in key
    }


def said(found: Any, name: str) -> list[Any]:
    """What the model said to each request: a text, or a log-probability."""
    answers = [one[0] for sample in found["samples"][name] for one in sample["resps"]]
    return [one[0] if isinstance(one, tuple) else one for one in answers]


def ran(folder: Path, tmp_path: Path, *models: Path, tasks: str, **options: str) -> Outcome:
    names = [part for key, value in options.items() for part in (f"--{key}", value)]
    names = [part for part in names if part]
    command = ("eval", *map(str, models), "--tasks", tasks, "--data", str(folder), *names)
    return call(*command, "--out", str(tmp_path / "out"), "--json")


def test_delivered_file_and_live_model_stand_side_by_side(
    folder: Path, tiny_base: Path, tmp_path: Path
):
    made = ran(
        *(folder, tmp_path, tiny_base, tiny_base / "base.gguf"),
        tasks="lm-eval:shop_choice,lm-eval:shop_written",
        limit="4",
    )

    assert made.code == 0, made
    choice, written = made.document["reports"]
    assert {score["metric"] for score in choice["scores"]} == {
        "lm-eval-acc",
        "lm-eval-acc-norm",
    }
    assert {score["n"] for score in (*choice["scores"], *written["scores"])} == {4}
    kept = Path(choice["report"]).parent
    live, file = (
        [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        for path in sorted((kept / "answers").iterdir(), reverse=True)
    )
    for one, other in zip(live, file, strict=True):
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=0.5)  # float16 file
    requests = (kept / "requests" / "base.jsonl").read_text("utf-8").splitlines()
    lines = [json.loads(line) for line in requests]
    assert {"prompt", "continuation", "sum"} <= lines[-1].keys()


def test_how_a_task_was_asked_is_written_down(folder: Path, tiny_llama: Path, tmp_path: Path):
    made = ran(folder, tmp_path, tiny_llama, tasks="lm-eval:shop_written", **{"few-shot": "1"})

    ((column,),) = (report["columns"] for report in made.document["reports"])
    settings = column["settings"]
    assert settings["task"]["few_shot"] == {"shop_written": 1}
    assert settings["task"]["versions"] == {"shop_written": 1.0}
    assert settings["bos_count"] == 1
    assert settings["decoding"]["stop_strings"] == ["\n", "元"]
    assert settings["decoding"]["max_new_tokens"] == 12
    assert len(settings["stop_ids"]) >= 1 and len(settings["first_prompt_ids"]) == 20


def test_interrupted_answers_go_on_and_nothing_is_asked_twice(
    folder: Path, tiny_llama: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    task, file = harness.load("shop_choice", folder, Wanted()), tmp_path / "a.jsonl"
    whole = harness_model.run(task, model(tiny_llama, tmp_path / "whole.jsonl", at_once=5))
    asked: list[int] = []
    original = TransformersRuntime.loglikelihoods

    def breaks(self: Any, prompts: Any, continuations: Any, **kwargs: Any) -> Any:
        asked.append(len(prompts))
        if len(asked) == 3:
            raise KeyboardInterrupt
        return original(self, prompts, continuations, **kwargs)

    monkeypatch.setattr(TransformersRuntime, "loglikelihoods", breaks)
    with pytest.raises(KeyboardInterrupt):
        harness_model.run(task, model(tiny_llama, file, at_once=5))
    with file.open("ab") as stream:
        stream.write(b'{"key": "torn')

    again = harness_model.run(task, model(tiny_llama, file, at_once=5))
    before = len(asked)
    harness_model.run(task, model(tiny_llama, file, at_once=5))

    assert said(again, "shop_choice") == said(whole, "shop_choice")
    assert before == len(asked) == 3 + 5  # 32 requests in batches of 5, of which two were there


def same_seed(task: Any, seed: int) -> None:
    """Worked examples go on being drawn from where the model before stopped."""


@case("C28", {"examples are drawn anew": change(harness_model, "seeded", same_seed)})
def test_models_are_shown_the_same_examples_or_not_compared(
    folder: Path, tiny_llama: Path, tmp_path: Path
):
    task = harness.load("shop_choice", folder, Wanted(few_shot=2))
    columns = [column(task, tiny_llama, tmp_path / f"{n}.jsonl") for n in range(2)]

    check_peers(columns)


def column(task: harness.HarnessTask, base: Path, file: Path) -> Any:
    one = model(base, file)
    return harness_model.column_of(task, one, harness_model.run(task, one))


@pytest.mark.parametrize("other", [Wanted(few_shot=0), Wanted(few_shot=2, chat=True)])
def test_models_asked_otherwise_are_not_compared(
    other: Wanted, folder: Path, tiny_llama: Path, tmp_path: Path
):  # C28
    tasks = [harness.load("shop_choice", folder, one) for one in (Wanted(few_shot=2), other)]
    columns = [column(task, tiny_llama, tmp_path / f"{n}.jsonl") for n, task in enumerate(tasks)]

    with pytest.raises(ProofError, match="the comparison would not be fair"):
        check_peers([columns[0], replace(columns[1], name="other")])


def test_unknown_task_names_those_there_are(folder: Path):
    with pytest.raises(RecipeError) as error:
        harness.load("shop_choise", folder, Wanted())

    assert "shop_choice, shop_text, shop_written" in str(error.value)
    assert "use `shop_choice`" in str(error.value)


def test_data_that_are_not_here_are_refused_with_a_way_out(folder: Path):
    (folder / "rows.jsonl").unlink()

    with pytest.raises(ResourceError, match="its data cannot be read") as error:
        harness.load("shop_choice", folder, Wanted())

    assert "`--download`" in str(error.value)


def test_sampled_answers_are_refused(folder: Path, tiny_llama: Path, tmp_path: Path):
    path = folder / "shop_written.yaml"
    text = path.read_text("utf-8").replace("max_gen_toks: 12", "do_sample: true, temperature: 1.0")
    path.write_text(text, "utf-8")

    with pytest.raises(DataError, match="drawn at random"):
        harness_model.run(
            harness.load("shop_written", folder, Wanted()), model(tiny_llama, tmp_path / "a.jsonl")
        )


def test_dry_run_counts_tokens_and_writes_nothing(folder: Path, tiny_llama: Path, tmp_path: Path):
    made = call(
        *("eval", str(tiny_llama), "--tasks", "lm-eval:shop_choice", "--data", str(folder)),
        *("--dry-run", "--json"),
    )

    (asked,) = made.document["asked"]
    assert asked["items"] == 8 and asked["prompt_tokens"] > 8 * 10
    assert not (tmp_path / "out").exists()
