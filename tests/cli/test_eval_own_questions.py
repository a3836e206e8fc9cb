"""`foundry eval` of questions without a benchmark's file: controls, and a recipe's own rows."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from foundry.core.blocks import Plugin
from foundry.core.records import ToolCall, Turn
from foundry.encode.tokenize import open_encoder
from foundry.evals.asking import brought_prompts
from foundry.evals.brought import brought_by
from foundry.models.fetch import locate
from foundry.models.load import load_model
from tests.family_talks import TOOLS
from tests.tiny_recipe import RECIPE, TinyRecipe, call, lay_out


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FOUNDRY_HOME", str(tmp_path / "home"))


def ran(*arguments: object) -> dict[str, Any]:
    outcome = call("eval", *map(str, arguments), "--json")
    assert outcome.code == 0, outcome
    (report,) = outcome.document["reports"]
    return dict(report)


def prompts(report: dict[str, Any], column: str) -> dict[str, list[int]]:
    file = Path(report["report"]).parent / "prompts" / f"{column}.jsonl"
    lines = map(json.loads, file.read_text("utf-8").splitlines())
    return {line["item_id"]: line["ids"] for line in lines}


def test_controls_are_asked_as_a_recipe_asks_them(tiny_llama: Path, tiny_gemma3: Path):
    made = ran(tiny_llama, tiny_gemma3, "--tasks", "controls", "--limit", 16)

    block = Plugin("evaluator").read({"kind": "controls", "sample": 16})
    encoder = open_encoder(locate(str(tiny_llama), Path()))
    (asked,) = brought_prompts(brought_by([block]), encoder, "tuned", (2,))
    assert prompts(made, "tiny-llama") == asked.prompts
    decoding = made["columns"][0]["settings"]["decoding"]
    assert decoding["max_new_tokens"] == asked.decoding.max_new_tokens
    assert decoding["stop_strings"] == [*asked.decoding.stop_strings]
    found = {(score["metric"], score["column"]): score["n"] for score in made["scores"]}
    assert found["controls", "tiny-llama"] == found["controls", "tiny-gemma3"] == 16
    assert found["controls-taiwan", "tiny-llama"] == 2
    assert [part["name"] for part in made["parts"]] == ["controls"]


def test_controls_of_an_assistant_stand_in_its_template_without_solved_ones(tiny_llama: Path):
    chat, shown = (
        ran(tiny_llama, "--tasks", "controls", "--limit", 16, "--chat", *more)
        for more in ((), ("--few-shot", 1))
    )

    encoder = open_encoder(locate(str(tiny_llama), Path()))
    block = Plugin("evaluator").read({"kind": "controls", "sample": 16, "form": "chat"})
    (asked,) = brought_prompts(brought_by([block]), encoder, "tuned", (2,))
    alone, after = prompts(chat, "tiny-llama"), prompts(shown, "tiny-llama")
    assert alone == asked.prompts
    assert all(len(after[key]) > len(ids) for key, ids in alone.items())


def test_run_and_its_base_are_asked_how_likely_its_test_rows_are(finished: TinyRecipe):
    run, base = finished.run.path, finished.folder / "base"

    made = ran(base, finished.package / "adapter", "--tasks", "perplexity", "--data", run, "--chat")

    (part,) = made["parts"]
    rows = (run / "data" / "test.jsonl").read_text("utf-8").splitlines()
    assert (part["name"], part["n"]) == ("test", len(rows))
    found = {(s["metric"], s["column"]): s["mean"] for s in made["scores"]}
    expected = _likelihood(base, [json.loads(row) for row in rows])
    assert found["likelihood-per-token", "base"] == pytest.approx(expected, abs=1e-5)
    # What was trained finds its own answers likelier than the base does.
    assert found["likelihood-per-token", "adapter"] > found["likelihood-per-token", "base"]


def _likelihood(folder: Path, rows: list[dict[str, Any]]) -> float:
    """Of the answers' tokens after their prompts, by hand."""
    base = locate(str(folder), folder.parent)
    encoder, model = open_encoder(base), load_model(base)
    nats, tokens = 0.0, 0
    for row in rows:
        turns = [(turn["role"], turn["content"]) for turn in row["messages"]]
        prompt = encoder.prompt_ids([Turn(*turn) for turn in turns[:-1]])
        answer = encoder.tokenizer(turns[-1][1], add_special_tokens=False)["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[*prompt, *answer]])).logits[0].double()
        chosen = torch.log_softmax(logits, -1)[len(prompt) - 1 : -1]
        nats += float(chosen.gather(1, torch.tensor(answer)[:, None]).sum())
        tokens += len(answer)
    return math.exp(nats / tokens)


def test_recipe_without_a_run_lends_its_test_rows(tiny_base: Path, tmp_path: Path):
    recipe = lay_out(tmp_path / "own", tiny_base, encode={**RECIPE["encode"], "system": "店員"})
    command = (recipe.folder / "base", "--tasks", "perplexity", "--data", recipe.file)

    text, chat = ran(*command), ran(*command, "--chat")

    assert [part["name"] for part in text["parts"]] == ["test"]
    shown = [next(iter(prompts(made, "base").values())) for made in (text, chat)]
    encoder = open_encoder(locate(str(recipe.folder / "base"), tmp_path))
    plain, rendered = (encoder.tokenizer.decode(ids) for ids in shown)
    assert plain.rstrip().endswith("回答：")
    assert "店員" in rendered and "店員" not in plain


def test_answers_that_are_tool_calls_alone_are_no_texts(tiny_base: Path, tmp_path: Path):
    recipe = lay_out(tmp_path / "own", tiny_base, data=TALKS)
    rows = [{"tools": TOOLS, "messages": [turn.as_dict() for turn in talk(n)]} for n in range(20)]
    text = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (recipe.folder / "rows.jsonl").write_text(text, encoding="utf-8")

    made = ran(recipe.folder / "base", "--tasks", "perplexity", "--data", recipe.file, "--chat")

    (part,) = made["parts"]
    assert 0 < part["n"] < 10  # half of the rows are test rows, half of those call a tool
    assert all("lookup" in text for text in shown(made, recipe))  # which is offered in any case


def shown(made: dict[str, Any], recipe: TinyRecipe) -> list[str]:
    """The prompts as texts."""
    encoder = open_encoder(locate(str(recipe.folder / "base"), recipe.folder))
    return [encoder.tokenizer.decode(ids) for ids in prompts(made, "base").values()]


TALKS = {
    **RECIPE["data"],
    "sources": [{**RECIPE["data"]["sources"][0], "path": "rows.jsonl"}],
    "format": {"kind": "chat"},
    "split": {"test": 0.5},
}


def talk(n: int) -> list[Turn]:
    """A question that is answered in words, or with a call."""
    call_it = ToolCall("lookup", {"city": f"城{n}"}, f"call{n}")
    said = Turn("assistant", f"第 {n} 句。") if n % 2 else Turn("assistant", "", "", (call_it,))
    return [Turn("user", f"第 {n} 城？"), said]


def test_perplexity_takes_the_rows_of_the_one_run_that_is_named(finished: TinyRecipe):
    run, base = finished.run.path, finished.folder / "base"

    alone = call("eval", f"{base}", f"{run}", "--tasks", "perplexity", "--dry-run", "--json")

    assert alone.code == 0, alone
    rows = (run / "data" / "test.jsonl").read_text("utf-8").splitlines()
    assert [one["items"] for one in alone.document["asked"]] == [len(rows)] * 2


def test_other_models_stand_beside_a_package_on_its_own_rows(
    finished: TinyRecipe, tiny_gemma3: Path
):
    made = ran(finished.package, finished.folder / "base", tiny_gemma3, "--limit", 3)

    names = [column["name"] for column in made["columns"]]
    assert names == ["adapter", "gguf-q8_0", "gguf-adapter-f32", "base", "tiny-gemma3"]
    pairs = [(d["a"], d["b"]) for d in made["differences"] if d["metric"] == "exact-match"]
    assert pairs == [(name, names[0]) for name in names[1:]]
    tuned, base = (made["columns"][n]["settings"] for n in (0, 3))
    assert base["prompts_sha256"] == tuned["prompts_sha256"]
    assert {c["settings"]["questions_sha256"] for c in made["columns"]} == {
        tuned["questions_sha256"]
    }


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--data", "x.json"), "leave out `--data`"),
        (("--few-shot", "3"), "--few-shot 2"),
    ],
)
def test_option_that_controls_cannot_use_is_refused(
    tiny_llama: Path, options: tuple[str, ...], said: str
):
    outcome = call("eval", f"{tiny_llama}", "--tasks", "controls", *options)

    assert outcome.code == 2
    assert said in outcome.err


