"""The model that pre-training starts from when it doesn't start afresh."""

from collections.abc import Callable

from bertsmith.errors import ModelError, VocabularyError
from bertsmith.model import BertForPreTraining, extend_embeddings
from bertsmith.wordpiece import Tokenizer, pieces_of_new_tokens

__all__ = ["load_initial_model"]


def load_initial_model(
    source: str, tokenizer: Tokenizer, warn: Callable[[str], None]
) -> BertForPreTraining:
    """Loads a model to go on from, with the tokenizer of the data that it will see.

    The tokenizer's vocabulary is the model's own, or one that extends it (`extend_vocabulary`);
    then new tokens start as the mean of what their pieces were.

    Args:
        source: a model folder or hub id.
        tokenizer: the tokenizer of the data.
        warn: is told, in one line each, about what the user should know.

    Raises:
        ModelError: the model or its tokenizer can't be used, or has another vocabulary.
    """
    model = BertForPreTraining.from_pretrained(source)
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
