"""What a run came to, for its page: the verdict with its caveats, where it comes from, and what it learnt from."""

import shlex

from kerashw.figures.style import counted, times
from kerashw.pages.blocks import Cell, Code, Facts, Figure, Headline, Notice, Points, section, table
from kerashw.pages.pictures import take
from kerashw.pages.words import in_words
from kerashw.progress import duration
from kerashw.selection import chosen
from kerashw.verdict import ends, over_seeds, short


def verdict(kept):
    """The section that says who won, how well, how sure that is, and what to beware of."""
    metrics, study = kept.metrics, kept.study
    counts = metrics["trials"]
    winner = f"Trial {metrics['validation']['trial']} of {sum(counts.values())} won the search"
    if metrics.get("objectives"):
        winner += f", {chosen(metrics)},"
    known = tuple(caveats(kept))
    won = {name: in_words(value) for name, value in metrics["winner"].items()}
    told = f"{winner} and was trained anew" if sum(counts.values()) > 1 else "Nothing was searched: one training"
    return section(
        "verdict", "Verdict",
        Headline(tuple(_headline(metrics))),
        None if beats_baseline(metrics) else Notice("The model is no better than the baseline.", loud=True),
        Points(known) if known else None,
        Notice(f"{told}{' with these settings.' if won else ' with the settings as declared.'}"),
        Facts(won) if won else None,
        Notice("The command that made it:"),
        Code(shlex.join(study["command"])),
    )  # fmt: skip


def _headline(metrics):
    main = main_metric(metrics)
    value, between = metrics["test"][main], metrics.get("interval")
    rest = ", ".join(f"{name} {other:.4g}" for name, other in metrics["test"].items() if name != main)
    sure = f"{ends(between)}, {between['method']} over {counted(between['items'], 'test item')}. " if between else ""
    yield Figure(f"Test {main.replace('_', ' ')}", short(value), f"{sure}{rest}", leads=True)
    if metrics["published"]:
        yield _published(metrics)
    if main in (found := over_seeds(metrics)):
        seeds = found[main]
        is_ensemble = metrics["refit"].get("networks", 1) > 1
        name = f"Each of {seeds.count} networks" if is_ensemble else f"Over {seeds.count} seeds"
        yield Figure(name, short(seeds.mean), f"± {seeds.deviation:.2g} between trainings of the winner")
    base = metrics.get("baseline")
    if base:
        yield Figure("Baseline", short(base["value"]), f"{base['metric']} of {base['answer']}")
    found = metrics["validation"]
    spread = f"± {found['deviation']:.2g} over folds and executions" if found["deviation"] else "on items held out"
    yield Figure(metrics["objective"].replace("val_", "Validation "), short(found["score"]), spread)
    counts = metrics["trials"]
    yield Figure("Trials", f"{sum(counts.values()):,}", ", ".join(f"{n:,} {status}" for status, n in counts.items()))


def _published(metrics):
    stated, between = metrics["published"], metrics.get("interval")
    note = f"{stated['metric']}, {stated['report']}"
    if metrics["stand_in"]:
        note += "; on the real data, so it cannot be compared"
    elif between and stated["metric"] == f"test_{between['metric']}":
        low, high = between["low"], between["high"]
        where = "above" if stated["value"] > high else "below" if stated["value"] < low else "within"
        note += f"; {where} our interval"
    return Figure("Published", f"{stated['value']:g}", note)


def main_metric(metrics):
    """The test metric that a run is judged by: the first."""
    return next(iter(metrics["test"]))


def beats_baseline(metrics):
    """Whether the model answers better than who always says the same; True where that is not known.

    >>> beats_baseline({"test": {"mse": 2.0}, "baseline": {"metric": "mse", "value": 1.5}})
    False
    """
    base = metrics.get("baseline")
    if not base:
        return True
    own = metrics["test"][base["metric"]]
    return own > base["value"] if base["metric"] == "accuracy" else own < base["value"]


