"""torchrun for one machine: `-m foundry.train.processes.agent plan.json 2`; see `launcher.py`.

It starts the workers and ends all when one has failed. Its last line on standard output says, in
JSON, which did: the first whose end was seen comes first.
"""

import json
import sys
from typing import Any

# Seconds that the others have to end by themselves once one has failed; they cannot go on anyway.
GRACE_S = 10


def main(arguments: list[str]) -> int:
    """Run the workers to their end; 0 where all of them ended well."""
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    plan_file, count = arguments
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=int(count),
        run_id="foundry",
        # What `torchrun --standalone` takes (torch/distributed/run.py), and no name to look up.
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        shutdown_timeout=GRACE_S,
    )
    worker = ("-P", "-m", "foundry.train.processes.worker", plan_file)
    try:
        elastic_launch(config, sys.executable)(*worker)
    except ChildFailedError as error:
        failures = [_said(failure) for failure in error.failures.values()]
        sys.stdout.write(json.dumps({"failures": failures}) + "\n")
        return 1
    return 0


def _said(failure: Any) -> dict[str, int]:
    return {"rank": failure.local_rank, "pid": failure.pid, "exit": failure.exitcode}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
