"""`foundry launch`: a file of what the plan says, handed in only if asked, nothing secret in it."""

import os
import stat
import subprocess

import pytest

from foundry.cli import launch as product
from foundry.planning.jobs import job as jobs
from tests.cases import case, change
from tests.tiny_recipe import ACCEPT, TOKEN, call


@pytest.fixture
def here(recipe, monkeypatch):
    monkeypatch.chdir(recipe.folder)
    return recipe


def launch(*words):
    return call("launch", "recipe.yaml", *ACCEPT, *words)


def as_one_process(loaded, device, wanted):
    return ("compute.processes=1", "compute.strategy=single")


def settings(text):
    lines = [line for line in text.splitlines() if line.startswith("#SBATCH ")]
    return dict(line[len("#SBATCH --") :].partition("=")[::2] for line in lines)


def test_resources_are_those_of_the_plan(here):
    plan = call("plan", "recipe.yaml", *ACCEPT, "--on", "h100-80g", "--json").document
    outcome = launch("--to", "slurm", "--on", "h100-80g", "--json")

    assert outcome.code == 0, outcome.err
    job = outcome.document["job"]
    high = plan["estimate"]["seconds"]["high"]
    assert 60 * (job["minutes"] - 1) <= high + 3600 <= 60 * job["minutes"]
    assert (job["gpus"], job["cores"]) == (1, 4)
    given = settings(outcome.document["text"])
    assert given["gpus-per-node"] == "1"
    assert given["mem"] == f"{job['memory_gib']}G"
    assert given["signal"] == f"B:TERM@{job['notice_s']}"
    line = "foundry train recipe.yaml --accept-terms unknown --runs runs &"
    assert line in outcome.document["text"]


def test_what_the_user_says_goes_before_the_plan(here):
    words = ("--gpus", "2", "--cores", "6", "--memory", "9", "--hours", "1.5")

    given = settings(launch("--to", "slurm", "--on", "h100-80g", *words).out)

    assert (given["gpus-per-node"], given["cpus-per-task"]) == ("2", "6")
    assert (given["mem"], given["time"]) == ("9G", "01:30:00")


def test_the_processes_of_the_recipe_ask_for_as_many_gpus(here):
    words = ("--to", "slurm", "--on", "h100-80g", "--set", "compute.processes=2")

    assert settings(launch(*words).out)["gpus-per-node"] == "2"
    few = launch(*words, "--gpus", "1")
    assert few.code == 2
    assert "compute.processes: auto" in few.err


def test_processes_on_a_processor_have_a_core_each_and_memory_for_all(here):
    words = ("--to", "slurm", "--on", "cpu-laptop", "--json", "--set")

    one, six = (launch(*words, f"compute.processes={size}").document["job"] for size in (1, 6))

    assert (one["cores"], six["cores"]) == (4, 6)
    assert six["memory_gib"] - 1 >= 6 * (one["memory_gib"] - 2)  # each is rounded up, and 1 more
    few = launch(*words, "compute.processes=6", "--cores", "2")
    assert few.code == 2
    assert "2 cores are fewer than the recipe has processes (6)" in few.out


def test_more_processes_than_this_machine_has_cores_have_memory_for_all(here):
    words = ("--to", "slurm", "--json", "--set")

    one, many = (launch(*words, f"compute.processes={size}").document["job"] for size in (1, 6))

    assert many["memory_gib"] - 1 >= 6 * (one["memory_gib"] - 2)  # each is rounded up, and 1 more
    assert many["cores"] == 6


def test_a_file_that_no_pod_would_see_is_refused(here, tmp_path):
    elsewhere = tmp_path / "faq.csv"
    elsewhere.write_bytes((here.folder / "rows.csv").read_bytes())
    words = ("--to", "kubernetes", "--image", "registry.example/foundry:0.1", "--claim", "shop")

    refused = launch(*words, "--set", f"data.sources.0.path={elsewhere}")

    assert refused.code == 2
    assert f"{elsewhere}: lies outside the working folder" in refused.err


@case("C72", {"planned as one process": change(jobs, "as_there", as_one_process)})
def test_a_model_too_large_for_one_card_is_planned_on_those_asked_for(recipe):
    words = ("launch", "retail/customer-service", "--to", "slurm", "--accept-terms", "taide-g")
    words += ("--accept-terms", "gemma", "--on", "rtx-4090")
    words += ("--set", "base_model=gemma-3-taide-12b")
    one = call(*words)

    four = call(*words, "--gpus", "4", "--json")

    assert one.code == 3
    assert four.code == 0, four.err
    made = four.document["job"]
    # Each of the four reads all of it, 12 billion numbers of two bytes, before it keeps its part.
    assert made["memory_gib"] > 4 * 22
    assert settings(four.document["text"])["gpus-per-node"] == "4"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (
            ("--set", "purpose=shop", "--set", "data.sources.0.declaration.purpose=other"),
            1,
            "other",
        ),
        (("--set", "compute.processes=64"), 2, "rows in a step"),
        (("--set", "train.nothing=1"), 2, "train.nothing"),
        (("--gpus", "0"), 2, "the plan is for h100-80g, and no GPU is asked for"),
    ],
)
def test_what_would_be_refused_there_is_refused_here(here, words, code, said):
    outcome = launch("--to", "slurm", "--on", "h100-80g", "--out", "job.sbatch", *words)

    assert outcome.code == code
    assert said in outcome.err
    assert not (here.folder / "job.sbatch").exists()


