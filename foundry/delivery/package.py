"""A proven run -> the folder that is handed over, whole or not at all.

Copies exports and evidence, writes card, licences and `package.json`, frees every text of what
names this machine, searches what is left, and lists all hashes.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

from foundry.core import atomic, plugins
from foundry.core.errors import GateError, LicenceError, Problem, ProofError
from foundry.core.language import gettext as _
from foundry.core.language import tag
from foundry.core.records import Package, Plan
from foundry.core.rundir import RunDir
from foundry.delivery import bills, openness, package_record, private, sums
from foundry.delivery.documents import documents
from foundry.delivery.package_record import Artefact, Base, Chat, PackageRecord
from foundry.policy import licence as policy
from foundry.policy import mof
from foundry.policy.basic_act import act
from foundry.policy.duties import TEXTS, missing
from foundry.policy.notices import notices
from foundry.store import ledger
from foundry.train.adapter_files import check_finite

if TYPE_CHECKING:
    from foundry.encode.tokenize import Encoder

TEMPLATE = "chat_template.jinja"
SAID = ("licence", "role", "site", "attribution")  # of each licence in play
# Evidence: file in the package's folder `foundry` -> file of the run.
COPIED = {
    "recipe.yaml": "recipe.yaml",
    "env.json": "env.json",
    "manifest.json": "data/manifest.json",
    "mask_report.json": "data/mask_report.json",
    "train.json": "train.json",
    "report.json": "evals/report.json",
    "report.html": "evals/report.html",
}
# Where a format puts facts: before the question or after it, if it names a column for them.
CONTEXT_PLACES = {
    "question-answer": ("context", "before"),
    "instruction": ("input", "after"),
    "squad": ("context", "before"),
}
# What was done to the base's files, by kind of export; a licence may ask for it (Gemma 3.1(3)).
CHANGES = {
    "adapter": "微調得到的轉接器，附加在基底權重上 / "
    "an adapter obtained by fine-tuning, to be put on the base weights",
    "merged": "基底權重與轉接器合併 / base weights merged with the adapter",
    "gguf": "基底權重與轉接器合併，並轉成 GGUF / base weights merged with the adapter, as GGUF",
    "gguf-adapter": "微調得到的轉接器，轉成 GGUF / an adapter obtained by fine-tuning, as GGUF",
}

# The same where all weights were trained.
CHANGES_OF_ALL = {
    "merged": "基底權重經微調 / base weights, all fine-tuned",
    "gguf": "基底權重經微調，並轉成 GGUF / base weights, all fine-tuned, as GGUF",
}


@dataclass(frozen=True)
class ChatFormat:
    """How the trained model is spoken to; `stop_tokens` are the `stop_ids` as text."""

    template: str
    bos_token: str
    eos_token: str
    bos_id: int | None
    stop_ids: tuple[int, ...]
    stop_tokens: tuple[str, ...]

    @classmethod
    def of(cls, encoder: "Encoder", stop_ids: Sequence[int]) -> "ChatFormat":
        """The format that an encoder trained with."""
        return cls(
            template=encoder.template,
            bos_token=encoder.bos_token,
            eos_token=encoder.eos_token,
            bos_id=encoder.bos_id,
            stop_ids=tuple(stop_ids),
            stop_tokens=tuple(encoder.tokenizer.convert_ids_to_tokens(list(stop_ids))),
        )


@dataclass(frozen=True)
class PackageInputs:
    """What a package is made from; everything else is read from the run's own files."""

    run: RunDir
    plan: Plan
    chat: ChatFormat


