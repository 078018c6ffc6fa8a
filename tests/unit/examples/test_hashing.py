import numpy as np
import pytest
from scipy import stats

from bertsmith.examples.hashing import Stream, _mix, hash64, integers, successes, uniform

N = 200_000
FROZEN = [4697839271939750918, 17478205742703390616]


def test_mixer_is_splitmix64():
    # The first outputs of the published SplitMix64 for state 0.
    golden = np.uint64(0x9E3779B97F4A7C15)
    with np.errstate(over="ignore"):
        outputs = _mix(np.arange(1, 4, dtype=np.uint64) * golden)
    assert [hex(x) for x in outputs] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
    ]


def test_results_are_frozen():
    # A change here changes every run ever recorded.
    assert hash64(42, Stream.MASK_CHOICE, 3, [0, 1], 7).tolist() == FROZEN
    assert hash64(42, Stream.MASK_CHOICE, 3, 1, 7).tolist() == FROZEN[1]
    assert hash64(42 - 2**64, Stream.MASK_CHOICE, 3, 1, 7).tolist() == FROZEN[1]


def test_broadcasting_is_elementwise():
    rows, columns = np.arange(3)[:, None], np.arange(4)
    table = hash64(1, Stream.ORDER, 5, rows, columns)
    assert table.shape == (3, 4)
    assert table[2, 3] == hash64(1, Stream.ORDER, 5, 2, 3)


@pytest.mark.parametrize(
    "counters",
    [(np.arange(N),), (np.arange(N), 0), (0, 0, np.arange(N)), (np.arange(N) << 32,)],
    ids=["last", "first", "third", "high bits"],
)
@pytest.mark.parametrize("seed", [0, 1])
def test_uniform_is_uniform_and_neighbours_are_independent(seed, counters):
    draws = uniform(seed, Stream.MASK_ACTION, *counters)
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.kstest(draws, "uniform").pvalue > 1e-4
    for lag in (1, 2, 64):
        # The correlation of independent draws is normal with deviation 1 / √N.
        assert abs(np.corrcoef(draws[:-lag], draws[lag:])[0, 1]) < 4.5 / np.sqrt(N)
    pairs = np.histogram2d(draws[:-1:2], draws[1::2], bins=16, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-4


def test_every_bit_is_fair():
    bits = hash64(0, Stream.ORDER, np.arange(N))
    for bit in range(64):
        ones = int(((bits >> np.uint64(bit)) & np.uint64(1)).sum())
        assert abs(ones - N / 2) < 5 * np.sqrt(N) / 2


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((0, Stream.TRIM_A), (0, Stream.TRIM_B)),
        ((0, Stream.TRIM_A), (1, Stream.TRIM_A)),
        ((0, Stream.TRIM_A, 0), (0, Stream.TRIM_A, 1)),
    ],
    ids=["streams", "seeds", "epochs"],
)
def test_streams_seeds_and_prefixes_are_independent(first, second):
    one, two = (uniform(*arguments, np.arange(N)) for arguments in (first, second))
    assert abs(np.corrcoef(one, two)[0, 1]) < 4.5 / np.sqrt(N)
    assert not np.isin(one, two).any()


def test_integers_cover_their_range_evenly():
    draws = integers(3, 10, 0, Stream.RANDOM_DOCUMENT, np.arange(N))
    values, counts = np.unique(draws, return_counts=True)
    assert values.tolist() == [3, 4, 5, 6, 7, 8, 9]
    assert stats.chisquare(counts).pvalue > 1e-4


def test_integers_are_the_high_word_of_the_product():
    high = 2**32
    draws = integers(0, [high, high - 1, 3], 0, Stream.ORDER, [0, 1, 2])
    exact = [
        int(bits) * size >> 64
        for bits, size in zip(hash64(0, Stream.ORDER, [0, 1, 2]), [high, high - 1, 3], strict=True)
    ]
    assert draws.tolist() == exact


@pytest.mark.parametrize("trials", [0, 1, 2, 63, 64, 65, 130])
def test_successes_are_binomial(trials):
    draws = successes(np.full(20_000, trials), 0, Stream.TRIM_A, 0, np.arange(20_000))
    expected = stats.binom.pmf(np.arange(trials + 1), trials, 0.5) * len(draws)
    counts = np.bincount(draws, minlength=trials + 1)
    assert len(counts) == trials + 1
    enough = expected > 10
    chi_square = ((counts - expected)[enough] ** 2 / expected[enough]).sum()
    assert chi_square < stats.chi2.isf(1e-4, max(enough.sum() - 1, 1))


def test_successes_of_a_draw_do_not_depend_on_the_others():
    trials = np.array([5, 0, 200, 64, 1])
    together = successes(trials, 7, Stream.TRIM_B, 2, np.arange(5))
    alone = [successes(trials[i : i + 1], 7, Stream.TRIM_B, 2, np.array([i]))[0] for i in range(5)]
    assert together.tolist() == alone
