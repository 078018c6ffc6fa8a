"""The formula of the FLOPs is what the model really multiplies."""

import time

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from bertsmith.batches import LabelledBatch, PretrainingBatch
from bertsmith.model import (
    BertConfig,
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
)
from bertsmith.model.packing import PackedSequences
from bertsmith.training import flops as flops_module
from bertsmith.training.flops import ModelFlops, matmul_rate
from bertsmith.training.freezing import freeze_lowest
from bertsmith.training.meter import Meter

# Sequences of one length, which nothing pads, and whose number of rows nothing rounds up.
CONFIG = BertConfig.of_size("tiny", vocab_size=50, labels=("a", "b", "c"))
LENGTH, NUM_SEQUENCES, NUM_PREDICTIONS = 16, 4, 8


def batch():
    ids = torch.randint(5, 50, (NUM_SEQUENCES, LENGTH)).tolist()
    packed = PackedSequences.from_lists(ids)
    positions = torch.arange(0, NUM_SEQUENCES * LENGTH, NUM_SEQUENCES * LENGTH // NUM_PREDICTIONS)
    return packed, positions


def counted(model, work):
    """FLOPs that PyTorch counts; where it does, no kernels of our own hide any."""
    with FlopCounterMode(display=False) as counter:
        work()
    return counter.get_total_flops()


FROZEN = pytest.mark.parametrize("num_frozen", [None, 0, 1, 2])


@FROZEN
@pytest.mark.parametrize("kind", [BertForPreTraining, BertForMaskedLM])
def test_pretraining_is_counted_as_pytorch_counts(kind, num_frozen):
    model, (packed, positions) = kind(CONFIG), batch()
    freeze_lowest(model, num_frozen)

    def step():
        outputs = model.forward_packed(packed, masked_positions=positions)
        sum(value.sum() for value in vars(outputs).values() if torch.is_tensor(value)).backward()

    flops = ModelFlops.of_model(model, CONFIG)
    ours = flops.of_batch(packed, NUM_PREDICTIONS)
    assert ours == counted(model, step)
    if kind is BertForPreTraining and num_frozen is None:
        assert flops == ModelFlops.of_config(CONFIG)


@FROZEN
@pytest.mark.parametrize(
    "kind", [BertForSequenceClassification, BertForTokenClassification, BertForQuestionAnswering]
)
def test_fine_tuning_is_counted_as_pytorch_counts(kind, num_frozen):
    model, (packed, _) = kind(CONFIG), batch()
    freeze_lowest(model, num_frozen)

    def step():
        outputs = model.forward_packed(packed)
        loss = sum(value.sum() for value in vars(outputs).values() if torch.is_tensor(value))
        loss.backward()

    assert ModelFlops.of_model(model, CONFIG).of_batch(packed, 0) == counted(model, step)


def test_attention_is_counted_with_real_lengths():
    flops = ModelFlops.of_config(CONFIG)
    short_and_long = PackedSequences.from_lists([[2, 3], list(range(2, 32))])
    even = PackedSequences.from_lists([list(range(2, 18))] * 2)
    difference = flops.of_batch(short_and_long, 0) - flops.of_batch(even, 0)
    # 2² + 30² against 2 · 16², twice 2 · D a layer; forward and backward.
    assert difference == 3 * (4 * 2 * 128) * (4 + 900 - 512)


def test_the_rate_is_measured_once_and_leaves_the_random_state_alone():
    device = torch.device("cpu")
    before = torch.get_rng_state()
    rate = matmul_rate(device, "fp32")
    assert torch.equal(torch.get_rng_state(), before)
    assert 1e8 < rate < 1e15
    started = time.monotonic()
    assert matmul_rate(device, "fp32") == rate
    assert time.monotonic() - started < 0.1


@pytest.mark.parametrize(
    ("gigaflops", "sizes"),
    # 40 products of 8192 are 44 TFLOP, those of 4096 an eighth of that: what fits in 0.4 s?
    [(500_000, [2048, 4096, 8192]), (50_000, [2048, 4096]), (5_000, [2048])],
)
def test_a_gpu_is_awake_before_the_clock_starts_and_slow_ones_stop_early(
    monkeypatch, gigaflops, sizes
):
    now, called = [0.0], []

    def seconds_of_product(device, dtype, size):
        called.append(size)
        seconds = 2 * size**3 / (gigaflops * 1e9)
        now[0] += 40 * seconds
        return seconds

    def warm_up(device, dtype, size):
        called.append("warm-up")
        now[0] += 5

    monkeypatch.setattr(flops_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(flops_module, "_seconds_of_product", seconds_of_product)
    monkeypatch.setattr(flops_module, "_warm_up", warm_up)
    rate = flops_module._measured_rate(torch.device("cuda"), "bf16")
    assert called == ["warm-up", *sizes]
    assert rate == pytest.approx(gigaflops * 1e9)
    assert now[0] < 5.5


class Labels:
    def counts(self, batch):
        return {"classification": batch.batch_size}


def test_a_meter_measures_waiting_and_work():
    model = BertForSequenceClassification(CONFIG)
    meter = Meter(model, Labels(), torch.device("cpu"), "fp32")
    examples = LabelledBatch.from_lists([[2, 3, 4]], labels=torch.tensor([0]))

    def slow():
        for _ in range(2):
            time.sleep(0.05)
            yield [examples]

    for micro_batches in meter.timed(slow()):
        meter.count(micro_batches)
    values = meter.take(seconds=0.2)
    assert 0.5 <= values["waiting_share"] < 1
    work = 2 * meter.flops.of_batch(examples, 0)
    expected = work / 0.2 / matmul_rate(torch.device("cpu"), "fp32")
    assert values["mfu"] == pytest.approx(expected, abs=5e-5)
    assert values["peak_memory_bytes"] > 1e7
    assert meter.take(seconds=0.2)["waiting_share"] == 0
    assert meter.facts()["num_parameters"] == sum(p.numel() for p in model.parameters())


def test_a_rate_below_that_of_training_is_measured_again(monkeypatch):
    cpu = torch.device("cpu")
    slow = matmul_rate(cpu, "fp32") / 1e6
    monkeypatch.setattr(flops_module, "_rates", {(cpu, "fp32", torch.get_num_threads()): slow})
    meter = Meter(BertForSequenceClassification(CONFIG), Labels(), cpu, "fp32")
    examples = LabelledBatch.from_lists([[2, 3, 4]], labels=torch.tensor([0]))
    seconds = meter.flops.of_batch(examples, 0) / (10 * slow)
    meter.count([examples])
    values = meter.take(seconds)
    rate = matmul_rate(cpu, "fp32")
    assert values["matmul_flops_per_second"] == round(rate) > 1000 * slow
    assert values["mfu"] == pytest.approx(10 * slow / rate, abs=5e-5)
    # Once it is right it stays.
    meter.count([examples])
    assert "matmul_flops_per_second" not in meter.take(seconds)
    assert matmul_rate(cpu, "fp32") == rate


def test_a_rate_that_others_held_down_is_measured_again_now_and_then(monkeypatch):
    """Beside other jobs it may be a quarter of what it is, and the run no faster than that."""
    cpu = torch.device("cpu")
    slow = matmul_rate(cpu, "fp32") / 1e6
    monkeypatch.setattr(flops_module, "_rates", {(cpu, "fp32", torch.get_num_threads()): slow})
    meter = Meter(BertForSequenceClassification(CONFIG), Labels(), cpu, "fp32")
    times = []
    monkeypatch.setattr(
        flops_module, "_measured_rate", lambda *_: times.append(meter._seconds) or 2 * slow
    )
    told = [meter.take(seconds=10) for _ in range(30)]
    assert times == [30, 60, 120, 240]
    rates = [line["matmul_flops_per_second"] for line in told if "matmul_flops_per_second" in line]
    assert rates == [round(2 * slow)]


def test_predictions_are_those_of_the_objective():
    from bertsmith.objectives import MaskedLM

    model = BertForPreTraining(CONFIG)
    packed, positions = batch()
    example = PretrainingBatch(
        packed.input_ids,
        packed.token_type_ids,
        packed.position_ids,
        packed.cu_seqlens,
        packed.max_seqlen,
        positions,
        packed.input_ids[positions],
        torch.zeros(NUM_SEQUENCES, dtype=torch.int64),
    )
    meter = Meter(model, MaskedLM(), torch.device("cpu"), "fp32")
    meter.count([example, example])
    assert meter._num_flops == 2 * meter.flops.of_batch(packed, NUM_PREDICTIONS)
    assert np.isclose(meter._num_flops / 2, meter.flops.training(4, 16, 2))
