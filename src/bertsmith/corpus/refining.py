"""What is done to a document between reading it and using it."""

from collections import Counter
from dataclasses import dataclass, replace

from bertsmith.corpus.cleaning import drop_control_characters, drop_lines
from bertsmith.corpus.document import Document, RawDocument
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.splitting import split

__all__ = ["Refiner"]


@dataclass(frozen=True)
class Refiner:
    """Takes mark-up and dirt out of documents and cuts them into sentences.

    It holds no state, so that it can run in any worker and on any document by itself.

    Args:
        settings: how the corpus is read and cleaned.
        boilerplate: hashes of the lines that are dropped, as `Corpus.survey` found them.

    Example:
        >>> refiner = Refiner(CorpusSettings())
        >>> refiner.document(RawDocument("", "It rains. We stay.", False, "a.txt:1"), Counter())
        Document(title='', sentences=['It rains.', 'We stay.'])
    """

    settings: CorpusSettings
    boilerplate: frozenset[int] = frozenset()

    def plain(self, raw: RawDocument, counts: Counter[str]) -> RawDocument | None:
        """Takes mark-up and dirt out of a document.

        Args:
            raw: the document as it was read.
            counts: where to count what was taken out: `pages_without_text`, `control_characters`,
                `boilerplate_lines`, and documents dropped whole: `empty_documents` (nothing but
                control characters), `documents_of_boilerplate` (nothing else), `short_documents`,
                `documents_in_other_languages`.

        Returns:
            The document, plain, or None if nothing of it is left.
        """
        if raw.markup == "wikitext":
            from bertsmith.corpus.wikitext import strip_wikitext

            raw = replace(raw, text=strip_wikitext(raw.text), markup="")
            if not raw.text:
                counts["pages_without_text"] += 1
                return None
        raw, reason = self._cleaned(raw, counts)
        reason = reason or self._reason_to_drop(raw.text)
        if reason is None:
            return raw
        counts[reason] += 1
        return None

    def document(self, raw: RawDocument, counts: Counter[str]) -> Document | None:
        """Does what `plain` does, then cuts the text into sentences.

        Returns:
            The document, or None if it has no sentence.
        """
        plain = self.plain(raw, counts)
        return None if plain is None else split(plain, self.settings.language)

    def _cleaned(self, raw: RawDocument, counts: Counter[str]) -> tuple[RawDocument, str | None]:
        """Takes out characters and lines; says what they were where nothing else is left."""
        cleaning = self.settings.cleaning
        text, num_dropped = raw.text, 0
        if cleaning.control_characters:
            text, num_dropped = drop_control_characters(text)
        if num_dropped:
            counts["control_characters"] += num_dropped
            raw = replace(raw, text=text)
            if not text.strip():
                return raw, "empty_documents"
        num_dropped = 0
        if self.boilerplate:
            text, num_dropped = drop_lines(raw, self.boilerplate, cleaning.boilerplate_min_bytes)
        if num_dropped:
            counts["boilerplate_lines"] += num_dropped
            raw = replace(raw, text=text)
            if not text.strip():
                return raw, "documents_of_boilerplate"
        return raw, None

    def _reason_to_drop(self, text: str) -> str | None:
        """Why the whole document is dropped, if it is."""
        cleaning = self.settings.cleaning
        if cleaning.min_document_chars and len(text.strip()) < cleaning.min_document_chars:
            return "short_documents"
        if cleaning.only_language is not None:
            from bertsmith.corpus.language_filter import is_in_language

            if not is_in_language(text, cleaning.only_language):
                return "documents_in_other_languages"
        return None
