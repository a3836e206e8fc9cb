"""The recipe: everything that decides a run, closed, frozen and strict.

The JSON Schema for editors and the reference pages are made from the descriptions here.
`load.py` reads a file into a `Recipe`; nothing else makes one.
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from foundry.core.blocks import Block, Plugin
from foundry.core.compute import Compute
from foundry.core.fields import Closed, Many, Number, Refused, Seed
from foundry.core.language import gettext as _
from foundry.core.mixing import Mix
from foundry.core.split import Split
from foundry.core.trackers import Tracker
from foundry.core.use import BaseOrigin, Country, UseSettings

NAME = r"^[a-z0-9][a-z0-9-]*$"
# https://semver.org/#is-there-a-suggested-regular-expression-regex-to-check-a-semver-string
VERSION = (
    r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)"
    r"(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?(\+[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"
)
GENERAL = "general"  # the purpose of a recipe that names none
PLACE = (
    "A file, a folder, a pattern such as `faq/*.csv` or an archive (.zip, .tar, .tar.gz), relative "
    "to the recipe's folder; or `hub:owner/name@revision`, a dataset in the cache of this machine."
)

Name = Annotated[str, Field(pattern=NAME, max_length=64)]
Words = Annotated[str, Field(min_length=1)]


class Text(Closed):
    """A text in every language the toolkit speaks."""

    model_config = ConfigDict(
        validate_by_alias=True, validate_by_name=True, serialize_by_alias=True
    )

    zh_TW: Words = Field(alias="zh-TW", description="Traditional Chinese as used in Taiwan.")
    en: Words = Field(description="English.")

    def text(self, language: str) -> str:
        """The text in `language`, as `foundry.core.language.language` names it."""
        return self.zh_TW if language == "zh_TW" else self.en


class Declaration(Closed):
    """Why these data may be used, and who says so."""

    basis: Literal["own-work", "contract", "consent", "public-licence", "legal-duty"] = Field(
        description="What the right to use the data rests on."
    )
    by: Words = Field(description="The person or organisation that declares it.")
    purpose: Words | None = Field(
        None,
        description="The purpose the data may be used for; the recipe's own where absent. "
        "A recipe with another purpose is refused.",
    )
    note: Words | None = Field(None, description="Evidence: a contract number, a link, a date.")


class Source(Closed):
    """Files of rows."""

    path: Words = Field(description=PLACE)
    read: Annotated[Block, Plugin("source", default="auto")] = Field(
        {"kind": "auto"}, validate_default=True, description="How to read the file."
    )
    licence: Words = Field(
        description="SPDX identifier, or the name of a licence in configs/licences/; several that "
        "apply together are joined by ` AND `."
    )
    attribution: Words | None = Field(
        None,
        description="The statement that names the source, as its licence asks for it: for OGDL-1.0 "
        "agency, year, title and version. Stands in the package's NOTICE; the path where absent.",
    )
    generated_by: Many[Words] = Field(
        (),
        description="Models that wrote the rows, as `foundry model list` names them, or their "
        "licences; their terms apply where they bind models trained on their output.",
    )
    declaration: Declaration = Field(description="Why the file may be used.")
    origin_country: Country | None = Field(
        None, description="ISO 3166-1 code of the country that the rows come from, for the record."
    )
    weight: Number | None = Field(
        None,
        gt=0,
        description="Share of the training rows that are drawn from here, against the weights of "
        "the other sources; all of them have one or none has.",
    )


class Replay(Closed):
    """General rows among those of the task, against the forgetting of what the base model knew."""

    share: Number = Field(
        gt=0, lt=1, description="Share of all training rows that are drawn from these sources."
    )
    sources: Many[Source] = Field(
        min_length=1,
        description="A general dataset, or the training rows of an earlier run; never tested on.",
    )
    format: Annotated[Block, Plugin("format")] = Field(
        {"kind": "auto"},
        validate_default=True,
        description="Which of their columns make a conversation.",
    )
    seed: Seed = Field(0, description="Which rows are drawn.")


class ValidationFile(Closed):
    """Files of rows to measure the loss on while training; nothing is learned from them."""

    path: Words = Field(description=PLACE)
    read: Annotated[Block, Plugin("source", default="auto")] = Field(
        {"kind": "auto"}, validate_default=True, description="How to read the file."
    )


class TestPart(Closed):
    """Files of rows that are only for testing."""

    __test__: ClassVar[bool] = False  # pytest takes a class called Test... for a test

    name: Name = Field(description="What the part is called in evaluations, gates and reports.")
    path: Words = Field(description=PLACE)
    read: Annotated[Block, Plugin("source", default="auto")] = Field(
        {"kind": "auto"}, validate_default=True, description="How to read the file."
    )
    disjoint_by: Words | None = Field(
        None,
        description="Column whose values must not occur in training; whole rows where absent.",
    )
    title: Text | None = Field(None, description="The part's name in reports, for people.")


class Data(Closed):
    """What is learned, and what is tested."""

    sources: Many[Source] = Field(min_length=1, description="Files to learn from.")
    format: Annotated[Block, Plugin("format")] = Field(
        {"kind": "auto"},
        validate_default=True,
        description="Which columns make a conversation; `auto` guesses it where no doubt is left.",
    )
    mix: Mix | None = Field(None, description="How often each source's rows are trained on.")
    replay: Replay | None = Field(None, description="General rows to train on among the others.")
    split: Split | None = Field(None, description="Rows of the sources to hold out for testing.")
    tests: Many[TestPart] = Field((), description="Files with rows for testing only.")
    validation: Many[ValidationFile] = Field(
        (), description="Files whose rows are only there to measure the loss while training."
    )
    max_refused: Number = Field(
        0.05,
        ge=0,
        le=1,
        description="Largest share of rows that may be left out as faulty before the run stops.",
    )

    @model_validator(mode="after")
    def _validates_once(self) -> Self:
        if self.validation and self.split is not None and self.split.validation is not None:
            what = _("give `validation` or `split.validation`, not both")
            raise Refused(what, _("remove one of them"))
        return self

    @model_validator(mode="after")
    def _weighs_all_or_none(self) -> Self:
        for sources in (self.sources, self.replay.sources if self.replay else ()):
            if len({source.weight is None for source in sources}) > 1:
                what = _("some sources have a `weight` and others have none")
                raise Refused(what, _("give each source a `weight`, or none"))
        is_tempered = self.mix is not None and self.mix.temperature is not None
        if is_tempered and self.sources[0].weight is not None:
            what = _("give the sources a `weight` or `mix.temperature`, not both")
            raise Refused(what, _("remove one of them"))
        return self

    @property
    def learned(self) -> tuple[tuple[str, Source], ...]:
        """Every source that is trained on, by the path of its key; those of `replay` last."""
        given = [(f"data.sources.{n}", source) for n, source in enumerate(self.sources)]
        again = self.replay.sources if self.replay else ()
        return (*given, *((f"data.replay.sources.{n}", s) for n, s in enumerate(again)))

    @property
    def is_validated(self) -> bool:
        """Whether there are rows to measure the loss on while training."""
        return bool(self.validation) or (
            self.split is not None and self.split.validation is not None
        )


class Encode(Closed):
    """How a conversation becomes tokens."""

    max_seq_len: int = Field(
        512, ge=8, le=131_072, description="Longest conversation in tokens, question and answer."
    )
    overlong: Literal["drop", "cut-prompt-left", "split", "fail"] = Field(
        "drop",
        description="What happens to a longer conversation: it is left out and counted; it loses "
        "its oldest turns, then the start of its last question; it becomes several, at turns that "
        "ask, as a long text becomes several windows; or the run stops. An answer is never cut, "
        "since a cut answer teaches the model not to stop.",
    )
    system: Words | None = Field(
        None, description="Text put before every conversation, in training and in use."
    )


class Evaluation(Closed):
    """How answers are drawn for every evaluator; the same for the base and the tuned model."""

    few_shot: int = Field(
        4, ge=0, le=64, description="Examples shown to the base model to make a fair comparison."
    )
    max_new_tokens: int = Field(64, ge=1, le=8192, description="Longest answer in tokens.")
    batch_size: int = Field(
        32, ge=1, le=4096, description="Questions answered at once; changes memory, not answers."
    )
    languages: Many[Literal["zh-TW", "en"]] = Field(
        ("zh-TW", "en"), min_length=1, description="Languages of the report."
    )
    references: Many[Words] = Field(
        (),
        description="Models that are asked the same questions, each in its own chat template, to "
        "stand beside the tuned one: names of `foundry model list`, hub ids or folders. Nothing is "
        "trained on them and no gate asks for them.",
    )


class Gate(Closed):
    """A bound that the result must keep; otherwise no package is made."""

    metric: Words = Field(
        description="Name of an evaluator under `evals`, or of a further metric it has."
    )
    part: Name | None = Field(None, description="Test part; all of them where absent.")
    min: Number | None = Field(
        None, description="Least score of the tuned model, of a metric where more is better."
    )
    max: Number | None = Field(
        None, description="Largest score of the tuned model, of a metric where less is better."
    )
    min_gain: Number | None = Field(
        None, description="Least gain over the better of the base's zero-shot and few-shot scores."
    )
    max_drop_pp: Number | None = Field(
        None,
        ge=0,
        description="Largest loss against the base, in percentage points, as measured.",
    )
    non_inferiority_pp: Number | None = Field(
        None,
        gt=0,
        description="A loss against the base of so many percentage points must be ruled out: the "
        "95 % interval of the difference must lie above it.",
    )

    @model_validator(mode="after")
    def _has_bound(self) -> Self:
        bounds = (self.min, self.max, self.min_gain, self.max_drop_pp, self.non_inferiority_pp)
        if all(bound is None for bound in bounds):
            raise Refused(
                _("the gate has no bound"),
                _("add `min`, `max`, `min_gain`, `max_drop_pp` or `non_inferiority_pp` to it"),
            )
        return self


class PackageSettings(Closed):
    """What the package says of itself."""

    version: str = Field(
        "1.0.0", pattern=VERSION, description="Semantic version, https://semver.org."
    )
    author: Words | None = Field(None, description="Who answers for the package.")
    licence_texts: dict[str, Words] = Field(
        {},
        description="Licence of configs/licences/ that comes without its text -> file that holds "
        "it, relative to the recipe's folder.",
    )


class Recipe(Closed):
    """One vertical model: from which base and data, how it is made, and what it must prove."""

    schema_version: Literal[1] = Field(description="Version of the recipe language.")
    name: Name = Field(
        description="Lower-case letters, digits and hyphens; names the run. Where absent, the "
        "name of the recipe's file."
    )
    title: Text = Field(description="The recipe's name for people; where absent, the name.")
    description: Text | None = Field(None, description="What the model is for, in a sentence.")
    base_model: Words = Field(
        description="A name of `foundry model list`, a hub id with `@revision`, or a folder."
    )
    base_origin: BaseOrigin = Field(
        BaseOrigin(), description="What weights in a folder are, and where they came from."
    )
    use: UseSettings = Field(
        UseSettings(), description="What is to be done with the result, for the licences."
    )
    policy: Words | None = Field(
        None,
        description="Name of a policy in configs/policies/ that refuses base models by their "
        "origin, such as `tw_public_sector`.",
    )
    purpose: Words = Field(
        GENERAL,
        description="What the model is for, in a word such as `customer-service`; data that "
        "were declared for another purpose are refused.",
    )
    seed: Seed = Field(0, description="Decides the initial adapter and the order of the rows.")
    data: Data = Field(description="What is learned, and what is tested.")
    encode: Encode = Field(Encode(), description="How a conversation becomes tokens.")
    adapter: Annotated[Block, Plugin("adapter", default="lora")] = Field(
        {"kind": "lora"}, validate_default=True, description="Which weights are trained."
    )
    train: Annotated[Block, Plugin("trainer", default="sft")] = Field(
        {"kind": "sft"}, validate_default=True, description="How they are trained."
    )
    compute: Compute = Field(
        Compute(), description="The processes that train, and how they share the model."
    )
    exports: Many[Annotated[Block, Plugin("exporter")]] = Field(
        ({"kind": "adapter"},),
        validate_default=True,
        description="The files to make of the result; an empty list makes no package.",
    )
    evals: Many[Annotated[Block, Plugin("evaluator")]] = Field(
        (), description="What to measure on the test parts."
    )
    evaluation: Evaluation = Field(Evaluation(), description="How answers are drawn.")
    gates: Many[Gate] = Field((), description="Bounds the result must keep to be packaged.")
    track: Many[Tracker] = Field(
        (), description="Trackers that are told each step; on this machine, unless you say where."
    )
    package: PackageSettings = Field(
        PackageSettings(), description="What the package says of itself."
    )

    @model_validator(mode="before")
    @classmethod
    def _declare_own_purpose(cls, values: Any) -> Any:
        """Give each declaration without a purpose the recipe's own."""
        data = values.get("data") if isinstance(values, Mapping) else None
        if not isinstance(data, Mapping):
            return values
        purpose = values.get("purpose", GENERAL)
        filled = _with_purposes(data, purpose)
        if "replay" in filled:
            filled = {**filled, "replay": _with_purposes(filled["replay"], purpose)}
        return {**values, "data": filled}


def _with_purposes(block: Any, purpose: Any) -> Any:
    if not isinstance(block, Mapping) or not isinstance(block.get("sources"), list):
        return block
    return {**block, "sources": [_with_purpose(source, purpose) for source in block["sources"]]}


def _with_purpose(source: Any, purpose: Any) -> Any:
    declaration = source.get("declaration") if isinstance(source, Mapping) else None
    if not isinstance(source, Mapping) or not isinstance(declaration, Mapping):
        return source
    if declaration.get("purpose") is not None:
        return source
    return {**source, "declaration": {**declaration, "purpose": purpose}}
