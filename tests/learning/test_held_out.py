"""What is held out: the same for every seed, and as it was for runs of older versions."""

import json

import pytest
import yaml

from bertsmith._files import sha256_of_file
from bertsmith.corpus import CorpusSettings, open_corpus
from bertsmith.errors import RecipeError, StoreError
from bertsmith.store import write_store
from bertsmith.training import Interrupted, pretrain
from bertsmith.training.pretraining import _Session
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary
from phase_runs import stop_after, without_times
from pretraining_runs import recipe, records, same, silent, weights


@pytest.fixture
def held_out(monkeypatch):
    """What each session held out: documents, and the first batch's ids and masks."""
    found, original = [], _Session.trainer

    def trainer(self):
        batch = self.held_out_batches()[0]
        ids = batch.input_ids.tolist(), batch.masked_labels.tolist()
        found.append((self.held_out_ids.tolist(), self.training_ids.tolist(), *ids))
        return original(self)

    monkeypatch.setattr(_Session, "trainer", trainer)
    return found


def test_another_seed_has_the_same_held_out_examples(store, tmp_path, held_out):
    for seed in (42, 1, 7):
        chosen = recipe("training.num_steps=1", f"training.seed={seed}")
        pretrain(store, chosen, tmp_path / str(seed), warn=silent)
    assert held_out[0] == held_out[1] == held_out[2]
    others = (["training.held_out_seed=1"], ["training.held_out_seed=null", "training.seed=1"])
    for name, changes in zip("ab", others, strict=True):
        pretrain(store, recipe("training.num_steps=1", *changes), tmp_path / name, warn=silent)
    assert held_out[3][0] != held_out[0][0]
    assert held_out[3] == held_out[4]


def test_examples_of_which_nothing_can_be_masked_are_told_at_once(tmp_path):
    """Every word has more pieces than may be predicted, so that none is masked whole."""
    text = tmp_path / "text.txt"
    text.write_text("\n\n".join("abab baba\nbaab abba" for _ in range(40)))
    tokenizer = Tokenizer(Vocabulary([*SPECIAL_TOKENS, "a", "b", "##a", "##b"]), lowercase=True)
    write_store(open_corpus([str(text)], CorpusSettings()), tokenizer, tmp_path / "store")
    chosen = recipe(
        "examples={max_seq_length: 16, whole_word_masking: true, max_predictions_per_seq: 1}",
        "examples.next_sentence=false",
    )
    with pytest.raises(StoreError, match="no word of the held-out examples can be masked"):
        pretrain(tmp_path / "store", chosen, tmp_path / "run", warn=print)
    assert not (tmp_path / "run").exists()


def as_of_an_older_version(run, **model):
    """Takes the setting out of a run's recipe, and out of its checkpoints' copies."""
    for folder in [run, *(run / "checkpoints").glob("step-*")]:
        path = folder / "recipe.yaml"
        content = yaml.safe_load(path.read_text())
        del content["training"]["held_out_seed"]
        content["model"] |= model
        path.write_text(yaml.safe_dump(content))
        hashes = folder / "hashes.json"
        if hashes.exists():
            known = json.loads(hashes.read_text())
            hashes.write_text(json.dumps(known | {path.name: sha256_of_file(path)}))


def test_a_run_of_an_older_version_goes_on_to_the_bit(store, tmp_path, monkeypatch, held_out):
    changes = ["training.num_steps=8", "training.seed=7"]
    chosen = recipe(*changes)
    pretrain(
        store, recipe(*changes, "training.held_out_seed=null"), tmp_path / "whole", warn=silent
    )
    stop_after(monkeypatch, 3, 5)
    with pytest.raises(Interrupted):
        pretrain(
            store, recipe(*changes, "training.held_out_seed=null"), tmp_path / "old", warn=silent
        )
    as_of_an_older_version(tmp_path / "old")
    with pytest.raises(RecipeError, match=r"training.held_out_seed = null, not 42"):
        pretrain(
            store, recipe(*changes, "training.held_out_seed=42"), tmp_path / "old", warn=silent
        )
    # Twice: the first one writes the recipe with what was meant.
    with pytest.raises(Interrupted):
        pretrain(store, chosen, tmp_path / "old", warn=silent)
    pretrain(store, chosen, tmp_path / "old", warn=silent)
    assert held_out[0] == held_out[1] == held_out[2] == held_out[3]
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "old"))
    scores = [without_times(records(tmp_path / name, "evaluation")) for name in ("whole", "old")]
    assert scores[0] == scores[1]


def test_an_older_run_from_a_model_goes_on_to_the_bit(store, tmp_path, monkeypatch):
    first = tmp_path / "first"
    pretrain(store, recipe("training.num_steps=2"), first, warn=silent)
    options = {"init": str(first), "warn": silent}
    changes = ["training.num_steps=6", "model.position_init=normal"]
    pretrain(store, recipe(*changes), tmp_path / "whole", **options)
    stop_after(monkeypatch, 3)
    with pytest.raises(Interrupted):
        pretrain(store, recipe(*changes), tmp_path / "old", **options)
    # Its recipe has the preset's model, not the one that it was started from.
    as_of_an_older_version(tmp_path / "old", size="large", hidden_size=None, num_hidden_layers=24)
    pretrain(store, recipe(*changes), tmp_path / "old", **options)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "old"))
    said = yaml.safe_load((tmp_path / "old/recipe.yaml").read_text())["model"]
    assert (said["num_hidden_layers"], said["hidden_size"]) == (2, 32)
