"""Filters leave out what they should; what is drawn has the probabilities that it should have."""

import numpy as np
import pytest

from saiki.decoding.sampling import Sampling, draw, probabilities

P = np.array([0.5, 0.2, 0.15, 0.1, 0.05])
LOG = np.log(P)


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({}, P),
        ({"temperature": 0}, [1, 0, 0, 0, 0]),
        ({"temperature": 0.5}, P**2 / (P**2).sum()),
        ({"top_k": 2}, [5 / 7, 2 / 7, 0, 0, 0]),
        ({"top_p": 0.7}, [5 / 7, 2 / 7, 0, 0, 0]),
        ({"top_p": 0.71}, [0.5 / 0.85, 0.2 / 0.85, 0.15 / 0.85, 0, 0]),
        ({"top_p": 1.0}, P),
        # surprises 0.69 1.61 1.90 2.30 3.00, expected 1.33: the second unit is the most typical one, then the third
        ({"typical": 0.3}, [0, 4 / 7, 3 / 7, 0, 0]),
        ({"top_k": 3, "top_p": 0.1}, [1, 0, 0, 0, 0]),
    ],
)
def test_filters(options, wanted):
    np.testing.assert_allclose(probabilities(LOG, Sampling(**options)), wanted, atol=1e-12)


def test_repetition_is_penalised_by_odds():
    p = probabilities(LOG, Sampling(repetition_penalty=2.0), before=[0, 0, 3])
    np.testing.assert_allclose(p[0] / p[1], 0.5 * P[0] / P[1])
    np.testing.assert_allclose(p[3] / p[1], 0.5 * P[3] / P[1])
    np.testing.assert_allclose(p[4] / p[1], P[4] / P[1])


def test_draws_have_their_probabilities():
    rng = np.random.default_rng(0)
    counts = np.bincount([draw(P, rng) for _ in range(20_000)], minlength=5)
    assert ((counts - 20_000 * P) ** 2 / (20_000 * P)).sum() < 18.5  # chi squared, 4 degrees of freedom, 0.1 %
    assert draw(np.array([0.0, 1.0, 0.0]), rng) == 1
