"""The job files for clusters: as they were, well formed, and of what the plan says."""

import json
import os
import shutil
import stat
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
import yaml
from kubeflow_trainer_api import models

from foundry.core.errors import RecipeError
from foundry.planning.jobs import kubernetes, slurm
from foundry.planning.jobs.job import ClusterJob, Wanted, label
from tests.commands import running

HERE = Path(__file__).parent
SCHEMA = json.loads((HERE / "schemas" / "trainer.json").read_text(encoding="utf-8"))
MODELS = {
    "TrainJob": models.TrainerV1alpha1TrainJob,
    "TrainingRuntime": models.TrainerV1alpha1TrainingRuntime,
}
JOB = ClusterJob(
    name="retail-customer-service",
    command=("foundry", "train", "it's mine.yaml", "--set", "train.epochs=2", "--runs", "runs"),
    folder="/home/wang/my shop",
    gpus=2,
    cores=8,
    memory_gib=48,
    minutes=190,
    notice_s=120,
    reasons={},
)
PLACE = Wanted(image="registry.example/foundry:0.1", claim="shop")


def objects(job=JOB, wanted=PLACE):
    return list(yaml.safe_load_all(kubernetes.write(job, wanted)))


def test_slurm_script_is_as_it_was(golden):
    golden("job.sbatch", slurm.write(JOB))


def test_kubernetes_objects_are_as_they_were(golden):
    golden("job.trainjob.yaml", kubernetes.write(JOB, PLACE))


def test_a_processor_asks_for_no_gpu():
    job = replace(JOB, gpus=0)

    assert "gpu" not in slurm.write(job)
    assert "gpu" not in kubernetes.write(job, PLACE)


def test_bash_and_shellcheck_find_no_fault(tmp_path):
    path = tmp_path / "job.sbatch"
    path.write_text(slurm.write(JOB), encoding="utf-8")

    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0
    if shutil.which("shellcheck"):
        done = subprocess.run(["shellcheck", path], capture_output=True, text=True, check=False)
        assert done.stdout == ""


def test_objects_have_the_fields_of_the_trainer_alone():
    for one in objects():
        jsonschema.validate(one, SCHEMA)


@pytest.mark.parametrize("wrong", ["nodes", "podTemplateOverrides", "restartPolicy"])
def test_the_schema_refuses_a_field_that_the_trainer_does_not_know(wrong):
    _runtime, train_job = objects()
    train_job["spec"][wrong] = 1

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(train_job, SCHEMA)


def read_back(one):
    """An object as the trainer's own types keep it: of its fields, what is not known is dropped."""
    return MODELS[one["kind"]].from_dict(one).to_dict()


def test_the_trainers_own_types_keep_every_field():
    for one in objects():
        assert read_back(one) == one


@pytest.mark.parametrize("wrong", ["nodes", "podTemplateOverrides", "restartPolicy"])
def test_the_trainers_own_types_drop_a_field_that_it_does_not_know(wrong):
    _runtime, train_job = objects()
    train_job["spec"][wrong] = 1

    assert read_back(train_job) != train_job


def test_a_pod_that_saved_its_state_is_made_anew_and_any_other_fails():
    runtime, train_job = objects()
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    policy = node["template"]["spec"]["podFailurePolicy"]["rules"]
    pod = node["template"]["spec"]["template"]["spec"]

    assert policy[0]["action"] == "Ignore"
    assert policy[0]["onExitCodes"]["values"] == [75]
    assert node["template"]["spec"]["backoffLimit"] == 0
    assert pod["terminationGracePeriodSeconds"] == JOB.notice_s
    assert train_job["spec"]["runtimeRef"]["name"] == runtime["metadata"]["name"]


@pytest.mark.parametrize(
    ("wanted", "option"), [(replace(PLACE, image=None), "--image"), (Wanted("x"), "--claim")]
)
def test_what_kubernetes_cannot_do_without_is_asked_for(wanted, option):
    with pytest.raises(RecipeError, match=option):
        kubernetes.write(JOB, wanted)


def test_a_recipe_outside_the_volume_is_refused():
    job = replace(JOB, command=("foundry", "train", "/elsewhere/recipe.yaml"))

    with pytest.raises(RecipeError, match="outside the working folder"):
        kubernetes.write(job, PLACE)


