"""Google's walk through a document, sentence by sentence and token by token, with our draws."""

from bertsmith.examples.hashing import Stream, integers, successes, uniform


def walk(source, documents, settings, seed, epoch):
    """The examples of an epoch as tuples (a_start, a_length, b_start, b_length, label)."""
    examples = []
    for document in documents.tolist():
        examples += _walk_document(source, document, documents, settings, seed, epoch)
    return examples


def _walk_document(source, document, documents, settings, seed, epoch):
    def bounds(number):
        return [int(n) for n in source.document_offsets[number : number + 2]]

    def length(sentence):
        return int(source.sentence_offsets[sentence + 1] - source.sentence_offsets[sentence])

    longest = settings.max_seq_length - 3
    target = longest
    if uniform(seed, Stream.SHORT_SEQUENCE, epoch, document) < settings.short_seq_prob:
        target = int(integers(2, longest + 1, seed, Stream.TARGET_LENGTH, epoch, document))

    examples, chunk, chunk_tokens = [], [], 0
    first, stop = bounds(document)
    i = first
    while i < stop:
        chunk.append(i)
        chunk_tokens += length(i)
        if i == stop - 1 or chunk_tokens >= target:
            key = (epoch, chunk[0])
            a_end = 1
            if len(chunk) >= 2:
                a_end = int(integers(1, len(chunk), seed, Stream.SEGMENT_SPLIT, *key))
            a, b = chunk[:a_end], []
            label = 0
            if len(chunk) == 1 or uniform(seed, Stream.NEXT_SENTENCE, *key) < 0.5:
                label = 1
                room = target - sum(map(length, a))
                for attempt in range(10):
                    other = documents[
                        integers(0, len(documents), seed, Stream.RANDOM_DOCUMENT, *key, attempt)
                    ]
                    if other != document:
                        break
                other_first, other_stop = bounds(other)
                start = int(integers(other_first, other_stop, seed, Stream.RANDOM_SENTENCE, *key))
                for sentence in range(start, other_stop):
                    b.append(sentence)
                    if sum(map(length, b)) >= room:
                        break
                i -= len(chunk) - a_end
            else:
                b = chunk[a_end:]
            spans = []
            kept = _truncate(sum(map(length, a)), sum(map(length, b)), longest)
            for side, number, stream in ((a, kept[0], Stream.TRIM_A), (b, kept[1], Stream.TRIM_B)):
                cut = source.sentence_offsets[:1] * 0 + sum(map(length, side)) - number
                front = int(successes(cut, seed, stream, *key)[0])
                spans += [int(source.sentence_offsets[side[0]]) + front, number]
            examples.append((*spans, label))
            chunk, chunk_tokens = [], 0
        i += 1
    return examples


def _truncate(a, b, longest):
    while a + b > longest:
        if a > b:
            a -= 1
        else:
            b -= 1
    return a, b