def build_package(inputs: PackageInputs) -> Package:
    """Make `package/` of the run, replacing an older one.

    Raises:
        GateError: A gate of the recipe was not met.
        LicenceError: A notice that a licence asks for is missing.
        ProofError: A record of the run is missing, or a file names this machine or its user.
    """
    run, plan = inputs.run, inputs.plan
    exports = _json(run, "exports/exports.json")["items"]
    check_gates(_json(run, COPIED["report.json"])["gates"])
    learned = [s for s in _json(run, COPIED["manifest.json"])["sources"] if s["licence"]]
    record = _record(inputs, exports, context_place([source["format"] for source in learned]))
    secret = private.of_this_machine(plan, run.path)
    out = run.file("package")
    with atomic.replacing_folder(out) as folder:
        for export in exports:
            _copy_export(run, export, folder)
        texts = {
            package_record.NAME: _dump(record.model_dump(mode="json", by_alias=True)),
            openness.NAME: mof.dump(openness.mof_record(record)),
            TEMPLATE: inputs.chat.template,
            **_evidence_texts(run, plan, exports),
            "foundry/licence.json": _dump(record.verdict().as_dict()),
            **notices(
                record.bound(),
                model_name=record.name,
                changes=[_change(export, plan) for export in exports],
            ),
        }
        for name, path in _own_texts(plan).items():
            atomic.copy(path, folder / name)
        texts = {name: _public(name, text, secret) for name, text in texts.items()}
        texts |= documents(texts, quantized_base=plan.base.gguf is not None)
        for name, text in texts.items():
            atomic.write_text(folder / name, text)
        bills.write(folder, run)
        _check(folder, secret, record)
        hashes = sums.write(folder)
    return Package(record.name, record.version, run.relative(out), hashes)


def public_plan(plan: Plan) -> dict[str, Any]:
    """The plan as it may leave the machine: without the base's folder and the recipe's."""
    values = plan.as_dict()
    values["base"] = {k: v for k, v in values["base"].items() if k not in ("folder", "gguf")}
    values["recipe_path"] = PureWindowsPath(plan.recipe_path).name
    return values


def _json(run: RunDir, name: str) -> Any:
    return json.loads(_text(run, name))


def _text(run: RunDir, name: str) -> str:
    path = run.file(name)
    if not path.is_file():
        what = _("the run lacks this record, and a package is not made without its evidence")
        raise ProofError(Problem(name, what, _("run `foundry train` again")))
    return path.read_text(encoding="utf-8")


def _evidence_texts(run: RunDir, plan: Plan, exports: list[dict[str, Any]]) -> dict[str, str]:
    texts = {f"foundry/{name}": _text(run, source) for name, source in COPIED.items()}
    texts["foundry/plan.json"] = _dump(public_plan(plan))
    texts["foundry/parity.json"] = _dump({e["name"]: e["parity"] for e in exports})
    taken = ledger.of_run(run.path.parent, run.path.name)
    texts["foundry/energy.json"] = _dump({"training": taken})
    texts["foundry/ai_basic_act.json"] = _dump(act().model_dump(mode="json", by_alias=True))
    return texts


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _public(name: str, text: str, secret: private.Private) -> str:
    """Free our own records; the template and the licences' texts must stay as they are."""
    is_ours = name.startswith("foundry/") or name == package_record.NAME
    return private.freed(text, secret) if is_ours else text


def check_gates(gates: Sequence[Mapping[str, Any]]) -> None:
    """Refuse a result that misses a gate of its recipe.

    Raises:
        GateError: Each gate that was missed, with what was found.
    """
    shown = tag()
    fix = _("see evals/report.html in the run, then mend the data or the recipe")
    problems = [
        Problem(f"gates: {gate['gate']['metric']}", gate["sentence"][shown], fix)
        for gate in gates
        if not gate["passed"]
    ]
    if problems:
        raise GateError(problems)


def _copy_export(run: RunDir, export: Mapping[str, Any], folder: Path) -> None:
    for name, digest in export["files"].items():
        target = folder / Path(name).relative_to("exports")
        atomic.copy(run.file(name), target)
        if atomic.sha256(target) != digest:
            what = _("the file changed after it was proven")
            raise ProofError(Problem(name, what, _("run `foundry train` again")))
        if target.suffix == ".safetensors":
            check_finite(target)


