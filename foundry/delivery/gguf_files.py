"""Write and read GGUF files with the `gguf` package: metadata, tensors, quantisation.

Tensor names come from gguf's own table; the layout differences of a family (Gemma's norm offset,
Llama's row order) from `foundry/models/families/`.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import gguf
import numpy as np

from foundry.core import atomic, plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.delivery.artefact import Tuned
from foundry.delivery.gguf_tokenizer import tokenizer_fields
from foundry.models.gguf_reader import Reader
from foundry.models.language_part import language_tensors

QUANTIZATIONS = {
    "q8_0": (gguf.GGMLQuantizationType.Q8_0, gguf.LlamaFileType.MOSTLY_Q8_0),
    "f16": (gguf.GGMLQuantizationType.F16, gguf.LlamaFileType.MOSTLY_F16),
}
Q8_0_BLOCK = 32
# Half a step of 8 bits is 1/254 of the largest in a block, and its float16 scale is off by 1/2048.
STORAGE_TOLERANCE = {"F32": 0.0, "F16": 1 / 2048, "Q8_0": 1 / 220}
ROWS_AT_ONCE = 4096  # 60 MiB as float32 at a width of 3,840
END_OF_TURN = "tokenizer.ggml.eot_token_id"
END_OF_TEXT = "tokenizer.ggml.eos_token_id"
END_OF_MESSAGE = "tokenizer.ggml.eom_token_id"
# Written anew for the tuned model, so not taken over from the base's file.
OWN_FIELDS = (
    "general.name",
    "general.basename",
    "general.file_type",
    "general.type",
    "tokenizer.chat_template",
    END_OF_TURN,
)


def write_model(tuned: Tuned, model: Any, path: Path, *, quantization: str) -> None:
    """Write a merged model as one GGUF file, a tensor at a time.

    Matrices are stored as `quantization`, vectors as float32. Rows that do not divide into blocks
    of 32 fall back to f16, as in llama.cpp.
    """
    kind, file_type = QUANTIZATIONS[quantization]
    family = plugins.load("family", tuned.base.family)
    with atomic.replacing(path) as temporary:
        writer = gguf.GGUFWriter(temporary, family.GGUF_ARCHITECTURE)
        for key, (value, types) in _metadata(tuned, model, family).items():
            writer.add_key_value(key, value, types[0], types[1] if len(types) > 1 else None)
        writer.add_file_type(int(file_type))
        for name, weight in gguf_tensors(tuned, model):
            _announce(writer, name, weight, storage(weight, kind))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for _name, weight in gguf_tensors(tuned, model):
            writer.write_tensor_data(gguf.quants.quantize(weight, storage(weight, kind)))
        writer.close()


def _announce(
    writer: gguf.GGUFWriter, name: str, weight: np.ndarray, stored: gguf.GGMLQuantizationType
) -> None:
    """Say what a tensor of the file will be, which is written later."""
    numbers, size = gguf.GGML_QUANT_SIZES[stored]
    nbytes = weight.size // numbers * size
    writer.add_tensor_info(name, weight.shape, weight.dtype, nbytes, raw_dtype=stored)


def storage(weight: np.ndarray, wanted: gguf.GGMLQuantizationType) -> gguf.GGMLQuantizationType:
    """How a tensor is stored: vectors in float32, matrices as wanted where their rows allow it."""
    if weight.ndim == 1:
        return gguf.GGMLQuantizationType.F32
    if wanted == gguf.GGMLQuantizationType.Q8_0 and weight.shape[-1] % Q8_0_BLOCK:
        return gguf.GGMLQuantizationType.F16
    return wanted


def gguf_tensors(tuned: Tuned, model: Any) -> Iterator[tuple[str, np.ndarray]]:
    """GGUF name and float32 array of each weight; a tied head is not repeated (C31).

    Of a multimodal model the language part alone: llama.cpp has images in a file of their own.
    """
    family, config = plugins.load("family", tuned.base.family), model.config.get_text_config()
    names = name_map(family.GGUF_ARCHITECTURE, config.num_hidden_layers)
    tied = model.get_output_embeddings().weight is model.get_input_embeddings().weight
    for name, tensor in language_tensors(model):
        if name == "lm_head.weight" and tied:
            continue
        if name.endswith("rotary_emb.inv_freq"):
            continue
        weight = family.to_gguf(name, tensor.detach().float().numpy(), config)
        yield mapped(names, name), np.ascontiguousarray(weight, dtype=np.float32)
    for name, weight in family.gguf_constants(config).items():
        yield name, np.ascontiguousarray(weight, dtype=np.float32)


def name_map(architecture: str, layers: int) -> gguf.TensorNameMap:
    """gguf's table of tensor names for an architecture such as `gemma3`."""
    found = next(a for a, name in gguf.MODEL_ARCH_NAMES.items() if name == architecture)
    return gguf.get_tensor_name_map(found, layers)


