import string

import pytest
import torch

from bertsmith import model as room
from bertsmith.model import BertConfig
from bertsmith.wordpiece import SPECIAL_TOKENS, Tokenizer, Vocabulary

VOCABULARY = [
    *SPECIAL_TOKENS,
    *string.ascii_lowercase,
    *(f"##{letter}" for letter in string.ascii_lowercase),
    *".,?!'-",
    *"東京大",
    *["the", "city", "of", "paris", "is", "capital", "france", "ann", "met", "bob", "in", "rome"],
    *["##ly", "##ing"],
]


@pytest.fixture(scope="session")
def tokenizer() -> Tokenizer:
    return Tokenizer(Vocabulary(dict.fromkeys(VOCABULARY)))


@pytest.fixture
def save(tokenizer, tmp_path):
    """Saves a model with random weights: save(class name, **config) → folder."""

    def save(name: str, seed: int = 0, folder: str = "model", **changes):
        config = BertConfig(
            vocab_size=len(tokenizer.vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=40,
            **changes,
        )
        model = getattr(room, name)(config)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            for key, parameter in sorted(model.named_parameters()):
                noise = torch.randn(parameter.shape, generator=generator) * 0.3
                is_scale = parameter.ndim == 1 and key.endswith("weight")
                parameter.copy_(noise + 1 if is_scale else noise)
        model.save_pretrained(tmp_path / folder)
        tokenizer.save_pretrained(tmp_path / folder)
        return tmp_path / folder

    return save