def caveats(kept):
    """What a reader of the result has to know, a sentence each."""
    metrics, study = kept.metrics, kept.study
    counts = metrics["trials"]
    items = study["declaration"]["samples"]
    if items:
        yield f"Made with a sample of {counted(items, 'training item')} (--samples), not with all there are."
    if metrics["published"] and study["preset"] == "quick":
        yield "Made with the preset quick, which may train for less time and try less than the published experiment."
    asked = next(iter(study["declaration"]["search"].values()))["trials"]
    if study["time_budget"] and asked and sum(counts.values()) < asked:
        yield f"The time budget ended the search after {sum(counts.values()):,} of {asked:,} trials."
    refit, wanted = metrics["refit"], study["declaration"].get("refits", 1)
    if study["declaration"].get("ensemble") and refit["networks"] < wanted:
        yield f"The ensemble is made of {refit['networks']} of {wanted} networks: the others diverged or came too late."
    if counts["failed"]:
        yield f"{counted(counts['failed'], 'trial')} failed ({reasons(kept.trials)}); they can never win."
    if counts["pruned"]:
        yield f"{counted(counts['pruned'], 'trial')} {'was' if counts['pruned'] == 1 else 'were'} given up early."
    for text in kept.events["refit"]:
        yield f"The final training began anew with other weights, as it had diverged: {text}."
    for name in dict.fromkeys(text.splitlines()[0] for text in kept.events["figure"]):
        if not (kept.run.figures / f"{name}.json").exists():
            yield f"The figure {name} could not be drawn."


def reasons(trials):
    """Why trials failed, with how often: "diverged: 2, memory: 1"."""
    found = [trial["reason"] for trial in trials if trial["status"] == "failed"]
    return ", ".join(f"{reason}: {found.count(reason)}" for reason in dict.fromkeys(found))


def provenance(kept):
    """The section on what would have to be the same to get the same."""
    study, data = kept.study, kept.study["data"]
    machine = study["hardware"]
    return section(
        "provenance", "Provenance",
        Facts({
            "study": f"{study['study']}{'/' + study['arm'] if study['arm'] else ''}, preset {study['preset']}",
            "seed": f"{study['seed']}",
            "data": f"{data['source']}{' (STAND-IN)' if data['stand_in'] else ''}",
            "items": f"{data['training_items']:,} training, {data['test_items']:,} test",
            "data SHA-256": study["data_sha256"],
            "git commit": study["git_commit"] or "none: not run from a checkout",
            "machine": f"{machine['system']}, {machine['machine']}, {counted(machine['processors'], 'processor')}",
            "versions": ", ".join(f"{name} {version}" for name, version in study["versions"].items()),
            "time": ", ".join(f"{name} {duration(took)}" for name, took in kept.metrics["seconds"].items()
                              if name != "trials"),
        }),
    )  # fmt: skip


def data(kept, found):
    """The section on the items: how many of which class, and what they look like."""
    about, counts = kept.study["data"], kept.study["data"].get("class_counts")
    shape = times(about["item_shape"]) if about.get("item_shape") else ""
    told = f"{about['training_items']:,} training and {about['test_items']:,} test items"
    each = f", each of {shape} value{'' if shape == '1' else 's'}" if shape else ""
    return section(
        "data", "Data",
        Notice(f"{about['name']}: {told}{each}; {_targets(about)}."),
        _balance(about["classes"], counts) if counts else None,
        *take(found, "data"),
    )  # fmt: skip


def _targets(about):
    return f"{len(about['classes'])} classes" if about["classes"] else "the targets are numbers"


def _balance(classes, counts):
    columns = {"class": classes}
    for part, of_part in counts.items():
        total, most = sum(of_part), max(of_part)
        columns[f"{part} items"] = [Cell(f"{count:,}", count, share=count / most) for count in of_part]
        columns[f"share of {part}"] = [Cell(f"{100 * count / total:.1f} %", count / total) for count in of_part]
    return table(columns, is_sortable=True)
