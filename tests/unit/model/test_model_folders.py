"""Folders of every age load, and broken ones are refused in one line."""

import json
import pickle

import huggingface_hub
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bertsmith.errors import ModelError
from bertsmith.model import (
    BertForMaskedLM,
    BertForPreTraining,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
)


@pytest.fixture
def saved(config, make, tmp_path):
    """A model with both heads, and its folder."""
    folder = tmp_path / "model"
    model = make("BertForPreTraining", config)
    model.save_pretrained(folder)
    return model, folder


def rename(tensors, old, new):
    return {name.replace(old, new): tensor for name, tensor in tensors.items()}


def as_of_2019(tensors):
    """The same weights as the converters of 2019 wrote them."""
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): tensor
        for name, tensor in tensors.items()
    }
    renamed["bert.embeddings.position_ids"] = torch.arange(20)[None]
    renamed["cls.predictions.decoder.weight"] = tensors["bert.embeddings.word_embeddings.weight"]
    return renamed


def assert_same(model, loaded):
    first, second = model.state_dict(), loaded.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert loaded.loading_report.missing == loaded.loading_report.unused == ()


def take_weights(folder):
    tensors = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    return tensors


@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_a_pickle_of_2019_is_read(saved, is_zip):
    model, folder = saved
    old = as_of_2019(take_weights(folder))
    torch.save(old, folder / "pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
    assert_same(model, BertForPreTraining.from_pretrained(folder))


def test_the_bias_may_stand_at_the_decoder(saved):
    model, folder = saved
    tensors = rename(take_weights(folder), "cls.predictions.bias", "cls.predictions.decoder.bias")
    save_file(tensors, folder / "model.safetensors")
    assert_same(model, BertForPreTraining.from_pretrained(folder))


def test_an_encoder_is_read_with_and_without_prefix(saved, config, make, tmp_path):
    model, folder = saved
    encoder = BertModel.from_pretrained(folder)
    assert torch.equal(encoder.word_embeddings, model.bert.word_embeddings)
    assert encoder.loading_report.missing == ()
    assert "cls.seq_relationship.weight" in encoder.loading_report.unused
    encoder.save_pretrained(tmp_path / "bare")
    assert "pooler.dense.bias" in load_file(tmp_path / "bare" / "model.safetensors")
    again = BertForPreTraining.from_pretrained(tmp_path / "bare")
    assert torch.equal(again.bert.word_embeddings, model.bert.word_embeddings)
    assert set(again.loading_report.missing) == {
        "cls.predictions.bias",
        "cls.predictions.transform.dense.weight",
        "cls.predictions.transform.dense.bias",
        "cls.predictions.transform.LayerNorm.weight",
        "cls.predictions.transform.LayerNorm.bias",
        "cls.seq_relationship.weight",
        "cls.seq_relationship.bias",
    }


def test_shards_of_theirs_are_read(saved, tmp_path):
    model, folder = saved
    theirs = transformers.BertForPreTraining.from_pretrained(folder)
    theirs.save_pretrained(tmp_path / "shards", max_shard_size="10KB")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 2
    assert_same(model, BertForPreTraining.from_pretrained(tmp_path / "shards"))


def test_shards_of_pickles_are_read(saved):
    model, folder = saved
    tensors = take_weights(folder)
    weight_map = {}
    for i, name in enumerate(tensors):
        weight_map[name] = f"pytorch_model-{i % 2}.bin"
    for shard in set(weight_map.values()):
        part = {name: tensors[name] for name in tensors if weight_map[name] == shard}
        torch.save(part, folder / shard)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": weight_map}))
    assert_same(model, BertForPreTraining.from_pretrained(folder))


def test_half_precision_becomes_float32(saved):
    model, folder = saved
    half = {name: tensor.bfloat16() for name, tensor in take_weights(folder).items()}
    save_file(half, folder / "model.safetensors")
    loaded = BertForPreTraining.from_pretrained(folder)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    assert torch.allclose(loaded.bert.word_embeddings, model.bert.word_embeddings, rtol=1e-2)
    as_is = BertForPreTraining.from_pretrained(folder, dtype=torch.bfloat16)
    assert as_is.bert.word_embeddings.dtype == torch.bfloat16


def test_a_missing_pooler_and_head_start_afresh_and_are_listed(config, make, tmp_path):
    make("BertForMaskedLM", config).save_pretrained(tmp_path)
    loaded = [
        BertForSequenceClassification.from_pretrained(
            tmp_path, generator=torch.Generator().manual_seed(seed)
        )
        for seed in (1, 1, 2)
    ]
    assert set(loaded[0].loading_report.missing) == {
        "bert.pooler.dense.weight",
        "bert.pooler.dense.bias",
        "classifier.weight",
        "classifier.bias",
    }
    pooler, again, other = (model.bert.pooler.dense.weight for model in loaded)
    assert torch.equal(pooler, again)
    assert not torch.equal(pooler, other)
    assert 0 < pooler.abs().max() <= 0.04
    assert not loaded[0].classifier.bias.any()


def test_other_labels_start_a_fresh_classifier(config, make, tmp_path):
    make("BertForTokenClassification", config).save_pretrained(tmp_path)
    loaded = BertForTokenClassification.from_pretrained(tmp_path, labels=["O", "B-x"])
    assert loaded.config.labels == ("O", "B-x")
    assert loaded.loading_report.missing == ("classifier.weight", "classifier.bias")
    assert loaded.classifier.weight.shape == (2, 32)
    same = BertForTokenClassification.from_pretrained(tmp_path, labels=["a", "b", "c"])
    assert same.loading_report.missing == ()


def test_dropout_and_other_fields_can_be_changed(saved):
    _, folder = saved
    model = BertModel.from_pretrained(folder, hidden_dropout_prob=0.0, attention="causal")
    assert model.encoder.layers[0].output_layer_norm.dropout_p == 0.0
    assert model.encoder.layers[1].attention.causal
    with pytest.raises(ModelError, match="no field 'hiden_size'"):
        BertModel.from_pretrained(folder, hiden_size=3)


def test_saving_leaves_other_files_and_replaces_its_own(saved, config, make):
    _, folder = saved
    (folder / "notes.txt").write_text("mine")
    other = make("BertForQuestionAnswering", config)
    other.save_pretrained(folder)
    assert_same(other, BertForQuestionAnswering.from_pretrained(folder))
    assert sorted(path.name for path in folder.iterdir()) == [
        "config.json",
        "model.safetensors",
        "notes.txt",
    ]


def test_a_failed_save_leaves_what_was_there(saved, config):
    model, folder = saved
    with torch.device("meta"):
        hollow = BertForPreTraining(config)
    with pytest.raises(Exception, match="meta"):
        hollow.save_pretrained(folder)
    assert_same(model, BertForPreTraining.from_pretrained(folder))
    assert len(list(folder.iterdir())) == 2


def test_a_loaded_model_does_not_hold_its_file(saved):
    """Training a loaded model, or damaging the file later, must not touch the other."""
    model, folder = saved
    before = (folder / "model.safetensors").read_bytes()
    loaded = BertForPreTraining.from_pretrained(folder)
    (folder / "model.safetensors").write_bytes(b"\0" * len(before))
    assert_same(model, loaded)


def refused(folder, message, model=BertForPreTraining):
    with pytest.raises(ModelError, match=message) as caught:
        model.from_pretrained(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [0.0, 0.001, 0.5, 0.999])
@pytest.mark.parametrize("name", ["model.safetensors", "pytorch_model.bin"])
@pytest.mark.parametrize("is_zip", [True, False], ids=["zip", "legacy"])
def test_a_file_that_is_cut_short_is_named(saved, keep, name, is_zip):
    _, folder = saved
    tensors = take_weights(folder)
    path = folder / name
    if name.endswith(".bin"):
        torch.save(tensors, path, _use_new_zipfile_serialization=is_zip)
    else:
        save_file(tensors, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * keep)])
    refused(folder, rf"{name}: is damaged")


