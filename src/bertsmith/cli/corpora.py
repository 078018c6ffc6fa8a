"""What the commands that read a corpus share."""

from collections.abc import Iterator

from pydantic import ValidationError

from bertsmith._progress import progress
from bertsmith.corpus import Corpus, CorpusSettings
from bertsmith.errors import RecipeError

__all__ = ["corpus_settings", "texts_with_progress"]


def corpus_settings(**values: object) -> CorpusSettings:
    """Builds the settings from options; a bad value is told as an option's."""
    try:
        return CorpusSettings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        option = str(first["loc"][0]).replace("_", "-")
        raise RecipeError(f"{first['input']!r}: {first['msg']}", where=f"--{option}") from error


def texts_with_progress(corpus: Corpus, description: str) -> Iterator[str]:
    """Yields the corpus's texts while a bar shows how many of its bytes are read."""
    with progress(description, total=corpus.num_bytes, unit="bytes") as bar:
        done = 0
        for document in corpus:
            yield document.text
            bar.advance(corpus.bytes_read - done)
            done = corpus.bytes_read
