"""Records that can't be read."""

from collections.abc import Iterator

from bertsmith.doctor.corpus_checks._check import CorpusCheck, Seen
from bertsmith.doctor.finding import Finding, Limits, percent

__all__ = ["Check"]

# `prepare` stops at the first one.
LIMITS = Limits(warning=1e-9, problem=0.01)

_NAMES = ("broken_records", "long_records_dropped", "long_lines_cut", "lone_surrogates")


class Check(CorpusCheck):
    """Reports what reading had to leave out or cut."""

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their share of all records."""
        broken = {name: seen.counts[name] for name in _NAMES if seen.counts[name]}
        number = sum(broken.values())
        share = number / max(seen.num_documents + number, 1)
        crossed = LIMITS.crossed(share)
        if crossed is None:
            return
        listed = ", ".join(
            f"{name.replace('_', ' ')}: {number:,}" for name, number in broken.items()
        )
        yield Finding(
            "broken_records",
            crossed[0],
            f"{number:,} records ({percent(share)}) can't be read as they are ({listed})",
            share,
            crossed[1],
            effect="`prepare` and `vocab` stop at the first of them; with --errors replace they "
            "are mended or left out, and their text is missing.",
            remedy="Write the file anew if the number surprises you; else go on without them.",
            command=self.case.commands.prepare(errors="replace"),
            examples=seen.examples(_NAMES, self.case.num_examples),
        )
