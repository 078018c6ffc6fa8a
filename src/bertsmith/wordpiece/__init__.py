"""Text → token ids by WordPiece, exactly as Google's BERT, and learning a vocabulary."""

from bertsmith.wordpiece.counting import WordCounter
from bertsmith.wordpiece.encoding import Encoding, Pieces
from bertsmith.wordpiece.learning import learn_from_counts, learn_vocabulary
from bertsmith.wordpiece.tokenizer import Tokenizer
from bertsmith.wordpiece.vocabulary import SPECIAL_TOKENS, Vocabulary

__all__ = [
    "SPECIAL_TOKENS",
    "Encoding",
    "Pieces",
    "Tokenizer",
    "Vocabulary",
    "WordCounter",
    "learn_from_counts",
    "learn_vocabulary",
]