def _record(
    inputs: PackageInputs,
    exports: list[dict[str, Any]],
    context: str | None,
) -> PackageRecord:
    plan, values = inputs.plan, inputs.plan.values
    base = plan.base
    return PackageRecord.model_validate(
        {
            "schema_version": package_record.SCHEMA_VERSION,
            "name": plan.name,
            "version": values["package"]["version"],
            "title": values["title"],
            "created_by": f"foundry {plan.foundry_version}",
            "base": Base(
                name=base.name,
                hub_id=base.hub_id,
                revision=base.revision,
                weights_sha256=base.sha256,
                licence=base.licence,
                context=base.context,
            ),
            "licences": list(dict.fromkeys(x["licence"] for x in plan.licences)),
            "terms": [{"of": _shown(x["of"]), **{k: x[k] for k in SAID}} for x in plan.licences],
            "use": {"purpose": values["purpose"], **values["use"]},
            "accepted_terms": plan.accepted_terms,
            "override": plan.override,
            "chat": _chat(inputs, exports, context),
            "exports": [_artefact(export) for export in exports],
        }
    )


def _shown(of: str) -> str:
    """What a licence is of, without the place on this machine (C43)."""
    return PureWindowsPath(of).name if private.is_absolute(of) else of


def context_place(formats: Iterable[Mapping[str, Any]]) -> str | None:
    """Where the formats that rows were read with put facts; None where they have none."""
    for block in formats:
        column, place = CONTEXT_PLACES.get(block["kind"], ("", None))
        if block.get(column):
            return place
    return None


def _chat(inputs: PackageInputs, exports: list[dict[str, Any]], context: str | None) -> Chat:
    chat, values = inputs.chat, inputs.plan.values
    runnable = [
        Path(name).relative_to("exports").as_posix()
        for export in exports
        if export["kind"] == "gguf"
        for name in export["files"]
        if name.endswith(".gguf")
    ]
    return Chat(
        template=TEMPLATE,
        template_sha256=hashlib.sha256(chat.template.encode("utf-8")).hexdigest(),
        bos_token=chat.bos_token,
        eos_token=chat.eos_token,
        bos_id=chat.bos_id,
        stop_ids=chat.stop_ids,
        stop_tokens=chat.stop_tokens,
        system=values["encode"]["system"],
        context=context,
        max_new_tokens=values["evaluation"]["max_new_tokens"],
        artefact=runnable[0] if runnable else None,
    )


def _artefact(export: Mapping[str, Any]) -> Artefact:
    def inside(name: str) -> str:
        return Path(name).relative_to("exports").as_posix()

    return Artefact(
        kind=export["kind"],
        name=export["name"],
        path=inside(export["path"]),
        size_bytes=export["size_bytes"],
        files={inside(name): digest for name, digest in export["files"].items()},
        parity=export["parity"],
    )


def _change(export: Mapping[str, Any], plan: Plan) -> str:
    name = Path(export["path"]).relative_to("exports").as_posix()
    whole = plugins.load("adapter", plan.values["adapter"]["kind"]).TRAINS == "weights"
    changes = CHANGES_OF_ALL if whole else CHANGES
    return f"`{name}/`: {changes.get(export['kind'], export['kind'])}"


def _own_texts(plan: Plan) -> dict[str, Path]:
    """Where a text that the recipe brings for a licence goes, and where it is."""
    beside = Path(plan.recipe_path).parent
    given = plan.values["package"]["licence_texts"]
    found = {policy.find(name).name: beside / path for name, path in given.items()}
    return {f"{TEXTS}/{name}{path.suffix or '.txt'}": path for name, path in found.items()}


def _check(folder: Path, secret: private.Private, record: PackageRecord) -> None:
    lacking = missing(folder, record.duties(), record.name)
    if lacking:
        raise LicenceError(lacking)
    found = private.findings(folder, secret)
    if found:
        raise ProofError(found)
