"""Text → token ids by WordPiece, exactly as Google's BERT, and learning a vocabulary."""

from bertsmith.wordpiece.corpus_counting import count_words
from bertsmith.wordpiece.counting import MAX_WORDS, WordCounter
from bertsmith.wordpiece.encoding import Encoding, Pieces
from bertsmith.wordpiece.extension import (
    AddedWord,
    Extension,
    extend_vocabulary,
    pieces_of_new_tokens,
)
from bertsmith.wordpiece.inspection import (
    ScriptInspection,
    VocabularyInspection,
    inspect_counts,
    inspect_vocabulary,
)
from bertsmith.wordpiece.learning import Algorithm, learn_from_counts, learn_vocabulary
from bertsmith.wordpiece.tokenizer import Tokenizer
from bertsmith.wordpiece.vocabulary import SPECIAL_TOKENS, Vocabulary

__all__ = [
    "MAX_WORDS",
    "SPECIAL_TOKENS",
    "AddedWord",
    "Algorithm",
    "Encoding",
    "Extension",
    "Pieces",
    "ScriptInspection",
    "Tokenizer",
    "Vocabulary",
    "VocabularyInspection",
    "WordCounter",
    "count_words",
    "extend_vocabulary",
    "inspect_counts",
    "inspect_vocabulary",
    "learn_from_counts",
    "learn_vocabulary",
    "pieces_of_new_tokens",
]
