"""What can be wrong with a corpus: one file a check, or a few that belong together.

A check is a module of this package with a class `Check`, a `CorpusCheck`.
"""

from bertsmith.doctor.corpus_checks._check import Case, CorpusCheck, Seen

__all__ = ["Case", "CorpusCheck", "Seen"]
