"""The answer to a question about licences: what binds, what conflicts, and what is not known."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Self

from foundry.core.language import LANGUAGES, TAGS, language, speaking
from foundry.core.language import gettext as _
from foundry.policy.conflicts import Conflict, conflicts
from foundry.policy.licence import Licence, Rule
from foundry.policy.use import Bound, Use, binding

# Facts that decide whether something may be done; where one is null, nobody here knows.
DECISIVE = ("commercial", "redistribution", "output_trained_models_bound")


@dataclass(frozen=True)
class Verdict:
    """What has a say, what is to be done, and why it may not be.

    Attributes:
        bound: Every licence in play, those included in others too.
        use: What is to be done.
        accepted: Licences whose conditions were accepted.
    """

    bound: tuple[Bound, ...]
    use: Use
    accepted: tuple[str, ...]

    @classmethod
    def of(cls, bound: Sequence[Bound], use: Use, accepted: Collection[str] = ()) -> Self:
        """The verdict on licences and a use."""
        return cls(tuple(binding(bound)), use, tuple(accepted))

    @property
    def conflicts(self) -> list[Conflict]:
        """Why it may not be done, in the language in force."""
        return conflicts(self.bound, self.use, self.accepted)

    @property
    def has_use(self) -> bool:
        """Whether a question was asked, and not only what one licence says."""
        return self.use.purpose is not None

    def licences(self) -> list[tuple[Licence, tuple[str, ...]]]:
        """Each licence once, with what it covers."""
        found = {one.licence.name: one.licence for one in self.bound}
        covers = {n: tuple(b.of for b in self.bound if b.licence.name == n and b.of) for n in found}
        return [(licence, covers[name]) for name, licence in found.items()]

    def unclear(self) -> list[str]:
        """What would decide but is not known of a licence, in the language in force."""
        words = {
            "commercial": _("{title}: whether commercial use is allowed"),
            "redistribution": _("{title}: whether it may be passed on"),
            "output_trained_models_bound": _(
                "{title}: whether it binds models trained on its output"
            ),
        }
        return [
            words[fact].format(title=licence.title.text(language()))
            for licence, _covers in self.licences()
            for fact in DECISIVE
            if licence.model_dump()[fact] is None
        ]

    def as_dict(self) -> dict[str, Any]:
        """The document of `--json`, every sentence in both languages."""
        told = {}
        for name in LANGUAGES:
            with speaking(name):
                told[TAGS[name]] = (self.conflicts, self.unclear())
        return {
            "verdict": "refused" if self.conflicts else "allowed",
            "use": _use(self.use),
            "licences": [_licence(x, covers) for x, covers in self.licences()],
            "may": self._lines("may"),
            "must": self._lines("must"),
            "must_not": self._lines("must_not"),
            "conflicts": [
                {
                    "rule": en.rule,
                    "where": en.where,
                    "licence": en.licence,
                    "clause": en.clause,
                    "what": {"zh-TW": zh.what, "en": en.what},
                    "fix": {"zh-TW": zh.fix, "en": en.fix},
                }
                for en, zh in zip(told["en"][0], told["zh-TW"][0], strict=True)
            ],
            "unclear": [
                {"zh-TW": zh, "en": en}
                for en, zh in zip(told["en"][1], told["zh-TW"][1], strict=True)
            ],
            "is_legal_advice": False,
        }

    def _lines(self, kind: str) -> list[dict[str, Any]]:
        found = []
        for licence, _covers in self.licences():
            rules: dict[str, Sequence[Rule]] = {
                "may": licence.may,
                "must": licence.must,
                "must_not": licence.must_not,
            }
            for rule in rules[kind]:
                said = {"zh-TW": rule.zh_TW, "en": rule.en}
                found.append({"licence": licence.name, "clause": rule.clause, **said})
        return found


def _use(use: Use) -> dict[str, Any]:
    return {
        "purpose": use.purpose,
        "commercial": use.is_commercial,
        "distribution": use.distribution,
        "name": use.model_name,
        "monthly_users": use.monthly_users,
    }


def _licence(licence: Licence, covers: Sequence[str]) -> dict[str, Any]:
    return {**licence.model_dump(mode="json", by_alias=True), "covers": list(covers)}
