"""Published packages as text: a line of a table, a page, what happened."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from foundry.cli.rows import visible
from foundry.core.language import gettext as _
from foundry.core.sizes import readable
from foundry.store.keys import PublicKey

if TYPE_CHECKING:
    from foundry.store.registry_index import Published


def row(one: "Published") -> list[str]:
    """The cells of a version in the list."""
    size, at = readable(one.size_bytes), _time(one.published_at)
    return [*map(visible, (one.name, one.version, one.stage)), at, size, _state(one)]


def print_package(one: "Published") -> None:
    """A version on a page."""
    print(visible(f"{one.name}@{one.version}: {one.stage}, {_state(one)}"))
    reasons = {
        _("retired: {reason}"): one.retired,
        _("a person in its data was erased: {reason}"): one.erased_subject,
        _("its data expired: {reason}"): one.expired_data,
        _("a licence or policy forbids it; the maker went on all the same: {reason}"): one.override,
    }
    for said, reason in reasons.items():
        if reason is not None:
            print("  " + visible(said.format(reason=reason)))
    print(visible(_("base model: {name}").format(name=one.base_model)))
    print(visible(_("licences: {names}").format(names=", ".join(one.licences))))
    size = readable(one.size_bytes)
    print(
        _("{files} files, {size}; list of hashes {manifest}").format(
            files=one.files, size=size, manifest=one.manifest
        )
    )
    print(_("signed by its maker") if one.signature else _("not signed by its maker"))


def print_events(events: Sequence[Mapping[str, Any]]) -> None:
    """A line for each event: when, what, why, and whose key says so."""
    for one in events:
        print("  " + sentence(one))


def sentence(one: Mapping[str, Any]) -> str:
    """An event in a line."""
    words = {
        "published": _("published"),
        "promoted": _("promoted"),
        "retired": _("retired"),
        "erased-subject": _("a person in its data was erased"),
        "expired-data": _("its data expired"),
    }
    details = one["details"]
    why = details.get("reason") or details.get("stage")
    said = words[one["kind"]] + (f": {why}" if why else "")
    by = PublicKey.of_text(one["by"]).fingerprint
    return visible(f"{_time(one['at'])}  {one['name']}@{one['version']}  {said}  ({by})")


def _state(one: "Published") -> str:
    if one.retired is not None:
        return _("retired")
    if one.erased_subject is not None:
        return _("a person in its data was erased")
    return _("its data expired") if one.expired_data is not None else _("in use")


def _time(at: str) -> str:
    return at.replace("T", " ").removesuffix("Z")
