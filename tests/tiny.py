"""Seeded models of the real classes, small enough to train in a second.

Two layers, 64 wide, a byte-level BPE of under 1,000 tokens with Llama 3's splitting pattern. Each
has a BOS that the tokenizer also adds by itself, an EOS, and a turn terminator that is not the EOS
(`cases.md`, "Test model for every check"). The templates are the real ones.
"""

from pathlib import Path
from typing import Any

LLAMA3_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CORPUS = [
    "請問電風扇保固多久？保固一年。售價多少元？售價三百元。",
    "品名：電風扇 售價：300元 保固：1年 顏色：白色 產地：台灣",
    "user assistant model system question answer what is the price of the fan",
    "The fan costs 300 dollars and has a warranty of one year.",
]
CONTROL = {
    "llama": [
        *("<|begin_of_text|>", "<|end_of_text|>"),
        *("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    ],
    "gemma3": ["<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>"],
}
VOCABULARY = 600
EMBEDDING_STD = {"llama": 0.5, "gemma3": 0.5}


def build(folder: Path, family: str, *, tied: bool = True, seed: int = 0) -> Path:
    """Write a tiny `llama` or `gemma3` model folder and return it."""
    import torch

    tokenizer = tiny_tokenizer(family)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = tiny_model(family, tokenizer, tied=tied)
        # LoRA trains no embedding: without this no logit could become large enough to learn.
        for table in (model.get_input_embeddings(), model.get_output_embeddings()):
            torch.nn.init.normal_(table.weight, std=EMBEDDING_STD[family])
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def tiny_tokenizer(family: str) -> Any:
    """A fast tokenizer with the family's control tokens; adds the BOS by itself."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LLAMA3_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=CONTROL[family],
        initial_alphabet=alphabet,
        show_progress=False,
    )
    raw.train_from_iterator(CORPUS, trainer)
    bos, eos = CONTROL[family][:2]
    raw.post_processor = processors.TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, raw.token_to_id(bos))]
    )
    extra = {"pad_token": "<pad>"} if family == "gemma3" else {}
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token=bos, eos_token=eos, **extra)


def tiny_model(family: str, tokenizer: Any, *, tied: bool) -> Any:
    """A random model of the family's real class in float32."""
    from transformers import Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM

    common = {
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
    if family == "llama":
        return LlamaForCausalLM(LlamaConfig(**common, rope_theta=500000.0))
    kinds = ["sliding_attention", "full_attention"]
    config = Gemma3TextConfig(
        **common, sliding_window=32, layer_types=kinds, query_pre_attn_scalar=16
    )
    return Gemma3ForCausalLM(config)
