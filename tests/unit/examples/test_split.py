import numpy as np
import pytest

from bertsmith.errors import RecipeError, StoreError
from bertsmith.examples import epoch_order, split_documents


def test_parts_are_disjoint_and_whole():
    train, held_out = split_documents(1000, 0.1)
    assert sorted([*train, *held_out]) == list(range(1000))
    # 1000 fair trials at 0.1: 100 ± 9.5.
    assert 60 < len(held_out) < 140


def test_a_growing_corpus_keeps_the_side_of_every_document():
    _, small = split_documents(5000, 0.05)
    _, large = split_documents(6000, 0.05)
    assert large[large < 5000].tolist() == small.tolist()


def test_another_seed_holds_out_others():
    assert split_documents(1000, 0.1, 0)[1].tolist() != split_documents(1000, 0.1, 1)[1].tolist()


@pytest.mark.parametrize("fraction", [1e-9, 0.5, 0.999999])
@pytest.mark.parametrize("num_documents", [2, 3, 10])
def test_both_parts_have_a_document(num_documents, fraction):
    train, held_out = split_documents(num_documents, fraction)
    assert len(train) >= 1
    assert len(held_out) >= 1


def test_one_document_is_for_training():
    train, held_out = split_documents(1, 0.9)
    assert (train.tolist(), held_out.tolist()) == ([0], [])


def test_nothing_is_held_out_at_fraction_zero():
    assert len(split_documents(10, 0.0)[1]) == 0


def test_bad_arguments():
    with pytest.raises(StoreError, match="no document"):
        split_documents(0, 0.1)
    with pytest.raises(RecipeError, match="held_out_fraction"):
        split_documents(10, 1.0)


def test_order_is_a_permutation_of_its_own_in_every_epoch():
    orders = [epoch_order(1000, seed=1, epoch=epoch) for epoch in range(3)]
    for order in orders:
        assert sorted(order) == list(range(1000))
    assert orders[0].tolist() == epoch_order(1000, seed=1, epoch=0).tolist()
    assert orders[0].tolist() != epoch_order(1000, seed=2, epoch=0).tolist()
    # Of two independent permutations one element stands in the same place on average.
    assert (orders[0] == orders[1]).sum() < 8
    assert abs(np.corrcoef(orders[0], orders[1])[0, 1]) < 4.5 / np.sqrt(1000)
