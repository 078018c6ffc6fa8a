"""What is wrong with a corpus, a vocabulary, a store or a run, before it costs a week."""

from bertsmith.doctor.corpus import DEFAULT_SAMPLE_BYTES, examine_corpus
from bertsmith.doctor.examination import Examination, Fact
from bertsmith.doctor.finding import Example, Finding, Limits, Severity
from bertsmith.doctor.histogram import Histogram
from bertsmith.doctor.mending import mend
from bertsmith.doctor.page import write_examination
from bertsmith.doctor.run import examine_run
from bertsmith.doctor.store import examine_store
from bertsmith.doctor.vocabulary import examine_vocabulary

__all__ = [
    "DEFAULT_SAMPLE_BYTES",
    "Examination",
    "Example",
    "Fact",
    "Finding",
    "Histogram",
    "Limits",
    "Severity",
    "examine_corpus",
    "examine_run",
    "examine_store",
    "examine_vocabulary",
    "mend",
    "write_examination",
]