def test_a_pickle_that_would_run_code_is_refused_and_not_run(saved, tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    _, folder = saved
    take_weights(folder)
    with (folder / "pytorch_model.bin").open("wb") as file:
        pickle.dump({"x": Bomb()}, file, protocol=2)
    refused(folder, r"pytorch_model.bin: is damaged, or holds more than plain tensors")
    torch.save({"x": Bomb()}, folder / "pytorch_model.bin")
    refused(folder, r"pytorch_model.bin: is damaged, or holds more than plain tensors")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [[1, 2], {"model": {"x": torch.ones(1)}}])
def test_a_pickle_of_something_else_is_refused(saved, content):
    _, folder = saved
    take_weights(folder)
    torch.save(content, folder / "pytorch_model.bin")
    refused(folder, "doesn't hold tensors by name")


def test_not_a_number_is_refused(saved):
    _, folder = saved
    tensors = take_weights(folder)
    tensors["bert.pooler.dense.bias"][3] = torch.nan
    save_file(tensors, folder / "model.safetensors")
    refused(folder, r"model.safetensors: bert.pooler.dense.bias holds NaN")


def test_a_missing_encoder_weight_is_refused(saved):
    _, folder = saved
    tensors = take_weights(folder)
    del tensors["bert.encoder.layer.1.attention.self.key.bias"]
    save_file(tensors, folder / "model.safetensors")
    refused(folder, r"lacks bert.encoder.layer.1.attention.self.key.bias")


