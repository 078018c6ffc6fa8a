import pytest
import torch

from bertsmith.errors import InputError
from bertsmith.model import BertModel

pytestmark = pytest.mark.usefixtures("as_installed")


@pytest.fixture
def model(config):
    return BertModel(config).eval()


IDS = torch.ones(2, 3, dtype=torch.int64)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_ids": torch.ones(2, 21, dtype=torch.int64)}, "21 tokens are over the model's 20"),
        ({"input_ids": IDS * 50}, r"input_ids: holds 50, outside 0 to vocab_size - 1 = 49"),
        ({"input_ids": -IDS}, "input_ids: holds -1"),
        ({"input_ids": IDS[0]}, r"shape \[3\], not \[sequences, length\]"),
        ({"input_ids": IDS[:, :0]}, r"shape \[2, 0\]"),
        ({"input_ids": IDS.float()}, "holds torch.float32, not whole numbers"),
        ({"input_ids": IDS, "attention_mask": IDS[:1]}, r"attention_mask: has shape \[1, 3\]"),
        ({"input_ids": IDS, "attention_mask": IDS[:, None, None]}, "attention_mask: has shape"),
        ({"input_ids": IDS, "attention_mask": torch.tensor([[1] * 3, [0] * 3])}, "row 1 has no"),
        ({"input_ids": IDS, "token_type_ids": IDS[:, :2]}, "token_type_ids: has shape"),
        ({"input_ids": IDS, "token_type_ids": IDS * 2}, "token_type_ids: holds 2"),
    ],
)
def test_a_batch_that_does_not_fit_is_refused_in_one_line(model, arguments, message):
    with pytest.raises(InputError, match=message) as caught:
        model(**arguments)
    assert "\n" not in str(caught.value)


def test_ids_at_padding_are_not_looked_at(model):
    ids = torch.tensor([[1, 2, 999]])
    assert model(ids, torch.tensor([[1, 1, 0]])).last_hidden_state.shape == (1, 3, 32)


def test_choices_need_three_axes(config):
    from bertsmith.model import BertForMultipleChoice

    with pytest.raises(InputError, match=r"\[questions, choices, length\]"):
        BertForMultipleChoice(config)(IDS)


def test_int32_ids_work(model):
    assert torch.equal(model(IDS.int()).last_hidden_state, model(IDS).last_hidden_state)
