"""Whether this machine can train, and what to do where it cannot. No connection is opened."""

import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from foundry.core import allocator, environment, secrets, shipped
from foundry.core.language import gettext as _
from foundry.core.language import language
from foundry.core.sizes import GIB
from foundry.models import catalogue, embedded
from foundry.planning import accelerator

# Measured with the shop recipe on two cores: a run holds 3 GiB of files (base, checkpoints, merged
# model, GGUF) and at its peak 5 GiB of memory; both with room for the rest of a machine.
ADVISED_MEMORY = 8 * GIB
ADVISED_DISK = 8 * GIB
NEEDED_DISK = 3 * GIB

# What training imports; without bitsandbytes only 4-bit bases are out of reach.
REQUIRED = (
    *("torch", "transformers", "peft", "trl", "datasets", "accelerate", "safetensors"),
    *("gguf", "xllamacpp", "numpy", "scipy", "pyarrow", "huggingface_hub"),
)
OPTIONAL = ("bitsandbytes",)
HUB_SETTINGS = ("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT")


@dataclass(frozen=True)
class Check:
    """One line: `state` is `ok`, `warning` or `missing`; training needs it if `required`."""

    name: str
    state: str
    found: str
    fix: str | None = None
    required: bool = False


def examine() -> list[Check]:
    """Every check, in the order a person would ask."""
    return [
        Check("Python", "ok", f"{platform.python_version()} ({sys.executable})"),
        Check(_("system"), "ok", f"{platform.system()} {platform.machine()}"),
        _cores(),
        _memory(),
        _allocator(),
        *_disks(),
        _gpu(),
        *_packages(),
        *_embedded_models(),
        Check(_("language"), "ok", language(), _("set FOUNDRY_LANG to `zh-TW` or `en`")),
        _terminal(),
        *_hub(),
        Check(_("network"), "ok", _("not used: no connection was opened")),
    ]


def is_ready(checks: list[Check]) -> bool:
    """Whether nothing that training needs is missing."""
    return not any(check.required and check.state == "missing" for check in checks)


def _cores() -> Check:
    found = environment.cores()
    text = _("{count} ({name})").format(count=found, name=environment.cpu_name())
    if found < 2:
        return Check(_("cores"), "warning", text, _("training will be slow; use two or more"))
    return Check(_("cores"), "ok", text)


def _memory() -> Check:
    found = environment.memory_bytes()
    if found is None:
        return Check(_("memory"), "warning", _("unknown"), _("have {gib} GiB").format(gib=8))
    text = f"{found / GIB:.1f} GiB"
    if found >= ADVISED_MEMORY:
        return Check(_("memory"), "ok", text)
    fix = _("have {gib} GiB for the shop recipe, or lower `train.micro_batch_size`")
    return Check(_("memory"), "warning", text, fix.format(gib=ADVISED_MEMORY // GIB))


def _allocator() -> Check:
    found = allocator.library()
    if found is not None:
        return Check(_("memory allocator"), "ok", f"jemalloc ({found})")
    fix = _(
        "install jemalloc (Debian: `apt install libjemalloc2`): training takes a quarter less time"
    )
    state = "warning" if sys.platform.startswith("linux") else "ok"
    return Check(_("memory allocator"), state, _("the system's"), fix)


def _disks() -> Iterator[Check]:
    places = {_("disk for runs"): Path("runs"), _("disk for base models"): embedded.home()}
    for name, folder in places.items():
        free = shutil.disk_usage(_existing(folder)).free
        text = _("{gib:.1f} GiB free at {folder}").format(gib=free / GIB, folder=folder)
        fix = _("free {gib} GiB").format(gib=ADVISED_DISK // GIB)
        if free >= ADVISED_DISK:
            yield Check(name, "ok", text, required=True)
        else:
            state = "warning" if free >= NEEDED_DISK else "missing"
            yield Check(name, state, text, fix, required=True)


def _existing(folder: Path) -> Path:
    absolute = folder.absolute()
    return next(path for path in (absolute, *absolute.parents) if path.is_dir())


def _gpu() -> Check:
    found = accelerator.look()
    if found.torch is None:
        return Check("GPU", "ok", _("not looked for: torch is not installed"))
    if found.fault is not None:
        fix = _("install a torch that has code for this GPU, or free its memory")
        return Check("GPU", "warning", found.fault, fix)
    if found.card is None:
        return Check("GPU", "ok", _("none; the processor is used"))
    text = _("{name}, {gib:.1f} GiB; training uses it")
    if found.cards > 1:
        text = _("{count} of them, the first {name}, {gib:.1f} GiB; training uses all")
    told = {"count": found.cards, "name": found.card.name, "gib": found.card.memory_bytes / GIB}
    return Check("GPU", "ok", text.format(**told))


def _packages() -> Iterator[Check]:
    tested = tested_versions()
    for name in (*REQUIRED, *OPTIONAL):
        found, required = environment.installed(name), name in REQUIRED
        if found is None:
            state = "missing" if required else "warning"
            fix = "pip install 'ai-foundry[train]'"
            yield Check(name, state, _("not installed"), fix, required=required)
        elif found.split("+")[0] != tested[name]:
            text = _("{found}; tested with {tested}").format(found=found, tested=tested[name])
            fix = f"pip install {name}=={tested[name]}"
            yield Check(name, "warning", text, fix, required=required)
        else:
            yield Check(name, "ok", found, required=required)


def tested_versions() -> dict[str, str]:
    """Distribution -> version with which the tests pass, from constraints.txt."""
    lines = (shipped.root() / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {name.strip(): pinned.strip() for name, pinned in pins}


def _embedded_models() -> Iterator[Check]:
    for entry in catalogue.load_catalogue().values():
        if entry.embedded is None:
            continue
        if util.find_spec(entry.embedded.module) is None:
            yield Check(entry.name, "missing", _("not installed"), entry.embedded.install)
        else:
            yield Check(
                entry.name, "ok", _("installed as {name}").format(name=entry.embedded.package)
            )


def _terminal() -> Check:
    found = (sys.stdout.encoding or "?").lower()
    if found.replace("-", "") == "utf8":
        return Check(_("terminal"), "ok", found)
    fix = _("set PYTHONUTF8=1, or Chinese may be printed as codes")
    return Check(_("terminal"), "warning", found, fix)


def _hub() -> Iterator[Check]:
    for name in HUB_SETTINGS:
        if name in os.environ:
            yield Check(name, "ok", secrets.mask(os.environ[name]))
    folder = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    is_present = "HF_TOKEN" in os.environ or (folder / "token").is_file()
    found = _("present, not shown") if is_present else _("absent; needed for gated models only")
    yield Check("HF_TOKEN", "ok", found)
