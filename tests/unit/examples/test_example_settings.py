import pytest
from pydantic import ValidationError

from bertsmith.examples import ExampleSettings


def test_defaults_are_the_papers():
    settings = ExampleSettings()
    assert (settings.max_seq_length, settings.short_seq_prob, settings.masked_lm_prob) == (
        128,
        0.1,
        0.15,
    )
    assert settings.max_predictions == 20
    assert (settings.mask_token_prob, settings.random_token_prob) == (0.8, 0.1)


def test_text_room():
    assert ExampleSettings().max_text_tokens == 125
    assert ExampleSettings(next_sentence=False).max_text_tokens == 126


def test_given_limit_of_predictions_is_kept():
    assert ExampleSettings(max_seq_length=512, max_predictions_per_seq=20).max_predictions == 20


@pytest.mark.parametrize(
    "changes",
    [
        {"max_seq_length": 4},
        {"max_seq_length": 65_536},
        {"short_seq_prob": 1.1},
        {"masked_lm_prob": 0.0},
        {"max_predictions_per_seq": 0},
        {"mask_token_prob": 0.8, "random_token_prob": 0.3},
        {"whole_word": True},
        {"pair_labels": "swapped"},
        {"pair_labels": "order", "next_sentence": False},
    ],
)
def test_bad_settings_are_refused(changes):
    with pytest.raises(ValidationError):
        ExampleSettings(**changes)


def test_every_field_is_described():
    for name, field in ExampleSettings.model_fields.items():
        assert field.description, name
