"""DDP fills its buckets in the order of gradients in the pass in vain: that of all that follow."""

import pytest
import torch
import torch.distributed as dist
from torch.distributed import HashStore

from bertsmith.batches import LabelledBatch
from bertsmith.model import BertConfig, BertForSequenceClassification
from bertsmith.model.precision import autocast
from bertsmith.tasks import get_task
from bertsmith.training.distributed import Ranks
from bertsmith.training.parallel import parallelize
from kernel_checks import no_kernels


@pytest.fixture
def group():
    dist.init_process_group("gloo", store=HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.fixture
def without_kernels(monkeypatch):
    """PyTorch's own layers, whose weights autocast casts, as on a GPU."""
    with no_kernels(monkeypatch):
        yield


@pytest.mark.usefixtures("group", "without_kernels")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_pass_in_vain_gives_gradients_in_the_order_of_the_others(precision):
    config = BertConfig.of_size("tiny", vocab_size=50, labels=("a", "b"))
    model = BertForSequenceClassification(config)
    seen = []
    for name, weight in model.named_parameters():
        weight.register_post_accumulate_grad_hook(lambda _, name=name: seen.append(name))
    run = parallelize(model, get_task("classify").objective(), "ddp", Ranks(world_size=2))
    batch = LabelledBatch.from_lists([[2, 5, 6, 3], [2, 7, 3]], labels=torch.tensor([0, 1]))
    orders = []
    for is_last in (False, True):
        with autocast(precision, torch.device("cpu")):
            measures = run(batch, is_last=is_last)
        if seen:
            orders.append(seen.copy())
            seen.clear()
        torch.autograd.backward(torch.stack([m.loss.total for m in measures.values()]).sum())
        orders.append(seen.copy())
        seen.clear()
    in_vain, *others = orders
    assert len(others) == 2
    assert others == [in_vain, in_vain]
    assert len(in_vain) == len(list(model.parameters()))
    # So the first bucket is full, and sent, long before the end.
    assert "layers.0" in in_vain[-10]
