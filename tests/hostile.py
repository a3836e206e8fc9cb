"""Files that run code, or fill a disk, when somebody opens them carelessly.

The payload makes a folder, the canary; a test asserts that it is not there, and once that the
payload would have made it.
"""

import io
import json
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

BOMB_BYTES = 64 << 20


class Payload:
    """Unpickling it makes the folder `canary`."""

    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.canary),)


def pickled(canary: Path) -> bytes:
    """A plain pickle, as old versions of torch wrote them."""
    return pickle.dumps({"weight": Payload(canary)})


def torch_saved(canary: Path) -> bytes:
    """The same as `torch.save` writes it: a zip with a pickle inside."""
    import torch

    stream = io.BytesIO()
    torch.save({"weight": torch.zeros(2), "state": Payload(canary)}, stream)
    return stream.getvalue()


def zip_bomb() -> bytes:
    """64 MiB of zeros in 64 KiB."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros.json", bytes(BOMB_BYTES))
    return stream.getvalue()


def ask_for_code(folder: Path, canary: Path, file: str = "config.json", **nested: Any) -> None:
    """Point `auto_map` of a configuration at code in the folder that makes the canary."""
    code = f"import os\nos.mkdir({str(canary)!r})\nclass Model: pass\n"
    (folder / "code.py").write_text(code, encoding="utf-8")
    edit(folder / file, **(nested or {"auto_map": {"AutoModelForCausalLM": "code.Model"}}))


def template(canary: Path) -> str:
    """A chat template that makes the canary where Jinja is not in its sandbox."""
    return "{{ cycler.__init__.__globals__.os.mkdir('" + str(canary) + "') }}"


def edit(path: Path, **values: Any) -> None:
    """Set keys of a JSON file, or write one."""
    old = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(old | values), encoding="utf-8")