@pytest.mark.parametrize("runs", ["/scratch/runs", "../runs"])
def test_runs_outside_the_volume_are_refused(runs):
    job = replace(JOB, command=(*JOB.command[:-1], runs))

    with pytest.raises(RecipeError, match="the runs lie outside the working folder"):
        kubernetes.write(job, PLACE)


def test_files_outside_the_volume_are_refused():
    job = replace(JOB, outside=("/data/faq.csv",))

    with pytest.raises(RecipeError, match=r"/data/faq.csv: lies outside the working folder"):
        kubernetes.write(job, PLACE)
    assert "faq" not in slurm.write(job)  # there every node sees it


@pytest.mark.parametrize("name", ["3c-shop", "2026", "shop-", "a" * 64, "9" * 64, f"{'a-' * 32}"])
def test_any_name_of_a_recipe_is_one_that_the_trainer_takes(name):
    made = label(name)

    assert len(made) <= 48
    for one in objects(replace(JOB, name=made)):
        jsonschema.validate(one, SCHEMA)


def test_the_schema_refuses_a_name_as_it_is():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(objects(replace(JOB, name="3c-shop"))[0], SCHEMA)


def test_long_names_stay_apart():
    assert label("a" * 60 + "-one") != label("a" * 60 + "-two")
    assert label("retail-customer-service") == "retail-customer-service"


@pytest.mark.parametrize(("gpus", "mounted"), [(1, False), (2, True)])
def test_processes_of_a_node_have_shared_memory_to_talk_through(gpus, mounted):
    runtime, _train_job = objects(replace(JOB, gpus=gpus))
    (node,) = runtime["spec"]["template"]["spec"]["replicatedJobs"]
    pod = node["template"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert ("/dev/shm" in {one["mountPath"] for one in container["volumeMounts"]}) is mounted
    assert {one["name"] for one in pod["volumes"]} == {
        one["name"] for one in container["volumeMounts"]
    }


def executable(folder, name, text):
    """A local program of this name, which stands for the cluster's."""
    path = folder / name
    path.write_text(f"#!/bin/bash\n{text}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def played(tmp_path, program, *, restarts=0, timeout=60):
    """The script run by bash as Slurm runs it; programs of the cluster are local ones."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir(exist_ok=True)
    executable(bin_folder, "foundry", program)
    executable(bin_folder, "scontrol", f'echo "$@" >> {tmp_path}/scontrol.log')
    path = tmp_path / "job.sbatch"
    path.write_text(slurm.write(JOB), encoding="utf-8")
    environment = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}"}
    environment |= {"SLURM_JOB_ID": "4242", "SLURM_RESTART_COUNT": str(restarts)}
    started, end = tmp_path / "started", time.monotonic() + timeout
    with running(["bash", path], cwd=tmp_path, env=environment) as process:
        while not started.exists() and process.poll() is None and time.monotonic() < end:
            time.sleep(0.01)
        if started.exists():
            process.terminate()
        code = process.wait(timeout)
    log = tmp_path / "scontrol.log"
    return code, log.read_text(encoding="utf-8") if log.exists() else ""


SAVES = 'trap "sleep 0.2; exit 75" TERM; touch started; while :; do sleep 0.05; done'


def test_a_request_to_stop_reaches_the_program_and_its_75_requeues_the_job(tmp_path):
    assert played(tmp_path, SAVES) == (75, "requeue 4242\n")


def test_a_program_that_fails_or_ends_is_not_put_back(tmp_path):
    assert played(tmp_path, "exit 3") == (3, "")
    assert played(tmp_path, "exit 0") == (0, "")


def test_a_job_that_never_comes_to_a_checkpoint_is_not_put_back_for_ever(tmp_path):
    assert played(tmp_path, "exit 75", restarts=50) == (75, "")


def test_the_program_is_given_the_words_as_they_are(tmp_path):
    played(tmp_path, f'printf "%s\\n" "$@" > {tmp_path}/words')

    assert (tmp_path / "words").read_text(encoding="utf-8").splitlines() == list(JOB.command[1:])
