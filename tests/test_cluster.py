"""Trials on the nodes of a Ray cluster: found as one process finds them, whatever dies, joins or is asked for."""

import contextlib
import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cloudpickle
import numpy as np
import pytest
from workers_driver import flown, found, nothing, reckoned

import kerashw.cluster
from kerashw.bundles import MOST, TOGETHER
from kerashw.cluster import Cluster, check_answers
from kerashw.crew import Crew
from kerashw.errors import UsageError, WorkError
from kerashw.job import Common
from kerashw.models import linear
from tuning.flight import AGAIN

CHECKOUT = Path(__file__).parent.parent
NO_TASK = Common(linear, None, [], "val_mse", "best", parameters=None, keep_last=False)
STUDY = '''"""A line."""

from kerashw.models import mlp
from kerashw.space import Choice, Random
from kerashw.study import Study

STUDY = Study(data="points", model=mlp, search=Random(trials=4), together=False, settings=dict(
    hidden=(2,), learning_rate=Choice(0.001, 0.01, 0.1, 0.2), batch_size=8, epochs=3))
'''
cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers do not find the tests


@pytest.fixture(scope="module", autouse=True)
def token():
    """Every Ray of these tests asks for a token of its own, and leaves none in a person's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", "0123456789abcdef" * 2)
        patch.setenv("PYTHONPATH", str(CHECKOUT))
        yield


@pytest.fixture(scope="module")
def nodes():
    """A simulated cluster: a head that trains nothing, to which nodes can be added."""
    from ray.cluster_utils import Cluster as Nodes

    quick = dict(health_check_initial_delay_ms=0, health_check_period_ms=200, health_check_failure_threshold=5)
    handler = signal.getsignal(signal.SIGTERM)
    simulated = Nodes(initialize_head=True, head_node_args=dict(num_cpus=0, _system_config=quick))
    signal.signal(signal.SIGTERM, handler)
    yield simulated
    simulated.shutdown()


@contextlib.contextmanager
def node(nodes, **has):
    """A node of the cluster that is there for one test, and may be gone before its end."""
    one = nodes.add_node(**has)
    try:
        yield one
    finally:
        if one in nodes.worker_nodes:
            nodes.remove_node(one, allow_graceful=False)


def doing(nodes, do, **options):
    return Cluster(nodes.address, NO_TASK, do=do, begin=nothing, **options)


class Here:
    """A worker that is this very process."""

    def __init__(self, common):
        self.common, self.waiting = common, []

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass

    def free(self):
        return 1 - len(self.waiting)

    def submit(self, name, job):
        self.waiting.append((name, job))

    def next(self):
        name, job = self.waiting.pop()
        return name, reckoned(self.common, job)


def results(folder):
    """{trial: (proposed, status, score)}."""
    return {number: (trial.proposed, trial.status, trial.score) for number, trial in found(folder)[0].items()}


def children(name):
    """The processes that this one has started and that have that in their command line."""
    told = subprocess.run(["ps", "-o", "args=", "--ppid", str(os.getpid())], capture_output=True, text=True).stdout
    return [line for line in told.splitlines() if name in line]


def test_a_ray_of_this_machine_finds_what_one_process_finds_and_leaves_nothing_behind(tmp_path, capfd):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    flown(tmp_path / "ray", "random", 8, lambda common: Cluster("local", common, do=reckoned, begin=nothing))
    flown(tmp_path / "here", "random", 8, Here)
    assert results(tmp_path / "ray") == results(tmp_path / "here")
    assert len(results(tmp_path / "ray")) == 8
    assert not children("ray") and handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert capfd.readouterr() == ("", "")


def test_an_address_where_nothing_listens_is_refused_at_once():
    with pytest.raises(WorkError, match=r"^--ray 127.0.0.1:9: nothing answers there \(.*refused\); .*--ray local"):
        check_answers("127.0.0.1:9")


@pytest.mark.parametrize("asked, message", [
    (dict(cpus_per_trial=2.0), "say what trials take of a Ray cluster: add --ray"),
    (dict(gpus_per_trial=1.0, workers=2), "say what trials take of a Ray cluster: add --ray"),
    (dict(ray="local", gpus_per_trial=1.5), "Ray parts one GPU, or gives whole ones"),
])  # fmt: skip
def test_a_share_that_no_cluster_could_give_is_refused(asked, message):
    with pytest.raises(UsageError, match=message):
        Crew(**asked)


def test_a_missing_ray_is_said_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})
    monkeypatch.delitem(sys.modules, "ray", raising=False)
    with pytest.raises(UsageError, match=r"--ray needs Ray, not installed here: pip install 'ray>=2\.60,<3'\."):
        Crew(ray="local")


@pytest.mark.slow
@pytest.mark.parametrize("tuner", ["random", "grid"])
def test_nodes_try_the_same_trials_as_one_process(tuner, nodes, tmp_path):
    with node(nodes, num_cpus=2), node(nodes, num_cpus=1):
        flown(tmp_path / "ray", tuner, 20, lambda common: Cluster(nodes.address, common, do=reckoned, begin=nothing))
    flown(tmp_path / "here", tuner, 20, Here)
    assert results(tmp_path / "ray") == results(tmp_path / "here")


def slept_then_told(common, job):
    time.sleep(job)
    import ray

    return ray.get_runtime_context().get_node_id(), os.getpid(), os.environ["OMP_NUM_THREADS"]


@pytest.mark.slow
def test_trials_take_what_they_are_given_of_a_node(nodes):
    with node(nodes, num_cpus=4), node(nodes, num_cpus=3, num_gpus=1):
        for options, free, threads in [
            (dict(cpus=2), 3, "2"), (dict(cpus=0.5), 14, "1"), (dict(cpus=1, gpus=0.5), 2, "1"), (dict(most=5), 5, "1"),
        ]:  # fmt: skip
            with doing(nodes, slept_then_told, **options) as workers:
                assert workers.free() == free
                for name in range(free):
                    workers.submit(name, 0.0)
                assert workers.free() == 0
                told = dict(workers.next() for _ in range(free))
            assert sorted(told) == [*range(free)] and {outcome[2] for outcome in told.values()} == {threads}


@pytest.mark.slow
def test_a_worker_is_made_ready_once_and_does_one_job_after_the_other(nodes):
    with node(nodes, num_cpus=1), doing(nodes, slept_then_told) as workers:
        told = []
        for name in range(5):
            workers.submit(name, 0.0)
            told.append(workers.next()[1])
    assert len({pid for _, pid, _ in told}) == 1


def killed(common, job):
    if job:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.slow
def test_a_worker_that_dies_takes_its_own_job_with_it_and_no_other(nodes, capfd):
    with node(nodes, num_cpus=2), doing(nodes, killed) as workers:
        for name, dies in enumerate([True, False, False]):
            workers.submit(name, dies)
        ended = dict(workers.next() for _ in range(3))
        assert ended == {0: None, 1: None, 2: None}
        workers.submit("again", False)
        assert workers.next() == ("again", None)
    assert capfd.readouterr() == ("", "")


def deadly(common, job):
    """Ends its worker where the rate is low."""
    if job.settings["learning_rate"] < 2e-4:
        os.kill(os.getpid(), signal.SIGKILL)
    return reckoned(common, job)


@pytest.mark.slow
@pytest.mark.parametrize("bundled, most", [(False, 2), (True, 2 * MOST)])
def test_short_jobs_go_to_a_worker_several_at_once_where_they_may(bundled, most, nodes):
    with node(nodes, num_cpus=2), doing(nodes, slept_then_told, bundled=bundled) as workers:
        workers.submit("first", 0.0)
        assert workers.next()[0] == "first"
        assert workers.free() == most
        for name in range(most):
            workers.submit(name, 0.0)
        assert workers.free() == 0
        told = dict(workers.next() for _ in range(most))
        assert sorted(told) == [*range(most)] and len({pid for _, pid, _ in told.values()}) == 2
        workers.submit("long", 1.0)
        assert workers.next()[0] == "long" and workers.free() == 2


@pytest.mark.slow
def test_a_bundle_that_turns_out_long_is_given_back_but_for_what_has_begun(nodes):
    with node(nodes, num_cpus=1), doing(nodes, slept_then_told, bundled=True) as workers:
        workers.submit("short", 0.0)
        assert workers.next()[0] == "short" and workers.free() == MOST
        for name in range(4):
            workers.submit(name, 2 * TOGETHER)
        assert workers.next()[0] == 0
        assert workers.free() == 1 - 3, "the other three wait for whoever is free"
        assert [workers.next()[0] for _ in range(3)] == [1, 2, 3]


def done_unless_deadly(common, job):
    """Ends its worker where the job says so."""
    killed(common, job)
    return "done"


@pytest.mark.slow
def test_jobs_whose_bundle_lost_its_worker_go_alone_so_that_the_guilty_one_is_found(nodes):
    with node(nodes, num_cpus=1), doing(nodes, done_unless_deadly, bundled=True) as workers:
        workers.submit("first", False)
        assert workers.next() == ("first", "done") and workers.free() == MOST
        jobs = {name: name == 2 for name in range(4)}
        for name, dies in jobs.items():
            workers.submit(name, dies)
        assert [workers.next() for _ in jobs] == [(name, None) for name in jobs]
        for name, dies in jobs.items():
            workers.submit(name, dies)
        assert dict(workers.next() for _ in jobs) == {0: "done", 1: "done", 2: None, 3: "done"}


@pytest.mark.slow
def test_a_trial_that_kills_its_worker_is_tried_twice_more_and_then_recorded_as_killed(nodes, tmp_path):
    with node(nodes, num_cpus=2):
        flown(tmp_path / "run", "grid", 12, lambda common: Cluster(nodes.address, common, do=deadly, begin=nothing))
    trials, _ = found(tmp_path / "run")
    bad = [trial for trial in trials.values() if trial.proposed["learning_rate"] < 2e-4]
    assert len(trials) == 12 and 0 < len(bad) < 12
    for trial in trials.values():
        expected = ("failed", "killed", AGAIN + 1) if trial in bad else ("completed", None, None)
        assert (trial.status, trial.reason, trial.attempts) == expected, trial


@pytest.mark.slow
def test_a_node_that_is_removed_gives_its_jobs_back(nodes):
    with node(nodes, num_cpus=2) as lost, node(nodes, num_cpus=1), doing(nodes, slept_then_told) as workers:
        for name in range(3):
            workers.submit(name, 8.0)
        time.sleep(2.0)  # all are at it
        nodes.remove_node(lost, allow_graceful=False)
        ended = dict(workers.next() for _ in range(3))
        assert sum(outcome is None for outcome in ended.values()) == 2
        time.sleep(2 * kerashw.cluster.LOOK_EVERY)
        assert workers.free() == 1


@pytest.mark.slow
def test_a_node_that_joins_is_used_while_the_others_are_busy(nodes):
    with node(nodes, num_cpus=1), doing(nodes, slept_then_told) as workers:
        workers.submit("long", 12.0)
        assert workers.free() == 0
        with node(nodes, num_cpus=2):
            assert workers.next() is None
            assert workers.free() == 2
            workers.submit("short", 0.0)
            name, (where, *_) = workers.next()
            assert name == "short"
            assert workers.next()[1][0] != where


@pytest.mark.slow
@pytest.mark.parametrize("asked, told", [
    (dict(cpus=3), r"no node of the cluster has 3 CPU\(s\), as --cpus-per-trial"),
    (dict(cpus=1, gpus=0.5), r"no node of the cluster has 1 CPU\(s\) and 0.5 GPU\(s\), as"),
])  # fmt: skip
def test_what_no_node_can_give_is_refused_not_waited_for(asked, told, nodes):
    with node(nodes, num_cpus=2), node(nodes, num_cpus=2):
        with pytest.raises(UsageError, match=told), doing(nodes, slept_then_told, **asked):
            pass


@pytest.mark.slow
def test_a_cluster_that_stays_without_nodes_ends_the_search(nodes, monkeypatch):
    monkeypatch.setattr(kerashw.cluster, "NODES_BACK_WITHIN", 2.0)
    with node(nodes, num_cpus=1) as last, doing(nodes, slept_then_told) as workers:
        workers.submit("lost", 60.0)
        time.sleep(1.0)
        nodes.remove_node(last, allow_graceful=False)
        with pytest.raises(WorkError, match="for 2 s; all that is finished is kept: repeat the command when nodes are"):
            while True:  # a search tries what was lost again
                name, outcome = workers.next()
                assert (name, outcome) == ("lost", None)
                workers.submit(name, 0.0)


def unready():
    raise ImportError("no module named kerashw")


@pytest.mark.slow
def test_a_node_without_kerashw_is_said_in_one_line(nodes):
    with node(nodes, num_cpus=1), Cluster(nodes.address, NO_TASK, do=nothing, begin=unready) as workers:
        workers.submit(0, None)
        with pytest.raises(WorkError, match="could not begin .*no module named kerashw.*installed on every node"):
            workers.next()


def tuned(folder, *options, **environment):
    """The finished command."""
    return subprocess.run(command(folder, *options), env={**os.environ, **environment}, capture_output=True, text=True)


def command(folder, *options):
    return [sys.executable, "-m", "kerashw.tune", "--task", str(folder / "line.py"), "--data-dir", str(folder),
            "--out", str(folder), "--no-figures", "-q", *options]  # fmt: skip


def rows(run):
    """trials.csv without what differs from run to run."""
    with open(run / "trials.csv", newline="") as file:
        return [{name: cell for name, cell in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture
def line(tmp_path):
    """A folder with a study and its data."""
    (tmp_path / "line.py").write_text(STUDY)
    for file in ("train_data.csv", "test_data.csv"):
        (tmp_path / file).write_text("x,y\n" + "".join(f"{x},{2 * x}\n" for x in np.linspace(-1, 1, 24).tolist()))
    return tmp_path


@pytest.mark.slow
def test_a_wrong_token_is_refused_in_one_line(nodes, line):
    with node(nodes, num_cpus=1):
        done = tuned(line, "--ray", nodes.address, RAY_AUTH_TOKEN="f" * 32)
    assert done.returncode == 1
    (told,) = done.stderr.splitlines()
    assert told.startswith(f"kerashw: --ray {nodes.address}: Ray is not to be reached (") and "same token" in told


@pytest.mark.slow
def test_the_command_with_ray_writes_the_trials_of_one_without_and_nothing_else_to_the_terminal(line):
    here, there = tuned(line, "--name", "here"), tuned(line, "--name", "there", "--ray", "local")
    assert (here.returncode, here.stderr) == (there.returncode, there.stderr) == (0, "")
    assert there.stdout == here.stdout.replace("/here/", "/there/")
    assert rows(line / "there") == rows(line / "here")


@pytest.mark.slow
def test_a_command_on_a_cluster_goes_on_where_it_was_killed(nodes, line):
    with node(nodes, num_cpus=1):
        killed = subprocess.Popen(command(line, "--ray", nodes.address), stderr=subprocess.DEVNULL)
        while not done_by(line / "line"):
            assert killed.poll() is None
            time.sleep(0.05)
        killed.kill()
        killed.wait()
        before = done_by(line / "line")
        again = tuned(line, "--ray", nodes.address)
    assert (again.returncode, again.stderr) == (0, "")
    assert tuned(line, "--name", "here").returncode == 0 and rows(line / "line") == rows(line / "here")
    assert 0 < before <= 4 and set(found(line / "line")[1].values()) == {1}


def done_by(run):
    """How many trials of a run have ended."""
    if not (run / "trials.db").exists():
        return 0
    return sum(trial.status != "running" for trial in found(run)[0].values())


@pytest.mark.slow
def test_ctrl_c_ends_a_search_on_a_cluster_with_130_and_its_jobs_with_it(nodes, line):
    with node(nodes, num_cpus=1):
        process = subprocess.Popen(command(line, "--ray", nodes.address), stderr=subprocess.PIPE, text=True)
        while not done_by(line / "line"):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
        assert process.returncode in (130, 0)  # 0 where all had been done
        assert process.returncode == 0 or "interrupted; all that is finished is kept" in told
        with doing(nodes, slept_then_told) as workers:  # the node is free again
            workers.submit(0, 0.0)
            assert workers.next()[0] == 0
