"""Energy counters as Linux shows them: summed over packages, going around, or not to be read."""

from pathlib import Path

import pytest

from foundry.core.energy import Meter

AROUND = 262_143_328_850


def count(root: Path, zone: str, microjoules: int | str) -> None:
    """Let a counter stand at `microjoules`."""
    folder = root / zone
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{AROUND}\n")


def test_packages_are_summed_and_their_parts_are_not_counted_twice(tmp_path: Path):
    for zone in ("intel-rapl:0", "intel-rapl:1", "intel-rapl:0:0", "intel-rapl"):
        count(tmp_path, zone, 1_000_000)
    meter = Meter(tmp_path)
    for zone, now in [("intel-rapl:0", 3_000_000), ("intel-rapl:1", 1_500_000)]:
        count(tmp_path, zone, now)
    count(tmp_path, "intel-rapl:0:0", 9_000_000)

    assert meter.joules() == 2.5
    assert meter.joules() == 2.5


def test_counter_that_began_again_is_counted_on(tmp_path: Path):
    count(tmp_path, "intel-rapl:0", AROUND - 1_000_000)
    meter = Meter(tmp_path)
    count(tmp_path, "intel-rapl:0", 2_000_000)

    assert meter.joules() == 3.0


@pytest.mark.parametrize("zones", [[], ["intel-rapl:0"]])
def test_energy_that_cannot_be_read_is_not_zero(tmp_path: Path, zones: list[str]):
    for zone in zones:
        count(tmp_path, zone, "permission denied")

    assert Meter(tmp_path).joules() is None
    assert Meter(tmp_path / "none").joules() is None


def test_energy_that_can_be_read_no_more_is_not_known(tmp_path: Path):
    count(tmp_path, "intel-rapl:0", 1_000_000)
    meter = Meter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").unlink()

    assert meter.joules() is None
    count(tmp_path, "intel-rapl:0", 2_000_000)
    assert meter.joules() is None
