"""`Neighborhood` against scikit-learn."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

import example_host as eh
from example_host.testing import assert_close

if TYPE_CHECKING:
    from numpy.typing import NDArray


def test_agrees_with_scikit_learn(digits: NDArray[np.float64]) -> None:
    graph = eh.Neighborhood(n_neighbors=5).fit(digits)
    distances, _ = NearestNeighbors(n_neighbors=5).fit(digits).kneighbors()
    assert_close(graph.distances, distances)
    # The indices are those of samples that far away; ties may be broken either way there.
    assert_close(np.linalg.norm(digits[graph.indices] - digits[:, np.newaxis], axis=2), distances)


def test_ties_go_to_the_lower_index() -> None:
    graph = eh.Neighborhood(n_neighbors=2).fit([[0.0], [1.0], [-1.0], [1.0]])
    assert list(graph.neighbors_of(0)) == [1, 2]


def test_neighbours_are_mostly_the_same_digit(digits: NDArray[np.float64], labels: NDArray[np.intp]) -> None:
    graph = eh.Neighborhood(n_neighbors=1).fit(digits)
    assert (labels[graph.indices[:, 0]] == labels).mean() > 0.95


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda graph: pickle.loads(pickle.dumps(graph))])
def test_copies_are_fitted(copied: type, digits: NDArray[np.float64]) -> None:
    graph = eh.Neighborhood(n_neighbors=3).fit(digits[:50])
    again = copied(graph)
    assert type(again) is type(graph)
    assert again.n_neighbors == 3
    assert np.array_equal(again.indices, graph.indices)


def test_bad_arguments_are_refused(digits: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        eh.Neighborhood(0)
    with pytest.raises(ValueError, match="5 neighbours need more samples than that, got 5"):
        eh.Neighborhood(5).fit(digits[:5])
    with pytest.raises(RuntimeError, match="call fit"):
        eh.Neighborhood(5).neighbors_of(0)
