"""An article's mark-up → its paragraphs, section by section."""

from bertsmith.corpus.wikitext.elements import drop_elements
from bertsmith.corpus.wikitext.nesting import flatten
from bertsmith.corpus.wikitext.prose import paragraphs
from bertsmith.corpus.wikitext.sections import text_sections

__all__ = ["strip_wikitext"]


def strip_wikitext(text: str) -> str:
    r"""Returns the text passages of an article, a paragraph a line.

    Templates, tables, lists, headings, references, comments, files, categories, galleries,
    formulas and code are dropped, and so are whole sections that hold no text (References,
    External links, See also, ... in a dozen languages). Links give their text. Templates that
    wrap a piece of a sentence (`{{lang|fr|mot}}`, `{{convert|5|km}}`) give that piece.

    Takes time in proportion to the text's length, whatever is in it. Mark-up that isn't closed
    never takes more with it than its section.

    **Source**: section 3.1 of the paper: "we extract only the text passages and ignore lists,
    tables, and headers".

    Args:
        text: an article as MediaWiki keeps it.

    Returns:
        Paragraphs separated by line feeds; "" where nothing is left.

    Example:
        >>> strip_wikitext("'''Rain''' ({{IPA|r}}) is [[water|liquid water]].<ref>x</ref>\n* a")
        'Rain is liquid water.'
    """
    sections = text_sections(drop_elements(text))
    found = [paragraph for section in sections for paragraph in paragraphs(flatten(section))]
    return "\n".join(found)
