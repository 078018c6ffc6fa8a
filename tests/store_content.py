"""What a store should hold, by the plainest means."""

import numpy as np


def content(folder):
    """Every file's bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def expected_ids(corpus, tokenizer):
    """Documents → sentences → ids; what has no token is left out."""
    documents = []
    for document in corpus.documents():
        sentences = [ids for text in document.sentences if (ids := tokenizer.token_ids(text))]
        if sentences:
            documents.append(sentences)
    return documents


def stored_ids(store):
    """The same out of a store, through its offsets."""
    ids = store.tokens(0, store.num_tokens)
    sentences = np.split(ids, store.sentence_offsets[1:-1])
    starts, stops = store.document_offsets[:-1], store.document_offsets[1:]
    return [
        [sentence.tolist() for sentence in sentences[start:stop]]
        for start, stop in zip(starts, stops, strict=True)
    ]
