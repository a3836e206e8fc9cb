"""An adapter as GGUF: plain and rank-stabilised LoRA on linear layers, nothing else (C39, C81)."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gguf
import numpy as np
from safetensors.numpy import load_file

from foundry.core import atomic, plugins
from foundry.core.errors import Problem, ResourceError
from foundry.core.language import gettext as _
from foundry.delivery.artefact import Tuned
from foundry.delivery.gguf_files import mapped, name_map
from foundry.models.gguf_reader import Reader
from foundry.models.language_part import language_name
from foundry.train.adapter_files import CONFIG, WEIGHTS

PREFIX = "base_model.model."


def base_gguf(tuned: Tuned) -> Path:
    """The base's own GGUF file, without which an adapter file has nothing to stand on."""
    if tuned.base.gguf is None:
        what = _("the base model has no GGUF file for the adapter to be put on")
        raise ResourceError(Problem(tuned.base.name, what, _("export `gguf` instead")))
    return Path(tuned.base.gguf)


def write_adapter(tuned: Tuned, path: Path, *, dtype: str) -> None:
    """Write the adapter's matrices under llama.cpp's names.

    Raises:
        ResourceError: The adapter holds a tensor that GGUF adapters cannot carry.
    """
    family = plugins.load("family", tuned.base.family)
    kind = gguf.GGMLQuantizationType[dtype.upper()]
    with atomic.replacing(path) as temporary:
        writer = gguf.GGUFWriter(temporary, family.GGUF_ARCHITECTURE)
        writer.add_type("adapter")
        writer.add_name(tuned.title)
        writer.add_string("adapter.type", "lora")
        writer.add_float32("adapter.lora.alpha", gguf_alpha(_config(tuned)))
        for name, weight in gguf_matrices(tuned):
            writer.add_tensor(name, gguf.quants.quantize(weight, kind), raw_dtype=kind)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()


def gguf_alpha(config: dict[str, Any]) -> float:
    """The alpha that makes llama.cpp's alpha / rank equal to the trained scale (C39).

    A rank-stabilised adapter is scaled by alpha / sqrt(rank), which llama.cpp does not know.
    """
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha * math.sqrt(rank) if config["use_rslora"] else alpha


def trained_scale(config: dict[str, Any]) -> float:
    """The factor of B·A in the trained model."""
    alpha, rank = float(config["lora_alpha"]), int(config["r"])
    return alpha / (math.sqrt(rank) if config["use_rslora"] else rank)


def gguf_matrices(tuned: Tuned) -> Iterator[tuple[str, np.ndarray]]:
    """GGUF name and float32 matrix of each A, shape (rank, in), and B, shape (out, rank)."""
    base = tuned.model.get_base_model()
    config, language = base.config.get_text_config(), f"{language_name(base)}."
    family = plugins.load("family", tuned.base.family)
    names = name_map(family.GGUF_ARCHITECTURE, config.num_hidden_layers)
    for name, weight in sorted(load_file(tuned.adapter / WEIGHTS).items()):
        layer, _dot, part = name.removeprefix(PREFIX).partition(".lora_")
        layer = f"model.{layer.removeprefix(language)}" if layer.startswith(language) else layer
        if part not in ("A.weight", "B.weight"):
            what = _("a GGUF adapter cannot carry this tensor")
            raise ResourceError(Problem(name, what, _("export `gguf` or `merged` instead")))
        matrix = weight.astype(np.float32)
        if part.startswith("B"):
            matrix = family.adapter_rows(f"{layer}.weight", matrix, config)
        target = mapped(names, f"{layer}.weight")
        yield f"{target}.lora_{part[0].lower()}", np.ascontiguousarray(matrix)


def update_difference(tuned: Tuned, path: Path) -> float:
    """How far scale·B·A of the file is from that of the adapter.

    The largest difference of an element, in units of the layer's largest element; infinite when a
    tensor is missing, one too many is there, or a value is not a number.
    """
    reader = Reader(path)
    stored = {t.name: gguf.quants.dequantize(t.data, t.tensor_type) for t in reader.tensors}
    alpha = float(reader.fields["adapter.lora.alpha"].contents())
    trained = dict(gguf_matrices(tuned))
    if set(stored) != set(trained):
        return math.inf
    scale, largest = trained_scale(_config(tuned)), 0.0
    for name in [n for n in trained if n.endswith("lora_a")]:
        b = name.removesuffix("a") + "b"
        found = alpha / stored[name].shape[0] * (stored[b] @ stored[name])
        wanted = scale * (trained[b] @ trained[name])
        off = np.abs(found - wanted).max() / np.abs(wanted).max()
        largest = max(largest, float(np.nan_to_num(off, nan=math.inf)))
    return largest


def _config(tuned: Tuned) -> dict[str, Any]:
    return dict(json.loads((tuned.adapter / CONFIG).read_text(encoding="utf-8")))
