"""A TrainJob of Kubeflow Trainer v2, with the runtime that lets it go on after a stop.

A TrainJob has no field for what happens to a pod that ends; that is in the runtime it refers to.
So two objects are written: a `TrainingRuntime` whose pods are made anew after exit code 75 or a
disruption, and count as failed after any other, and the `TrainJob` itself. The state lies in a
volume that outlives the pods. `foundry train` starts the processes of a node by itself, hence no
`torch` policy.

Sources: pkg/apis/trainer/v1alpha1/trainjob_types.go and trainingruntime_types.go of
https://github.com/kubeflow/trainer (2026-11);
https://kubernetes.io/docs/concepts/workloads/controllers/job/#pod-failure-policy.
"""

from typing import Any

import yaml

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.planning.jobs.job import ClusterJob, Wanted

COMMAND = ("kubectl", "apply", "--filename")
SUFFIX = "trainjob.yaml"
API = "trainer.kubeflow.org/v1alpha1"
STEP = {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
CONTAINER, VOLUME, PLACE = "node", "work", "/work"
# Processes with a GPU each talk through it, and a container has 64 MiB of it unless told otherwise.
SHARED, SHARED_PLACE = "shared-memory", "/dev/shm"
INTERRUPTED = 75


def write(job: ClusterJob, wanted: Wanted) -> str:
    """Both objects as YAML.

    Raises:
        RecipeError: No image or no volume is named, or recipe or runs lie outside the volume.
    """
    _refuse(job, wanted)
    told = f"# {job.minutes / 60:.1f} hours at most by the plan; it is stopped by nothing else.\n"
    both = (_runtime(job, wanted), _train_job(job, wanted))
    texts = [yaml.safe_dump(one, sort_keys=False, allow_unicode=True) for one in both]
    return told + "---\n".join(texts)


def _refuse(job: ClusterJob, wanted: Wanted) -> None:
    problems = []
    if not wanted.image:
        what = _("no container image with `foundry` in it is named")
        problems.append(Problem("--image", what, "--image registry.example/foundry:0.1"))
    if not wanted.claim:
        what = _("no volume is named for what must outlive a pod")
        fix = _("name a PersistentVolumeClaim that holds the working folder: `--claim NAME`")
        problems.append(Problem("--claim", what, fix))
    if job.command[2].startswith("/"):
        what = _("the recipe lies outside the working folder, which is what the volume holds")
        problems.append(Problem(job.command[2], what, _("go to the folder above the recipe first")))
    runs = job.command[job.command.index("--runs") + 1] if "--runs" in job.command else ""
    if runs.startswith(("/", "..")):
        what = _("the runs lie outside the working folder ({path}), and would be lost with a pod")
        fix = _("name a folder inside of it, such as `--runs runs`")
        problems.append(Problem("--runs", what.format(path=runs), fix))
    for path in job.outside:
        what = _("lies outside the working folder, which is what the volume holds")
        problems.append(Problem(path, what, _("put it into the working folder")))
    if problems:
        raise RecipeError(problems)


def _runtime(job: ClusterJob, wanted: Wanted) -> dict[str, Any]:
    mounts: list[dict[str, Any]] = [{"name": VOLUME, "mountPath": PLACE}]
    volumes: list[dict[str, Any]] = [
        {"name": VOLUME, "persistentVolumeClaim": {"claimName": wanted.claim}}
    ]
    if job.gpus > 1:
        mounts.append({"name": SHARED, "mountPath": SHARED_PLACE})
        volumes.append({"name": SHARED, "emptyDir": {"medium": "Memory"}})
    pod = {
        "restartPolicy": "Never",
        "terminationGracePeriodSeconds": job.notice_s,
        "containers": [
            {
                "name": CONTAINER,
                "image": wanted.image,
                "workingDir": PLACE,
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
    rules = [
        {
            "action": "Ignore",
            "onExitCodes": {
                "containerName": CONTAINER,
                "operator": "In",
                "values": [INTERRUPTED],
            },
        },
        {
            "action": "Ignore",
            "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}],
        },
    ]
    made_of = {"backoffLimit": 0, "podFailurePolicy": {"rules": rules}, "template": {"spec": pod}}
    node = {"name": "node", "template": {"metadata": {"labels": STEP}, "spec": made_of}}
    return {
        "apiVersion": API,
        "kind": "TrainingRuntime",
        "metadata": {"name": job.name},
        "spec": {"mlPolicy": {"numNodes": 1}, "template": {"spec": {"replicatedJobs": [node]}}},
    }


def _train_job(job: ClusterJob, wanted: Wanted) -> dict[str, Any]:
    needs: dict[str, Any] = {"cpu": str(job.cores), "memory": f"{job.memory_gib}Gi"}
    needs |= {"nvidia.com/gpu": str(job.gpus)} if job.gpus else {}
    return {
        "apiVersion": API,
        "kind": "TrainJob",
        "metadata": {"name": job.name},
        "spec": {
            "runtimeRef": {
                "apiGroup": "trainer.kubeflow.org",
                "kind": "TrainingRuntime",
                "name": job.name,
            },
            "trainer": {
                "image": wanted.image,
                "command": list(job.command),
                "numNodes": 1,
                "resourcesPerNode": {"requests": needs, "limits": dict(needs)},
            },
        },
    }
