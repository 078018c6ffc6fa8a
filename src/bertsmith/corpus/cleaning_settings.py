"""What can be set about cleaning text."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from bertsmith._settings import Settings
from bertsmith.corpus.languages import check_base_language

__all__ = ["CLEAN", "CleaningSettings", "without_effect"]


def without_effect(settings: Mapping[str, object]) -> dict[str, str]:
    """What says how something is done that isn't done, and the option that it goes with.

    Args:
        settings: settings of cleaning by their names; those that lack are as by default.

    Example:
        >>> without_effect({"duplicates": "exact", "boilerplate_documents": 10})
        {'near_duplicate_similarity': '--duplicates near'}
    """
    idle = {}
    if settings.get("duplicates") != "near":
        idle["near_duplicate_similarity"] = "--duplicates near"
    if settings.get("boilerplate_documents") is None:
        idle["boilerplate_min_bytes"] = "--boilerplate-documents"
    return idle


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
    only_language: Annotated[str, AfterValidator(check_base_language)] | None = Field(
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
