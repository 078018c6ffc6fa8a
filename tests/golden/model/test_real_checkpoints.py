"""Two real checkpoints give the numbers that `transformers` gives.

`fetch_checkpoints.py` fetches them; BERTSMITH_CHECKPOINTS is the folder that it was given.
"""

import os
from pathlib import Path

import pytest
import torch
import transformers

from bertsmith.model import BertForPreTraining, BertModel

FOLDER = os.environ.get("BERTSMITH_CHECKPOINTS")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(FOLDER is None, reason="BERTSMITH_CHECKPOINTS is not set"),
]

TOLERANCE = 1e-5


@pytest.fixture(params=[("rxnfp", BertForPreTraining), ("minilm", BertModel)], ids=lambda p: p[0])
def case(request):
    name, model_class = request.param
    return Path(FOLDER, name), model_class


def load_both(folder, model_class, dtype):
    ours = model_class.from_pretrained(folder, dtype=dtype)
    theirs = getattr(transformers, model_class.__name__).from_pretrained(folder, dtype=dtype)
    return ours, theirs.eval()


def batch_for(vocab_size):
    generator = torch.Generator().manual_seed(0)
    lengths = torch.tensor([64, 40, 9, 2])
    return {
        "input_ids": torch.randint(0, vocab_size, (4, 64), generator=generator),
        "attention_mask": (torch.arange(64)[None] < lengths[:, None]).long(),
        "token_type_ids": (torch.arange(64)[None] > lengths[:, None] // 2).long(),
    }


def differences(ours, theirs, batch):
    """The largest difference at tokens in each output, and the largest value."""
    mask = batch["attention_mask"].bool()
    with torch.no_grad():
        got = ours(**batch, output_hidden_states=True)
        want = theirs(**batch, output_hidden_states=True)
    pairs = [
        (getattr(got, name), want[name])
        for name in vars(got)
        if name != "hidden_states" and getattr(got, name) is not None
    ]
    pairs += list(zip(got.hidden_states, want.hidden_states, strict=True))
    compared = [
        (a[mask] if a.shape[:2] == mask.shape else a, b[mask] if b.shape[:2] == mask.shape else b)
        for a, b in pairs
    ]
    return [((a - b).abs().max().item(), b.abs().max().item()) for a, b in compared]


def test_everything_in_the_file_is_used(case):
    folder, model_class = case
    report = model_class.from_pretrained(folder).loading_report
    assert report.missing == report.unused == ()


def test_outputs_agree_in_float32(case):
    ours, theirs = load_both(*case, torch.float32)
    for difference, largest in differences(ours, theirs, batch_for(ours.config.vocab_size)):
        assert largest > 0.1
        assert difference < TOLERANCE


def test_outputs_agree_in_float64(case):
    ours, theirs = load_both(*case, torch.float64)
    for difference, _ in differences(ours, theirs, batch_for(ours.config.vocab_size)):
        assert difference < 1e-10


def test_a_round_trip_through_us_keeps_every_bit(case, tmp_path):
    folder, model_class = case
    ours, theirs = load_both(folder, model_class, torch.float32)
    ours.save_pretrained(tmp_path)
    back = getattr(transformers, model_class.__name__).from_pretrained(tmp_path)
    for name, tensor in theirs.state_dict().items():
        assert torch.equal(tensor, back.state_dict()[name]), name
