"""What of a base's `generation_config.json` makes other answers than the likeliest tokens.

A penalty on what was said before (Qwen 2.5 has one) is of another way of answering than that of the
proofs, of the evaluation and of llama.cpp. Names: `GenerationConfig` of transformers 5.24.
"""

OTHER_RULES = (
    *("assistant_early_exit", "bad_words_ids", "begin_suppress_tokens", "cache_implementation"),
    *("constraints", "dola_layers", "encoder_no_repeat_ngram_size", "encoder_repetition_penalty"),
    *("exponential_decay_length_penalty", "force_words_ids", "forced_bos_token_id"),
    *("forced_eos_token_id", "guidance_scale", "max_time", "min_length", "min_new_tokens"),
    *("no_repeat_ngram_size", "penalty_alpha", "prompt_lookup_num_tokens", "repetition_penalty"),
    *("sequence_bias", "stop_strings", "suppress_tokens", "token_healing", "use_mtp"),
    "watermarking_config",
)
