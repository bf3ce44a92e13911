"""The Gaussian process of a Bayesian search: it finds what is good, in batches that differ, always the same way."""

import numpy as np
import pytest

from tuning.gaussian import expected_improvement, fitted, milestone, suggest


def bowl(points):
    return ((points - 0.3) ** 2).sum(axis=1)


def draw(generator, near, points):
    drawn = generator.random(2) if near is None else np.clip(points[near] + 0.1 * generator.standard_normal(2), 0, 1)
    return drawn, tuple(drawn)


def suggestions(points, scores, place, seed=0, kernels=None):
    kernels = {} if kernels is None else kernels
    drawn = suggest(
        points, scores, lambda generator, near: draw(generator, near, points), count=4, seed=seed, kernels=kernels
    )
    return drawn[place]


@pytest.fixture(scope="module")
def known():
    points = np.random.default_rng(0).random((20, 2))
    return points, bowl(points)


def test_the_first_suggestion_is_better_than_what_is_known(known):
    points, scores = known
    assert bowl(np.array(suggestions(points, scores, 0)[:1]))[0] < scores.min()


def test_a_batch_spreads_out(known):
    firsts = {suggestions(*known, place)[0] for place in range(4)}
    assert len(firsts) == 4


def test_seed_and_place_decide(known):
    assert suggestions(*known, 1) == suggestions(*known, 1)
    assert suggestions(*known, 1) != suggestions(*known, 1, seed=1)


def test_a_hopeless_score_does_not_blind_it(known):
    points, scores = known
    ruined = np.where(np.arange(20) == np.argmax(scores), 1e30, scores)
    assert bowl(np.array(suggestions(points, ruined, 0)[:1]))[0] < scores.min()


def test_equal_scores_are_no_fault(known):
    points, _ = known
    assert np.isfinite(suggestions(points, np.ones(20), 1)[0]).all()


def test_a_kernel_is_the_same_however_the_search_came_to_its_scores(known):
    points, scores = known
    grown = {}
    for count in range(3, 21):
        process = fitted(points[:count], scores[:count], grown)
    assert str(process.kernel_) == str(fitted(points, scores, {}).kernel_)
    assert len(grown) < 18


def test_kernels_are_fitted_ever_more_rarely():
    reached = [milestone(count) for count in range(3, 401)]
    assert reached == sorted(reached) and len(set(reached)) < 30
    assert all(count < 1.3 * found + 1 for count, found in zip(range(3, 401), reached))


def test_expected_improvement_grows_with_doubt_and_falls_with_the_mean():
    assert expected_improvement(0.0, 2.0, 0.0) > expected_improvement(0.0, 1.0, 0.0)
    assert expected_improvement(1.0, 1.0, 0.0) < expected_improvement(0.0, 1.0, 0.0)
    assert expected_improvement(5.0, 0.0, 0.0) == pytest.approx(0.0)


def test_a_setting_that_does_not_matter_is_forgotten_once_there_are_enough_scores():
    points = np.random.default_rng(0).random((30, 2))
    scores = np.sin(5 * points[:, 0])
    few = fitted(points[:9], scores[:9], {}).kernel_.k1.k2.length_scale
    matters, does_not = fitted(points, scores, {}).kernel_.k1.k2.length_scale
    assert np.ndim(few) == 0
    assert does_not > 5 * matters
