"""A batch script for Slurm that goes on after a preemption or its time limit.

Slurm signals the script itself (`B:`), which passes the request on; the program saves its state and
ends with 75, upon which the script puts its own job back into the queue.

Sources: https://slurm.schedmd.com/sbatch.html (`--signal`, `--requeue`, `--open-mode`),
https://slurm.schedmd.com/scontrol.html (`requeue`).
"""

import shlex

from foundry.planning.jobs.job import MOST_RESTARTS, ClusterJob

COMMAND = ("sbatch",)
SUFFIX = "sbatch"

BODY = """\
set -u

told=
job=
trap 'told=yes; [ -z "$job" ] || kill -TERM "$job" 2>/dev/null' TERM
{command} &
job=$!
[ -z "$told" ] || kill -TERM "$job" 2>/dev/null # the request came while the program began

# A signal ends `wait` while the program still saves its state: wait again for its own code.
wait "$job"
code=$?
while [ -n "$told" ]; do
  told=
  wait "$job"
  again=$?
  [ "$again" -eq 127 ] || code=$again
done

# 75: stopped after the state was saved; the same command goes on from there.
if [ "$code" -eq 75 ] && [ -n "${{SLURM_JOB_ID:-}}" ]; then
  if [ "${{SLURM_RESTART_COUNT:-0}}" -lt {most} ]; then
    scontrol requeue "$SLURM_JOB_ID"
  else
    echo "stopped {most} times: ask for more time with --hours" >&2
  fi
fi
exit "$code"
"""


def write(job: ClusterJob) -> str:
    """The script."""
    hours, minutes = divmod(job.minutes, 60)
    settings = [
        f"--job-name={job.name}",
        f"--chdir={job.folder}",
        f"--output={job.name}-%j.log",
        "--open-mode=append",
        "--nodes=1",
        "--ntasks=1",
        f"--cpus-per-task={job.cores}",
        *([f"--gpus-per-node={job.gpus}"] if job.gpus else []),
        f"--mem={job.memory_gib}G",
        f"--time={hours:02d}:{minutes:02d}:00",
        f"--signal=B:TERM@{job.notice_s}",
        "--requeue",
    ]
    head = "".join(f"#SBATCH {shlex.quote(one)}\n" for one in settings)
    body = BODY.format(command=shlex.join(job.command), most=MOST_RESTARTS)
    return f"#!/bin/bash\n{head}\n{body}"
