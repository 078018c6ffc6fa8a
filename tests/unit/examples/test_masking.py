import numpy as np
import pytest
from scipy import stats

from bertsmith.examples import ExampleSettings, mask_tokens, num_predictions
from token_sources import MemoryVocabulary

VOCABULARY = MemoryVocabulary(1000)
CLS, SEP, MASK = VOCABULARY.cls_id, VOCABULARY.sep_id, VOCABULARY.mask_id


def packed(lengths, first_id=5):
    """Pairs of the given lengths, [CLS] and two [SEP] included; text ids never repeat."""
    ids, number = [], first_id
    for length in lengths:
        a = (length - 3) // 2
        text = list(range(number, number + length - 3))
        number += length - 3
        ids += [CLS, *text[:a], SEP, *text[a:], SEP]
    return np.array(ids), np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)


def mask(lengths, *, settings=None, seed=0, epoch=0, first_index=0, vocabulary=VOCABULARY):
    ids, cu_seqlens = packed(lengths)
    indices = first_index + np.arange(len(lengths))
    settings = settings or ExampleSettings(max_seq_length=512)
    return ids, mask_tokens(ids, cu_seqlens, indices, vocabulary, settings, seed, epoch)


def test_number_of_predictions_is_googles_at_every_length():
    settings = ExampleSettings(max_predictions_per_seq=20)
    lengths = np.arange(5, 513)
    expected = [min(20, max(1, round(length * 0.15))) for length in lengths.tolist()]
    assert num_predictions(lengths, lengths - 3, settings).tolist() == expected
    # Halves are rounded to even: 10 · 0.15 = 1.5 → 2, 30 · 0.15 = 4.5 → 4.
    assert expected[5] == 2
    assert expected[25] == 4


def test_counts_positions_and_labels():
    lengths = [5, 10, 64, 128, 512, 30]
    ids, masked = mask(lengths)
    row = np.searchsorted(np.cumsum(lengths), masked.positions, side="right")
    assert np.bincount(row).tolist() == [1, 2, 10, 19, 77, 4]
    assert (np.diff(masked.positions) > 0).all()
    assert masked.labels.tolist() == ids[masked.positions].tolist()
    untouched = np.ones(len(ids), dtype=bool)
    untouched[masked.positions] = False
    assert masked.input_ids[untouched].tolist() == ids[untouched].tolist()


def test_special_tokens_are_never_chosen():
    settings = ExampleSettings(masked_lm_prob=1.0, max_seq_length=64)
    ids, masked = mask([5, 6, 64, 17], settings=settings)
    is_special = (ids == CLS) | (ids == SEP)
    assert masked.positions.tolist() == np.flatnonzero(~is_special).tolist()


def test_special_tokens_are_never_chosen_in_many_draws():
    ids, masked = mask([5, 8, 20] * 3000, vocabulary=MemoryVocabulary(100_000))
    assert not np.isin(masked.labels, [CLS, SEP]).any()
    assert (masked.input_ids[(ids == CLS) | (ids == SEP)] <= SEP).all()


def test_every_text_position_is_chosen_equally_often():
    length, number = 23, 20_000
    _, masked = mask([length] * number, vocabulary=MemoryVocabulary(10**6))
    counts = np.bincount(masked.positions % length, minlength=length)
    text = counts[counts > 0]
    assert len(text) == length - 3
    # 3 of 20 positions a sequence; sampling without replacement is tighter than this.
    assert stats.chisquare(text).pvalue > 1e-4


def test_pairs_of_positions_are_chosen_equally_often():
    length, number = 9, 40_000
    settings = ExampleSettings(masked_lm_prob=0.22)
    _, masked = mask([length] * number, settings=settings, vocabulary=MemoryVocabulary(10**6))
    pairs = (masked.positions % length).reshape(number, 2)
    counts = np.unique(pairs[:, 0] * length + pairs[:, 1], return_counts=True)[1]
    assert len(counts) == 6 * 5 // 2
    assert stats.chisquare(counts).pvalue > 1e-4


# The rows of the paper's Table 8, MASK, SAME and RANDOM in per cent; and two that mix all three.
TABLE_8 = [(80, 10, 10), (100, 0, 0), (80, 0, 20), (80, 20, 0), (0, 20, 80), (0, 0, 100)]


@pytest.mark.parametrize(
    ("mask_per_cent", "same_per_cent", "random_per_cent"), [*TABLE_8, (0, 100, 0), (20, 10, 70)]
)
def test_shares_of_mask_same_and_random(mask_per_cent, same_per_cent, random_per_cent):
    mask_share, random_share = mask_per_cent / 100, random_per_cent / 100
    settings = ExampleSettings(mask_token_prob=mask_share, random_token_prob=random_share)
    # Text ids lie outside of the vocabulary, so that a random token never equals the original.
    ids, cu_seqlens = packed([128] * 2000, first_id=1000)
    masked = mask_tokens(ids, cu_seqlens, np.arange(2000), VOCABULARY, settings, 0, 0)
    shown = masked.input_ids[masked.positions]
    same = int((shown == masked.labels).sum())
    drawn = int(((shown != MASK) & (shown < 1000)).sum())
    # A random token is [MASK] once in a thousand.
    number = len(shown)
    expected = [(same, same_per_cent / 100), (drawn, random_share * 999 / 1000)]
    expected += [(number - same - drawn, mask_share + random_share / 1000)]
    for count, share in expected:
        # Binomial within 4.5 deviations, exactly where the share is 0 or 1.
        deviation = np.sqrt(number * share * (1 - share))
        assert abs(count - number * share) <= 4.5 * deviation + 1e-6


def test_random_tokens_are_uniform_over_the_whole_vocabulary():
    settings = ExampleSettings(mask_token_prob=0.0, random_token_prob=1.0)
    vocabulary = MemoryVocabulary(50)
    ids, cu_seqlens = packed([128] * 2000, first_id=1000)
    masked = mask_tokens(ids, cu_seqlens, np.arange(2000), vocabulary, settings, 0, 0)
    counts = np.bincount(masked.input_ids[masked.positions], minlength=50)
    assert len(counts) == 50
    assert stats.chisquare(counts).pvalue > 1e-4


def test_another_epoch_seed_or_example_masks_anew():
    _, base = mask([128])
    for changes in ({"epoch": 1}, {"seed": 1}, {"first_index": 1}):
        _, other = mask([128], **changes)
        # Two draws of 19 of 125 share 2.9 on average, and 12 with a chance below 1e-5.
        assert len(np.intersect1d(base.positions, other.positions)) < 12
    _, again = mask([128])
    assert again.input_ids.tobytes() == base.input_ids.tobytes()


def test_no_sequences():
    _, masked = mask([])
    assert len(masked.positions) == 0
