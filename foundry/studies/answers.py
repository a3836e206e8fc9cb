"""Let a run take over what the untrained base model answered in a run beside it.

No arm and no seed changes the base or its questions, so that it is asked once for all of them. An
answers file names in its first line everything that decides it (`evals.examine`); where that is
not what the run would ask, it asks anew.
"""

from collections.abc import Sequence

from foundry.core import atomic
from foundry.core.deciding import deciding
from foundry.core.records import Plan
from foundry.core.rundir import RunDir
from foundry.evals.examine import ANSWERS, BASE
from foundry.store.share import key

KEYS = ("evals", "evaluation")


def take_answers(run: RunDir, plan: Plan, donors: Sequence[RunDir]) -> list[str]:
    """Copy the base's answers that a finished run has and `run` has not begun; their names.

    Args:
        run: The run that is about to be evaluated; locked by the caller.
        plan: Its plan.
        donors: Runs to look at, in this order.
    """
    taken = list[str]()
    for donor in donors:
        made, stamp = donor.stamp("plan"), donor.stamp("evaluate")
        if made is None or stamp is None or not _asks_alike(made["result"], plan):
            continue
        for name, digest in stamp["outputs"].items():
            file = donor.file(name)
            is_base = file.parent == donor.file(*ANSWERS) and file.name.startswith(BASE)
            if is_base and not run.file(name).exists() and _is_intact(donor, name, digest):
                atomic.copy(file, run.file(name))
                taken.append(name)
    return taken


def _asks_alike(made: dict[str, object], plan: Plan) -> bool:
    """Whether both have the same rows and the same questions."""
    mine = plan.as_dict()
    others = made["values"]
    assert isinstance(others, dict)
    values, others = deciding(mine["values"]), deciding(others)
    return key(made, "encode") == key(mine, "encode") and all(
        values[name] == others[name] for name in KEYS
    )


def _is_intact(donor: RunDir, name: str, digest: str) -> bool:
    return donor.file(name).is_file() and atomic.sha256(donor.file(name)) == digest
