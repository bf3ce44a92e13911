"""What tune tells a person on the terminal: what a run came to, and before it what it would be."""

from kerashw.progress import duration
from kerashw.selection import chosen, in_words
from kerashw.verdict import over_seeds, with_interval


def title(resolved):
    """How progress and summary call the run."""
    return resolved.name if resolved.arm is None else f"{resolved.name}/{resolved.arm}"


def summary(resolved, metrics):
    """The result for a person: winner, scores, where the model is."""
    values = metrics["winner"]
    shown = ", ".join(f"{name}={value:.4g}" if isinstance(value, float) else f"{name}={value}"
                      for name, value in values.items())  # fmt: skip
    shown_tests = ", ".join(f"{name} {text}" for name, text in with_interval(metrics).items())
    published = metrics["published"]
    counts = metrics["trials"]
    failed = "".join(f", {counts[status]} {status}" for status in ("failed", "pruned") if counts[status])
    lines = [
        f"{title(resolved)}: trial {metrics['validation']['trial']} of {sum(counts.values())} won{failed}",
        f"  settings    {shown or 'as declared, nothing was searched'}",
        f"  validation  {metrics['objective']} {metrics['validation']['score']:.4g}",
        f"  test        {shown_tests}",
    ]
    if metrics.get("objectives"):
        lines.insert(1, f"  chosen      {chosen(metrics)} (--winner chooses anew)")
    if found := over_seeds(metrics):
        told = ", ".join(f"{name} {one.mean:.4g} ± {one.deviation:.2g}" for name, one in found.items())
        count, is_ensemble = next(iter(found.values())).count, metrics["refit"].get("networks", 1) > 1
        which = "the networks of the model, each alone" if is_ensemble else "mean and standard deviation of the refits"
        lines.append(f"  {f'{count} seeds':<12}{told} ({which})")
    if metrics["stand_in"]:
        lines.append(f"  STAND-IN    measured on {metrics['data']}: says nothing about the real data")
    elif published:
        lines.append(f"  published   {published['metric']} {published['value']:g} ({published['report']})")
    if metrics.get("baseline"):
        base = metrics["baseline"]
        lines.append(f"  baseline    {base['metric']} {base['value']:.4g} ({base['answer']})")
    lines.append(f"  report      {resolved.run.report_file}")
    if resolved.run.figures.is_dir():
        lines.append(f"  figures     {resolved.run.figures}")
    lines.append(f"  model       {resolved.run.saved_model} (SavedModel), {resolved.run.keras_file}")
    return "\n".join(lines)


def intention(resolved, dataset, expected):
    """The resolved study for a person, with the work and the time that `tuning.estimate` expects of it."""
    study = resolved.study
    settings = ", ".join(f"{name}={value!r}" for name, value in study.settings.items())
    scored = f"{study.folds} folds" if study.folds else f"{study.validation:.0%} held out"
    pruned = ", losers given up by the median" if study.prunes else ""
    front = []
    if study.objectives:
        front = [f"  front     of {in_words(study.objectives)}; the winner: {study.winner or 'knee'}"]
    return "\n".join([
        f"{title(resolved)} would go to {resolved.run.folder}",
        f"  data      {dataset.source}: {len(dataset.x_train):,} training and {len(dataset.x_test):,} test items",
        f"  model     {study.model.__name__}, {expected['parameters']:,} parameters with its first settings",
        f"  settings  {settings}",
        f"  search    {study.search!r}, {scored}, {study.executions} execution(s) each{pruned}",
        *front,
        f"  work      {expected['trials']:,} trials, {expected['epochs']:,} epochs, "
        f"then a refit of up to {expected['refit_epochs']:,} epochs",
        f"  time      about {duration(expected['seconds'])} on this machine, judged by a few batches",
    ])  # fmt: skip
