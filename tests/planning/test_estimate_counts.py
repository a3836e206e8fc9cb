"""What the plan counts against what torch, PEFT and bitsandbytes really make, within 1 %."""

from contextlib import nullcontext

import pytest
import torch

from foundry.core import plugins
from foundry.core.load import load_recipe
from foundry.models.quiet import quiet
from foundry.models.shape import shape_of
from foundry.planning import hardware
from foundry.planning.estimate.disk import disk
from foundry.planning.estimate.flops import step_flops
from foundry.planning.estimate.job import Job, job_of
from foundry.planning.estimate.memory import ACTIVATION_BOUNDS, layer_activations, memory
from foundry.planning.estimate.rows import Rows
from foundry.planning.estimate.spread import exactly
from foundry.planning.estimate.stored import nf4_bytes, optimizer_bytes, weight_bytes
from foundry.planning.shapes import KnownShape
from foundry.train.fused import fused_updates
from foundry.train.losses.head import BLOCK_TOKENS, Head, head_loss
from tests import tiny
from tests.largest import Held

FAMILIES = ["llama", "gemma3", "qwen3"]
TOKENS, SUPERVISED, RANK = 32, 12, 4  # tokens within the tiny Gemma's window
REACHED = 1 / 2  # of two layers, the last


def job(shape, **settings) -> Job:
    """One pass of one row a step."""
    rows = Rows(8, exactly(TOKENS), exactly(SUPERVISED), TOKENS, "tokenizer")
    values = {
        "shape": shape,
        "is_guessed": False,
        "adapter": "lora",
        "rank": RANK,
        "targets": None,
        "dtype": "float32",
        "weights": "float32",
        "optimizer": "adamw",
        "gradient_checkpointing": False,
        "steps": 1,
        "global_batch_size": 1,
        "micro_batch_size": 1,
        "pack_tokens": TOKENS,
        "rows": rows,
    }
    return Job(**{**values, **settings})


@pytest.mark.parametrize(
    ("kind", "steps", "in_a_step", "in_a_pass"), [("sft", 10, 4, 2), ("pretrain", 2, 20, 10)]
)
def test_documents_that_share_a_place_make_fewer_and_larger_steps(
    kind: str, steps: int, in_a_step: int, in_a_pass: int
):
    train = (
        "train.max_steps=null",
        "train.epochs=1",
        "train.global_batch_size=4",
        "train.micro_batch_size=2",
    )
    settings = (f"train.kind={kind}", "encode.max_seq_len=160", *train)
    loaded = load_recipe("retail/customer-service", settings)
    rows = Rows(40, exactly(TOKENS), exactly(SUPERVISED), TOKENS, "tokenizer")  # five in 160
    shape = KnownShape(shape_from(model_of("llama")), "config.json")

    made = job_of(loaded, shape, rows, hardware.load_devices()["cpu-laptop"])

    assert (made.steps, made.global_batch_size, made.micro_batch_size) == (
        steps,
        in_a_step,
        in_a_pass,
    )


def model_of(family: str):
    return tiny.tiny_model(family, tiny.tiny_tokenizer(family), tied=True)


def adapted(family: str):
    lora = plugins.load("adapter", "lora")
    return lora.attach(model_of(family), lora.Spec(rank=RANK))


def shape_from(model):
    return shape_of(model.config.to_dict())


def counted(model) -> int:
    """Operations of a step as torch counts them, with logits at the supervised positions alone.

    torch 2.13 counts neither the CPU's fused attention nor what is added in place, as our loss at
    the head does; so both are written out here.
    """
    import torch
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    ids = torch.arange(TOKENS)[None] % 600
    kept = torch.arange(TOKENS - SUPERVISED, TOKENS)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        logits = model(input_ids=ids, logits_to_keep=kept, use_cache=False).logits
        logits.float().logsumexp(-1).sum().backward()
    return counter.get_total_flops()


def written_out(flops, *, is_full: bool = False) -> float:
    """The total with attention written out, which computes twice as much backward, not 2.5.

    Logits that are kept are not made again for the gradient of a trained head: three passes, not
    four.
    """
    again = flops.head / 4 if is_full else 0
    return flops.total - flops.attention * 0.5 / 3.5 - again


