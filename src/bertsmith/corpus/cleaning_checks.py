"""Whether a corpus can be cleaned as the settings say, asked before anything is read."""

from bertsmith.corpus.cleaning_settings import CleaningSettings
from bertsmith.corpus.duplicates.signatures import load_rensa
from bertsmith.corpus.language_filter import check_known_language
from bertsmith.errors import CorpusError

__all__ = ["check_cleaning"]


def check_cleaning(cleaning: CleaningSettings, *, has_standard_input: bool) -> None:
    """Checks that what cleaning needs is there.

    Raises:
        CorpusError: a library that isn't installed, a language that can't be told apart, or a
            search for duplicates or boilerplate in standard input, which can be read only once.
    """
    if cleaning.duplicates == "near":
        load_rensa()
    if cleaning.only_language is not None:
        check_known_language(cleaning.only_language)
    if cleaning.needs_survey and has_standard_input:
        raise CorpusError(
            "can be read only once, but finding duplicates or boilerplate takes a look at all of "
            "the text before",
            where="standard input",
            fix="save the text in a file",
        )