def test_questions_that_a_run_was_trained_on_are_named(finished: TinyRecipe, tmp_path: Path):
    """C27: the benchmark's own data are not the recipe's, so the data stage never saw them."""
    lines = finished.run.file("data", "train.jsonl").read_text("utf-8").splitlines()
    rows = [json.loads(line) for line in lines[:3]]
    learned = [row["messages"][-2]["content"] for row in rows]
    new = [f"第{n}號燈泡有幾顆螺絲釘？" for n in range(9)]
    path = tmp_path / "intents.csv"
    asked = [f"{question},{'ab'[n % 2]}" for n, question in enumerate([*learned, *new])]
    path.write_text("\n".join(["text,category", *asked]) + "\n", encoding="utf-8")
    base = finished.folder / "base"

    made = ran(
        base, finished.package / "adapter", "--tasks", "banking77", "--data", path, "--few-shot", 0
    )

    report = json.loads(Path(made["report"]).read_text("utf-8"))
    found = report["contamination"]
    assert found["count"] == 3
    assert {item["kind"] for item in found["items"]} <= {"exact", "same-question"}
    assert all(item["source"].startswith("adapter: ") for item in found["items"])
    (n,) = {part["n"] for part in report["parts"]}
    assert {score["n_without"] for score in found["scores"]} == {n - 3}
    assert {score["column"] for score in found["scores"]} == {c["name"] for c in made["columns"]}
    assert any("3 questions overlap" in sentence["en"] for sentence in made["headlines"])
    page = Path(made["page"]).read_text("utf-8")
    assert "Questions that training rows hold too" in page
    facts = report["facts"]
    assert facts["environment"]["packages"]["torch"] and set(facts["models"]) == {
        column["name"] for column in made["columns"]
    }


def test_nobody_looks_where_no_training_rows_are_known(tiny_llama: Path):
    made = ran(tiny_llama, "--tasks", "controls", "--limit", 2)

    assert json.loads(Path(made["report"]).read_text("utf-8"))["contamination"] is None