@pytest.mark.parametrize("family", FAMILIES)
def test_operations_of_an_update_are_those_torch_counts(family):
    model = adapted(family)

    expected = written_out(step_flops(job(shape_from(model.get_base_model()))))

    assert expected == pytest.approx(counted(model), rel=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_operations_of_all_weights_are_those_torch_counts(family):
    model = model_of(family)

    expected = written_out(step_flops(job(shape_from(model), adapter="full")), is_full=True)

    assert expected == pytest.approx(counted(model), rel=0.01)


# Of a layer that ends with a product torch does not compute that one twice; Gemma's ends with a
# norm.
@pytest.mark.parametrize(
    ("family", "twice"), [*((family, False) for family in FAMILIES), ("gemma3", True)]
)
def test_operations_of_the_last_layers_are_those_torch_counts(family, twice):
    full = plugins.load("adapter", "full")
    model = full.attach(model_of(family), full.Spec(last_layers=1))
    if twice:
        with quiet():
            model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()

    settings = {"adapter": "full", "rank": 0, "last_layers": 1, "gradient_checkpointing": twice}
    step = step_flops(job(shape_from(model), **settings))

    # Attention as torch's own: backward it computes twice as much as forward.
    reached = 1 if twice else REACHED
    attention = step.attention * (1 + 2 * reached) / (1 + 2.5 * reached)
    expected = step.total - step.attention + attention
    assert expected == pytest.approx(counted(model), rel=0.01)


def test_operations_of_checkpointing_are_those_torch_counts():
    model = adapted("llama")
    with quiet():
        model.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()

    asked = job(shape_from(model.get_base_model()), gradient_checkpointing=True)
    expected = written_out(step_flops(asked))

    assert expected == pytest.approx(counted(model), rel=0.01)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_update_has_as_many_numbers_as_peft_makes(family):
    model = adapted(family)
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)

    assert job(shape_from(model.get_base_model())).trained_weights == trained


SIZES = {"vera": {"rank": 8}, "oft": {"block_size": 4}, "ia3": {}}


@pytest.mark.parametrize(
    "kind", [k for k in plugins.names("adapter") if k not in ("full", "qlora")]
)
def test_every_update_has_as_many_numbers_as_peft_makes(kind):
    adapter, sizes = plugins.load("adapter", kind), SIZES.get(kind, {"rank": 4})
    model = adapter.attach(model_of("llama"), adapter.Spec(**sizes))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    settings = [f"adapter.{key}={value}" for key, value in sizes.items()]
    loaded = load_recipe("retail/customer-service", (f"adapter.kind={kind}", *settings))
    rows = Rows(8, exactly(TOKENS), exactly(SUPERVISED), TOKENS, "tokenizer")
    shape = KnownShape(shape_from(model.get_base_model()), "config.json")

    made = job_of(loaded, shape, rows, hardware.load_devices()["cpu-laptop"])

    assert made.trained_weights == trained


def test_last_layers_have_the_numbers_that_the_plan_counts():
    full = plugins.load("adapter", "full")
    model = full.attach(model_of("llama"), full.Spec(last_layers=1))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)

    counted = job(shape_from(model), adapter="full", last_layers=1).trained_weights

    assert counted == pytest.approx(trained, rel=0.01)


def test_activations_are_kept_of_the_layers_that_train():
    shape = shape_from(model_of("llama"))
    last, every = (
        memory(job(shape, adapter="full", rank=0, last_layers=last), "cuda").parts["activations"]
        for last in (1, None)
    )

    assert last.expected == REACHED * every.expected


def kept_bytes(model) -> int:
    """Bytes that autograd keeps of a pass through the layers, each tensor once, no weights."""
    own = {one.untyped_storage().data_ptr() for one in (*model.parameters(), *model.buffers())}
    held: dict[int, int] = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            held[storage.data_ptr()] = storage.nbytes()
        alive.append(tensor)  # so that no place is used again
        return tensor

    alive: list[torch.Tensor] = []
    ids = torch.arange(TOKENS)[None] % 600
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        model(input_ids=ids, logits_to_keep=1, use_cache=False)
    return sum(held.values())


