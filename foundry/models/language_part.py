"""The language part of a model, which in a multimodal class is one part of several.

Only text is trained here: the update goes on the layers of the language part, and what a class
wants to know of images is that there are none (C22).
"""

import inspect
import re
from collections.abc import Iterator
from typing import Any

from foundry.core.errors import Problem, RecipeError
from foundry.core.language import gettext as _
from foundry.models.reward_model import is_reward_model

# Say of each token whether it stands for text (0) or for a part of an image, a sound, a film.
TOKEN_TYPES = ("token_type_ids", "mm_token_type_ids")


def language_name(model: Any) -> str:
    """The name of the module that holds the decoder's layers, such as `model.language_model`."""
    decoder = model.get_decoder()
    return next(name for name, module in model.named_modules() if module is decoder)


def linear_layers(model: Any) -> dict[str, Any]:
    """The linear layers of the language part by their full names; the head is none of them."""
    from torch.nn import Linear

    prefix = f"{language_name(model)}."
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, Linear) and name.startswith(prefix)
    }


def output_head(model: Any) -> Any:
    """The last layer: what says the next token, or the reward."""
    return model.score if is_reward_model(model) else model.get_output_embeddings()


def language_parameters(model: Any) -> list[Any]:
    """The parameters of the language part and of the head, each once (a tied head is one)."""
    parts = (model.get_decoder(), output_head(model))
    return list({id(p): p for part in parts for p in part.parameters()}.values())


def last_parameters(model: Any, layers: int) -> list[Any]:
    """The parameters of the last decoder layers, of the norm after them, and of a reward head.

    Raises:
        RecipeError: There are fewer layers.
    """
    decoder = model.get_decoder()
    if layers > len(decoder.layers):
        what = _("{wanted} layers, but the model has {found}")
        shown = what.format(wanted=layers, found=len(decoder.layers))
        raise RecipeError(Problem("adapter.last_layers", shown, _("leave it out to train all")))
    head = [model.score] if is_reward_model(model) else []  # begins at random
    parts = (*decoder.layers[-layers:], decoder.norm, *head)
    return [parameter for part in parts for parameter in part.parameters()]


def other_parts(model: Any) -> str | None:
    """A pattern for the names of all modules outside the language part.

    None where every linear layer but the head is inside, as in a class for text alone.
    """
    from torch.nn import Linear

    inside, head = linear_layers(model), output_head(model)
    linear = {n: m for n, m in model.named_modules() if isinstance(m, Linear) and m is not head}
    return None if set(linear) == set(inside) else rf"(?!{re.escape(language_name(model))}\.).*"


def token_type_inputs(model: Any) -> tuple[str, ...]:
    """Which inputs of the class say what a token stands for; zeros mean text.

    Gemma 3's conditional class did not train without them in several versions (trl#5032).
    """
    taken = inspect.signature(model.forward).parameters
    return tuple(name for name in TOKEN_TYPES if name in taken)


def language_tensors(model: Any) -> Iterator[tuple[str, Any]]:
    """Names and tensors of the language part and the head, named as the class for text has them."""
    prefix = f"{language_name(model)}."
    for name, tensor in model.state_dict().items():
        if name.startswith(prefix):
            yield f"model.{name.removeprefix(prefix)}", tensor
        elif name.startswith("lm_head."):
            yield name, tensor
