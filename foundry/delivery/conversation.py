"""Ask the file of a package, in the very form it was trained on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import util
from pathlib import Path

from foundry.core.errors import Problem, RecipeError, ResourceError
from foundry.core.language import gettext as _
from foundry.core.records import Record, Turn
from foundry.delivery.package_record import Chat
from foundry.delivery.verify import verify_for_chat
from foundry.encode.render import render
from foundry.runtime.contract import Decoding, Runtime

MAX_CONTEXT = 4096  # tokens; llama.cpp reserves memory for all of it


@dataclass(frozen=True)
class Reply(Record):
    """What was asked and what came back; `stopped` says that the answer ended by itself."""

    prompt: str
    answer: str
    tokens: int
    stopped: bool


@dataclass(frozen=True)
class Speaker:
    """A loaded package; `context` is how many tokens question and answer may have together."""

    chat: Chat
    template: str
    runtime: Runtime
    context: int

    def question(self, text: str, facts: str | None = None) -> Turn:
        """The user's turn, with facts where the training data had them.

        Raises:
            RecipeError: Nothing is asked, or the model was trained without facts.
        """
        if not text.strip():
            what, fix = _("the question is empty"), _("write one")
            raise RecipeError(Problem("--prompt", what, fix))
        if facts is None:
            return Turn("user", text)
        if self.chat.context is None:
            what = _("this model was trained without facts beside its questions")
            raise RecipeError(Problem("--context", what, _("leave the option out")))
        both = (facts, text) if self.chat.context == "before" else (text, facts)
        return Turn("user", "\n\n".join(both))

    def answer(self, turns: Sequence[Turn], max_new_tokens: int | None = None) -> Reply:
        """Continue a conversation that ends with the user's turn.

        Raises:
            RecipeError: Conversation and answer are longer than the model can hold.
        """
        most = max_new_tokens or self.chat.max_new_tokens
        prompt = self.prompt_ids(turns)
        if len(prompt) + most > self.context:
            what = _("{prompt} tokens and an answer of {answer} are more than the {most} it holds")
            what = what.format(prompt=len(prompt), answer=most, most=self.context)
            raise RecipeError(Problem("--prompt", what, _("ask for less, or begin anew")))
        made = self.runtime.generate([prompt], Decoding(most, self.chat.stop_ids))[0]
        return Reply(turns[-1].content, made.text.strip(), len(made.ids), made.stopped)

    def prompt_ids(self, turns: Sequence[Turn]) -> list[int]:
        """The ids from which the model goes on; the BOS once at the head (C09)."""
        system = [Turn("system", self.chat.system)] if self.chat.system else []
        text = render(
            [*system, *turns],
            self.template,
            bos_token=self.chat.bos_token,
            eos_token=self.chat.eos_token,
            add_generation_prompt=True,
        )
        ids, bos = self.runtime.tokens(text), self.chat.bos_id
        return ids if bos is None or ids[:1] == [bos] else [bos, *ids]


@contextmanager
def open_package(package: Path) -> Iterator[Speaker]:
    """Load the runnable file of a package after checking it against its hash.

    Raises:
        ProofError: A file that is read was changed.
        ResourceError: Nothing in the package can be run, or llama.cpp is not installed.
    """
    record = verify_for_chat(package)
    if util.find_spec("xllamacpp") is None:
        what = _("llama.cpp is not installed")
        raise ResourceError(Problem("xllamacpp", what, "pip install 'ai-foundry[train]'"))
    from foundry.runtime.llamacpp import LlamaCppRuntime

    template = (package / record.chat.template).read_text(encoding="utf-8")
    context = min(record.base.context, MAX_CONTEXT)
    file = package / str(record.chat.artefact)
    with LlamaCppRuntime(file, slots=1, context=context) as runtime:
        yield Speaker(record.chat, template, runtime, context)
