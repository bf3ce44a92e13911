"""What the four tuners propose: decided by the seed and the ended trials alone, whenever they are asked."""

import json
import math
from collections import Counter
from itertools import islice, product

import numpy as np
import pytest

from kerashw.errors import WorkError
from kerashw.models import mlp
from kerashw.space import Bayesian, Choice, Grid, Hyperband, Int, Random, Real
from kerashw.store import Trial
from kerashw.study import Study
from kerashw.training import Task
from tuning.dialogue import ask, tell
from tuning.hypermodel import StudyHyperModel
from tuning.oracles import expected_work, make_oracle

TASK = Task(np.zeros((4, 2), "float32"), np.zeros((4, 1), "float32"), 1, False)
MIXED = dict(
    hidden=Choice((4,), (8, 4)), activation=Choice("relu", "tanh"), learning_rate=Real(1e-4, 1e-1, log=True),
    batch_size=Int(2, 64, log=True), dropout=Real(0.0, 0.4), epochs=9,
)  # fmt: skip
STEPPED = dict(MIXED, learning_rate=Real(0.001, 0.1, log=True, step=10), dropout=Choice(0.0, 0.2), batch_size=Int(2, 4))
# Few settings: a suggestion of the Bayesian tuner takes the longer the more there are.
NARROW = dict(activation=Choice("relu", "tanh"), learning_rate=Real(1e-4, 1e-1, log=True), epochs=9)
TUNERS = {
    "grid": (STEPPED, Grid()),
    "random": (MIXED, Random(trials=24)),
    "bayesian": (NARROW, Bayesian(trials=8, initial=5)),
    "hyperband": (MIXED, Hyperband(factor=3)),
}


def study_of(settings, search):
    return Study(data="toy", model=mlp, settings=settings, search=search)


def oracle_of(settings, search, seed=0, **options):
    study = study_of(settings, search)
    return make_oracle(study, StudyHyperModel(study, TASK), objective="val_mse", seed=seed, **options)


def score_of(proposal):
    """A score that depends on the proposal alone; None, a failure, for one in five."""
    seed = sum(json.dumps(proposal.proposed, sort_keys=True).encode())
    return None if proposal.number % 5 == 3 else float(np.random.default_rng(seed).random())


def proposals(oracle, score=score_of, known=()):
    """The proposals of a search to its end with the scores they are told, batch by batch; some may be recorded."""
    known = {trial.number: trial.proposed for trial in known}
    while batch := ask(oracle, known):
        for proposal in batch:
            told = score(proposal)
            yield proposal, told
            tell(oracle, proposal, told)


def recorded(proposal, score):
    """The trial as it comes from the store."""
    status = "failed" if score is None else "completed"
    proposed = json.loads(json.dumps(proposal.proposed))
    return Trial(proposal.number, proposed, status, None, None, score, None, None, None, ())


def proposed(settings, search, seed=0, count=None, score=score_of):
    found = islice(proposals(oracle_of(settings, search, seed), score), count)
    return [proposal.proposed for proposal, _ in found]


def own_values(settings, values):
    """The values of a proposal as the study writes them."""
    study = study_of(settings, Random(trials=1))
    model = StudyHyperModel(study, TASK)
    hp = model.space()
    hp.values = json.loads(json.dumps(values))
    return model.searched(hp)


# Seeds


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_seed_decides_what_is_proposed_and_0_is_a_seed(tuner):
    settings, search = TUNERS[tuner]
    first, again, other = (proposed(settings, search, seed, 6) for seed in (0, 0, 1))
    assert first == again and len(first) == 6
    if tuner == "grid":
        assert first == other
    else:
        assert not {json.dumps(one) for one in first} & {json.dumps(one) for one in other}


# Continued searches


@pytest.fixture(scope="module")
def uninterrupted():
    """{tuner: [(proposal, score)]} of whole searches, made when first asked for."""
    made = {}

    def of(tuner):
        if tuner not in made:
            made[tuner] = list(proposals(oracle_of(*TUNERS[tuner])))
        return made[tuner]

    return of


