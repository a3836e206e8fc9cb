"""A reward model from the recipe to the package, and what is refused on the way."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from foundry.core.errors import ProofError
from foundry.core.events import Events
from foundry.core.rundir import RunDir
from foundry.delivery import export
from foundry.delivery.artefact import Tuned
from foundry.delivery.export import live_model
from foundry.delivery.exporters import adapter, merged
from foundry.delivery.padding import padding_of
from foundry.encode.ends import all_stop_ids
from foundry.encode.shards import read_shards
from foundry.encode.tokenize import open_encoder
from foundry.models.fetch import locate
from foundry.runtime.rewards import rewards_of
from foundry.train.adapter_files import load_tuned
from tests import tiny_recipe
from tests.once import once
from tests.preferences import ASKED
from tests.support import covers
from tests.tiny_recipe import RECIPE, TinyRecipe

TRAIN = {"kind": "reward", "max_steps": 12, "learning_rate": 1e-2, "global_batch_size": 4}
EXPORTS = [{"kind": "adapter"}, {"kind": "merged"}]


def laid_out(folder: Path, base: Path, **overrides: Any) -> TinyRecipe:
    rows = [
        {"prompt": f"{asked}{n}", "chosen": better, "rejected": worse, "score_gap": n}
        for n in range(4)
        for asked, better, worse in ASKED
    ]
    source = {**RECIPE["data"]["sources"][0], "path": "rows.json"}
    data = {"sources": [source], "format": {"kind": "preference"}, "split": {"test": 0.3}}
    values = {"data": data, "train": TRAIN, "exports": EXPORTS, "encode": {"max_seq_len": 96}}
    values |= {"evals": [{"kind": "pair-accuracy"}], **overrides}
    made = tiny_recipe.lay_out(folder, base, **values)
    (folder / "rows.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def made(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> TinyRecipe:
    def build(folder: Path) -> None:
        outcome = laid_out(folder / "tiny", tiny_base).train("--json")
        assert outcome.code == 0, outcome.err

    return TinyRecipe(once(tmp_path_factory, "reward", build) / "tiny")


@covers(lambda: [{"trainer": "reward", "exporter": one["kind"]} for one in EXPORTS])
def test_package_holds_and_its_card_says_what_it_is(made: TinyRecipe):
    card = (made.package / "README.md").read_text(encoding="utf-8")

    assert tiny_recipe.call("verify", str(made.package)).code == 0
    assert "pipeline_tag: text-classification" in card and "- reward-model" in card
    assert "It writes nothing and is no chat model" in card and "不是聊天模型" in card
    assert "AutoModelForCausalLM" not in card and "num_labels=1" in card


def test_merged_folder_is_the_live_model_under_transformers(made: TinyRecipe):
    """As the card says to load it, with the folder's own tokenizer, filled up at either end."""
    folder = made.package / "merged-float32"
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder)
    live = load_tuned(locate(str(made.folder / "base"), made.folder), made.run.file("adapter"))
    chats = [
        [{"role": "user", "content": asked}, {"role": "assistant", "content": answer}]
        for asked, better, worse in ASKED[:3]
        for answer in (better, worse)
    ]

    for side in ("right", "left"):
        given = tokenizer.apply_chat_template(
            chats, padding=True, padding_side=side, return_tensors="pt", return_dict=True
        )
        with torch.no_grad():
            found = model(**given).logits[:, 0].tolist()
        ids = [
            row[mask.bool()].tolist()
            for row, mask in zip(given["input_ids"], given["attention_mask"], strict=True)
        ]
        assert found == pytest.approx(rewards_of(live, ids).tolist(), abs=1e-4)


def test_report_sets_untrained_head_and_longer_answer_beside_it(made: TinyRecipe):
    report = json.loads(made.run.file("evals", "report.json").read_text(encoding="utf-8"))

    roles = {column["name"]: column["role"] for column in report["columns"]}
    assert roles == {"base": "base", "tuned": "tuned", "longer-answer": "naive"}
    scores = {
        score["column"]: score for score in report["scores"] if score["metric"] == "pair-accuracy"
    }
    (part,) = report["parts"]
    assert all(score["n"] == part["n"] > 0 for score in scores.values())
    assert scores["tuned"]["low"] <= scores["tuned"]["mean"] <= scores["tuned"]["high"]
    kinds = {d["kind"]: d["verdict"] for d in report["differences"]}
    assert {"tuned-base", "tuned-naive"} <= {*kinds}


