import pytest
import torch

from bertsmith import BertConfig, BertForPreTraining
from bertsmith.errors import RecipeError
from bertsmith.training.freezing import freeze_lowest

EMBEDDINGS = 5


def model_of():
    config = BertConfig.of_size("tiny", vocab_size=9, hidden_size=16, intermediate_size=32)
    return BertForPreTraining(config, generator=torch.Generator().manual_seed(0))


def frozen(model):
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def test_nothing_by_default():
    model = model_of()
    freeze_lowest(model, None)
    assert frozen(model) == set()


def test_embeddings_alone_and_layers_from_the_lowest():
    model = model_of()
    freeze_lowest(model, 0)
    assert len(frozen(model)) == EMBEDDINGS
    assert all(name.startswith("bert.embeddings.") for name in frozen(model))
    freeze_lowest(model, 1)
    layer = {name for name in frozen(model) if ".layers.0." in name}
    assert len(layer) == 12
    assert len(frozen(model)) == EMBEDDINGS + len(layer)


def test_every_layer_leaves_the_heads():
    model = model_of()
    freeze_lowest(model, 2)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name.split(".")[0] for name in trained} == {"bert", "mlm_head", "nsp_head"}
    assert all("pooler" in name for name in trained if name.startswith("bert."))


def test_more_layers_than_there_are():
    with pytest.raises(RecipeError, match=r"training\.freeze_layers: 3 is over .* 2 layers"):
        freeze_lowest(model_of(), 3)