@pytest.mark.parametrize(
    ("tuner", "share"),
    [("bayesian", 0.45), ("bayesian", 0.9), *product(("grid", "random", "hyperband"), (0.1, 0.45, 0.7, 0.95))],
)
def test_a_continued_search_proposes_what_the_uninterrupted_one_does(tuner, share, uninterrupted):
    whole = uninterrupted(tuner)
    assert None in [score for _, score in whole], "some trials are to fail"
    known = [recorded(*one) for one in whole[: round(share * len(whole))]]
    again = list(proposals(oracle_of(*TUNERS[tuner]), known=known))
    for (one, _), (other, _) in zip(again, whole, strict=True):
        assert (one.number, one.proposed, one.epochs, one.initial_epoch, one.parent) == (
            other.number, other.proposed, other.epochs, other.initial_epoch, other.parent)  # fmt: skip


@pytest.mark.parametrize("tuner", TUNERS)
def test_numbers_count_from_0_and_the_search_stays_at_its_end(tuner, uninterrupted):
    whole = uninterrupted(tuner)
    assert [proposal.number for proposal, _ in whole] == list(range(len(whole)))
    oracle = oracle_of(*TUNERS[tuner])
    assert len(list(proposals(oracle))) == len(whole)
    assert ask(oracle) == ask(oracle) == []


@pytest.mark.parametrize("tuner", ["grid", "random"])
def test_many_asked_for_at_once_are_those_asked_for_one_by_one(tuner, uninterrupted):
    oracle = oracle_of(*TUNERS[tuner])
    oracle.batch = 7
    found = []
    while proposals := ask(oracle):
        found += proposals
        for proposal in reversed(proposals):
            tell(oracle, proposal, score_of(proposal))
    assert found == [proposal for proposal, _ in uninterrupted(tuner)]


def batches(known=()):
    """What a Bayesian oracle that asks for two at once proposes and is told, where some trials are recorded."""
    oracle = oracle_of(*TUNERS["bayesian"])
    oracle.batch = 2
    return list(proposals(oracle, known=known))


@pytest.mark.parametrize("kept", [[0, 1, 2, 3, 4, 5], [0, 1, 2, 3, 4, 6], [2, 4], range(8)], ids=str)
def test_a_bayesian_batch_that_was_broken_off_goes_on_as_it_would_have(kept):
    whole = batches()
    assert batches([recorded(*whole[number]) for number in kept]) == whole


def test_the_first_points_of_a_bayesian_search_are_one_batch_and_all_learn_from_the_batches_before():
    oracle = oracle_of(*TUNERS["bayesian"])
    oracle.batch = 2
    sizes = []
    while batch := ask(oracle):
        sizes.append(len(batch))
        for proposal in reversed(batch):  # the order in which trials end does not matter
            tell(oracle, proposal, score_of(proposal))
    assert sizes == [5, 2, 1]
    assert [trial.hyperparameters.values for trial in oracle.trials.values()] == [one.proposed for one, _ in batches()]


def test_a_bayesian_batch_holds_no_point_twice():
    proposed = [str(sorted(proposal.proposed.items())) for proposal, _ in batches()]
    assert len(set(proposed)) == len(proposed)


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_store_with_other_values_is_refused(tuner):
    settings, search = TUNERS[tuner]
    trial = recorded(*next(proposals(oracle_of(settings, search))))
    trial.proposed["activation"] = "tanh" if trial.proposed["activation"] == "relu" else "relu"
    with pytest.raises(WorkError, match=r"trials\.db: trial 0 was .*--overwrite"):
        ask(oracle_of(settings, search), {0: trial.proposed})


@pytest.mark.parametrize("tuner", ["random", "hyperband"])
def test_a_store_of_another_seed_is_refused(tuner):
    trial = recorded(*next(proposals(oracle_of(*TUNERS[tuner], seed=1))))
    with pytest.raises(WorkError, match="trial 0 was"):
        ask(oracle_of(*TUNERS[tuner], seed=0), {0: trial.proposed})


# No point twice


SMALL = dict(hidden=Choice((4,), (8, 4), (2,)), batch_size=Choice(2, 4, 8), epochs=2)


