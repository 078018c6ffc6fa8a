"""Tagging words, and the entities that the tags make."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import ClassVar, Self, TypedDict, Unpack, overload

from torch import Tensor

from bertsmith.errors import InputError
from bertsmith.inference.encoding import ItemError, as_list, check_text
from bertsmith.inference.entities import decode_tags, scheme_of
from bertsmith.inference.loading import Columns, Runner, RunnerOptions
from bertsmith.inference.running import split_tokens
from bertsmith.inference.tagging import TagWindow, tag_windows_of_pieces
from bertsmith.model import BertForTokenClassification, PackedSequences

__all__ = ["FoundEntity", "Tag"]


class FoundEntity(TypedDict):
    """An entity: `text[start:end]` of the text, or of the words with a space between them.

    Attributes:
        label: its kind.
        score: the mean, over its words, of the probability of the word's tag.
        start: its first character.
        end: one past its last character.
        text: the piece of the text.
        first_word: its first word.
        last_word: its last word.
    """

    label: str
    score: float
    start: int
    end: int
    text: str
    first_word: int
    last_word: int


@dataclass(frozen=True)
class Sentence:
    """A text, where its words stand in it, and their piece ids."""

    text: str
    word_offsets: list[tuple[int, int]]
    word_pieces: list[list[int]]


@dataclass(frozen=True)
class Tag:
    """Finds entities in texts of any length: a tag for every word, read as entities.

    The scheme of the tags is told from the label set (see `scheme_of`).

    Attributes:
        runner: a model with a token classification head.
    """

    columns: ClassVar[Columns] = (("words",), ("text",))

    runner: Runner[BertForTokenClassification]

    @classmethod
    def from_pretrained(cls, path_or_hub_id: str | Path, **options: Unpack[RunnerOptions]) -> Self:
        """Loads a folder of a fine-tuned model.

        Raises:
            ModelError: it has no token classification head.
        """
        name = BertForTokenClassification.__name__
        runner = Runner.from_pretrained(
            path_or_hub_id, BertForTokenClassification, architectures=(name,), **options
        )
        return cls(runner)

    @overload
    def __call__(self, text: str) -> list[FoundEntity]: ...
    @overload
    def __call__(self, text: list[str]) -> list[list[FoundEntity]]: ...
    @overload
    def __call__(self, *, words: list[str]) -> list[FoundEntity]: ...
    @overload
    def __call__(self, *, words: list[list[str]]) -> list[list[FoundEntity]]: ...
    def __call__(
        self,
        text: str | list[str] | None = None,
        *,
        words: list[str] | list[list[str]] | None = None,
    ) -> list[FoundEntity] | list[list[FoundEntity]]:
        """Finds the entities of a text, or of each of a list of texts.

        Args:
            text: the texts; they are split into words at white space and punctuation, as the
                tokenizer does.
            words: instead of `text`, the words of a sentence, or of each of a list of them, split
                as in the training data.

        Returns:
            The entities from left to right. For a list, a list of these.

        Raises:
            InputError: a text is blank, or there are both or neither of `text` and `words`.
        """
        if (text is None) == (words is None):
            raise InputError("tagging needs text or words", fix="give one of them")
        if text is not None:
            is_one, sentences = isinstance(text, str), self._of_texts(as_list(text))
        else:
            groups, is_one = _as_sentences(words or [])
            sentences = self._of_words(groups)
        tags = self.word_tags([sentence.word_pieces for sentence in sentences])
        found = [self._entities(*item) for item in zip(sentences, tags, strict=True)]
        return found[0] if is_one else found

    def word_tags(
        self, sentences: Sequence[Sequence[Sequence[int]]]
    ) -> list[list[tuple[str, float]]]:
        """Tags words that are cut into piece ids.

        Args:
            sentences: for each sentence, for each word, its piece ids (`Tokenizer.word_pieces`).

        Returns:
            For each sentence, for each word, its most probable tag and that tag's probability.
        """
        tokenizer, max_length = self.runner.tokenizer, self.runner.max_length
        windows = [tag_windows_of_pieces(words, tokenizer, max_length) for words in sentences]
        outputs = iter(self.runner.run([w for group in windows for w in group], self._predict))
        labels = self.runner.model.config.labels
        tags = []
        for group in windows:
            found: dict[int, tuple[str, float]] = {}
            for window, (scores, ids) in zip(group, outputs, strict=False):
                names = [labels[label] for label in ids.tolist()]
                found.update(
                    zip(window.word_ids, zip(names, scores.tolist(), strict=True), strict=True)
                )
            tags.append([found[word] for word in range(len(found))])
        return tags

    def _predict(
        self, packed: PackedSequences, windows: Sequence[TagWindow]
    ) -> list[tuple[Tensor, Tensor]]:
        """For every window the probability and id of the tag of each of its words."""
        logits = split_tokens(packed, self.runner.model.forward_packed(packed).logits)
        results = []
        for window, values in zip(windows, logits, strict=True):
            best = values[window.first_piece_positions].softmax(dim=-1).max(dim=-1)
            results.append((best.values, best.indices))
        return results

    def _of_texts(self, texts: list[str]) -> list[Sentence]:
        check_text(texts)
        sentences = []
        for item, text in enumerate(texts):
            pieces = self.runner.tokenizer.pieces(text)
            if not pieces.ids:
                what, fix = "holds no token (control characters only)", "give text"
                raise ItemError(what, item=item, num_items=len(texts), fix=fix)
            sentence = Sentence(text, [], [])
            num_words = 0
            for token_id, (start, end), word in zip(
                pieces.ids, pieces.offsets, pieces.word_index, strict=True
            ):
                if word == num_words:
                    sentence.word_offsets.append((start, end))
                    sentence.word_pieces.append([])
                    num_words += 1
                sentence.word_offsets[-1] = (sentence.word_offsets[-1][0], end)
                sentence.word_pieces[-1].append(token_id)
            sentences.append(sentence)
        return sentences

    def _of_words(self, groups: list[list[str]]) -> list[Sentence]:
        sentences = []
        for item, words in enumerate(groups):
            if not words or not all(isinstance(word, str) and word.strip() for word in words):
                what, fix = "has no words, or an empty one", "give a list of words"
                raise ItemError(what, item=item, num_items=len(groups), name="words", fix=fix)
            ends = accumulate(len(word) + 1 for word in words)
            offsets = [(e - 1 - len(word), e - 1) for e, word in zip(ends, words, strict=True)]
            pieces = self.runner.tokenizer.word_pieces(words)
            sentences.append(Sentence(" ".join(words), offsets, pieces))
        return sentences

    def _entities(self, sentence: Sentence, tags: list[tuple[str, float]]) -> list[FoundEntity]:
        scheme = scheme_of(self.runner.model.config.labels)
        entities = []
        for entity in decode_tags([tag for tag, _ in tags], scheme):
            first, last = entity.first_word, entity.last_word
            start, end = sentence.word_offsets[first][0], sentence.word_offsets[last][1]
            scores = [score for _, score in tags[first : last + 1]]
            entities.append(
                FoundEntity(
                    label=entity.label,
                    score=sum(scores) / len(scores),
                    start=start,
                    end=end,
                    text=sentence.text[start:end],
                    first_word=first,
                    last_word=last,
                )
            )
        return entities


def _as_sentences(words: list[str] | list[list[str]]) -> tuple[list[list[str]], bool]:
    """Sentences, and whether there was but one, given as its words."""
    if words and isinstance(words[0], list):
        return [list(group) for group in words], False
    return [[str(word) for word in words]], True
