"""What stands behind a difference to a published number, in words computed from the runs; None without them."""

import csv
import itertools
import json
import math
import statistics


def bounded_loss(out):
    """Why the published loss of weights from N(0, 1) is so much smaller than ours: it was bounded for each item."""
    folder = out / "mnist_init" / "normal"
    if not (folder / "history.csv").exists():
        return None
    with open(folder / "history.csv", newline="", encoding="utf-8") as file:
        epochs = list(csv.DictReader(file))
    published = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))["published"]["per_epoch"]
    wrong = [1 - float(row["accuracy"]) for row in epochs]  # while they were trained
    at_end = [(now + after) / 2 for now, after in itertools.pairwise(wrong)]
    ratios = [loss / share for loss, share in zip(published, at_end)]
    middle = statistics.median(ratios)
    return (
        f"The start from N(0, 1) has {float(epochs[0]['loss']):.3g} here in the first epoch and "
        f"{float(epochs[-1]['loss']):.3g} in the last, where the report has {published[0]} and {published[-1]}. Such "
        "weights give logits of hundreds, and an item that is classified wrongly a loss of as much. The published loss "
        f"is, in the middle of the epochs, {middle:.1f} times the share of training items that our net gets wrong at "
        "their end (the mean of an epoch and the next), with quartiles {:.1f} and {:.1f}: as if each wrong item counted "
        "for at most -log(1e-6) = {:.1f}, so as if the report had kept its probabilities from falling below 1e-6. The "
        "learning is the same; the scale is that of the bound."
        .format(*statistics.quantiles(ratios, n=4)[::2], -math.log(1e-6))
    )  # fmt: skip


def unseen(out):
    """What the error of the regression net hangs on: the tables of `benchmarks.gaps`, and what each shows in a sentence."""
    file = out / "regression_gaps.json"
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    intervals = " or ".join(f"between {low:.3g} and {high:.3g}" for low, high in found["gaps"])
    lines = [
        f"{found['inside']} of {found['test_items']} test items lie {intervals}, where there is no training item. What the "
        f"error hangs on (python -m benchmarks.gaps): nets trained on all items, {found['seeds']} seeds for each test mse. "
        "Of each way three columns tell the test mse with its deviation over the seeds, the share of the squared error that "
        "lies in the gaps, and the test mse of the mean of the curves, an ensemble.",
    ]  # fmt: skip
    for winner in found["winners"]:
        lines += ["", *_lengths_and_ways(winner)]
    return "\n".join(lines)


def _lengths_and_ways(winner):
    rows, at = winner["rows"], {(row["way"], row["epochs"]): row for row in winner["rows"]}
    ways, lengths = (list(dict.fromkeys(row[name] for row in rows)) for name in ("way", "epochs"))
    best = min(rows, key=lambda row: statistics.mean(row["mse"]))
    told = {(way, length): f"{_mean_of(row['mse'])} | {100 * row['inside']:.0f} % | {row['together']:.3g}"
            for (way, length), row in at.items()}  # fmt: skip
    return [
        f"{winner['name'][0].upper()}{winner['name'][1:]} ({_listed(winner['settings'])}):",
        "",
        "| epochs | " + " | ".join(f"{way} | in the gaps | of the mean" for way in ways) + " |",
        "| --- |" + " --- |" * (3 * len(ways)),
        *(f"| {length:,} | " + " | ".join(told[way, length] for way in ways) + " |" for length in lengths),
        "",
        f"The best mean is {statistics.mean(best['mse']):.3g}, at {best['epochs']:,} epochs ({best['way']}); single seeds "
        f"lie between {min(min(row['mse']) for row in rows):.3g} and {max(max(row['mse']) for row in rows):.3g}.",
    ]  # fmt: skip


def _mean_of(errors):
    return f"{statistics.mean(errors):.3g} ± {statistics.stdev(errors):.2g}"


def against(study, other, beside=""):
    """Why one study does better than another of the same net: which settings differ, what that came to, and what else
    there is to know.
    """

    def told(out):
        found = [out / name / "metrics.json" for name in (study, other)]
        if not all(file.exists() for file in found):
            return None
        mine, theirs = (json.loads(file.read_text(encoding="utf-8")) for file in found)
        metric = next(iter(mine["test"]))
        return (
            f"Test {metric} {mine['test'][metric]:.4g} where [{other}](#{other}) has {theirs['test'][metric]:.4g}. "
            f"Settings: {_settings(mine)}; there: {_settings(theirs)}. The refit took {_refit(mine)}; there: "
            f"{_refit(theirs)}. {beside}"
        ).strip()

    return told


def _settings(metrics):
    return _listed(metrics["winner"])


def _listed(settings):
    return ", ".join(f"{name} {value:.4g}" if isinstance(value, float) else f"{name} {value}"
                     for name, value in settings.items())  # fmt: skip


def _refit(metrics):
    refit = metrics["refit"]
    averaged = f", its weights averaged over the last {refit['averaged']:,}" if refit["averaged"] > 1 else ""
    networks = refit.get("networks", 1)
    return f"{refit['epochs']:,} epochs{averaged}{f', an ensemble of {networks}' if networks > 1 else ''}"
