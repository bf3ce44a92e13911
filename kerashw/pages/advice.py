"""What a run suggests to try next, for its page."""

import shlex

from kerashw.advice import epochs_enough, held_back, idle_units, useless_regularisers, where_the_best_lie
from kerashw.pages.blocks import Code, Notice, Points, section
from kerashw.run import read_json
from kerashw.objectives import OBJECTIVES


def advice(kept):
    """The section that says what to try next, and the command that tries all of it; None where nothing suggests itself."""
    found = advised(kept)
    if not found:
        return None
    points = Points(tuple(one.text for one in found))
    options = [one.options for one in found if one.options]
    if not options or kept.study["arm"]:  # options hold for all arms, and these are advised apart
        return section("advice", "What to try next", points)
    command = " ".join([again(kept), *options])
    return section("advice", "What to try next", points, Notice("All of it at once:"), Code(command))


def again(kept):
    """The command that made a run, for one beside it."""
    words = [word for word in kept.study["command"] if word != "--overwrite"]
    if "--name" in words:
        place = words.index("--name")
        del words[place : place + 2]
    return shlex.join([*words, "--name", f"{kept.run.folder.resolve().name}_next"])


def advised(kept):
    """Every Advice on a finished run; of two on one setting the first."""
    declaration, metrics = kept.study["declaration"], kept.metrics
    direction = OBJECTIVES[metrics["objective"]]
    completed = {trial.number: trial for trial in kept.ended if trial.status == "completed"}
    trials = [kept.scored[number] for number in completed]
    useless = useless_regularisers(kept.spaces, trials, direction)
    left = {name: space for name, space in kept.spaces.items()
            if not any(one.options == f"--set {name}=0" for one in useless)}  # fmt: skip
    won = metrics["validation"]["trial"]
    held = held_back(left, kept.scored[won][0])
    left = {name: space for name, space in left.items() if name not in {one.setting for one in held}}
    found = [*useless, *held]
    if not metrics.get("objectives"):  # the trials of a front are good in ways of their own, and lie apart
        found += where_the_best_lie(left, trials, direction)
    counts_epochs = declaration["score_epoch"] == "best" and "hyperband" not in declaration["search"]
    if counts_epochs and "epochs" not in kept.spaces:
        found += epochs_enough([done.best_epoch for done in completed[won].executions], metrics["settings"]["epochs"])
    return [*found, *idle_units(_inactive(kept.run), metrics["settings"])]


def _inactive(run):
    """{hidden layer: share of its units near zero}, where the figure that shows it has been drawn."""
    file = run.figures / "activation_profiles.json"
    return read_json(file)["numbers"]["inactive"] if file.exists() else {}
