"""What can be set about reading text."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bertsmith._settings import Settings
from bertsmith.corpus.cleaning_settings import CleaningSettings
from bertsmith.corpus.languages import check_language

__all__ = ["CorpusSettings", "TextForm"]

TextForm = Literal["auto", "sentences", "paragraphs", "document"]


class CorpusSettings(Settings):
    """How text files are read and cut into documents and sentences.

    Example:
        >>> CorpusSettings(language="zh").errors
        'strict'
    """

    errors: Literal["strict", "replace"] = Field(
        default="strict",
        description="strict: text that is not what it should be stops with an error. replace: it "
        "is mended or left out, and counted",
    )
    language: Annotated[str, AfterValidator(check_language)] = Field(
        default="en",
        description="language code whose rules cut paragraphs into sentences: en, de, zh, ...; a "
        "region, as in de-CH or pt_BR, may follow, and is left out",
    )
    text_form: TextForm = Field(
        default="auto",
        description="how .txt files are laid out. sentences: one sentence a line, a blank line "
        "between documents (Google's form). paragraphs: one paragraph a line, a blank line "
        "between documents. document: the file is one document, a blank line ends a paragraph, "
        "lines inside it are joined. auto: decided from the first 64 KiB of each file",
    )
    text_column: str = Field(
        default="text", description="field of .jsonl or .parquet that holds the text"
    )
    title_column: str = Field(
        default="title",
        description="field of .jsonl or .parquet that holds the title; it may be missing",
    )
    xml_namespaces: tuple[int, ...] = Field(
        default=(0,),
        min_length=1,
        description="namespaces of a Wikipedia XML dump that are read: 0 articles, 1 their "
        "discussions, 12 help, ...",
    )
    standard_input_format: str = Field(
        default="txt", description='format of the text on standard input ("-"): txt, jsonl or xml'
    )
    max_line_bytes: int = Field(
        default=16 * 2**20, ge=16, description="longest line or record that is read, in bytes"
    )
    max_document_chars: int = Field(
        default=4 * 2**20,
        ge=1,
        description="a document of a .txt file that is longer, in characters, is cut between two "
        "lines (or paragraphs) into several documents",
    )
    cleaning: CleaningSettings = Field(
        default=CleaningSettings(), description="what is taken out before the text is used"
    )
