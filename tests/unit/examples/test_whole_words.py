import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bertsmith.examples import ExampleSettings, PackedExamples, build_examples, plan_epoch
from bertsmith.examples.choosing import choose_tokens, choose_words
from bertsmith.examples.hashing import Stream, hash64
from bertsmith.examples.masking import mask_tokens
from token_sources import MemorySource, MemoryVocabulary, random_source

CLS, SEP = 2, 3
SETTINGS = ExampleSettings(max_seq_length=64, whole_word_masking=True)


def googles_choice(word_starts, is_text, index, example_settings, seed, epoch):
    """Positions in one sequence, by Google's loop over the words in the order of our hashes."""
    words = []
    for position in np.flatnonzero(is_text).tolist():
        if words and not word_starts[position]:
            words[-1].append(position)
        else:
            words.append([position])
    keys = hash64(seed, Stream.MASK_CHOICE, epoch, index, [word[0] for word in words])
    # Our keys end in the word's number, so that no two are equal.
    order = sorted(range(len(words)), key=lambda n: (int(keys[n]) >> 16, n))
    share = round(len(is_text) * example_settings.masked_lm_prob)
    wanted = min(example_settings.max_predictions, max(1, share))
    chosen = []
    for number in order:
        if len(chosen) >= wanted:
            break
        if len(chosen) + len(words[number]) > wanted:
            continue
        chosen += words[number]
    return sorted(chosen)


SEQUENCES = st.lists(
    st.tuples(st.lists(st.booleans(), min_size=1), st.lists(st.booleans())), min_size=1, max_size=8
)


@given(SEQUENCES, st.sampled_from([0.05, 0.15, 0.5, 1.0]), st.integers(0, 2**40))
@settings(max_examples=200, deadline=None)
def test_arrays_do_what_googles_loop_does(sequences, masked_lm_prob, seed):
    parts = [[CLS, *[5] * len(a), SEP, *[5] * len(b), SEP] for a, b in sequences]
    starts = [[False, *a, False, *b, False] for a, b in sequences]
    cu_seqlens = np.cumsum([0, *map(len, parts)]).astype(np.int32)
    is_text = np.concatenate(parts) == 5
    indices = 10 * np.arange(len(parts))
    example_settings = ExampleSettings(masked_lm_prob=masked_lm_prob, max_predictions_per_seq=6)
    expected = []
    for row, index in enumerate(indices.tolist()):
        here = slice(cu_seqlens[row], cu_seqlens[row + 1])
        found = googles_choice(starts[row], is_text[here], index, example_settings, seed, 3)
        expected += [int(cu_seqlens[row]) + position for position in found]
    word_starts = np.concatenate(starts)
    chosen = choose_words(word_starts, is_text, cu_seqlens, indices, example_settings, seed, 3)
    assert chosen.tolist() == expected


@given(st.lists(st.integers(3, 60), min_size=1, max_size=8), st.integers(0, 2**40))
@settings(max_examples=50, deadline=None)
def test_words_of_one_token_are_tokens(lengths, seed):
    cu_seqlens = np.cumsum([0, *lengths]).astype(np.int32)
    is_text = np.ones(cu_seqlens[-1], dtype=bool)
    is_text[cu_seqlens[:-1]] = is_text[cu_seqlens[1:] - 1] = False
    arguments = is_text, cu_seqlens, np.arange(len(lengths)), SETTINGS, seed, 0
    assert choose_words(~is_text | True, *arguments).tolist() == choose_tokens(*arguments).tolist()


def words_source(seed=0):
    """A store where every other token or so starts a word."""
    source = random_source()
    starts = np.random.default_rng(seed).random(len(source.tokens)) < 0.6
    starts[source.sentence_offsets[:-1]] = True
    source.word_starts[:] = starts
    return source


def arrays(examples):
    return {name: getattr(examples, name).tolist() for name in vars(examples)}