ABSENT = ("--accept-terms", "taide-g", "--accept-terms", "gemma", "--on", "h100-80g")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (("compute.strategy=fsdp2",), "there is one"),
        (("train={kind: dpo, max_steps: 5}", "adapter.dropout=0.1"), "would be noise"),
        (("train.evaluate_every=5",), "no validation rows"),
        (("adapter={kind: dora}", "exports=[{kind: gguf-adapter}]"), "no plain low-rank update"),
        (("train={kind: reward, max_steps: 5}",), "reads answers, and a reward model gives none"),
    ],
)
def test_nor_does_a_base_that_is_only_there_hide_a_contradiction(recipe, settings, said):
    words = ("launch", "retail/customer-service", "--to", "slurm", *ABSENT)
    sets = ("base_model=gemma-3-taide-12b", *settings)

    outcome = call(*words, *(word for one in sets for word in ("--set", one)))

    assert outcome.code == 2, outcome.out
    assert said in outcome.err


def test_terms_that_were_not_accepted_are_asked_for(here):
    outcome = call("launch", "recipe.yaml", "--to", "slurm")

    assert outcome.code == 1
    assert "--accept-terms" in outcome.err


def test_a_file_is_written_and_bash_reads_it(here):
    outcome = launch("--to", "slurm", "--out", "job.sbatch")

    assert outcome.out.strip() == "sbatch job.sbatch"
    done = subprocess.run(["bash", "-n", here.folder / "job.sbatch"], check=False)
    assert done.returncode == 0


PLACE = ("--image", "registry.example/f:1", "--claim", "shop")


@pytest.mark.parametrize(
    ("name", "words", "told", "file"),
    [
        ("sbatch", ("--to", "slurm"), "", "tiny.sbatch"),
        ("kubectl", ("--to", "kubernetes", *PLACE), "apply --filename ", "tiny.trainjob.yaml"),
    ],
)
def test_submit_hands_the_file_to_the_program_on_the_path(
    here, monkeypatch, name, words, told, file
):
    program = here.folder / name  # a local program, which stands for the scheduler's
    program.write_text('#!/bin/sh\nfor last; do :; done\ncat "$last" > given\necho "did $*"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(here.folder), prepend=os.pathsep)

    outcome = launch(*words, "--submit")

    assert (outcome.code, outcome.out) == (0, f"did {told}{file}\n")
    assert (here.folder / "given").read_text() == (here.folder / file).read_text()


def test_a_scheduler_that_refuses_is_heard(here, monkeypatch):
    program = here.folder / "sbatch"
    program.write_text(f"#!/bin/sh\necho 'invalid partition {TOKEN}' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(here.folder), prepend=os.pathsep)

    outcome = launch("--to", "slurm", "--submit")

    assert outcome.code == 3
    assert "invalid partition" in outcome.err
    assert TOKEN not in outcome.err


def test_submit_without_the_program_says_what_to_run_where_it_is(here, monkeypatch):
    monkeypatch.setenv("PATH", str(here.folder))

    outcome = launch("--to", "slurm", "--submit")

    assert outcome.code == 3
    assert "`sbatch` is not on this machine" in outcome.err
    assert "sbatch tiny.sbatch" in outcome.err
    assert (here.folder / "tiny.sbatch").is_file()


def test_kubernetes_needs_to_know_the_image_and_the_volume(here):
    refused = launch("--to", "kubernetes")
    given = launch("--to", "kubernetes", "--image", "registry.example/f:1", "--claim", "shop")

    assert refused.code == 2
    assert "--image" in refused.err
    assert "--claim" in refused.err
    assert given.code == 0
    assert "kind: TrainJob" in given.out


@case("C78", {"tokens are not looked for": change(product, "_refuse_tokens", lambda *words: None)})
def test_no_token_stands_in_a_job_file(here, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)

    usual = launch("--to", "slurm")
    image = f"registry.example/{TOKEN}:1"
    asked = launch("--to", "kubernetes", "--image", image, "--claim", "shop")

    assert TOKEN not in usual.out
    assert asked.code == 2
    assert TOKEN not in asked.out + asked.err
