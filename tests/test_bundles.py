"""Short jobs go to a worker several at once, others alone."""

import pytest

from kerashw.bundles import MOST, RECENT, TOGETHER, Bundles


def taken(bundles, free):
    """The names of each bundle."""
    return [[name for name, _ in bundle] for bundle in bundles.taken(free)]


def filled(count, *paces):
    """Bundles with so many jobs waiting, after one bundle of a single job for each pace."""
    bundles = Bundles(bundled=True)
    for pace in paces:
        bundles.heard(["earlier"], pace)
    for name in range(count):
        bundles.add(name, None)
    return bundles


def test_before_it_is_known_how_long_jobs_take_each_goes_alone():
    assert taken(filled(3), free=3) == [[0], [1], [2]]


@pytest.mark.parametrize("pace, size", [(10.0, 1), (TOGETHER, 1), (TOGETHER / 2, 2), (TOGETHER / 5, 5), (0.0, MOST)])
def test_a_bundle_takes_no_longer_than_it_may(pace, size):
    assert filled(0, pace).size == size


def test_where_a_job_may_hold_up_none_each_goes_alone_however_short():
    bundles = Bundles()
    bundles.heard(["earlier"], 0.001)
    assert bundles.size == 1


def test_one_long_job_among_short_ones_is_enough_to_send_them_alone_for_a_while():
    bundles = filled(0, 0.01, 10.0, 0.01)
    assert bundles.size == 1
    for _ in range(RECENT):
        bundles.heard(["later"], 0.01)
    assert bundles.size == MOST


def test_a_job_counts_for_its_share_of_a_bundle():
    bundles = filled(0)
    bundles.heard(["one", "other"], TOGETHER)
    assert bundles.size == 2


def test_the_last_jobs_are_spread_over_all_that_are_free():
    assert taken(filled(5, 0.0), free=3) == [[0, 1], [2, 3], [4]]


def test_what_finds_no_free_worker_waits_in_its_order():
    bundles = filled(2 * MOST + 1, 0.0)
    assert taken(bundles, free=2) == [[*range(MOST)], [*range(MOST, 2 * MOST)]]
    assert taken(bundles, free=0) == [] and taken(bundles, free=1) == [[2 * MOST]]


def test_jobs_whose_worker_died_go_alone_until_they_are_done():
    bundles = filled(0, 0.0)
    bundles.died([1, 2])
    for name in range(5):
        bundles.add(name, None)
    assert taken(bundles, free=1) + taken(bundles, free=1) + taken(bundles, free=1) == [[0], [1], [2]]
    assert taken(bundles, free=1) == [[3, 4]]
    bundles.heard([1], 0.0)
    bundles.add(0, None)
    bundles.add(1, None)
    assert taken(bundles, free=1) == [[0, 1]]


def test_what_a_worker_gives_back_goes_next_in_its_order():
    bundles = filled(4, 0.0)
    (bundle,) = bundles.taken(free=1)
    bundles.add("later", None)
    bundles.heard([0], 10.0, left=bundle[1:])
    assert [taken(bundles, free=1) for _ in range(4)] == [[[1]], [[2]], [[3]], [["later"]]]
