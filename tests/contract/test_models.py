"""What holds for every model class; a new one is found by itself."""

import dataclasses
import inspect

import pytest
import torch

from bertsmith import model as room
from bertsmith.model import BertConfig, ModelOutput, PackedSequences, PretrainedModel

MODELS = [
    value
    for name, value in sorted(vars(room).items())
    if inspect.isclass(value)
    and issubclass(value, PretrainedModel)
    and value is not PretrainedModel
]


@pytest.fixture(params=MODELS, ids=lambda model: model.__name__)
def model_class(request):
    return request.param


@pytest.fixture
def model(model_class):
    config = BertConfig.of_size("tiny", vocab_size=40, num_hidden_layers=1)
    return model_class(config, generator=torch.Generator().manual_seed(0)).eval()


def batch_for(model):
    """Ids of shape [4, 6], or [2, 2, 6] for choices."""
    ids = torch.arange(24).view(4, 6) + 5
    mask = torch.arange(6) < torch.tensor([6, 3, 4, 6])[:, None]
    batch = {"input_ids": ids, "attention_mask": mask, "token_type_ids": (ids > 20).long()}
    if is_choice(model):
        batch = {name: x.view(2, 2, 6) for name, x in batch.items()}
    return batch


def is_choice(model):
    return "num_choices" in inspect.signature(model.forward_packed).parameters


def test_there_are_seven():
    assert len(MODELS) == 7


def test_it_is_public(model_class):
    import bertsmith

    assert getattr(bertsmith, model_class.__name__) is model_class


def test_its_output_is_a_frozen_dataclass_with_states_only_if_asked(model):
    output = model(**batch_for(model))
    assert isinstance(output, ModelOutput)
    assert output.hidden_states is None
    with pytest.raises(dataclasses.FrozenInstanceError):
        output.hidden_states = ()
    states = model(**batch_for(model), output_hidden_states=True).hidden_states
    assert [tuple(state.shape) for state in states] == [(4, 6, 128)] * 2


def test_padded_and_packed_outputs_agree(model):
    batch = batch_for(model)
    flat = {name: x.reshape(4, 6) for name, x in batch.items()}
    packed = PackedSequences.from_padded(**flat)
    from_packed = model.forward_packed(packed, *([2] if is_choice(model) else []))
    from_padded = model(**batch)
    again = from_packed.padded(flat["attention_mask"])
    for field in dataclasses.fields(from_padded):
        if field.name != "hidden_states":
            assert torch.equal(getattr(again, field.name), getattr(from_padded, field.name))
            per_token = field.name in from_padded.per_token
            assert (getattr(from_packed, field.name).shape[0] == packed.num_tokens) is per_token


def test_it_is_saved_and_loaded_whole(model, model_class, tmp_path):
    model.save_pretrained(tmp_path)
    loaded = model_class.from_pretrained(tmp_path)
    assert loaded.config == model.config
    assert not loaded.training
    assert loaded.loading_report.missing == loaded.loading_report.unused == ()
    assert loaded.state_dict().keys() == model.state_dict().keys()
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, loaded.state_dict()[name])


def test_its_optional_parts_are_parts_of_it(model):
    for part in model.optional_parts:
        assert isinstance(model.get_submodule(part), torch.nn.Module)


@pytest.mark.parametrize("size", room.SIZES)
def test_every_size_can_be_made(model_class, size):
    with torch.device("meta"):
        assert model_class(BertConfig.of_size(size)).num_parameters() > 4_000_000
