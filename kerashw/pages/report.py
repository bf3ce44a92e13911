"""The page of one run: its sections in the order in which a reader asks."""

import shlex

from kerashw.figures.style import counted
from kerashw.pages.advice import advice
from kerashw.pages.blocks import Facts, Notice, Page, section
from kerashw.pages.kept import Kept
from kerashw.pages.model import architecture, checks, export
from kerashw.pages.pictures import further, galleries, take
from kerashw.pages.result import data, provenance, verdict
from kerashw.pages.search import analysis, leaderboard, space
from kerashw.pages.words import length_of, weights_of
from kerashw.pictures import FIGURES


def report(run):
    """The Page of a finished run, from its folder alone."""
    kept = Kept.read(run)
    found = galleries(run.figures, run.folder, FIGURES)
    sections = (
        verdict(kept), provenance(kept), data(kept, found), space(kept), leaderboard(kept), analysis(kept, found),
        advice(kept), training(kept, found), architecture(kept, found), evaluation(kept, found), inside(found),
        checks(kept, found), export(kept), further(found),
    )  # fmt: skip
    study = kept.study
    builder = study["declaration"]["model"].partition("#")[0].rpartition(".")[2]
    count = kept.metrics["refit"].get("networks", 1)
    model = f"{count} networks of {builder}" if count > 1 else builder
    about = f"{model} with {counted(kept.metrics['parameters'], 'parameter')}, tuned on {study['data']['source']}"
    return Page(kept.title, about, kept.warning, tuple(one for one in sections if one is not None))


def training(kept, found):
    """The section on how the loss fell."""
    refit = kept.metrics["refit"]
    told = (
        f"The final training lasted {length_of(refit)} on {counted(refit['items'], 'item')}; "
        f"the weights are {weights_of(refit)}."
    )
    return section("training", "Training", Notice(told), *take(found, "training"))


def evaluation(kept, found):
    """The section on the answers to the test items."""
    facts = Facts({name.replace("_", " "): f"{value:.4g}" for name, value in kept.metrics["test"].items()})
    missing = None
    if not any(kept.run.figures.glob("*.json")):
        again = shlex.join(["python", "-m", "kerashw.report", str(kept.run.folder)])
        missing = Notice(f"No figures have been drawn; `{again}` draws them.")
    return section("evaluation", "Evaluation on the test items", facts, missing, *take(found, "evaluation"))


def inside(found):
    """The section on what the units have learnt; None without figures."""
    return section("inside", "Inside the model", *take(found, "inside")) if "inside" in found else None
