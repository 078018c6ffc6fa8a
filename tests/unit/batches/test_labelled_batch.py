import pytest
import torch

from bertsmith.batches import LabelledBatch
from bertsmith.model.packing import PackedSequences


def test_packs_like_its_parent():
    ids, types = [[2, 7, 3, 8, 3], [2, 3]], [[0, 0, 0, 1, 1], [0, 0]]
    batch = LabelledBatch.from_lists(ids, types, labels=torch.tensor([0.5, 1.0]))
    packed = PackedSequences.from_lists(ids, types)
    for name in ("input_ids", "token_type_ids", "position_ids", "cu_seqlens"):
        assert torch.equal(getattr(batch, name), getattr(packed, name))
    assert batch.max_seqlen == 5
    assert batch.labels.tolist() == [0.5, 1.0]


@pytest.mark.parametrize("shape", [(2,), (2, 2), (7,)])
def test_to_moves_the_labels(shape):
    batch = LabelledBatch.from_lists([[2, 7, 8, 9, 3], [2, 3]], labels=torch.zeros(shape))
    moved = batch.to("meta")
    assert isinstance(moved, LabelledBatch)
    assert moved.labels.is_meta
    assert moved.labels.shape == shape
