import pytest
import torch
from torch import nn

from bertsmith.errors import InputError
from bertsmith.inference import run_packed, split_tokens
from bertsmith.model import BertConfig, BertModel
from bertsmith.wordpiece import Encoding


@pytest.fixture(scope="module")
def model():
    config = BertConfig(
        vocab_size=40,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=24,
        max_position_embeddings=30,
    )
    return BertModel(config, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def sequences():
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(1, 30, (23,), generator=generator).tolist()
    made = []
    for length in lengths:
        ids = torch.randint(5, 40, (length,), generator=generator).tolist()
        types = torch.randint(0, 2, (length,), generator=generator).tolist()
        made.append(Encoding(ids, types, [], [], [], []))
    return made


def hidden(model):
    def forward(packed, _):
        return split_tokens(packed, model.forward_packed(packed).last_hidden_state)

    return forward


def test_results_do_not_depend_on_the_grouping(model, sequences):
    def alone(sequence):
        ids, types = torch.tensor([sequence.input_ids]), torch.tensor([sequence.token_type_ids])
        with torch.no_grad():
            return model.eval()(ids, token_type_ids=types).last_hidden_state[0]

    wanted = [alone(sequence) for sequence in sequences]
    for max_tokens in (1, 37, 64, 10**6):
        found = run_packed(model, sequences, hidden(model), max_tokens_per_batch=max_tokens)
        assert [len(values) for values in found] == [len(s.input_ids) for s in sequences]
        for ours, theirs in zip(found, wanted, strict=True):
            assert (ours - theirs).abs().max() < 1e-5


def test_batches_are_as_full_as_allowed_and_sorted(model, sequences):
    seen = []

    def forward(packed, members):
        assert packed.lengths.tolist() == [len(member.input_ids) for member in members]
        seen.append((packed.batch_size, packed.max_seqlen))
        return members

    assert run_packed(model, sequences, forward, max_tokens_per_batch=60) == sequences
    assert all(size * longest <= 60 for size, longest in seen)
    assert len(seen) < len(sequences) / 2


def test_evaluation_mode_without_gradients_and_all_as_before(model, sequences):
    model.train()
    model.encoder.layers[0].eval()
    before = [module.training for module in model.modules()]

    def forward(packed, members):
        assert not any(module.training for module in model.modules())
        assert not torch.is_grad_enabled()
        return members

    run_packed(model, sequences, forward)
    assert [module.training for module in model.modules()] == before

    def fail(packed, members):
        raise KeyError("x")

    with pytest.raises(KeyError):
        run_packed(model, sequences, fail)
    assert [module.training for module in model.modules()] == before
    assert torch.is_grad_enabled()
    model.eval()


def test_precision(model, sequences):
    exact = run_packed(model, sequences, hidden(model))
    rough = run_packed(model, sequences, hidden(model), precision="bf16")
    assert all(values.dtype == torch.float32 for values in rough)
    gaps = [(a - b).abs().max().item() for a, b in zip(exact, rough, strict=True)]
    assert 1e-5 < max(gaps) < 3e-2  # between 2 and 4, bf16 numbers are 0.016 apart
    auto = run_packed(model, sequences, hidden(model), precision="auto")
    assert all((a - b).abs().max() < 3e-2 for a, b in zip(exact, auto, strict=True))


def test_nothing_to_run_and_wrong_arguments(model, sequences):
    assert run_packed(model, [], hidden(model)) == []
    with pytest.raises(InputError, match="fp16 is unusable on CPUs; use bf16 or fp32"):
        run_packed(model, sequences, hidden(model), precision="fp16")
    with pytest.raises(InputError, match="precision: is 'fp8'; use fp32, bf16, fp16 or auto"):
        run_packed(model, sequences, hidden(model), precision="fp8")
    with pytest.raises(InputError, match="max_tokens_per_batch"):
        run_packed(model, sequences, hidden(model), max_tokens_per_batch=0)


def test_a_forward_that_loses_a_sequence_is_told(sequences):
    embedding = nn.Embedding(40, 2)
    with pytest.raises(ValueError, match="zip"):
        run_packed(embedding, sequences, lambda packed, members: members[1:])