def mapped(names: gguf.TensorNameMap, name: str) -> str:
    """The GGUF name of a Hugging Face tensor.

    Raises:
        ResourceError: The architecture has no place for it.
    """
    found = names.get_name(name, try_suffixes=(".weight", ".bias"))
    if found is None:
        raise ResourceError(
            Problem(name, _("llama.cpp has no place for this tensor"), _("export `merged`"))
        )
    return str(found)


Field = tuple[Any, list[gguf.GGUFValueType]]


def _metadata(tuned: Tuned, model: Any, family: Any) -> dict[str, Field]:
    """All fields: the base's own where it has a GGUF file, then ours."""
    if tuned.base.gguf is not None:
        fields = dict(base_fields(Path(tuned.base.gguf)))
    else:
        fields = _computed_fields(tuned, model, family)
    string, number = [gguf.GGUFValueType.STRING], [gguf.GGUFValueType.UINT32]
    fields |= {
        "general.name": (tuned.title, string),
        "general.type": ("model", string),
        "general.license": (tuned.base.licence, string),
        "general.base_model.count": (1, number),
        "general.base_model.0.name": (tuned.base.hub_id or tuned.base.name, string),
        "tokenizer.chat_template": (tuned.encoder.template, string),
    }
    return fields | {key: (value, number) for key, value in stop_fields(tuned.stop_ids).items()}


def stop_fields(stop_ids: tuple[int, ...]) -> dict[str, int]:
    """The terminator as end of turn, the last declared end as end of text (C36).

    A third, such as Llama 3.1's end of message, has a field of its own; GGUF has none for a
    fourth, and the parity check then refuses the file.
    """
    fields = {END_OF_TURN: stop_ids[0], END_OF_TEXT: stop_ids[-1]}
    return fields | {END_OF_MESSAGE: stop_ids[1]} if len(stop_ids) > 2 else fields


@lru_cache(maxsize=1)
def base_fields(path: Path) -> dict[str, Field]:
    """The metadata of the base's GGUF that stays true for the tuned model."""
    reader = Reader(path)
    skipped = ("GGUF.", "general.architecture", *OWN_FIELDS)
    return {
        key: (field.contents(), list(field.types))
        for key, field in reader.fields.items()
        if not key.startswith(skipped)
    }


def _computed_fields(tuned: Tuned, model: Any, family: Any) -> dict[str, Field]:
    config, prefix = model.config.get_text_config(), family.GGUF_ARCHITECTURE
    values = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        **family.gguf_metadata(config),
    }
    rows = model.get_input_embeddings().weight.shape[0]
    fields = {f"{prefix}.{key}": value for key, value in values.items()}
    fields |= tokenizer_fields(tuned.base, tuned.encoder.tokenizer, rows)
    return {key: (value, _types(value)) for key, value in fields.items()}


def _types(value: Any) -> list[gguf.GGUFValueType]:
    kinds = gguf.GGUFValueType
    if isinstance(value, list):
        of = {str: kinds.STRING, bool: kinds.BOOL, int: kinds.INT32}
        return [kinds.ARRAY, of[type(value[0])]]
    if isinstance(value, bool):
        return [kinds.BOOL]
    if isinstance(value, str):
        return [kinds.STRING]
    return [kinds.FLOAT32 if isinstance(value, float) else kinds.UINT32]


def declared_ends(reader: Reader) -> set[int]:
    """The ids that a file declares as ends."""
    keys = (END_OF_TEXT, END_OF_TURN, END_OF_MESSAGE)
    return {int(reader.fields[key].contents()) for key in keys if key in reader.fields}


def deviation(tensor: gguf.ReaderTensor, weight: np.ndarray) -> float:
    """How far a stored tensor is from its weight at most, in units of what its storage allows.

    Infinite where a value is not a number. A block of rows at a time: as float32 an embedding
    alone may take gigabytes.
    """
    wanted, share = weight.reshape(-1, weight.shape[-1]), STORAGE_TOLERANCE[tensor.tensor_type.name]
    held, largest = tensor.data.reshape(len(wanted), -1), 0.0
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        rows = wanted[start : start + ROWS_AT_ONCE]
        found = gguf.quants.dequantize(held[start : start + ROWS_AT_ONCE], tensor.tensor_type)
        allowed = share * np.abs(rows).max(axis=-1, keepdims=True)
        off = np.abs(found - rows) / (allowed + 1e-7)
        largest = max(largest, float(np.nan_to_num(off, nan=math.inf).max()))
    return largest
