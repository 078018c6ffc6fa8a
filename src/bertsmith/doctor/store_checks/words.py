"""Chinese text whose words were not found, so that whole words can't be masked."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.store_measures import StoreMeasures
from bertsmith.store.chinese import MANY_CHARACTERS, lone_characters

__all__ = ["check"]

# Worth knowing, not wrong: Google's Chinese model was trained on single characters.
LIMITS = Limits(info=MANY_CHARACTERS)


def check(measures: StoreMeasures) -> Iterator[Finding]:
    """Finds Chinese characters of which the store doesn't say where words start."""
    share = lone_characters(measures.store)
    if (crossed := LIMITS.crossed(share)) is not None:
        yield Finding(
            "lone_characters",
            crossed[0],
            f"{percent(share)} of the tokens are Chinese characters, and the store doesn't hold "
            "where words start",
            share,
            crossed[1],
            effect="With examples.whole_word_masking=true single characters are masked all the "
            "same, most of which the other characters of their word give away. Without that "
            "setting nothing changes.",
            remedy="To mask whole words, prepare the text again with its words (takes pip install "
            "'bertsmith[zh]').",
            command=measures.commands.prepare(words="jieba"),
        )
