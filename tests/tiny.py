"""Seeded models of the real classes, small enough to train in a second.

Two layers, 64 wide, a byte-level BPE of under 1,000 tokens with Llama 3's splitting pattern. Each
has a BOS that the tokenizer also adds by itself, an EOS, and a turn terminator that is not the EOS
(`cases.md`, "Test model for every check"). The templates are the real ones.
"""

from pathlib import Path
from typing import Any

from foundry.core import plugins
from tests.tiny_models import MODELS, TinyModel

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# transformers 5.24 opens any model of the type `qwen2` with this pattern, whatever its files say.
QWEN2_PATTERN = LLAMA3_PATTERN.replace(r"\p{N}{1,3}", r"\p{N}")
CORPUS = [
    "請問電風扇保固多久？保固一年。售價多少元？售價三百元。",
    "品名：電風扇 售價：300元 保固：1年 顏色：白色 產地：台灣",
    "user assistant model system question answer what is the price of the fan",
    "The fan costs 300 dollars and has a warranty of one year.",
]
VOCABULARY = 600
EMBEDDING_STD = 0.5


def build(folder: Path, name: str, *, tied: bool = True, seed: int = 0) -> Path:
    """Write the folder of a model of `tiny_models.MODELS` and return it.

    Its tokenizer brings a template where the family has none to lend, or another.
    """
    import torch

    tokenizer, made = tiny_tokenizer(name), MODELS[name]
    if made.template != plugins.load("family", made.family).CHAT_TEMPLATE:
        tokenizer.chat_template = made.source
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = tiny_model(name, tokenizer, tied=tied)
        # LoRA trains no embedding: without this no logit could become large enough to learn.
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            torch.nn.init.normal_(table.weight, std=EMBEDDING_STD)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def both_classes(place: Path) -> tuple[Path, Path]:
    """Gemma 3's class for images, and its class for text with the same weights."""
    from safetensors.torch import load_file, save_file

    from foundry.models.fetch import locate
    from foundry.models.language_part import language_tensors
    from foundry.models.load import load_model

    wrapper = build(place / "wrapper", "gemma3-conditional", tied=False)
    text = build(place / "text", "gemma3", tied=False)
    model = load_model(locate(str(wrapper), Path()))
    stored, same = load_file(text / "model.safetensors"), dict(language_tensors(model))
    save_file({n: same[n] for n in stored}, text / "model.safetensors", {"format": "pt"})
    settings = model.config.get_text_config()
    settings.architectures = ["Gemma3ForCausalLM"]
    settings.save_pretrained(text)
    return wrapper, text


def tiny_tokenizer(name: str) -> Any:
    """A fast tokenizer with the family's control tokens; adds a BOS if the family's does."""
    return tokenizer_of(MODELS[name])


def tokenizer_of(made: TinyModel) -> Any:
    """The tokenizer of a tiny model; its control tokens have the first ids, in their order."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    pattern = QWEN2_PATTERN if made.model_type == "qwen2" else LLAMA3_PATTERN
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(dict.fromkeys(made.control)),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    raw.train_from_iterator(CORPUS, trainer)
    if made.bos and made.adds_bos:
        raw.post_processor = processors.TemplateProcessing(
            single=f"{made.bos_token} $A",
            special_tokens=[(made.bos_token, raw.token_to_id(made.bos_token))],
        )
    named = {"bos_token": made.bos_token, "eos_token": made.eos_token, "pad_token": made.pad_token}
    named = {key: token for key, token in named.items() if token is not None}
    return PreTrainedTokenizerFast(tokenizer_object=raw, **named)


def tiny_model(name: str, tokenizer: Any, *, tied: bool) -> Any:
    """A random model of the family's real class in float32."""
    return MODELS[name].build(
        {
            "vocab_size": 640,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "max_position_embeddings": 512,
            "tie_word_embeddings": tied,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
        }
    )


def random_model(name: str, *, tied: bool = True) -> Any:
    """The same to be asked, each time with the same weights."""
    import torch

    torch.manual_seed(0)
    return tiny_model(name, tiny_tokenizer(name), tied=tied).eval()