@pytest.mark.parametrize("is_fused", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_activations_are_those_that_autograd_keeps(family, is_fused):
    model = adapted(family).train()
    with fused_updates(model) if is_fused else nullcontext():
        kept = kept_bytes(model)
    shape = shape_from(model.get_base_model())

    low, _expected, high = ACTIVATION_BOUNDS
    planned = shape.layers * TOKENS * layer_activations(job(shape))
    assert low * planned < kept < high * planned


@pytest.mark.parametrize("family", FAMILIES)
def test_activations_in_half_precision_are_those_that_autograd_keeps(family):
    model = adapted(family).train()
    with fused_updates(model), torch.autocast("cpu", torch.bfloat16):
        kept = kept_bytes(model)
    shape = shape_from(model.get_base_model())

    low, _expected, high = ACTIVATION_BOUNDS
    planned = shape.layers * TOKENS * layer_activations(job(shape), rounds=True)
    assert low * planned < kept < high * planned


def test_half_precision_that_is_tried_stands_in_the_upper_bound():
    shape = shape_from(model_of("llama"))
    exact, half = (memory(job(shape, dtype=kind), "cpu") for kind in ("float32", "bfloat16"))

    tried = memory(job(shape, may_round=True), "cpu")

    assert half.parts["rounded"].expected == 2 * shape.linear_weights
    assert tried.total.expected == exact.total.expected < half.total.expected
    assert tried.total.high == pytest.approx(half.total.high)
    assert "rounded" not in memory(job(shape, dtype="bfloat16"), "cuda").parts


def test_processor_tries_half_precision_where_a_run_is_long_enough():
    shape = KnownShape(shape_from(model_of("llama")), "config.json")

    def may(device: str, *settings: str) -> bool:
        loaded = load_recipe("retail/customer-service", [f"train.{one}" for one in settings])
        return job_of(loaded, shape, job(None).rows, hardware.load_devices()[device]).may_round

    assert may("cpu-laptop", "max_steps=60")
    assert not may("cpu-laptop", "max_steps=59")
    assert not may("cpu-laptop", "max_steps=60", "dtype=float32")
    assert not may("h100-80g", "max_steps=60")


def test_dropout_keeps_what_the_plan_counts():
    lora, kept = plugins.load("adapter", "lora"), {}
    for share in (0.0, 0.1):
        model = lora.attach(model_of("llama"), lora.Spec(rank=RANK, dropout=share))
        kept[share] = kept_bytes(model.train())
    shape = shape_from(model.get_base_model())
    without, with_it = (layer_activations(job(shape, dropout=on)) for on in (False, True))

    planned = shape.layers * TOKENS * (with_it - without)
    planned -= 4 * TOKENS * 3 * shape.hidden  # no gradient goes below the first layer's q, k and v
    assert kept[0.1] - kept[0.0] == pytest.approx(planned, rel=0.01)


@pytest.mark.parametrize("last", [None, 1])
def test_a_saved_model_takes_the_disk_of_all_its_weights(tmp_path, last):
    model = model_of("llama")
    model.save_pretrained(tmp_path)

    held = (tmp_path / "model.safetensors").stat().st_size
    planned = disk(job(shape_from(model), adapter="full", rank=0, last_layers=last))
    assert planned.parts["adapter"] == pytest.approx(held, rel=0.02)


def test_the_best_checkpoint_takes_disk_besides():
    shape = KnownShape(shape_from(model_of("llama")), "config.json")
    rows = Rows(40, exactly(TOKENS), exactly(SUPERVISED), TOKENS, "tokenizer")
    device = hardware.load_devices()["cpu-laptop"]
    newest, besides = (
        disk(job_of(load_recipe("retail/customer-service", settings), shape, rows, device))
        for settings in ((), ("train.best_by={metric: validation-loss}",))
    )

    assert besides.parts["checkpoints"] * 3 == newest.parts["checkpoints"] * 4


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_take_the_bytes_of_their_tensors(family):
    model = model_of(family)
    held = sum(p.numel() * p.element_size() for p in model.parameters())

    assert weight_bytes(job(shape_from(model))) == pytest.approx(held, rel=0.01)


@pytest.mark.parametrize(
    ("device", "adapter", "weights"),
    [
        ("cpu-laptop", "lora", "float32"),  # products are cast, the base is not
        ("h100-80g", "lora", "bfloat16"),
        ("h100-80g", "full", "float32"),
    ],
)
def test_weights_are_planned_in_the_numbers_in_which_they_are_held(device, adapter, weights):
    settings = ("train.dtype=bfloat16", f"adapter.kind={adapter}")
    shape = KnownShape(shape_from(model_of("llama")), "config.json")
    rows = Rows(40, exactly(TOKENS), exactly(SUPERVISED), TOKENS, "tokenizer")
    loaded = load_recipe("retail/customer-service", settings)

    made = job_of(loaded, shape, rows, hardware.load_devices()[device])

    assert (made.dtype, made.weights) == ("bfloat16", weights)
    numbers = {"float32": 4, "bfloat16": 2}[weights]
    assert weight_bytes(made) == numbers * shape.shape.parameters


@pytest.mark.parametrize("softcap", [None, 30.0])
def test_the_head_takes_what_is_planned(softcap):
    sizes = {"hidden": 64, "vocabulary": 5 * BLOCK_TOKENS}
    known = shape_from(model_of("llama")).model_copy(update=sizes)
    planned = memory(job(known), "cuda").parts["logits"]
    hidden_SH = torch.randn(SUPERVISED, known.hidden, requires_grad=True)
    weight_VH, targets_S = torch.randn(known.vocabulary, known.hidden), torch.arange(SUPERVISED)

    with Held(hidden_SH, weight_VH, targets_S) as seen:
        head_loss(hidden_SH, Head(weight_VH, None, 1.0, softcap), targets_S).backward()

    assert 0.95 * planned.low <= seen.peak_bytes + hidden_SH.nbytes <= planned.high


def test_adamw_keeps_two_numbers_for_each_trained_one():
    import torch

    model = adapted("llama")
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    held = sum(
        value.numel() * value.element_size()
        for state in optimizer.state.values()
        for value in state.values()
    )

    expected = optimizer_bytes(job(shape_from(model.get_base_model())))

    assert expected == pytest.approx(held, rel=0.01)


@pytest.mark.parametrize("rows, columns", [(64, 64), (576, 1536), (640, 2048), (100, 77)])
def test_nf4_takes_the_bytes_that_bitsandbytes_stores(rows, columns):
    torch = pytest.importorskip("torch")
    functional = pytest.importorskip("bitsandbytes.functional")
    packed, state = functional.quantize_4bit(
        torch.ones(rows, columns), blocksize=64, compress_statistics=True, quant_type="nf4"
    )
    outer = state.state2
    kept = [packed, state.absmax, state.code, state.offset, outer.absmax, outer.code]

    held = sum(tensor.numel() * tensor.element_size() for tensor in kept)

    assert nf4_bytes(rows * columns) == held
