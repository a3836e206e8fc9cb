"""Joules that the processors of this machine have drawn, where the system counts them.

Linux counts them for each processor package (RAPL), whatever ran on it: `energy_uj` of
`/sys/class/powercap/intel-rapl:N` goes up in microjoules to `max_energy_range_uj` and begins again
(Documentation/power/powercap/powercap.rst). Memory, disks and accelerators are not in it. Kernels
since 5.10 let only root read it.
"""

import re
from pathlib import Path

POWERCAP = Path("/sys/class/powercap")
PACKAGE = re.compile(r"intel-rapl:\d+")  # AMD's too; `intel-rapl:0:0` is a part of a package


class Meter:
    """Sums up what the counters say; read at least once while they go around (about an hour)."""

    def __init__(self, root: Path = POWERCAP) -> None:
        zones = sorted(root.iterdir()) if root.is_dir() else []
        self._zones = [zone for zone in zones if PACKAGE.fullmatch(zone.name)]
        self._last = [_number(zone / "energy_uj") for zone in self._zones]
        self._joules = 0.0

    def joules(self) -> float | None:
        """Drawn since this meter was made; None where the system does not say."""
        if not self._zones or None in self._last:
            return None
        now = [_number(zone / "energy_uj") for zone in self._zones]
        for zone, before, after in zip(self._zones, self._last, now, strict=True):
            if before is None or after is None:
                self._last = now
                return None
            around = 0 if after >= before else _number(zone / "max_energy_range_uj") or 0
            self._joules += (after - before + around) / 1e6
        self._last = now
        return self._joules


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