@pytest.mark.parametrize(
    ("search", "seed"),
    [(Grid(), 0), (Bayesian(trials=30, initial=4), 0), *((Random(trials=30), seed) for seed in range(10))],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_small_space_is_exhausted_without_a_repeat(search, seed):
    points = proposed(SMALL, search, seed)  # some of which fail
    assert len({json.dumps(point, sort_keys=True) for point in points}) == len(points) == 9


def test_a_small_space_with_stepped_ranges_is_exhausted_without_a_repeat():
    settings = dict(learning_rate=Real(1, 100, log=True, step=10), dropout=Real(0, 0.5, step=0.25), batch_size=Int(1, 2))
    points = proposed(settings, Random(trials=99))
    assert len({json.dumps(own_values(settings, point)) for point in points}) == len(points) == 18


@pytest.mark.parametrize("tuner", ["random", "bayesian", "hyperband"])
def test_no_point_of_a_large_space_comes_twice_but_by_promotion(tuner, uninterrupted):
    fresh = [proposal.proposed for proposal, _ in uninterrupted(tuner) if proposal.parent is None]
    points = [{name: value for name, value in one.items() if not name.startswith("tuner/")} for one in fresh]
    assert max(Counter(json.dumps(point, sort_keys=True) for point in points).values()) == 1


def test_one_initial_point_is_enough_for_the_bayesian_tuner():
    assert len(proposed(NARROW, Bayesian(trials=3, initial=1), score=lambda proposal: 0.5)) == 3


@pytest.mark.parametrize(("objective", "sign"), [("val_mse", 1), ("val_r2", -1)])
def test_the_bayesian_tuner_goes_where_the_objective_is_better(objective, sign):
    study = study_of(dict(dropout=Real(0.0, 0.9)), Bayesian(trials=8, initial=4))
    oracle = make_oracle(study, StudyHyperModel(study, TASK), objective=objective, seed=0)
    found = proposals(oracle, lambda proposal: sign * (proposal.proposed["dropout"] - 0.2) ** 2)
    away = [abs(proposal.proposed["dropout"] - 0.2) for proposal, _ in found]
    assert np.median(away[4:]) < 0.1 < np.median(away[:4])


# The grid


def test_a_grid_visits_the_product_of_the_settings_in_their_order():
    points = [own_values(STEPPED, point) for point in proposed(STEPPED, Grid())]
    spaces = dict(hidden=[(4,), (8, 4)], activation=["relu", "tanh"], learning_rate=[0.001, 0.01, 0.1],
                  batch_size=[2, 3, 4], dropout=[0.0, 0.2])  # fmt: skip
    expected = [dict(zip(spaces, point)) for point in product(*spaces.values())]
    assert [list(point) for point in points] == [list(spaces)] * 72
    for point, wanted in zip(points, expected, strict=True):
        assert point == {**wanted, "learning_rate": pytest.approx(wanted["learning_rate"])}


def test_a_grid_leaves_out_what_is_not_allowed_and_trials_ends_it_early():
    settings = dict(batch_size=Choice(1, 2, 3, 4), epochs=Choice(1, 2))
    oracle = oracle_of(settings, Grid(trials=3), allowed=lambda values: values["batch_size"] % 2 == 0)
    assert expected_work(oracle, study_of(settings, Grid(trials=3)))[0] == 3
    assert [tuple(proposal.proposed.values()) for proposal, _ in proposals(oracle)] == [(2, 1), (2, 2), (4, 1)]


@pytest.mark.parametrize("search", [Grid(), Random(trials=5), Bayesian(trials=5), Hyperband()], ids=lambda s: s.name)
def test_a_study_that_searches_nothing_has_one_trial(search):
    assert proposed(dict(epochs=3), search) == [{}]


# Values


CHOICES = {
    "tuples": ((4,), (8, 4), ()),
    "with_none": (None, "max", "average"),
    "booleans": (True, False),
    "mixed": ("relu", 3, 2.5, None, (1, 2), True),
    "numbers": (1, 2.5, 1e-7),
    "integers": (3, 1, 2),
    "quoted": ("it's", 'a "b"', "ä\n"),
}


def builder(*, input_shape, outputs, value=None):
    raise NotImplementedError


@pytest.mark.parametrize("search", [Random(trials=6), Grid()], ids=lambda s: s.name)
@pytest.mark.parametrize("values", CHOICES.values(), ids=CHOICES)
def test_a_choice_comes_back_from_the_store_as_the_study_s_own_value(values, search):
    study = Study(data="toy", model=builder, settings=dict(value=Choice(*values)), search=search)
    model = StudyHyperModel(study, TASK)
    oracle = make_oracle(study, model, objective="val_mse", seed=0)
    found = []
    for proposal, _ in proposals(oracle):
        hp = model.space()
        hp.values = json.loads(json.dumps(proposal.proposed))
        found.append(model.settings(hp)["value"])
    found = [(type(value), value) for value in found]
    assert set(found) == {(type(value), value) for value in values} and len(found) == len(values)
    if search == Grid():
        assert found == [(type(value), value) for value in values]


RANGES = {
    "real": Real(0.25, 0.5),
    "real_log": Real(1e-6, 1e-1, log=True),
    "real_step": Real(0.0, 0.5, step=0.1),
    "real_log_step": Real(1e-9, 1e-3, log=True, step=10),
    "int": Int(-3, 3),
    "int_log": Int(4, 400, log=True),
    "int_step": Int(5, 26, step=5),
    "int_log_step": Int(16, 130, log=True, step=2),
}


@pytest.mark.parametrize("space", RANGES.values(), ids=RANGES)
def test_a_range_is_kept_and_reached_from_end_to_end(space):
    study = Study(data="toy", model=builder, settings=dict(value=space), search=Random(trials=1))
    model = StudyHyperModel(study, TASK)
    oracles = [make_oracle(study, model, objective="val_mse", seed=seed) for seed in range(150)]
    found = [ask(oracle)[0].proposed["value"] for oracle in oracles]
    assert all(space.low <= value <= space.high for value in found)
    assert {type(value) for value in found} == {int if isinstance(space, Int) else float}
    if space.step is not None or (isinstance(space, Int) and not space.log):
        assert sorted(set(found)) == pytest.approx(sorted(space.values), rel=1e-12)
        return
    scale = math.log if space.log else float
    places = [(scale(value) - scale(space.low)) / (scale(space.high) - scale(space.low)) for value in found]
    thirds = Counter(min(int(3 * place), 2) for place in places)
    assert min(places) < 0.05 and max(places) > 0.95 and all(thirds[third] > 30 for third in range(3))


# Hyperband


def brackets(found):
    """{bracket: {round: [(proposal, score), ...]}} of a Hyperband search."""
    rounds = {}
    for proposal, score in found:
        place = rounds.setdefault(proposal.proposed["tuner/bracket"], {})
        place.setdefault(proposal.proposed["tuner/round"], []).append((proposal, score))
    return rounds


def test_a_batch_of_hyperband_is_a_whole_round():
    oracle = oracle_of(MIXED, Hyperband(factor=3))
    sizes = []
    while batch := ask(oracle):
        sizes.append((len(batch), *{(one.epochs, one.initial_epoch) for one in batch}))
        for proposal in reversed(batch):
            tell(oracle, proposal, proposal.number / 99)
    assert sizes == [(9, (1, 0)), (3, (3, 1)), (1, (9, 3)), (5, (3, 0)), (2, (9, 3)), (3, (9, 0))]


def test_hyperband_promotes_the_best_third_of_each_round_for_three_times_as_long():
    found = list(proposals(oracle_of(MIXED, Hyperband(factor=3)), lambda proposal: abs(50.5 - 7 * proposal.number % 100)))
    rounds = brackets(found)
    sizes = {bracket: [len(round_) for round_ in one.values()] for bracket, one in rounds.items()}
    assert sizes == {2: [9, 3, 1], 1: [5, 2], 0: [3]}
    for bracket, one in rounds.items():
        for number, entries in one.items():
            assert {proposal.epochs for proposal, _ in entries} == {9 // 3 ** (bracket - number)}
            assert {proposal.initial_epoch for proposal, _ in entries} == {9 // 3 ** (bracket - number + 1) * (number > 0)}
            if number == 0:
                assert {proposal.parent for proposal, _ in entries} == {None}
                continue
            ranked = sorted(one[number - 1], key=lambda entry: entry[1])
            assert [proposal.parent for proposal, _ in entries] == [best.number for best, _ in ranked[: len(entries)]]


def test_a_promoted_trial_has_the_settings_of_its_parent():
    found = list(proposals(oracle_of(MIXED, Hyperband(factor=3)), lambda proposal: 1 / (1 + proposal.number)))
    promoted = [proposal for proposal, _ in found if proposal.parent is not None]
    assert len(promoted) == 6
    for proposal in promoted:
        parent = found[proposal.parent][0]
        assert {name: parent.proposed[name] for name in parent.proposed if "/" not in name} == {
            name: proposal.proposed[name] for name in proposal.proposed if "/" not in name}  # fmt: skip
        assert proposal.initial_epoch == parent.epochs


@pytest.mark.parametrize("seed", range(3))
def test_hyperband_fills_the_places_of_failed_trials(seed):
    found = list(proposals(oracle_of(MIXED, Hyperband(factor=3), seed)))
    rounds = brackets(found)
    succeeded = {
        bracket: [sum(score is not None for _, score in entries) for entries in one.values()]
        for bracket, one in rounds.items()
    }
    assert len(found) > 23 and [len(one) for one in succeeded.values()] == [3, 2, 1]
    # Each bracket comes to its end with as many trials as if none had failed, apart from the lines that left it.
    assert all(one[-1] == size for one, size in zip(succeeded.values(), (1, 2, 3)))


@pytest.mark.parametrize("failing", [9, 12])
def test_a_promoted_trial_that_fails_is_not_promoted_again_and_its_bracket_ends(failing):
    """Number 9 is the first of the second round, 12 the only one of the third."""
    found = list(proposals(oracle_of(MIXED, Hyperband(factor=3)), lambda p: None if p.number == failing else p.number / 99))
    parents = [proposal.parent for proposal, _ in found if proposal.parent is not None]
    assert len(parents) == len(set(parents))
    last = brackets(found)[2][2]
    assert last[-1][1] is not None and last[-1][0].epochs == 9


def test_hyperband_goes_on_where_its_rounds_hold_more_trials_than_the_space_has_points():
    settings = dict(batch_size=Choice(2, 4, 8, 16), epochs=9)
    found = list(proposals(oracle_of(settings, Hyperband(factor=3)), lambda p: p.proposed["batch_size"] / 16))
    assert [len(one) for bracket in brackets(found).values() for one in bracket.values()] == [9, 3, 1, 5, 2, 3]
    counts = Counter(proposal.proposed["batch_size"] for proposal, _ in found[:8])
    assert set(counts.values()) == {2}, "every point comes once before one comes again"


def test_hyperband_ends_where_every_point_of_the_space_has_failed():
    settings = dict(batch_size=Choice(2, 4, 8, 16), epochs=9)
    assert len(proposed(settings, Hyperband(factor=3), score=lambda proposal: None)) == 4


def test_hyperband_never_repeats_what_has_failed():
    settings = dict(batch_size=Choice(2, 4, 8, 16), epochs=9)
    score = {2: 0.5, 4: None, 8: None, 16: 0.25}
    found = list(proposals(oracle_of(settings, Hyperband(factor=3)), lambda p: score[p.proposed["batch_size"]]))
    assert sum(told is None for _, told in found) == 2 and len(found) == 23 + 2


def test_iterations_are_whole_sweeps_and_trials_ends_hyperband_early():
    study = study_of(MIXED, Hyperband(factor=3, iterations=2))
    oracle = oracle_of(MIXED, study.search)
    assert expected_work(oracle, study) == (46, 2 * sum((9, 6, 6, 15, 12, 27)))
    assert len(list(proposals(oracle, lambda proposal: proposal.number))) == 46
    assert len(proposed(MIXED, Hyperband(trials=4))) == 4


# How much work is expected


@pytest.mark.parametrize("tuner", TUNERS)
def test_without_failures_a_search_has_as_many_trials_as_expected(tuner):
    settings, search = TUNERS[tuner]
    oracle = oracle_of(settings, search)
    trials, epochs = expected_work(oracle, study_of(settings, search))
    found = [proposal for proposal, _ in proposals(oracle, lambda proposal: proposal.number)]
    assert len(found) == trials
    assert epochs == sum((proposal.epochs or 9) - proposal.initial_epoch for proposal in found)


@pytest.mark.parametrize("search", [Random(trials=100), Bayesian(trials=100)], ids=lambda s: s.name)
def test_no_more_trials_are_expected_than_a_small_space_has_points(search):
    study = study_of(SMALL, search)
    assert expected_work(oracle_of(SMALL, search), study) == (9, 18)
