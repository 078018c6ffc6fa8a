"""Files of text → documents, as their sentences."""

from bertsmith.corpus.corpus import Corpus, open_corpus
from bertsmith.corpus.document import Document, RawDocument
from bertsmith.corpus.settings import CorpusSettings
from bertsmith.corpus.splitting import split

__all__ = ["Corpus", "CorpusSettings", "Document", "RawDocument", "open_corpus", "split"]
