"""A model that is asked: how it is spoken to, and how it is loaded, whatever kind of file it is."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path
from typing import Any, Protocol

from foundry.core import atomic
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import BaseModel, Example, Turn
from foundry.encode.tokenize import Encoder
from foundry.evals.comparison import same
from foundry.models import configuration, gguf_header
from foundry.models.load import load_model, own_bos
from foundry.models.tokenizer import load_tokenizer, open_tokenizer
from foundry.runtime.contract import Runtime

TOKENIZE_ONLY = 64  # tokens of context for a server that only makes prompts


Tools = Sequence[Mapping[str, Any]]


class Renders(Protocol):
    """A conversation as text up to the answer, with the tools that it offers (OpenAI's form)."""

    def __call__(self, turns: Sequence[Turn], tools: Tools = ()) -> str: ...


@dataclass(frozen=True)
class Speech:
    """How a model is spoken to.

    Args:
        plain: A text's ids, nothing added.
        rendered: A conversation as text up to the answer; None where the model has no chat
            template.
        template: The chat template's text; empty where there is none.
        bos_id: What every prompt begins with; None where a model begins without.
        start_id: What a text stands after: the BOS, else the end of the text before.
        stop_ids: What ends an answer.
        context: How many tokens the model reads.
    """

    plain: Callable[[str], list[int]]
    rendered: Renders | None
    template: str
    bos_id: int | None
    start_id: int | None
    stop_ids: tuple[int, ...]
    context: int

    def chat(self, turns: Sequence[Turn], tools: Tools = ()) -> list[int]:
        """A conversation's ids up to the answer; only where the model has a chat template."""
        assert self.rendered is not None
        return self.ids(self.rendered(turns, tools))

    def ids(self, text: str) -> list[int]:
        """A text's ids with the BOS once at the head where the model has one (C09)."""
        made = self.plain(text)
        missing = self.bos_id is not None and made[:1] != [self.bos_id]
        return [self.bos_id, *made] if missing else made  # type: ignore[list-item]


@dataclass(frozen=True)
class Form:
    """The chat form a model was trained in: its template, how it renders, what ends an answer."""

    template: str
    render: Renders
    stop_ids: tuple[int, ...]


@dataclass(frozen=True)
class Subject:
    """One column of a report.

    Args:
        name: Of the column; no two columns have one name.
        identity: Hashes of all that decides its answers.
        runtime: What runs it: `transformers`, `vllm`, `llama.cpp` or `onnxruntime-genai`.
        speaking: Opens how it is spoken to, without loading it where that can be had.
        opened: Loads it for prompts and answers of so many tokens, and so many prompts at once.
        facts: What the report says of where it is from.
        learned: Reads the rows it was trained on; None where nobody knows them.
    """

    name: str
    identity: Mapping[str, Any]
    runtime: str
    speaking: Callable[[], AbstractContextManager[Speech]]
    opened: Callable[[int, int], AbstractContextManager[Runtime]]
    facts: Mapping[str, Any] = field(default_factory=dict)
    learned: Callable[[], Sequence[Example]] | None = None

    @cached_property
    def title(self) -> dict[str, str]:
        """The name is the title, in every language."""
        return same(self.name)


def check_template(subject: Subject, speech: Speech) -> None:
    """Refuse a model that is to be spoken to in its chat template and has none.

    Raises:
        ResourceError: It has none.
    """
    if speech.rendered is None:
        fix = _("name one that has one, or ask in plain text, without `--chat`")
        raise ResourceError(Problem(subject.name, _("the model has no chat template"), fix))


def of_folder(
    name: str,
    base: BaseModel,
    *,
    load: Callable[[], Any] | None = None,
    identity: Mapping[str, Any] | None = None,
    encoder: Encoder | None = None,
    stop_ids: tuple[int, ...] | None = None,
) -> Subject:
    """A base model's folder under transformers, or what was trained on it.

    Args:
        name: Of the column.
        base: Whose tokenizer and configuration are read.
        load: Loads what was trained; the base itself where None.
        identity: Hashes of what was trained.
        encoder: The template it was trained with; the base's own where None.
        stop_ids: What ends an answer; what the base declares where None.
    """

    @contextmanager
    def speaking() -> Iterator[Speech]:
        yield _speech_of_folder(base, encoder, stop_ids)

    @contextmanager
    def opened(_longest: int, batch_size: int) -> Iterator[Runtime]:
        from foundry.runtime.transformers import TransformersRuntime

        model = load_model(base) if load is None else load()
        yield TransformersRuntime(model, load_tokenizer(base), batch_size=batch_size)

    hashes = {"base": base.sha256, "settings": base.settings_sha256, **(identity or {})}
    facts = {"base_model": base.shown()}
    return Subject(name, hashes, "transformers", speaking, opened, facts)


def of_vllm(name: str, base: BaseModel) -> Subject:
    """A base model's folder under vLLM, spoken to as under transformers.

    Raises:
        ResourceError: vLLM is not installed.
    """
    from foundry.runtime.vllm import check_installed

    check_installed()

    @contextmanager
    def opened(longest: int, _batch_size: int) -> Iterator[Runtime]:
        from foundry.runtime.vllm import VllmRuntime

        yield VllmRuntime(Path(base.folder), context=longest)

    return replace(of_folder(name, base), runtime="vllm", opened=opened)


def _speech_of_folder(
    base: BaseModel, encoder: Encoder | None, stop_ids: tuple[int, ...] | None
) -> Speech:
    from foundry.encode.tokenize import open_encoder

    tokenizer = load_tokenizer(base)
    bos, eos = own_bos(tokenizer), tokenizer.eos_token_id
    try:
        found = encoder or open_encoder(base)
    except ResourceError:  # there is no template: it can be asked in plain text alone
        found = None
    ends = stop_ids or (*_declared_ends(Path(base.folder)), *([] if eos is None else [eos]))
    return Speech(
        plain=lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"]),
        rendered=None if found is None else partial(found.render, add_generation_prompt=True),
        template="" if found is None else found.template,
        bos_id=bos,
        start_id=eos if bos is None else bos,
        stop_ids=tuple(dict.fromkeys(ends)),
        context=base.context,
    )


def _declared_ends(folder: Path) -> list[int]:
    path = folder / "generation_config.json"
    declared = configuration.read_object(path).get("eos_token_id") if path.is_file() else None
    listed = declared if isinstance(declared, list) else [declared]
    return [int(token) for token in listed if token is not None]


def of_gguf(
    name: str,
    file: Path,
    *,
    lora: Path | None = None,
    form: Form | None = None,
) -> Subject:
    """A GGUF file under llama.cpp.

    Args:
        name: Of the column.
        file: The model.
        lora: A GGUF adapter for it.
        form: The form it was trained in; the file's own template and end of text where None.

    Raises:
        ResourceError: llama.cpp is not installed, or cannot load the file.
    """

    @contextmanager
    def speaking() -> Iterator[Speech]:
        with _server(file, None, TOKENIZE_ONLY, 1) as runtime:
            yield _speech_of_gguf(runtime, file, form)

    def opened(longest: int, batch_size: int) -> AbstractContextManager[Runtime]:
        return _server(file, lora, longest, batch_size)

    files = [path for path in (file, lora) if path is not None]
    hashes = {"files": [atomic.sha256(path) for path in files]}
    facts = {"files": {path.name: atomic.sha256(path) for path in files}}
    return Subject(name, hashes, "llama.cpp", speaking, opened, facts)


def of_onnx(name: str, folder: Path) -> Subject:
    """A folder of onnxruntime-genai's model builder.

    Args:
        name: Of the column.
        folder: The graph, its `genai_config.json` and the tokenizer.

    Raises:
        ResourceError: onnxruntime-genai is not installed, or cannot load the folder.
    """

    @contextmanager
    def speaking() -> Iterator[Speech]:
        yield _speech_of_onnx(folder)

    @contextmanager
    def opened(_longest: int, _batch_size: int) -> Iterator[Runtime]:
        from foundry.runtime.onnx import OnnxRuntime

        yield OnnxRuntime(folder)

    files = {p.name: atomic.sha256(p) for p in sorted(folder.iterdir()) if p.is_file()}
    return Subject(name, {"files": files}, "onnxruntime-genai", speaking, opened, {"files": files})


def _speech_of_onnx(folder: Path) -> Speech:
    """The builder writes the tokenizer beside the graph as transformers does."""
    from foundry.encode.render import render
    from foundry.runtime.onnx import context_of, ends_of

    tokenizer = open_tokenizer(folder)
    bos, template = own_bos(tokenizer), tokenizer.chat_template
    ends = ends_of(folder)

    def rendered(turns: Sequence[Turn], tools: Tools = ()) -> str:
        return render(
            turns,
            template,
            bos_token=tokenizer.bos_token or "",
            eos_token=tokenizer.eos_token or "",
            add_generation_prompt=True,
            tools=tools,
        )

    return Speech(
        plain=lambda text: list(tokenizer(text, add_special_tokens=False)["input_ids"]),
        rendered=None if template is None else rendered,
        template=template or "",
        bos_id=bos,
        start_id=ends[0] if bos is None else bos,
        stop_ids=tuple(ends),
        context=context_of(folder),
    )


def _server(file: Path, lora: Path | None, context: int, slots: int) -> Any:
    from importlib import util

    if util.find_spec("xllamacpp") is None:
        what = _("llama.cpp is not installed")
        raise ResourceError(Problem("xllamacpp", what, "pip install 'ai-foundry[train]'"))
    from foundry.runtime.llamacpp import LlamaCppRuntime

    return LlamaCppRuntime(file, lora, context=context, slots=slots)


def _speech_of_gguf(runtime: Any, file: Path, form: Form | None) -> Speech:
    bos, eos = runtime.special_ids()
    template = gguf_header.texts(file).get("tokenizer.chat_template", "")
    own = (eos,) if eos is not None else ()
    used = form or (Form(template, runtime.rendered, own) if template else None)
    return Speech(
        plain=runtime.tokens,
        rendered=None if used is None else used.render,
        template="" if used is None else used.template,
        bos_id=bos,
        start_id=eos if bos is None else bos,
        stop_ids=own if used is None else used.stop_ids,
        context=runtime.longest(),
    )
