"""From a recipe to a package on a tiny model: every stage, its document, and what is skipped."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from foundry.core.rundir import STAGES
from tests.tiny_recipe import Outcome, TinyRecipe, build_base, lay_out

ROOT = Path(__file__).resolve().parents[2]
Whole = tuple[TinyRecipe, Outcome]


def python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `code` in a process of its own."""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_chain_ends_in_a_package(whole_run: Whole):
    recipe, outcome = whole_run

    assert outcome.code == 0, outcome
    assert Path(outcome.document["package"]) == recipe.package
    assert (recipe.package / "SHA256SUMS").is_file()


def test_hubs_own_reader_takes_the_card_with_every_score(whole_run: Whole):
    from huggingface_hub import ModelCard

    recipe, outcome = whole_run
    scores = outcome.document["evaluation"]["scores"]["scores"]
    tuned = {(s["part"], s["metric"]): s for s in scores if s["column"] == "tuned"}

    data = ModelCard.load(recipe.package / "README.md").data

    found = {(r.dataset_type, r.metric_type): r for r in data.eval_results}
    assert found.keys() == tuned.keys()
    for key, result in found.items():
        assert result.metric_value == tuned[key]["mean"]
        assert result.metric_args["interval_low"] == tuned[key]["low"]
        assert result.metric_args["interval_high"] == tuned[key]["high"]


@pytest.mark.slow
def test_chain_ends_in_a_package_for_gemma_too(one_thread: None, tmp_path: Path):  # C80
    recipe = lay_out(tmp_path / "tiny", build_base(tmp_path / "gemma-base", "gemma3"))

    outcome = recipe.train("--json")

    assert outcome.code == 0, outcome
    end = outcome.document["proof"]["mask"]["stops"]
    assert list(end.values()) == [192]  # 32 steps of 6 rows, each with its end


def test_document_holds_the_evidence_of_every_stage(whole_run: Whole):
    document = whole_run[1].document

    assert document["skipped"] == []
    rows = {k: v for k, v in document["data"].items() if k.startswith("rows")}
    assert rows == {"rows_in": 14, "rows_used": 14, "rows_refused": 0, "rows_blank": 0}
    assert [source["path"] for source in document["data"]["sources"]] == ["rows.csv"]
    assert list(document["stages"]) == list(STAGES)
    assert all(cost["peak_memory_bytes"] > 50 << 20 for cost in document["stages"].values())
    assert document["mask"]["assistant_turns"] == document["mask"]["rows"] == 12
    assert set(document["proof"]) == {
        *("layers", "loss", "mask", "optimizer", "moved", "differs", "reload")
    }
    assert set(document["parity"]) == {"gguf-q8_0", "gguf-adapter-f32", "adapter"}
    assert document["evaluation"]["scores"]["scores"]


def test_tuned_and_delivered_know_what_the_base_does_not(whole_run: Whole):
    scores = whole_run[1].document["evaluation"]["scores"]["scores"]
    found = {s["column"]: s["mean"] for s in scores if s["metric"] == "exact-match"}

    assert (found["tuned"], found["delivered"], found["base"]) == (1.0, 1.0, 0.0)


def test_second_run_skips_every_stage_within_5_s(finished: TinyRecipe):
    started = time.monotonic()
    done = python(
        "import sys; from foundry.cli.main import main; code = main(sys.argv[1:]);"
        "print('torch' in sys.modules, file=sys.stderr); sys.exit(code)",
        *finished.arguments("--json"),
    )
    seconds = time.monotonic() - started

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["skipped"] == list(STAGES)
    assert done.stderr.endswith("False\n")  # nothing heavy was loaded
    assert seconds < 5


def test_second_run_says_what_the_first_said(whole_run: Whole, finished: TinyRecipe):
    first = whole_run[1].document
    again = finished.train("--json").document

    assert {k: again[k] for k in ("mask", "proof", "parity", "evaluation")} == {
        k: first[k] for k in ("mask", "proof", "parity", "evaluation")
    }


def test_dry_run_prints_the_plan_and_writes_nothing(recipe: TinyRecipe):
    outcome = recipe.train("--dry-run", "--json")

    plan = outcome.document
    assert outcome.code == 0
    assert plan["resolved"]["micro_batch_size"] == 3
    assert plan["origins"]["train.max_steps"].startswith("recipe.yaml:1:")
    assert not recipe.runs.exists()


def test_dry_run_without_json_is_a_table_of_origins(recipe: TinyRecipe):
    outcome = recipe.train("--dry-run")

    assert outcome.code == 0
    line = next(x for x in outcome.out.splitlines() if x.startswith("resolved.micro_batch_size"))
    assert line.split()[1] == "3"


def test_until_encode_writes_shards_and_mask_report_without_a_model(recipe: TinyRecipe):
    done = python(
        "import sys; from foundry.cli.main import main; code = main(sys.argv[1:]);"
        "print(*sys.modules, file=sys.stderr); sys.exit(code)",
        *recipe.arguments("--until", "encode", "--json"),
    )

    loaded = done.stderr.splitlines()[-1].split()
    assert done.returncode == 0, done.stderr
    assert set(json.loads(done.stdout)) >= {"run", "mask"}
    assert recipe.run.file("data", "shards", "train.parquet").is_file()
    assert "⟦三百元。<|eot_id|>⟧" in recipe.run.file("data", "mask_report.txt").read_text("utf-8")
    assert "transformers.models.llama.modeling_llama" not in loaded
    assert not {"transformers.modeling_utils", "peft", "trl"} & set(loaded)


def test_run_keeps_the_events_of_every_step(whole_run: Whole):
    lines = whole_run[0].run.file("events.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]

    assert [e["step"] for e in events if e["event"] == "step"] == list(range(1, 33))
    assert [e["step"] for e in events if e["event"] == "checkpoint"] == [8, 16, 24, 32]
    # The first event looks for the base and comes before there is a run directory.
    assert [e["n"] for e in events] == list(range(2, len(events) + 2))
    assert (events[-1]["stage"], events[-1]["event"]) == ("package", "end")


def test_progress_is_a_few_plain_lines_where_nobody_watches(whole_run: Whole):
    shown = whole_run[1].err

    assert "training: begins\n" in shown
    assert shown.count("training: step") <= 3  # at most one in ten seconds
    assert not {"\r", "\x1b"} & set(shown)


def test_token_of_the_environment_is_in_no_file_and_no_output(whole_run: Whole):  # C78
    recipe, outcome = whole_run
    secret = b"TESTTOKEN"

    files = [path for path in recipe.folder.rglob("*") if path.is_file()]
    assert len(files) > 50
    assert [path for path in files if secret in path.read_bytes()] == []
    assert "TESTTOKEN" not in outcome.out + outcome.err
