"""What a store is made of, and what of it is done: the two kinds of files in a work folder."""

import json
from dataclasses import asdict, dataclass
from typing import Any, Self

from pydantic import ValidationError

from bertsmith._settings import flat
from bertsmith.corpus import Corpus, CorpusPosition
from bertsmith.store.manifest import Shard

__all__ = ["FinishedShard", "StoreJob"]


@dataclass(frozen=True)
class StoreJob:
    """What decides a store's content: two jobs that are equal write the same bytes.

    Attributes:
        settings: vocabulary, tokenizer, corpus and store settings, as JSON values.
        lenient: whether faults of the text are mended, not told. Shards that were finished while
            they would have been told had none, so they hold in a lenient job too.
        files: name, size and time of every file of the corpus, in order; None where the text
            can't be read twice.
    """

    settings: dict[str, Any]
    lenient: bool
    files: list[str] | None

    @classmethod
    def of(cls, corpus: Corpus, settings: dict[str, Any]) -> Self:
        """The job of turning a corpus into a store with these further settings."""
        read = corpus.settings.model_dump(mode="json", exclude={"errors"})
        files = corpus.file_identities()
        # What a survey found depends on all files, so that none may change.
        surveyed = files if corpus.settings.cleaning.needs_survey else None
        told = {**settings, "corpus": read, "surveyed": surveyed}
        return cls(told, corpus.settings.errors == "replace", files)

    def goes_on_in(self, other: "StoreJob") -> bool:
        """Whether what this job has finished can be a part of the other one's store."""
        readable_again = self.files is not None and other.files is not None
        return readable_again and self.settings == other.settings and self.lenient <= other.lenient

    def difference(self, other: "StoreJob") -> str:
        """Names the first thing in which the other job differs."""
        before, after = flat(self.settings), flat(other.settings)
        for name in dict.fromkeys([*before, *after]):
            if before.get(name) != after.get(name):
                if name == "vocabulary_sha256":
                    return "another vocabulary"
                if name in ("surveyed", "append_to"):
                    continue
                return f"{name}={before.get(name)}, not {after.get(name)}"
        return "errors=replace, not strict" if self.lenient > other.lenient else "other text"

    def has_same_files(self, other: "StoreJob", number: int | None) -> bool:
        """Whether the first `number` files (all of them for None) are the same in both."""
        return (self.files or [])[:number] == (other.files or [])[:number]


@dataclass(frozen=True)
class FinishedShard:
    """A line of the journal: how far the corpus was read when a shard was finished.

    Attributes:
        shard: the shard; None at the end of a corpus whose last documents had no token.
        end: where the corpus goes on.
        totals: sums over all documents up to there: unknown, text_bytes.
        counts: what was taken out of them, name → number.
        is_last: whether the corpus ends there.
    """

    shard: Shard | None
    end: CorpusPosition
    totals: dict[str, int]
    counts: dict[str, int]
    is_last: bool = False

    def to_json(self) -> str:
        """One line of JSON."""
        shard = None if self.shard is None else self.shard.model_dump(mode="json")
        return json.dumps({**asdict(self), "shard": shard})

    @classmethod
    def from_json(cls, line: str) -> Self:
        """Reads what `to_json` wrote.

        Raises:
            ValueError: it is something else, such as half a line.
        """
        try:
            values = json.loads(line)
            shard, end = values.pop("shard"), CorpusPosition(**values.pop("end"))
            parsed = None if shard is None else Shard.model_validate(shard)
            return cls(shard=parsed, end=end, **values)
        except (TypeError, KeyError, AttributeError, ValidationError) as error:
            raise ValueError(str(error)) from error