def test_a_file_of_another_model_is_refused(saved):
    _, folder = saved
    take_weights(folder)
    save_file({"transformer.h.0.attn.weight": torch.ones(2)}, folder / "model.safetensors")
    refused(folder, "model.safetensors: lacks bert.embeddings.word_embeddings.weight")


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("vocab_size", 49, r"word_embeddings.weight has shape \[50, 32\].* makes it \[49, 32\]"),
        ("intermediate_size", 64, r"intermediate.dense.weight has shape \[48, 32\].*\[64, 32\]"),
        ("max_position_embeddings", 30, r"position_embeddings.weight has shape \[20, 32\]"),
        ("num_hidden_layers", 3, "lacks bert.encoder.layer.2.attention.self.query.weight"),
    ],
)
def test_weights_that_contradict_the_config_are_refused(saved, field, value, message):
    _, folder = saved
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, field: value}))
    refused(folder, message)


def test_fewer_layers_in_the_config_than_in_the_file_are_listed(saved):
    _, folder = saved
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "num_hidden_layers": 1}))
    unused = BertForPreTraining.from_pretrained(folder).loading_report.unused
    assert len(unused) == 16
    assert all(name.startswith("bert.encoder.layer.1.") for name in unused)


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_vocabulary_of_another_size_is_refused(saved, ending):
    _, folder = saved
    tokens = [f"t{i}" for i in range(51)]
    (folder / "vocab.txt").write_text("\n".join(tokens) + ending)
    refused(folder, "vocab.txt: has 51 tokens, but config.json has vocab_size 50")
    (folder / "vocab.txt").write_text("\n".join(tokens[:50]) + ending)
    BertForPreTraining.from_pretrained(folder)


def test_two_biases_of_the_masked_lm_head_are_refused(saved):
    _, folder = saved
    tensors = as_of_2019(take_weights(folder))
    del tensors["cls.predictions.decoder.weight"]
    bias = tensors["cls.predictions.bias"]
    save_file(
        {**tensors, "cls.predictions.decoder.bias": bias.clone()}, folder / "model.safetensors"
    )
    BertForMaskedLM.from_pretrained(folder)
    save_file({**tensors, "cls.predictions.decoder.bias": bias + 1}, folder / "model.safetensors")
    refused(folder, "decoder.bias differs from cls.predictions.bias", BertForMaskedLM)


def test_an_untied_masked_lm_head_is_refused(saved):
    _, folder = saved
    tensors = as_of_2019(take_weights(folder))
    tensors["cls.predictions.decoder.weight"] = tensors["cls.predictions.decoder.weight"] + 1
    save_file(tensors, folder / "model.safetensors")
    refused(folder, "decoder.weight differs from the word embeddings", BertForMaskedLM)
    BertModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [("{", "is not JSON"), ("[1]", "is not a JSON object"), ("\xff", "is not JSON")],
)
def test_a_broken_config_is_refused(saved, content, message):
    _, folder = saved
    (folder / "config.json").write_bytes(content.encode("latin-1"))
    refused(folder, f"config.json: {message}")


def test_a_folder_without_config_or_weights_is_refused(saved):
    _, folder = saved
    take_weights(folder)
    refused(folder, "has no model.safetensors and no pytorch_model.bin")
    (folder / "config.json").unlink()
    refused(folder, "config.json: is missing")


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ({"weight_map": {"x": "../secret.safetensors"}}, "outside the folder"),
        ({"weight_map": {"x": "/secret.safetensors"}}, "outside the folder"),
        ({"weight_map": {"x": "model-2.safetensors"}}, "'model-2.safetensors' that is missing"),
        ({"weight_map": {}}, "has no weight_map"),
        ({}, "has no weight_map"),
    ],
)
def test_a_bad_index_is_refused(saved, index, message):
    _, folder = saved
    save_file(take_weights(folder), folder.parent / "secret.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    refused(folder, message)


def test_what_is_no_folder_is_refused(tmp_path, saved):
    _, folder = saved
    refused(folder / "model.safetensors", "is a file; give the folder")
    refused(tmp_path / "absent", "absent: no such folder")
    refused("./absent", "absent: no such folder")
    with pytest.raises(ModelError, match="is a file; give a folder to save to"):
        saved[0].save_pretrained(folder / "config.json")


@pytest.fixture
def offline_hub(tmp_path, monkeypatch):
    """The hub's client as it is without a network, with an empty cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_hub_id_is_found_in_the_cache(saved, offline_hub):
    model, folder = saved
    repository = offline_hub / "models--someone--small-bert"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("a" * 40)
    (repository / "snapshots").mkdir()
    folder.rename(repository / "snapshots" / ("a" * 40))
    assert_same(model, BertForPreTraining.from_pretrained("someone/small-bert"))


def test_a_hub_id_that_cannot_be_fetched_is_refused(offline_hub):
    refused("someone/absent", "someone/absent: no such folder, and the hub doesn't give it")
    refused("absent", "absent: no such folder, and the hub doesn't give it")
