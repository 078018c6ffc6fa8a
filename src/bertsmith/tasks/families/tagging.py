"""A tag for each word: named entities, parts of speech, Chinese words."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from bertsmith.batches import LabelledBatch
from bertsmith.errors import DataError
from bertsmith.inference.entities import TagScheme, decode_tags, scheme_of
from bertsmith.inference.running import run_packed, split_tokens
from bertsmith.inference.tagging import TagWindow, tag_windows
from bertsmith.metrics import accuracy, entity_scores
from bertsmith.model import BertForTokenClassification, Precision
from bertsmith.model.base import PretrainedModel
from bertsmith.model.packing import PackedSequences
from bertsmith.objectives.token_labels import IGNORED, TokenLabels
from bertsmith.tasks.base import Task, TaskData
from bertsmith.tasks.data.tagged import TAGGED_EXTENSIONS, TaggedSentence, read_tagged
from bertsmith.tasks.families.labels import label_ids, labels_given
from bertsmith.wordpiece import Tokenizer

__all__ = ["TagFeature", "TaggingTask"]

#: The prefixes that each scheme's tag set is completed with.
_PREFIXES: dict[TagScheme, str] = {"IOB2": "BI", "BIOES": "BIES", "BMES": "BMES"}


@dataclass(frozen=True)
class TagFeature:
    """A window over a sentence, with the label of every token (or `IGNORED`), [S]."""

    window: TagWindow
    example_index: int
    labels: list[int] | None

    @property
    def input_ids(self) -> list[int]:
        """Token ids, [S]."""
        return self.window.input_ids

    @property
    def token_type_ids(self) -> list[int]:
        """Segment A throughout, [S]."""
        return self.window.token_type_ids

    @property
    def num_tokens(self) -> int:
        """Length in tokens."""
        return len(self.window.input_ids)


@dataclass(frozen=True, kw_only=True)
class TaggingTask(Task[TaggedSentence, TagFeature, list[str]]):
    """Tags words by the hidden state of their first piece; the other pieces count for nothing.

    A sentence over `max_seq_length` is cut into overlapping windows, and every word is trained on
    and predicted in the one that shows most around it, so no word is lost.

    IOB1 data (CoNLL-2003) is turned into IOB2 when it is read: the entities are the same, and "an
    entity begins here" always has its own tag.

    Attributes:
        only_entities: whether tags that mark no entities are refused.

    **Source**: the paper, section 5.3. Scores are those of CoNLL's `conlleval`.
    """

    only_entities: bool = False
    metrics: tuple[str, ...] = ("f1", "precision", "recall", "accuracy")
    extensions: tuple[str, ...] = TAGGED_EXTENSIONS

    @property
    def model_class(self) -> type[PretrainedModel[Any]]:
        """`BertForTokenClassification`."""
        return BertForTokenClassification

    def labels(self, examples: Sequence[TaggedSentence]) -> tuple[str, ...]:
        """The tags: `O` first, then by name; with all prefixes of every type of entity."""
        tags = {tag for example in examples for tag in example.tags or ()}
        scheme = scheme_of(tags)
        if scheme in _PREFIXES:
            kinds = sorted({tag.partition("-")[2] for tag in tags - {"O"}})
            return ("O", *(f"{prefix}-{kind}" for kind in kinds for prefix in _PREFIXES[scheme]))
        if self.only_entities:
            raise DataError(
                f"the tag {min(tags - {'O'} or tags)!r} names no entity",
                where=examples[0].where,
                fix="give tags such as O, B-PER, I-PER, or use the task tag",
            )
        if len(tags) < 2:
            raise DataError(
                f"{len(tags)} tags in the training data ({', '.join(tags)})",
                where=examples[0].where if examples else None,
                fix="give sentences with two tags at least",
            )
        return tuple(sorted(tags, key=lambda tag: (tag != "O", tag)))

    def read_file(self, path: Path, *, labelled: bool) -> TaskData[TaggedSentence]:
        """Reads CoNLL columns, BMES characters, or a table with `words` and `tags`."""
        return TaskData(read_tagged(path, labelled=labelled), (path,))

    def encode(
        self,
        examples: Sequence[TaggedSentence],
        tokenizer: Tokenizer,
        *,
        labels: Sequence[str],
        max_seq_length: int,
    ) -> list[TagFeature]:
        """One feature for each window; the first piece of a word has the word's label."""
        features = []
        for index, example in enumerate(examples):
            tags: Sequence[str | None] = example.tags or [None] * len(example.words)
            ids = label_ids(((tag, example.word_where(i)) for i, tag in enumerate(tags)), labels)
            for window in tag_windows(example.words, tokenizer, max_seq_length):
                features.append(TagFeature(window, index, _token_labels(window, ids)))
        return features

    def collate(self, features: Sequence[TagFeature]) -> LabelledBatch:
        """Labels are tag ids, int64 [T], `IGNORED` at all tokens but first pieces."""
        labels: list[int] = []
        for feature in features:
            if feature.labels is None:
                raise DataError("a sentence has no tags", fix="give labelled data")
            labels.extend(feature.labels)
        return LabelledBatch.from_lists(
            [feature.input_ids for feature in features],
            [feature.token_type_ids for feature in features],
            labels=torch.tensor(labels, dtype=torch.int64),
        )

    def objective(self) -> TokenLabels:
        """Cross-entropy of the words' tags."""
        return TokenLabels()

    def predict(
        self,
        model: PretrainedModel[Any],
        examples: Sequence[TaggedSentence],
        features: Sequence[TagFeature],
        *,
        max_tokens_per_batch: int = 8192,
        precision: Precision = "fp32",
    ) -> list[list[str]]:
        """One tag for each word of each sentence."""

        def tag(packed: PackedSequences, members: Sequence[TagFeature]) -> list[list[int]]:
            logits = model.forward_packed(packed).logits
            return [
                scores[feature.window.first_piece_positions].argmax(dim=-1).tolist()
                for feature, scores in zip(members, split_tokens(packed, logits), strict=True)
            ]

        found = run_packed(
            model, features, tag, max_tokens_per_batch=max_tokens_per_batch, precision=precision
        )
        tags = [[""] * len(example.words) for example in examples]
        for feature, ids in zip(features, found, strict=True):
            for word, label in zip(feature.window.word_ids, ids, strict=True):
                tags[feature.example_index][word] = model.config.labels[label]
        return tags

    def score(
        self, examples: Sequence[TaggedSentence], predictions: Sequence[list[str]]
    ) -> dict[str, float]:
        """Precision, recall and F1 over entities; accuracy over words.

        Tags without a scheme (parts of speech) are entities of one word each, `O` excepted.
        """
        wanted = labels_given((example.tags, example.where) for example in examples)
        scheme = scheme_of(tag for tags in (*wanted, *predictions) for tag in tags)
        scores = entity_scores(
            [decode_tags(tags, scheme) for tags in wanted],
            [decode_tags(tags, scheme) for tags in predictions],
        )
        words = [tag for tags in wanted for tag in tags]
        return {
            "f1": scores.f1,
            "precision": scores.precision,
            "recall": scores.recall,
            "accuracy": accuracy(words, [tag for tags in predictions for tag in tags]),
        }

    def same_answer(self, examples: Sequence[TaggedSentence]) -> list[list[str]]:
        """The tag that most words have, which is mostly `O`."""
        wanted = labels_given((example.tags, example.where) for example in examples)
        tag, _ = Counter(tag for tags in wanted for tag in tags).most_common(1)[0]
        return [[tag] * len(tags) for tags in wanted]

    def record(self, example: TaggedSentence, prediction: list[str]) -> dict[str, Any]:
        """`words`, `tags`, `prediction`."""
        return {"words": example.words, "tags": example.tags, "prediction": prediction}


def _token_labels(window: TagWindow, ids: Sequence[int | None]) -> list[int] | None:
    labels = [IGNORED] * len(window.input_ids)
    for word, position in zip(window.word_ids, window.first_piece_positions, strict=True):
        label = ids[word]
        if label is None:
            return None
        labels[position] = label
    return labels
