"""The sizes of a transformer that decide what training it costs, and the weights they make.

Read from a `config.json`, or written in configs/models/ for models whose published configuration
we are sure of. Counts are of numbers, not of bytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from foundry.core.fields import Closed

Positive = Annotated[int, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]

# Where families keep the same size under another name.
INTERMEDIATE = ("intermediate_size", "ffn_dim", "n_inner")
EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts")
EXPERT_WIDTH = ("moe_intermediate_size", "expert_ffn_hidden_size")


@dataclass(frozen=True)
class Linear:
    """Linear layers of one name in one decoder layer: `copies` are experts, `active` those used."""

    name: str
    inputs: int
    outputs: int
    copies: int = 1
    active: int = 1

    @property
    def weights(self) -> int:
        """Numbers of all copies."""
        return self.inputs * self.outputs * self.copies


class Shape(Closed):
    """One decoder-only transformer with gated feed-forward layers."""

    layers: Positive = Field(description="Decoder layers.")
    hidden: Positive = Field(description="Width of the residual stream.")
    intermediate: Positive = Field(description="Width inside a feed-forward layer (one expert's).")
    heads: Positive = Field(description="Query heads.")
    kv_heads: Positive = Field(description="Key and value heads.")
    head_dim: Positive = Field(description="Width of a head.")
    vocabulary: Positive = Field(description="Rows of the embedding.")
    tied_head: bool = Field(description="Whether the head is the embedding itself.")
    sliding_window: Positive | None = Field(None, description="Tokens a local layer looks back.")
    full_layers: Count | None = Field(
        None, description="Layers that look at everything; null: all of them."
    )
    gated: bool = Field(True, description="Whether a feed-forward layer has a gate beside up.")
    experts: Positive | None = Field(None, description="Feed-forward layers of one decoder layer.")
    experts_per_token: Positive | None = Field(None, description="Those that a token goes through.")
    other_parameters: Count = Field(
        0, description="Numbers outside the decoder and the head, such as a vision tower's."
    )

    def linears(self) -> Iterator[Linear]:
        """The linear layers of one decoder layer."""
        queries, keys = self.heads * self.head_dim, self.kv_heads * self.head_dim
        yield Linear("q_proj", self.hidden, queries)
        yield Linear("k_proj", self.hidden, keys)
        yield Linear("v_proj", self.hidden, keys)
        yield Linear("o_proj", queries, self.hidden)
        copies, active = self.experts or 1, self.experts_per_token or 1
        if self.gated:
            yield Linear("gate_proj", self.hidden, self.intermediate, copies, active)
        yield Linear("up_proj", self.hidden, self.intermediate, copies, active)
        yield Linear("down_proj", self.intermediate, self.hidden, copies, active)

    @property
    def linear_weights(self) -> int:
        """Numbers in the linear layers of all decoder layers."""
        return self.layers * sum(one.weights for one in self.linears())

    @property
    def active_weights(self) -> int:
        """Those of them that one token is multiplied with."""
        return self.layers * sum(one.inputs * one.outputs * one.active for one in self.linears())

    @property
    def embedding_weights(self) -> int:
        """Numbers in the embedding, and in the head where it is another matrix."""
        return self.vocabulary * self.hidden * (1 if self.tied_head else 2)

    @property
    def norm_weights(self) -> int:
        """Numbers in the norms: two a layer and one at the end; some families have more."""
        return self.hidden * (2 * self.layers + 1)

    @property
    def parameters(self) -> int:
        """All numbers, a tied head once."""
        return (
            self.linear_weights + self.embedding_weights + self.norm_weights + self.other_parameters
        )

    def with_parameters(self, counted: int) -> "Shape":
        """The same, with what the sizes do not explain of a counted model as `other_parameters`.

        Such are biases, per-layer embeddings, recurrent layers. Fewer than explained stay as is.
        """
        own = self.parameters - self.other_parameters
        return self.model_copy(update={"other_parameters": max(0, counted - own)})


def shape_of(config: Mapping[str, Any]) -> Shape:
    """The shape in a `config.json`, whose language part may stand under `text_config`.

    Raises:
        KeyError: A size that every decoder has is not stated.
    """
    text = {**config, **config.get("text_config", {})}
    heads, layers = text["num_attention_heads"], text["num_hidden_layers"]
    experts = _first(text, EXPERTS)
    width = _first(text, EXPERT_WIDTH) if experts else None
    kinds = text.get("layer_types") or []
    window = text.get("sliding_window") if text.get("use_sliding_window", True) else None
    return Shape(
        layers=layers,
        hidden=text["hidden_size"],
        intermediate=width or _first(text, INTERMEDIATE) or 4 * text["hidden_size"],
        heads=heads,
        kv_heads=text.get("num_key_value_heads") or heads,
        head_dim=text.get("head_dim") or text["hidden_size"] // heads,
        vocabulary=text["vocab_size"],
        tied_head=_is_tied(config),
        sliding_window=window,
        full_layers=_full_layers(text, kinds) if window else None,
        gated=text.get("hidden_act") != "xielu",
        experts=experts,
        experts_per_token=_first(text, ("num_experts_per_tok", "top_k_experts")),
    )


def _is_tied(config: Mapping[str, Any]) -> bool:
    """Whether the head is the embedding; the classes of Gemma say so where the file does not."""
    text = config.get("text_config", {})
    stated = config.get("tie_word_embeddings", text.get("tie_word_embeddings"))
    return str(config.get("model_type")).startswith("gemma") if stated is None else bool(stated)


def _full_layers(text: Mapping[str, Any], kinds: list[str]) -> int | None:
    if kinds:
        return sum(kind == "full_attention" for kind in kinds)
    pattern = text.get("sliding_window_pattern")
    return text["num_hidden_layers"] // pattern if isinstance(pattern, int) else 0


def _first(text: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    return next((int(text[name]) for name in names if text.get(name)), None)
