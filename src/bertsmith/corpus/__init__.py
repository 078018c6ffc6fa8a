"""Files of text → documents, as their sentences."""

from bertsmith.corpus.cleaning_settings import CLEAN, CleaningSettings
from bertsmith.corpus.corpus import Corpus, open_corpus
from bertsmith.corpus.document import Document, RawDocument
from bertsmith.corpus.findings import DroppedDocument, Findings, RepeatedLine
from bertsmith.corpus.position import CorpusPosition
from bertsmith.corpus.refining import Refiner
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.splitting import split

__all__ = [
    "CLEAN",
    "CleaningSettings",
    "Corpus",
    "CorpusPosition",
    "CorpusSettings",
    "Document",
    "DroppedDocument",
    "Findings",
    "RawDocument",
    "Refiner",
    "RepeatedLine",
    "open_corpus",
    "split",
]
