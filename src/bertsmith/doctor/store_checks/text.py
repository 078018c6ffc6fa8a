"""What the text in the store is like: [UNK]s, its amount, documents without a next sentence."""

from collections.abc import Iterator

from bertsmith.doctor.finding import Finding, Limits, percent
from bertsmith.doctor.store_measures import StoreMeasures

__all__ = ["check"]

# As for a corpus: Google's vocabularies leave 0.02 % of English and 0.4 % of Chinese Wikipedia.
UNKNOWN_LIMITS = Limits(warning=0.01, problem=0.1)
ONE_SENTENCE_LIMITS = Limits(warning=0.1, problem=0.5)
# 1.3 tokens a word, and as for a corpus.
AMOUNT_LIMITS = Limits(warning=1_300_000, problem=130_000, below=True)
DOCUMENT_LIMITS = Limits(warning=5, problem=2, below=True)
# Of Google's English entries, 6 % don't occur in 130 MB of Wikipedia; of its Chinese ones, which
# have many that never can, 42 % in 30 MB.
UNSEEN_LIMITS = Limits(info=0.3, warning=0.6)


def check(measures: StoreMeasures) -> Iterator[Finding]:
    """Finds what is wrong with the text."""
    yield from _unknown(measures)
    yield from _one_sentence(measures)
    yield from _amount(measures)
    yield from _unseen(measures)


def _unknown(measures: StoreMeasures) -> Iterator[Finding]:
    rate = measures.summary.unknown_rate
    if (crossed := UNKNOWN_LIMITS.crossed(rate)) is not None:
        yield Finding(
            "unknown_tokens",
            crossed[0],
            f"{percent(rate)} of the tokens are [UNK]",
            rate,
            crossed[1],
            effect="What those words said is gone from the text, and as a masked token [UNK] is a "
            "right answer that says nothing, which flatters the MLM accuracy.",
            remedy="Learn the vocabulary from this text, and prepare it again; `bertsmith doctor "
            "vocab` says what is missing.",
            command=measures.commands.learn(size=measures.fitting_size),
        )


def _one_sentence(measures: StoreMeasures) -> Iterator[Finding]:
    share = float((measures.document_lengths == 1).mean())
    if (crossed := ONE_SENTENCE_LIMITS.crossed(share)) is not None:
        yield Finding(
            "one_sentence_documents",
            crossed[0],
            f"{percent(share)} of the documents have one sentence",
            share,
            crossed[1],
            effect="With nothing to follow it, a lone sentence always gets a random second segment "
            "(Google's create_instances_from_document), so random pairs outnumber the others, and "
            "a short first segment gives the answer away.",
            remedy="Pre-train without pairs; or see with `bertsmith doctor corpus` whether such "
            "documents can be joined or dropped.",
            command=measures.pretrain("examples.next_sentence=false"),
        )


def _amount(measures: StoreMeasures) -> Iterator[Finding]:
    store = measures.store
    if (crossed := AMOUNT_LIMITS.crossed(store.num_tokens)) is not None:
        yield Finding(
            "little_text",
            crossed[0],
            f"there are {store.num_tokens:,} tokens, which is little to pre-train on",
            store.num_tokens,
            crossed[1],
            effect="The paper's corpus has 3.3 billion words. A model that sees so few for many "
            "epochs learns them by heart: the training loss falls and the held-out loss rises.",
            remedy="Go on from a pre-trained model, with its vocabulary (MODEL is its folder), or "
            "add text.",
            command=measures.commands.go_on(),
        )
    crossed = DOCUMENT_LIMITS.crossed(store.num_documents)
    if crossed is not None and store.num_sentences >= 200:
        yield Finding(
            "one_document",
            crossed[0],
            f"all {store.num_sentences:,} sentences are {store.num_documents} document"
            + ("s" if store.num_documents > 1 else ""),
            store.num_documents,
            crossed[1],
            effect="The random second segment is drawn from another document, in ten tries; where "
            "there is no other one it comes from the same text and is labelled random all the "
            "same. No document can be held out for evaluation either.",
            remedy="Put a blank line between documents (or a document in each file, or on each "
            "line of a .jsonl), and prepare the text again. Where it is one text, the command cuts "
            "it into documents of some thirty sentences, writes them anew, and looks at them.",
            command=measures.commands.mend("one_document", "parts"),
        )


def _unseen(measures: StoreMeasures) -> Iterator[Finding]:
    counts = measures.token_counts
    share = float((counts == 0).mean())
    crossed = UNSEEN_LIMITS.crossed(share)
    if crossed is None or counts.sum() < 100 * len(counts):
        return
    yield Finding(
        "unseen_entries",
        crossed[0],
        f"{percent(share)} of the vocabulary's entries don't occur in the text",
        share,
        crossed[1],
        effect="Their embeddings are trained by nothing but the softmax, which pushes them all "
        "the same way; they take memory and time in every step and stand for nothing.",
        remedy="Learn the vocabulary from this text and prepare it again, unless you go on from a "
        "model that has this one.",
        command=measures.commands.learn(size=measures.fitting_size),
    )
