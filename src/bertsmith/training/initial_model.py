"""The model that a sitting of pre-training starts with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bertsmith.errors import ModelError, RecipeError, VocabularyError
from bertsmith.model import (
    BertConfig,
    BertForPreTraining,
    extend_embeddings,
    sinusoidal_positions,
)
from bertsmith.training.own_shape import FREE_OF_SHAPE
from bertsmith.training.recipe import PretrainRecipe
from bertsmith.wordpiece import Tokenizer, pieces_of_new_tokens

__all__ = ["load_initial_model", "starting_model"]

# What a model may lack that wasn't made for pre-training, and how its weights' names begin.
_HEADS = {
    "masked-LM head": "cls.predictions.",
    "pooler": "bert.pooler.",
    "next-sentence head": "cls.seq_relationship.",
}


def starting_model(
    recipe: PretrainRecipe,
    tokenizer: Tokenizer,
    *,
    checkpoint: Path | None,
    init: str | None,
    warn: Callable[[str], None],
) -> BertForPreTraining:
    """The checkpoint's model, or the one to go on from, or a fresh one of the recipe's shape.

    Args:
        recipe: of the run.
        tokenizer: the store's.
        checkpoint: what a stopped run goes on from.
        init: a model folder or hub id; see `load_initial_model`.
        warn: is told, in one line each, about what the user should know.

    Raises:
        ModelError: the model can't be used, or has another vocabulary than the store.
        RecipeError: the model's own shape contradicts the recipe.
    """
    source = checkpoint or init
    if checkpoint is not None:
        model = BertForPreTraining.from_pretrained(checkpoint)
    elif init is not None:
        changes = {name: getattr(recipe.model, name) for name in FREE_OF_SHAPE}
        model = load_initial_model(init, tokenizer, warn, **changes)
    else:
        model = _fresh_model(recipe, len(tokenizer.vocabulary))
    if model.config.vocab_size != len(tokenizer.vocabulary):
        raise ModelError(
            f"has {model.config.vocab_size} tokens, the store {len(tokenizer.vocabulary)}",
            where=str(source),
            fix="prepare the store with the model's own vocab.txt",
        )
    _require_fit(recipe, model.config, str(source))
    return model


def load_initial_model(
    source: str, tokenizer: Tokenizer, warn: Callable[[str], None], **changes: Any
) -> BertForPreTraining:
    """Loads a model to go on from, with the tokenizer of the data that it will see.

    The tokenizer's vocabulary is the model's own, or one that extends it (`extend_vocabulary`);
    then new tokens start as the mean of what their pieces were.

    Args:
        source: a model folder or hub id.
        tokenizer: the tokenizer of the data.
        warn: is told, in one line each, about what the user should know.
        **changes: config fields to set otherwise, such as `hidden_dropout_prob`.

    Raises:
        ModelError: the model or its tokenizer can't be used, or has another vocabulary.
    """
    model = BertForPreTraining.from_pretrained(source, **changes)
    own = Tokenizer.from_pretrained(source)
    try:
        pieces_of_new = pieces_of_new_tokens(own.vocabulary, tokenizer.vocabulary)
    except VocabularyError as error:
        raise ModelError(
            f"the store's vocabulary is neither the model's nor an extension of it: {error.what}",
            where=source,
            fix="prepare the store with the model's vocab.txt, or with what `bertsmith vocab "
            "extend` made of it",
        ) from error
    if len(own.vocabulary) != model.config.vocab_size:
        raise ModelError(
            f"has {model.config.vocab_size} embeddings for {len(own.vocabulary)} tokens",
            where=source,
            fix="put the vocabulary there that the model was trained with",
        )
    report = model.loading_report
    absent = [
        what
        for what, name in _HEADS.items()
        if report is not None and any(missing.startswith(name) for missing in report.missing)
    ]
    if absent:
        warn(f"{source}: lacks the {', the '.join(absent)}: fresh weights")
    if own.lowercase != tokenizer.lowercase:
        how = {True: "lower-cases text", False: "keeps case"}
        warn(
            f"{source}: the model's tokenizer {how[own.lowercase]}, the store's "
            f"{how[tokenizer.lowercase]}; if that is not meant, prepare the store again"
        )
    if pieces_of_new:
        extend_embeddings(model, pieces_of_new)
        warn(f"{source}: {len(pieces_of_new):,} new tokens start as the mean of their pieces")
    return model


def _fresh_model(recipe: PretrainRecipe, vocab_size: int) -> BertForPreTraining:
    config = recipe.model.config(vocab_size)
    generator = torch.Generator().manual_seed(recipe.training.seed)
    model = BertForPreTraining(config, generator=generator)
    if recipe.model.position_init == "sinusoidal":
        model.bert.set_position_embeddings(
            sinusoidal_positions(
                config.max_position_embeddings, config.hidden_size, config.initializer_range
            )
        )
    return model


def _require_fit(recipe: PretrainRecipe, config: BertConfig, source: str) -> None:
    """A model that was loaded has its own shape; the recipe must not contradict it."""
    longest = recipe.longest_sequence
    if longest > config.max_position_embeddings:
        raise RecipeError(
            f"max_seq_length {longest} is over the model's "
            f"{config.max_position_embeddings} positions",
            where=source,
            fix=f"set examples.max_seq_length={config.max_position_embeddings} or less, in all "
            "phases",
        )
    if config.attention != recipe.model.attention:
        raise RecipeError(
            f"the model's attention is {config.attention}",
            where=source,
            fix=f"--set model.attention={config.attention}",
        )
