"""The stage reads files larger than the memory it is given, good rows and bad ones alike.

The stage runs in a process of its own that may take 8 MiB more than it has once its libraries are
loaded. The files are 40 MB of good rows and 40,000 bad ones, which would take 12 MB in memory.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.conftest import DECLARATION

CHILD = """\
import json, resource, sys
from pathlib import Path
import numpy
from foundry.core.recipe import Data
from foundry.data.prepare import prepare

data, folder = Data.model_validate(json.loads(sys.argv[1])), Path(sys.argv[2])
rows = "".join(f"{n},{n}\\n" for n in range(99))
(folder / "small.csv").write_text(f"question,answer\\n{rows}")
source = data.sources[0].model_copy(update={"path": "small.csv"})
prepare(data.model_copy(update={"sources": (source,)}), folder=folder, out=folder / "first")
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (8 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
manifest = prepare(data, folder=folder, out=folder / "data")
print(json.dumps([manifest.rows_used, manifest.refused_by_code]))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="limits are set as on Linux")


def prepared(folder: Path, name: str, **data) -> list:
    """Rows used and refused, as a process with little memory counts them."""
    source = {"path": name, "licence": "CC0-1.0", "declaration": DECLARATION}
    block = {"sources": [source], "format": {"kind": "question-answer"}, "max_refused": 1, **data}
    command = [sys.executable, "-c", CHILD, json.dumps(block), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_good_rows_of_any_number_are_read(suffix, tmp_path):
    long = "a" * 10_000
    with (tmp_path / f"a.{suffix}").open("w", encoding="utf-8") as stream:
        stream.write("question,answer\n" if suffix == "csv" else "")
        for n in range(4000):
            row = {"question": f"q{n % 3900}", "answer": long}
            stream.write(f"{','.join(row.values()) if suffix == 'csv' else json.dumps(row)}\n")

    used = prepared(tmp_path, f"a.{suffix}", split={"test": 0.1})

    assert used == [3900, {"duplicate": 100}]


def test_bad_rows_of_any_number_are_listed(tmp_path):
    (tmp_path / "a.csv").write_text("question,answer\nq,a\n" + "x,y,z\n" * 40_000)

    assert prepared(tmp_path, "a.csv") == [1, {"cells": 40_000}]
    assert (tmp_path / "data" / "refused.jsonl").read_bytes().count(b"\n") == 40_000