@pytest.mark.parametrize("batch_size", [1, 3, 7])
def test_batching_changes_nothing(batch_size):
    source = words_source()
    plan = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0)
    order = np.random.default_rng(0).permutation(len(plan))[:50]
    whole = build_examples(source, plan, order)
    parts = [
        build_examples(source, plan, order[start : start + batch_size])
        for start in range(0, len(order), batch_size)
    ]
    assert arrays(PackedExamples.concatenate(parts)) == arrays(whole)


@pytest.mark.parametrize("pairs", [True, False], ids=["pairs", "single segments"])
def test_a_word_is_masked_whole_or_not_at_all(pairs):
    source = words_source()
    changes = {"next_sentence": pairs, "masked_lm_prob": 0.3}
    plan = plan_epoch(source, source.documents, SETTINGS.model_copy(update=changes), 0, 0)
    examples = build_examples(source, plan, np.arange(len(plan)))
    original = examples.input_ids.copy()
    original[examples.masked_positions] = examples.masked_labels
    masked = np.zeros(len(original), dtype=bool)
    masked[examples.masked_positions] = True
    is_text = original > SEP
    continues = is_text.copy()
    continues[is_text] = ~source.word_starts[original[is_text] - 5]
    # Where the token before is of the same word, both are masked, or none.
    inside = np.flatnonzero(continues[1:] & is_text[:-1]) + 1
    assert len(inside) > 1000
    assert (masked[inside] == masked[inside - 1]).all()
    assert not masked[~is_text].any()
    sizes = np.diff(examples.cu_seqlens)
    row = np.searchsorted(examples.cu_seqlens, examples.masked_positions, side="right") - 1
    number = np.bincount(row, minlength=len(plan))
    assert (number <= np.maximum(np.rint(0.3 * sizes), 1)).all()
    assert number.sum() > 0.29 * sizes.sum()


def test_pieces_of_a_masked_word_are_replaced_each_by_its_own_draw():
    # 3,000 sequences of one word of 24 tokens: with MASK, SAME and RANDOM all within each word.
    number, length = 3000, 24
    ids = np.tile([CLS, *range(1000, 1000 + length), SEP], number)
    cu_seqlens = (np.arange(number + 1) * (length + 2)).astype(np.int32)
    starts = np.tile([True, True, *[False] * (length - 1), True], number)
    example_settings = ExampleSettings(masked_lm_prob=1.0, max_seq_length=32)
    vocabulary = MemoryVocabulary(1000)
    masked = mask_tokens(
        ids, cu_seqlens, np.arange(number), vocabulary, example_settings, 0, 0, starts
    )
    assert len(masked.positions) == number * length
    shown = masked.input_ids[masked.positions].reshape(number, length)
    same = shown == masked.labels.reshape(number, length)
    is_mask = shown == vocabulary.mask_id
    for found, share in ((same, 0.1), (is_mask, 0.8 + 0.1 / 1000)):
        # Binomial: mean within 4.5 deviations; and the words' counts vary as of independent draws,
        # whose variance over 3,000 words has a relative deviation of about √(2/3000) = 2.6 %.
        deviation = np.sqrt(share * (1 - share) / found.size)
        assert abs(found.mean() - share) < 4.5 * deviation
        variance = found.sum(axis=1).var() / (length * share * (1 - share))
        assert abs(variance - 1) < 4.5 * 0.03


def test_words_too_long_for_the_room_leave_nothing_to_predict():
    source = MemorySource([[8], [8]], word_starts=[True, *[False] * 7] * 2)
    plan = plan_epoch(source, source.documents, SETTINGS, seed=0, epoch=0)
    examples = build_examples(source, plan, np.arange(len(plan)))
    assert len(plan) == 2
    assert len(examples.masked_positions) == 0


def test_no_sequences():
    nothing = np.array([], dtype=np.int64)
    is_text = np.array([], dtype=bool)
    cu_seqlens = np.array([0], dtype=np.int32)
    assert len(choose_words(is_text, is_text, cu_seqlens, nothing, SETTINGS, 0, 0)) == 0