def test_rewards_are_kept_when_the_evaluation_is_made_again(made: TinyRecipe, tmp_path: Path):
    again = made.copy(tmp_path / "again")
    again.run.file("stamps", "evaluate.json").unlink()
    again.run.file("stamps", "package.json").unlink()
    before = again.run.file("evals", "report.json").read_bytes()

    outcome = again.train("--json", "--until", "evaluate")

    assert outcome.code == 0, outcome.err
    first, second = (json.loads(b)["scores"] for b in (before, _report(again.run)))
    assert first == second


def _report(run: RunDir) -> bytes:
    return run.file("evals", "report.json").read_bytes()


@pytest.mark.parametrize("verb", ["chat", "eval"])
def test_package_that_writes_nothing_is_not_asked(made: TinyRecipe, verb: str):
    asked = ["--prompt", "售價？"] if verb == "chat" else []

    outcome = tiny_recipe.call(verb, str(made.package), *asked)

    assert outcome.code == 3
    assert "it is a reward model" in outcome.err and "fix: " in outcome.err


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("exports", [{"kind": "gguf"}], "`gguf` is for models that write"),
        ("exports", [{"kind": "gguf-adapter"}], "`gguf-adapter` is for models that write"),
        ("evals", [{"kind": "exact-match"}], "`exact-match` reads answers"),
        ("train", {"kind": "dpo"}, "`pair-accuracy` reads rewards"),
        ("compute", {"processes": 2, "strategy": "fsdp2"}, "needs the whole model in each process"),
    ],
)
def test_what_is_not_for_a_reward_model_is_refused_before_training(
    tiny_base: Path, tmp_path: Path, key: str, value: Any, says: str
):
    recipe = laid_out(tmp_path / "tiny", tiny_base, **{key: value})

    outcome = tiny_recipe.call("plan", str(recipe.file), *tiny_recipe.ACCEPT)

    assert outcome.code == 2
    assert says in outcome.err and "fix: " in outcome.err


def opened(made: TinyRecipe) -> tuple[Tuned, Any]:
    """The trained model and its training rows, as the pipeline has them."""
    base = locate(str(made.folder / "base"), made.folder)
    encoder = open_encoder(base)
    rows = read_shards(next(made.run.file("data", "shards").glob("train*.parquet")))
    stops = all_stop_ids([rows[0].labels[-1]], None, encoder.tokenizer.eos_token_id)
    filling = padding_of("reward", rows, encoder, stops)
    return Tuned(base, made.run.file("adapter"), encoder, stops, "Tiny", filling), rows


def with_head_of_the_base(tuned: Tuned) -> Any:
    model = load_tuned(tuned.base, tuned.adapter)
    model.score.modules_to_save["default"] = model.score.original_module
    return model.merge_and_unload()


def with_update_on_the_head(tuned: Tuned) -> Any:
    model = load_tuned(tuned.base, tuned.adapter).merge_and_unload()
    with torch.no_grad():
        model.score.weight.mul_(1.01)
    return model


@pytest.mark.parametrize("mutant", [with_head_of_the_base, with_update_on_the_head])
def test_merged_file_with_another_head_is_refused(
    made: TinyRecipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mutant: Any
):
    tuned, rows = opened(made)
    live = live_model(tuned, rows, "reward", Events([]))
    monkeypatch.setattr(Tuned, "freshly_merged", mutant)

    with pytest.raises(ProofError, match="rewards of conversations differ"):
        export.export(tuned, live, "merged", merged.Spec(), run=RunDir(tmp_path), events=Events([]))


def test_padding_that_ends_an_answer_is_refused(made: TinyRecipe, tmp_path: Path):
    """As TRL has it where a tokenizer names none: the end of an answer."""
    tuned, rows = opened(made)
    end = tuned.encoder.tokenizer.convert_ids_to_tokens(rows[0].input_ids[-1])
    live = live_model(tuned, rows, "reward", Events([]))
    object.__setattr__(tuned, "padding", end)

    with pytest.raises(ProofError, match="rewards of conversations differ"):
        export.export(
            tuned, live, "adapter", adapter.Spec(), run=RunDir(tmp_path), events=Events([])
        )
