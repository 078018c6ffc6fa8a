import torch
from hypothesis import given
from hypothesis import strategies as st

from bertsmith.model import PackedSequences

SEQUENCES = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=6), min_size=1, max_size=5)


@given(SEQUENCES)
def test_the_layout_is_that_of_the_lists(sequences):
    packed = PackedSequences.from_lists(sequences)
    flat = [(row, i, x) for row, ids in enumerate(sequences) for i, x in enumerate(ids)]
    assert packed.row_index.tolist() == [row for row, _, _ in flat]
    assert packed.column_index.tolist() == [i for _, i, _ in flat]
    assert packed.position_ids.tolist() == [i for _, i, _ in flat]
    assert packed.input_ids.tolist() == [x for _, _, x in flat]
    assert packed.token_type_ids.tolist() == [0] * len(flat)
    assert packed.lengths.tolist() == [len(ids) for ids in sequences]
    assert packed.max_seqlen == max(map(len, sequences))
    assert packed.num_tokens == len(flat)
    assert packed.batch_size == len(sequences)
    assert packed.input_ids[packed.first_token_positions].tolist() == [s[0] for s in sequences]


@given(SEQUENCES)
def test_padding_and_packing_again_change_nothing(sequences):
    packed = PackedSequences.from_lists(sequences)
    padded = packed.pad(packed.input_ids)
    mask = packed.padding_mask()
    assert [row[keep].tolist() for row, keep in zip(padded, mask, strict=True)] == sequences
    assert not padded[~mask].any()
    again = PackedSequences.from_padded(padded, mask, torch.zeros_like(padded))
    for name, value in vars(packed).items():
        assert torch.equal(torch.as_tensor(getattr(again, name)), torch.as_tensor(value))


def test_a_token_keeps_the_position_of_its_column():
    mask = torch.tensor([[False, True, True], [True, False, True]])
    ids = torch.tensor([[0, 5, 6], [7, 0, 8]])
    packed = PackedSequences.from_padded(ids, mask, torch.ones_like(ids))
    assert packed.input_ids.tolist() == [5, 6, 7, 8]
    assert packed.position_ids.tolist() == [1, 2, 0, 2]
    assert packed.cu_seqlens.tolist() == [0, 2, 4]


def test_a_batch_moves_whole():
    moved = PackedSequences.from_lists([[1, 2], [3]]).to("meta")
    assert moved.input_ids.device.type == moved.cu_seqlens.device.type == "meta"
    assert moved.max_seqlen == 2
