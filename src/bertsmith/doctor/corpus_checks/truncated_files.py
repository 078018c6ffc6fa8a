"""Files that end too early, or can't be read at all."""

from collections.abc import Iterator

from bertsmith.doctor.corpus_checks._check import CorpusCheck, Seen
from bertsmith.doctor.finding import Finding

__all__ = ["Check"]

_NAMES = ("truncated_files", "broken_files")


class Check(CorpusCheck):
    """Reports files of which a part is missing."""

    def findings(self, seen: Seen) -> Iterator[Finding]:
        """Finds them by their number."""
        number = sum(seen.counts[name] for name in _NAMES)
        if not number:
            return
        yield Finding(
            "truncated_files",
            "problem",
            f"files that are cut off or can't be read: {number:,}",
            number,
            1,
            effect="`prepare` and `vocab` stop there. With --errors replace what stands before "
            "that is kept and all text from there on is missing, so that the model learns from "
            "less than you think.",
            remedy="Copy or download the files again; or go on with what is before.",
            command=self.case.commands.prepare(errors="replace"),
            examples=seen.examples(_NAMES, self.case.num_examples),
        )
