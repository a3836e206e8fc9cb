"""`foundry eval`: models asked the same items, whatever kind of file they are, killed or not."""

import json
import math
from dataclasses import replace
from importlib import util
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.errors import ResourceError
from foundry.evals import answering, benchmarking, subjects
from foundry.evals.answers import Answer, append_answer
from foundry.models.fetch import locate
from foundry.models.load import load_model
from tests.cases import case
from tests.padding import PADDED_RIGHT
from tests.tiny_recipe import Outcome, TinyRecipe, call

QUESTIONS = 12


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))


@pytest.fixture
def drcd(tmp_path: Path) -> Path:
    """Twelve questions of six articles, in DRCD's form."""
    articles = [
        {
            "title": f"產品{n}",
            "paragraphs": [
                {
                    "context": f"第{n}號售價{n}元，保固{n}年。" + "謝謝。" * (n % 3),
                    "qas": [
                        {"question": f"第{n}號多少錢？", "answers": [{"text": f"{n}元"}]},
                        {
                            "question": f"第{n}號保固多久？",
                            "answers": [{"text": f"{n}年"}, {"text": f"保固{n}年"}],
                        },
                    ],
                }
            ],
        }
        for n in range(QUESTIONS // 2)
    ]
    path = tmp_path / "DRCD_dev.json"
    path.write_text(json.dumps({"data": articles}, ensure_ascii=False), encoding="utf-8")
    return path


@pytest.fixture
def choices(tmp_path: Path) -> Path:
    """Nine questions in Twinkle's form."""
    rows = [
        f"第{n}號多少錢？,{n}元,{n + 1}元,{n + 2}元,{n + 3}元,{'ABCD'[n % 4]}" for n in range(9)
    ]
    path = tmp_path / "choices.csv"
    path.write_text("\n".join(["question,A,B,C,D,answer", *rows]) + "\n", encoding="utf-8")
    return path


def ran(*arguments: object) -> dict[str, Any]:
    """The one report of a command line that works."""
    outcome = call("eval", *map(str, arguments), "--json")
    assert outcome.code == 0, outcome
    (report,) = outcome.document["reports"]
    return dict(report)


def answers(report: dict[str, Any], column: str) -> list[dict[str, Any]]:
    folder = Path(report["report"]).parent / "answers"
    lines = (folder / f"{column}.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return sorted((one for one in found if "item_id" in one), key=lambda one: one["item_id"])


def test_benchmarks_that_name_none_are_refused():
    outcome = call("eval", "gemma-3-270m", "--tasks", " , ")

    assert (outcome.code, outcome.out) == (2, "")
    assert outcome.err.startswith("--tasks: no benchmark is named")


def test_two_models_stand_side_by_side(tiny_llama: Path, tiny_gemma3: Path, drcd: Path):
    models = (f"{tiny_llama}", f"{tiny_gemma3}")
    outcome = call("eval", *models, "--tasks", "drcd", "--data", f"{drcd}", "--limit", "6")

    assert outcome.code == 0, outcome
    lines = [line.split() for line in outcome.out.splitlines()]
    assert lines[0] == ["metric", "part", "tiny-llama", "tiny-gemma3"]
    assert [line[0] for line in lines[1:4]] == ["squad", "squad-f1", "seconds"]
    assert outcome.out.count("n=6") == 4
    assert "Against tiny-llama:" in outcome.out


def test_same_items_are_asked_in_the_same_words_and_it_is_written_down(
    tiny_llama: Path, tiny_gemma3: Path, drcd: Path
):  # C28
    made = ran(tiny_llama, tiny_gemma3, "--tasks", "drcd", "--data", drcd, "--limit", 4)

    first, second = (column["settings"] for column in made["columns"])
    assert first["questions_sha256"] == second["questions_sha256"]
    assert first["task"] == second["task"]
    assert first["task"]["few_shot"] == 1
    assert first["decoding"] == {"greedy": True, "max_new_tokens": 64, "stop_strings": ["\n"]}
    folder = Path(made["report"]).parent
    (line, *_rest) = (folder / "prompts" / "tiny-llama.jsonl").read_text("utf-8").splitlines()
    assert json.loads(line)["ids"][:20] == first["first_prompt_ids"]
    assert answers(made, "tiny-llama")[0].keys() == {"item_id", "text", "tokens", "stopped"}
    table = (folder / "answers.csv").read_text("utf-8-sig").splitlines()
    assert table[0].startswith("item_id,part,group,column,role,question") and len(table) > 8
    assert (folder / "scores.csv").is_file() and (folder / "figures" / "scores.en.svg").is_file()


def test_smaller_limit_asks_some_of_the_same(tiny_llama: Path, drcd: Path):
    few, more = (
        ran(tiny_llama, "--tasks", "drcd", "--data", drcd, "--limit", n, "--out", f"{n}")
        for n in (3, 6)
    )

    asked = [{one["item_id"] for one in answers(made, "tiny-llama")} for made in (few, more)]
    assert [len(ids) for ids in asked] == [3, 6]
    assert asked[0] < asked[1]


@case("C26", PADDED_RIGHT)
def test_answers_do_not_depend_on_the_batch(tiny_gemma3: Path, drcd: Path, tmp_path: Path):
    command = (tiny_gemma3, "--tasks", "drcd", "--data", drcd, "--limit", 4)
    made = [ran(*command, "--batch-size", n, "--out", tmp_path / f"{n}") for n in (1, 8)]

    assert answers(made[0], "tiny-gemma3") == answers(made[1], "tiny-gemma3")
    assert made[0]["scores"] == made[1]["scores"]


@pytest.mark.parametrize(("method", "done"), [("drcd", 3), ("twinkle", 0), ("twinkle", 4)])
def test_killed_evaluation_goes_on_to_the_same_result(
    method: str, done: int, tiny_llama: Path, drcd: Path, choices: Path, monkeypatch: Any
):
    data = drcd if method == "drcd" else choices
    command = (tiny_llama, "--tasks", method, "--data", data, "--limit", 6)
    whole = ran(*command, "--out", "whole")
    left = iter(range(done))

    def stop(path: Path, answer: Answer) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        append_answer(path, answer)

    with monkeypatch.context() as patch:
        patch.setattr(answering, "append_answer", stop)
        killed = call("eval", *map(str, command), "--out", "killed")
    assert killed.code == 130
    (file,) = Path("killed").rglob("answers/*.jsonl")
    assert file.read_text("utf-8").count("item_id") == done

    again = ran(*command, "--out", "killed")

    for key in ("scores", "differences", "headlines"):
        assert again[key] == whole[key]
    assert answers(again, "tiny-llama") == answers(whole, "tiny-llama")


def test_nothing_is_loaded_where_every_answer_is_there(
    tiny_llama: Path, drcd: Path, monkeypatch: pytest.MonkeyPatch
):
    command = (tiny_llama, "--tasks", "drcd", "--data", drcd, "--limit", 3)
    before = ran(*command)

    def load(_base: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(subjects, "load_model", load)

    assert ran(*command) == before


def test_answers_to_other_prompts_are_not_taken(tiny_llama: Path, choices: Path):
    command = (tiny_llama, "--tasks", "twinkle", "--data", choices, "--out", "same")
    few, none = (ran(*command, "--few-shot", n, "--limit", 3) for n in (1, 0))

    assert len(answers(none, "tiny-llama")) == 3
    prompts = [made["columns"][0]["settings"]["prompts_sha256"] for made in (few, none)]
    assert prompts[0] != prompts[1]
    (file,) = Path("same").rglob("answers/*.jsonl")
    assert file.read_text("utf-8").count("made_from") == 1


def test_file_chooses_as_its_model_does(tiny_base: Path, choices: Path):
    made = ran(tiny_base, tiny_base / "base.gguf", "--tasks", "twinkle", "--data", choices)

    live, file = (answers(made, column["name"]) for column in made["columns"])
    assert [column["settings"]["runtime"] for column in made["columns"]] == [
        *("transformers", "llama.cpp"),
    ]
    assert [one["text"] for one in file] == [one["text"] for one in live]
    # Float16 weights: 0.015 measured of `next_logprobs`.
    for one, other in zip(live, file, strict=True):
        assert one["logprobs"] == pytest.approx(other["logprobs"], abs=0.05)
        best = max(range(4), key=one["logprobs"].__getitem__)
        assert one["text"] == "ABCD"[best]


def test_perplexity_is_that_of_the_model(tiny_llama: Path, tmp_path: Path):
    text = "售價三百元。\n保固一年，謝謝。\n"
    (tmp_path / "text.txt").write_text(text, encoding="utf-8")

    made = ran(tiny_llama, "--tasks", "perplexity", "--data", tmp_path / "text.txt")

    model = load_model(locate(str(tiny_llama), tmp_path))
    with subjects.of_folder("m", locate(str(tiny_llama), tmp_path)).speaking() as speech:
        ids = speech.ids(text)
    assert ids[0] == speech.start_id
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([ids])).logits[0, :-1].double()
    chosen = torch.log_softmax(logits, -1).gather(1, torch.tensor(ids[1:])[:, None])
    found = {score["metric"]: score["mean"] for score in made["scores"]}
    # Six decimals in the report.
    assert found["likelihood-per-token"] == pytest.approx(math.exp(float(chosen.mean())), abs=1e-5)
    bytes_of_text = len(text.encode())
    per_byte = math.exp(float(chosen.sum()) / bytes_of_text)
    assert found["likelihood-per-byte"] == pytest.approx(per_byte, abs=1e-5)


def test_perplexity_of_a_gguf_file_is_near_that_of_the_live_model(tiny_base: Path, tmp_path: Path):
    (tmp_path / "text.txt").write_text("售價三百元。\n", encoding="utf-8")

    made = ran(
        *(tiny_base, tiny_base / "base.gguf", "--tasks", "perplexity"),
        *("--data", tmp_path / "text.txt"),
    )

    found = [s["mean"] for s in made["scores"] if s["metric"] == "likelihood-per-byte"]
    assert found[0] == pytest.approx(found[1], rel=0.02)  # the file is in float16


def test_options_are_weighed_by_their_texts_and_written_choices_are_read(
    tiny_llama: Path, choices: Path
):
    tasks = ("--tasks", "twinkle-text,twinkle-written", "--data", choices, "--limit", 4)
    outcome = call("eval", *map(str, (tiny_llama, *tasks)), "--json")

    assert outcome.code == 0, outcome
    text, written = outcome.document["reports"]
    for report in (text, written):
        rates = [s for s in report["scores"] if s["metric"] == "multiple-choice-parse-rate"]
        assert [one["n"] for one in rates] == [4]
    speech = subjects.of_folder("m", locate(str(tiny_llama), Path())).speaking()
    with speech as said:
        for one in answers(text, "tiny-llama"):
            n = int(one["item_id"].split("-")[1]) - 1
            sizes = [len(said.plain(f"{n + k}元")) for k in range(4)]
            means = [total / size for total, size in zip(one["logprobs"], sizes, strict=True)]
            assert one["text"] == "ABCD"[max(range(4), key=means.__getitem__)]


@pytest.mark.skipif(util.find_spec("lm_eval") is not None, reason="lm-eval is installed")
def test_task_of_lm_eval_says_how_it_is_installed(tiny_llama: Path):
    outcome = call("eval", f"{tiny_llama}", "--tasks", "lm-eval:hellaswag")

    assert outcome.code == ResourceError.exit_code
    assert "pip install 'ai-foundry[lm-eval]'" in outcome.err


def same_answers(report: dict[str, Any]) -> int:
    (delivered,) = (c for c in report["columns"] if c["role"] == "delivered")
    return int(delivered["same_text_as_tuned"])


@pytest.mark.parametrize("which", ["package", "run"])
def test_package_answers_as_what_was_trained(finished: TinyRecipe, which: str):
    folder = finished.package if which == "package" else finished.run.path

    made = ran(folder, "--limit", 20)

    names = {column["role"]: column["name"] for column in made["columns"]}
    assert names == {"tuned": "adapter", "delivered": "gguf-q8_0", "other": "gguf-adapter-f32"}
    (n,) = {part["n"] for part in made["parts"]}
    assert same_answers(made) == n
    kinds = [d["kind"] for d in made["differences"] if d["metric"] == "exact-match"]
    assert kinds == ["delivered-tuned"]
    assert {s["column"] for s in made["scores"]} == set(names.values())
    trained = json.loads(finished.run.file("evals", "report.json").read_text("utf-8"))
    wanted = {c["name"]: c["answers_sha256"] for c in trained["columns"]}
    report = json.loads(Path(made["report"]).read_text("utf-8"))
    found = {c["name"]: c["answers_sha256"] for c in report["columns"]}
    assert found["adapter"] == wanted["tuned"]
    assert found["gguf-q8_0"] == wanted["delivered"]


def test_package_is_found_by_name_and_controls_of_its_recipe_are_left_to_their_own_task(
    finished: TinyRecipe, monkeypatch: pytest.MonkeyPatch
):
    plan = json.loads(finished.run.file("plan.json").read_text("utf-8"))
    elsewhere = {"kind": "declines", "part": "elsewhere", "phrases": ["no"]}
    plan["values"]["evals"] += [{"kind": "controls", "sample": 16}, elsewhere]
    finished.run.file("plan.json").write_text(json.dumps(plan), "utf-8")
    monkeypatch.chdir(finished.run.path.parent.parent)

    made = ran(finished.run.path.name, "--limit", 2)

    assert {score["metric"] for score in made["scores"]} >= {"exact-match"}
    assert "controls" not in {score["metric"] for score in made["scores"]}


def test_rows_that_are_not_those_of_the_run_are_refused(finished: TinyRecipe):
    file = finished.run.file("data", "test.jsonl")
    file.write_bytes(file.read_bytes() + b"\n")

    outcome = call("eval", f"{finished.run.path}")

    assert outcome.code == 1
    assert "not the rows that the model was tested on" in outcome.err


def test_package_apart_from_its_run_wants_the_rows(finished: TinyRecipe, tmp_path: Path):
    apart = tmp_path / "apart"
    finished.package.rename(apart)

    outcome = call("eval", f"{apart}")

    assert outcome.code == ResourceError.exit_code
    assert "`--data`" in outcome.err


def test_export_of_a_package_is_a_model(finished: TinyRecipe, drcd: Path):
    made = ran(
        finished.package / "adapter",
        finished.package,
        "--tasks",
        "drcd",
        "--data",
        drcd,
        "--limit",
        2,
        "--chat",
    )

    first, second = made["columns"]
    assert [first["name"], second["name"]] == ["adapter", "tiny"]
    assert first["settings"]["prompts_sha256"] == second["settings"]["prompts_sha256"]
    assert first["settings"]["form"] == "chat"


def test_dry_run_counts_and_loads_nothing(tiny_llama: Path, drcd: Path, tmp_path: Path):
    before = set(tmp_path.iterdir())

    outcome = call(
        *("eval", f"{tiny_llama}", "--tasks", "drcd", "--data", f"{drcd}", "--dry-run", "--json")
    )

    (asked,) = outcome.document["asked"]
    assert asked["items"] == 10
    assert asked["prompt_tokens"] > asked["longest_prompt_tokens"] > 20
    assert set(tmp_path.iterdir()) == before


def refused(*arguments: object) -> Outcome:
    return call("eval", *map(str, arguments))


def test_what_cannot_be_asked_is_refused_with_a_way_out(
    tiny_llama: Path, drcd: Path, choices: Path
):
    tasks = ("--tasks", "drcd", "--data")
    for outcome, code, said in (
        (refused(tiny_llama), 2, "the first model must be a package or run"),
        (refused(tiny_llama, "--tasks", "drcd"), 2, "add `--data FILE`"),
        (refused(tiny_llama, "--tasks", "drdc", "--data", drcd), 2, "use `drcd`"),
        (refused(tiny_llama, *tasks, "none.json"), 3, "no such file"),
        (refused(tiny_llama, *tasks, choices), 1, "choices.csv"),
        (refused("gemma-3-270n", *tasks, drcd), 2, "gemma-3-270m"),
        (refused("none.gguf", *tasks, drcd), 3, "no such file"),
    ):
        assert outcome.code == code, outcome
        assert said in outcome.err, outcome


def test_model_without_a_chat_template_is_asked_in_plain_text_alone(
    tiny_llama: Path, drcd: Path, monkeypatch: pytest.MonkeyPatch
):
    without = benchmarking.make_prompts

    def made(subject: Any, speech: Any, task: Any) -> Any:
        return without(subject, replace(speech, rendered=None), task)

    monkeypatch.setattr(benchmarking, "make_prompts", made)
    outcome = refused(tiny_llama, "--tasks", "drcd", "--data", drcd, "--chat")

    assert outcome.code == ResourceError.exit_code
    assert "without `--chat`" in outcome.err
