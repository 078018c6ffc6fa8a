"""Where special tokens stand, and how many entries there are."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Example, Finding
from bertsmith.doctor.vocabulary_measures import VocabularyMeasures
from bertsmith.wordpiece import SPECIAL_TOKENS

__all__ = ["check"]

# Matrix units of GPUs work on blocks of 8 numbers of two bytes.
_BLOCK = 8


def check(measures: VocabularyMeasures) -> Iterator[Finding]:
    """Finds [PAD] at another place than 0, and a size that GPUs don't like."""
    vocabulary = measures.tokenizer.vocabulary
    if vocabulary.pad_id != 0:
        yield Finding(
            "padding_id",
            "warning",
            f"[PAD] is entry {vocabulary.pad_id}, not 0",
            vocabulary.pad_id,
            0,
            effect="bertsmith doesn't mind, but Google's code fills up with zeros whatever the "
            "vocabulary says, and Hugging Face's BertConfig has pad_token_id 0: there, padding "
            "would be read as another token.",
            remedy="Put the special tokens first, as `bertsmith vocab` does, before a model is "
            "trained with it.",
            command=measures.commands.vocab(size=measures.fitting_size),
            examples=tuple(
                Example(token, f"id {vocabulary.ids[token]}") for token in SPECIAL_TOKENS
            ),
        )
    if len(vocabulary) % _BLOCK:
        yield Finding(
            "uneven_size",
            "info",
            f"{len(vocabulary):,} entries are no multiple of {_BLOCK}",
            len(vocabulary),
            _BLOCK,
            effect="Matrix products with the embeddings run on a GPU's fast units only in blocks "
            f"of {_BLOCK} (64 is best), so that the MLM head is slower than it could be. Results "
            "don't change.",
            remedy="For a new vocabulary, choose a multiple of 64.",
            command=measures.commands.vocab(size=measures.fitting_size),
        )
