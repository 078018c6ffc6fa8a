"""What can be set about cleaning text."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bertsmith._settings import Settings
from bertsmith.corpus.languages import check_language

__all__ = ["CLEAN", "CleaningSettings"]


def _check_short_code(code: str) -> str:
    """Returns a code of two or three letters; whether it is a known one is asked at reading."""
    if re.fullmatch(r"[a-z]{2,3}", code):
        return code
    meant = check_language(re.split("[-_]", code.lower())[0])
    raise ValueError(f"is no code of two or three small letters; did you mean {meant}?")


class CleaningSettings(Settings):
    """What is taken out of a corpus before it is used; by default nothing.

    Example:
        >>> CleaningSettings().needs_survey, CleaningSettings(duplicates="exact").needs_survey
        (False, True)
    """

    control_characters: bool = Field(
        default=False,
        description="drop control and format characters (Unicode Cc and Cf, but tab and line "
        "breaks) and U+FFFD",
    )
    min_document_chars: int = Field(
        default=0,
        ge=0,
        description="drop documents whose text, cleaned, is shorter, in characters",
    )
    boilerplate_documents: int | None = Field(
        default=None,
        ge=2,
        description="drop lines that stand in at least so many documents, white space aside",
    )
    boilerplate_min_bytes: int = Field(
        default=20,
        ge=1,
        description="lines that are shorter, in bytes of UTF-8 without white space, are never "
        "boilerplate: headings, answers in a dialogue",
    )
    duplicates: Literal["keep", "exact", "near"] = Field(
        default="keep",
        description="exact: of documents with the same text, white space aside, the first one "
        "stays; near: also of documents that are nearly the same (needs bertsmith[dedup])",
    )
    near_duplicate_similarity: float = Field(
        default=0.8,
        ge=0.5,
        le=1,
        description="Jaccard similarity of runs of five words from which on documents are nearly "
        "the same",
    )
    only_language: Annotated[str, AfterValidator(_check_short_code)] | None = Field(
        default=None,
        description="drop documents that aren't in this language, such as en or zh (needs "
        "bertsmith[language])",
    )

    @property
    def needs_survey(self) -> bool:
        """Whether the whole corpus has to be read before the first document can be used."""
        return self.boilerplate_documents is not None or self.duplicates != "keep"


CLEAN = CleaningSettings(
    control_characters=True, min_document_chars=50, boilerplate_documents=10, duplicates="exact"
)
"""What does good to most text and needs no optional library."""
