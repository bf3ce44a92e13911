"""The measured rows as a table on the terminal, as JSON, and as a section of the README."""

import json
import textwrap

HEADER = ("what", "kerashw", "peer", "ratio", "target", "met")
WIDTH = 100


def number(value, unit=""):
    """A number as a person reads it: three digits that count.

    >>> number(0.000123456, "s"), number(14532.1, "images/s"), number(None)
    ('0.000123 s', '14,532 images/s', '-')
    """
    if value is None:
        return "-"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".rstrip()


def cells(row):
    """The columns of one plain row, as text."""
    if row["failed"]:
        return (row["what"], "failed", "-", "-", row["target"] or "-", "no")
    peer = number(row["peer"], row["unit"]) + (f" ({row['peer_name']})" if row["peer_name"] else "")
    ratio = "-" if row["ratio"] is None else f"{number(row['ratio'])} x"
    if row["p"] is not None:
        ratio = f"p {number(row['p'])}"
    met = {True: "yes", False: "no", None: "-"}[row["met"]]
    return (row["what"], number(row["ours"], row["unit"]), peer, ratio, row["target"] or "-", met)


def table(rows):
    """The rows in columns, each with its note or its failure below."""
    lines = [HEADER, *map(cells, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADER))]
    told = []
    for line, row in zip(lines, [None, *rows]):
        told.append("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        if row is not None and (row["failed"] or row["note"]):
            told += textwrap.wrap(row["failed"] or row["note"], WIDTH, initial_indent="    ", subsequent_indent="    ")
    return "\n".join(told)


def line(row):
    """One plain row as it is told while others are still measured."""
    what, ours, peer, ratio, target, met = cells(row)
    return f"{what}: {row['failed'] or f'{ours}, peer {peer}, ratio {ratio}, target {target}, met {met}'}"


def save(path, measured):
    """The JSON file of a run."""
    with open(path, "w", encoding="utf-8") as file:
        json.dump(measured, file, indent=2, allow_nan=False)
        file.write("\n")


def read(path):
    """What `save` wrote."""
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def markdown(measured):
    """The README's section: when, where and how it was measured, the table, and the notes below it."""
    machine, software = measured["machine"], measured["software"]
    commit = f", commit {software['git_commit'][:12]}" if software.get("git_commit") else ""
    told = ("python", "tensorflow", "keras", "keras-tuner", "torch", "skorch", "optuna")
    listed = ", ".join(f"{name} {software[name]}" for name in told if software.get(name))
    paragraphs = [
        f"Measured on {measured['date']} on {machine['cores']} cores of {machine['processor']} with "
        f"{number(machine['memory_gb'], 'GB')} of memory ({listed}{commit}) by",
        f"    {measured['command']}",
        "Peers ran in the same command on the same machine. The ratio says how many times better kerashw is; p, how "
        "likely it is that as good a search looks so bad by chance.",
        *([] if measured["real_data"] else ["STAND-INS took the place of the data."]),
    ]
    told, notes = [], []
    for row in measured["rows"]:
        columns = [cell.replace("|", "\\|") for cell in cells(row)]
        note = row["failed"] or row["note"]
        if note and note not in notes:
            notes.append(note)
        if note:
            columns[0] += f" [{notes.index(note) + 1}]"
        told.append(f"| {' | '.join(columns)} |")
    head = [f"| {' | '.join(HEADER)} |", f"|{' --- |' * len(HEADER)}"]
    listed = [f"{place}. {note}" for place, note in enumerate(notes, 1)]
    parts = [*paragraphs, "\n".join(head + told), "\n".join(listed)]
    wrapped = [part if part.startswith(("    ", "|")) else _filled(part) for part in parts if part]
    return "## How fast\n\n" + "\n\n".join(wrapped) + "\n"


def _filled(text):
    return "\n".join(textwrap.fill(line, 118, subsequent_indent="   " if line[:1].isdigit() else "")
                     for line in text.splitlines())  # fmt: skip
