"""The plan suite foretells each training from the others, and one that fails loses none of them."""

import json
import sys
from pathlib import Path

import pytest

from foundry.planning.calibration import machine_key
from foundry.planning.estimate.memory import LIBRARIES
from foundry.planning.learning import Sample
from scripts import plan_suite, plan_table

MB = 10**6
PER_OPERATION, ONCE, BASE_MB = 2e-11, 9.0, 700
WORK = {"traffic": 0.0, "calls": 0.0, "loaded": 0.0}


def sample(operations: float, activations: float, *, slower: float = 1, more: float = 1) -> Sample:
    """A training on a machine of which everything is known: it takes what it says, or more."""
    seconds = ONCE + PER_OPERATION * operations
    return Sample(
        work={"operations": operations, **WORK},
        parts={"counted": 100 * MB, "activations": activations},
        seconds=seconds * slower,
        peak_bytes=((100 + BASE_MB) * MB + activations) * more,
    )


KNOWN = {
    f"run-{n}": sample(n * 4e11, activations)
    for n, activations in enumerate((10 * MB, 900 * MB, 100 * MB, 400 * MB, 30 * MB), start=1)
}


def test_machine_that_keeps_to_a_rule_is_foretold_to_a_few_percent():
    made = plan_table.foretell(KNOWN)

    found = plan_table.summarise(made)
    assert [one.name for one in made] == list(KNOWN)
    assert found.time < 0.05
    assert found.memory < 0.05
    assert found.spare > 0
    assert found.is_met
    assert found.plain_memory > found.memory


@pytest.mark.parametrize(
    "odd",
    [
        {"slower": 4.0},  # one of three: each of the others is foretold from it
        {"more": 3.0},
    ],
)
def test_plan_that_is_far_off_does_not_meet_what_is_asked(odd: dict[str, float]):
    found = {"a": sample(4e11, MB), "b": sample(8e11, MB), "c": sample(6e11, MB, **odd)}

    assert not plan_table.summarise(plan_table.foretell(found)).is_met


def test_peak_above_the_upper_bound_is_told():
    found = {**KNOWN, "large": sample(4e11, 50 * MB, more=2.0)}

    *_lines, bound = plan_table.lines(plan_table.foretell(found), [])

    assert "BELOW" in bound


def test_too_few_trainings_make_no_table():
    with pytest.raises(ValueError, match="2 finished trainings; 3 are needed"):
        plan_table.foretell(dict(list(KNOWN.items())[:2]))


def keep(runs: Path, name: str, one: Sample) -> None:
    """The record that a run of this machine leaves."""
    parts = {
        "weights": one.parts["counted"],
        "activations": one.parts["activations"],
        "libraries": LIBRARIES["cpu"][1],
    }
    forecast = {
        "machine": machine_key(),
        "measured": {"seconds": one.seconds, "peak_memory_bytes": one.peak_bytes},
        "work": dict(one.work),
        "memory": {"parts": {key: {"expected": value} for key, value in parts.items()}},
    }
    folder = runs / f"{name}-90197ba3"  # a run is called by its plan as well
    folder.mkdir(parents=True)
    (folder / "train.json").write_text(json.dumps({"forecast": forecast}), encoding="utf-8")


def call(monkeypatch: pytest.MonkeyPatch, *words: str) -> int:
    monkeypatch.setattr(sys, "argv", ["plan_suite.py", *words])
    return plan_suite.main()


def test_table_goes_into_its_section_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    page, out = tmp_path / "performance.md", tmp_path / "out"
    page.write_text("# Performance\n\nOther.\n", encoding="utf-8")
    for name, one in KNOWN.items():
        keep(out / "runs", name, one)

    codes = [
        call(monkeypatch, "--out", str(out), "--table", "--write", str(page)) for _again in range(2)
    ]

    text = page.read_text(encoding="utf-8")
    assert codes == [0, 0]
    assert text.startswith("# Performance\n\nOther.\n\n<!-- Plan: generated -->\n## Plan\n")
    assert text.count("## Plan") == 1
    assert "| run-3 | 33.0 | " in text
    assert "(at most 25% is asked)" in text
    assert "above the peak by" in text


def no_memory(_folder: Path) -> None:
    raise MemoryError("not enough for the base")


def no_base(folder: Path) -> None:
    plan_suite.written(folder, base="nowhere", words=20, blocks={})


def test_trainings_that_fail_are_named_and_lose_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    names = ("no-memory", "no-base", *KNOWN)
    writers = (no_memory, no_base, *[no_memory] * len(KNOWN))
    suite = [plan_suite.Training(*one) for one in zip(names, writers, strict=True)]
    monkeypatch.setattr(plan_suite, "suite", lambda embedded: suite)
    for name, one in KNOWN.items():
        keep(tmp_path / "runs", name, one)  # these have ended already

    code = call(monkeypatch, "--out", str(tmp_path))

    told = capsys.readouterr()
    assert code == 1
    assert "no-memory: MemoryError: not enough for the base" in told.err
    assert "no-base: exit status" in told.err
    assert told.out.splitlines()[-1] == "- not ended, and not counted: no-base, no-memory"
    assert all(f"| {name} | " in told.out for name in KNOWN)


def test_suite_names_each_training_once_and_the_embedded_ones_if_asked():
    plain, both = ([one.name for one in plan_suite.suite(embedded=e)] for e in (False, True))

    assert len(set(both)) == len(both) == len(plain) + len(plan_suite.EMBEDDED)
    assert both[len(plain)] == "10-smollm2-135m-40"
