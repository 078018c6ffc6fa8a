"""Text → token ids, exactly as google-research/bert's `FullTokenizer`."""

import re
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bertsmith.errors import InputError
from bertsmith.wordpiece import folders
from bertsmith.wordpiece.caches import ChunkPieces, PackedChunks
from bertsmith.wordpiece.characters import CHUNK
from bertsmith.wordpiece.encoding import Encoding, Pieces, truncate_pair
from bertsmith.wordpiece.matching import PieceMatcher
from bertsmith.wordpiece.vocabulary import CONTINUATION, SPECIAL_TOKENS, Vocabulary
from bertsmith.wordpiece.words import plain_chunks_of

if TYPE_CHECKING:
    from bertsmith.wordpiece.tensors import TokenBatch

__all__ = ["Tokenizer"]

_SPECIAL = re.compile("|".join(map(re.escape, SPECIAL_TOKENS)))


class Tokenizer:
    """Turns text into token ids.

    The ids equal those of google-research/bert's `FullTokenizer` for every Python string, with the
    Unicode tables of the running Python. Hugging Face's fast tokenizer departs from both on some
    hundred rare characters and on words of 101 to 200 characters.

    **Source**: google-research/bert, `tokenization.py`.

    Args:
        vocab: the path of a `vocab.txt`, or a `Vocabulary`.
        lowercase: lower-case the text and strip its accents ("uncased"). It has to be what the
            vocabulary was learned with.

    Attributes:
        vocabulary: the vocabulary.
        lowercase: whether text is lower-cased.
        dtype: the smallest type that holds every id: uint16 for up to 65,536 pieces, else uint32.

    Raises:
        VocabularyError: the file is not a vocabulary.

    Example:
        >>> pieces = "[PAD] [UNK] [CLS] [SEP] [MASK] un ##aff ##able , 你".split()
        >>> tok = Tokenizer(Vocabulary(pieces))
        >>> tok.tokenize("Unaffable, 你好")
        ['un', '##aff', '##able', ',', '你', '[UNK]']
        >>> tok.pieces("Unaffable, 你好").offsets
        [(0, 2), (2, 5), (5, 9), (9, 10), (11, 12), (12, 13)]
        >>> tok.encode("unaffable", "你").tokens
        ['[CLS]', 'un', '##aff', '##able', '[SEP]', '你', '[SEP]']
    """

    def __init__(self, vocab: str | Path | Vocabulary, *, lowercase: bool = True) -> None:
        self.vocabulary = vocab if isinstance(vocab, Vocabulary) else Vocabulary.load(vocab)
        self.lowercase = lowercase
        matcher, unk_id = PieceMatcher(self.vocabulary), self.vocabulary.unk_id
        self.dtype = np.dtype(np.uint16 if len(self.vocabulary) <= 2**16 else np.uint32)
        self._packed_ids = PackedChunks(matcher, unk_id, self.dtype, lowercase).__getitem__
        self._pieces_of_chunk = ChunkPieces(matcher, unk_id, lowercase).__getitem__

    @classmethod
    def from_pretrained(cls, folder_or_hub_id: str | Path) -> "Tokenizer":
        """Opens the tokenizer of a Hugging Face folder, or of a model on the Hugging Face Hub.

        The folder has a `vocab.txt`, or a `tokenizer.json` with a BERT WordPiece. Whether text is
        lower-cased comes from `tokenizer_config.json`, else from `tokenizer.json`; where neither
        says, text is lower-cased unless a piece of the vocabulary has a capital letter.

        Args:
            folder_or_hub_id: a folder, or an id such as `google-bert/bert-base-uncased`.

        Raises:
            ModelError: no such folder or model, or a tokenizer with rules other than BERT's.
            VocabularyError: its vocabulary cannot be used.
        """
        vocabulary, lowercase = folders.read_tokenizer(folder_or_hub_id)
        return cls(vocabulary, lowercase=lowercase)

    def save_pretrained(self, folder: str | Path, max_length: int = 512) -> None:
        """Writes `vocab.txt`, `tokenizer.json` and `tokenizer_config.json`.

        `transformers.AutoTokenizer` and `tokenizers.Tokenizer` open the folder.

        Args:
            folder: where to write; made if it isn't there, and other files in it stay.
            max_length: the longest input of the model that it belongs to, in tokens.
        """
        folders.write_tokenizer(Path(folder), self.vocabulary, self.lowercase, max_length)

    def token_ids(self, text: str) -> list[int]:
        """Returns the token ids of a text, without [CLS] and [SEP]."""
        packed = memoryview(self.packed_ids(text))
        return (packed.cast("H") if self.dtype.itemsize == 2 else packed.cast("I")).tolist()

    def packed_ids(self, text: str) -> bytes:
        """Returns the token ids of a text as bytes of `dtype`; the fastest path.

        `numpy.frombuffer(packed, tokenizer.dtype)` reads them, one text's or those of many, joined.

        Example:
            >>> tok = Tokenizer(Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] a b".split()))
            >>> packed = b"".join(map(tok.packed_ids, ["a b", "b"]))
            >>> np.frombuffer(packed, tok.dtype)
            array([5, 6, 6], dtype=uint16)
        """
        return b"".join(map(self._packed_ids, plain_chunks_of(text, self.lowercase)))

    def tokenize(self, text: str) -> list[str]:
        """Returns the pieces of a text as strings, without [CLS] and [SEP]."""
        return [self.vocabulary.tokens[token_id] for token_id in self.token_ids(text)]

    def word_pieces(self, words: Sequence[str]) -> list[list[int]]:
        """Returns the token ids of every given word, at least one each.

        Args:
            words: words as a labelled data set gives them. A word in which there is nothing to
                read, such as a control character, gives [UNK], so that every word keeps a place.
        """
        return [self.token_ids(word) or [self.vocabulary.unk_id] for word in words]

    def pieces(self, text: str, *, special_tokens: bool = False) -> Pieces:
        """Returns the pieces of a text with their places in it.

        Args:
            text: any text.
            special_tokens: take `[MASK]`, `[CLS]`, `[SEP]`, `[PAD]` and `[UNK]` in the text for the
                tokens themselves. Without it they are text, as in google-research/bert.
        """
        found = Pieces([], [], [])
        if special_tokens:
            self._add_with_special_tokens(found, text)
        else:
            self._add_pieces(found, text, 0, len(text))
        return found

    def encode(
        self,
        first: str,
        second: str | None = None,
        *,
        max_length: int | None = None,
        special_tokens: bool = False,
    ) -> Encoding:
        """Returns `[CLS] first [SEP]` or `[CLS] first [SEP] second [SEP]`.

        Args:
            first: the first text.
            second: the second text, if any.
            max_length: cut to so many tokens, [CLS] and [SEP] counted: pieces go from the end of
                the longer text, one at a time. None cuts nothing.
            special_tokens: take `[MASK]` and the like in the texts for the tokens themselves.

        Raises:
            InputError: `max_length` has no room for text.
        """
        texts = [self.pieces(first, special_tokens=special_tokens)]
        if second is not None:
            texts.append(self.pieces(second, special_tokens=special_tokens))
        kept = _lengths([text.ids for text in texts], max_length)
        vocabulary = self.vocabulary
        encoding = Encoding([vocabulary.cls_id], [0], [(0, 0)], ["[CLS]"], [None], [None])
        for index, (text, length) in enumerate(zip(texts, kept, strict=True)):
            ids = text.ids[:length]
            encoding.input_ids.extend([*ids, vocabulary.sep_id])
            encoding.token_type_ids.extend([index] * (length + 1))
            encoding.offsets.extend([*text.offsets[:length], (0, 0)])
            encoding.tokens.extend([*(vocabulary.tokens[i] for i in ids), "[SEP]"])
            encoding.sequence_index.extend([*[index] * length, None])
            encoding.word_index.extend([*text.word_index[:length], None])
        return encoding

    def __call__(
        self,
        texts: str | Sequence[str],
        pairs: str | Sequence[str] | None = None,
        *,
        max_length: int | None = None,
        special_tokens: bool = False,
    ) -> "TokenBatch":
        """Returns padded tensors, ready for `model(**batch)`.

        Args:
            texts: a text, or B of them.
            pairs: the second text of each, if any.
            max_length: as for `encode`.
            special_tokens: as for `encode`.

        Returns:
            `input_ids` (int64, padded with [PAD]), `attention_mask` (bool, True = real) and
            `token_type_ids` (int64), each [B, S].

        Raises:
            InputError: no text, or another number of `pairs` than of `texts`.

        Example:
            >>> tok = Tokenizer(Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] a b c".split()))
            >>> tok(["a", "b c"])["input_ids"].tolist()
            [[2, 5, 3, 0], [2, 6, 7, 3]]
        """
        from bertsmith.wordpiece.tensors import pad_batch

        firsts = [texts] if isinstance(texts, str) else list(texts)
        seconds = [pairs] if isinstance(pairs, str) else pairs
        if not firsts:
            raise InputError("there is no text", fix="give at least one")
        if seconds is not None and len(seconds) != len(firsts):
            what = f"{len(firsts)} texts and {len(seconds)} pairs"
            raise InputError(what, fix="give as many pairs as texts")
        encodings = [
            self.encode(first, second, max_length=max_length, special_tokens=special_tokens)
            for first, second in zip(firsts, seconds or repeat(None, len(firsts)), strict=True)
        ]
        return pad_batch(encodings, self.vocabulary.pad_id)

    def decode(self, ids: Iterable[int], *, skip_special_tokens: bool = False) -> str:
        """Joins pieces to text: words with a space between, `##` pieces without.

        Args:
            ids: token ids.
            skip_special_tokens: leave out [CLS], [SEP], [PAD], [MASK] and [UNK].

        Raises:
            InputError: an id that the vocabulary doesn't have.

        Example:
            >>> tok = Tokenizer(Vocabulary("[PAD] [UNK] [CLS] [SEP] [MASK] un ##able to".split()))
            >>> tok.decode(tok.encode("unable to").input_ids)
            '[CLS] unable to [SEP]'
        """
        text = ""
        for token_id in ids:
            if not 0 <= token_id < len(self.vocabulary):
                what = f"there is no token {token_id} in a vocabulary of {len(self.vocabulary)}"
                raise InputError(what)
            token = self.vocabulary.tokens[token_id]
            if skip_special_tokens and token in SPECIAL_TOKENS:
                continue
            if token.startswith(CONTINUATION) and token != CONTINUATION:
                text += token[len(CONTINUATION) :]
            else:
                text += f" {token}" if text else token
        return text

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.vocabulary, self.lowercase)

    def __repr__(self) -> str:
        return f"Tokenizer({self.vocabulary!r}, lowercase={self.lowercase})"

    def _add_with_special_tokens(self, found: Pieces, text: str) -> None:
        position = 0
        for match in _SPECIAL.finditer(text):
            self._add_pieces(found, text, position, match.start())
            found.ids.append(self.vocabulary.ids[match[0]])
            found.offsets.append(match.span())
            found.word_index.append(_next_word(found))
            position = match.end()
        self._add_pieces(found, text, position, len(text))

    def _add_pieces(self, found: Pieces, text: str, start: int, end: int) -> None:
        for match in CHUNK.finditer(text, start, end):
            place, word = match.start(), _next_word(found)
            for token_id, piece_start, piece_end, word_in_chunk in self._pieces_of_chunk(match[0]):
                found.ids.append(token_id)
                found.offsets.append((place + piece_start, place + piece_end))
                found.word_index.append(word + word_in_chunk)


def _next_word(found: Pieces) -> int:
    return found.word_index[-1] + 1 if found.word_index else 0


def _lengths(texts: list[list[int]], max_length: int | None) -> tuple[int, ...]:
    if max_length is None:
        return tuple(map(len, texts))
    num_second = len(texts[1]) if len(texts) > 1 else None
    return truncate_pair(len(texts[0]), num_second, max_length)[: len(texts)]


def _rebuild(vocabulary: Vocabulary, lowercase: bool) -> Tokenizer:
    return Tokenizer(vocabulary, lowercase=lowercase)
