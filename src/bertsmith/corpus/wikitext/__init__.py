"""MediaWiki mark-up → the text passages of an article."""

from bertsmith.corpus.wikitext.stripping import strip_wikitext

__all__ = ["strip_wikitext"]
