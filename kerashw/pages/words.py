"""Settings in words: what was asked of one, and what was chosen."""

from kerashw.figures.style import counted, number, shown

RANGES = ("real", "int")  # as study.json names what may vary, beside "choice"


def is_searched(value):
    """Whether a setting of study.json varies, or a part of it does.

    >>> is_searched([64, {"choice": [16, 32]}]), is_searched({"augment": {"rotation": 20}})
    (True, False)
    """
    parts = value if isinstance(value, list) else [value]
    return any(isinstance(part, dict) and next(iter(part), None) in ("choice", *RANGES) for part in parts)


def in_words(value):
    """A value of study.json or metrics.json as a reader wants it: a range, choices, or what it is.

    >>> in_words({"real": {"low": 0.001, "high": 0.1, "log": True, "step": None}}), in_words({"choice": [8, [8, 4]]})
    ('0.001 to 0.1, logarithmic', '8 | (8, 4)')
    >>> in_words([64, {"choice": [16, 32]}]), in_words({"augment": {"rotation": 20, "zoom": 0}}), in_words(None)
    ('(64, 16 | 32)', 'augment: rotation 20', 'none')
    """
    if isinstance(value, list):
        return f"({', '.join(map(in_words, value))})"
    if not isinstance(value, dict):
        return shown(value)
    kind, inner = next(iter(value.items()), (None, None))
    if kind == "choice":
        return " | ".join(map(in_words, inner))
    if kind in RANGES:
        step = f", in steps of {number(inner['step'])}" if inner["step"] else ""
        whole = "whole numbers " if kind == "int" else ""
        return f"{whole}{shown(inner['low'])} to {shown(inner['high'])}{', logarithmic' if inner['log'] else ''}{step}"
    if len(value) == 1 and isinstance(inner, dict):  # an object such as Augment: what it leaves as it is says nothing
        told = ", ".join(f"{name.replace('_', ' ')} {in_words(one)}" for name, one in inner.items() if one)
        return f"{kind}: {told}" if told else kind
    return ", ".join(f"{name} {in_words(one)}" for name, one in value.items())


def length_of(refit):
    """How long a refit was, as metrics.json tells of it.

    >>> length_of({"epochs": 1500}), length_of({"epochs": 256, "planned": 1500})
    ('1,500 epochs', '256 of 1,500 epochs (the time budget ended it)')
    """
    if refit.get("planned"):
        return f"{refit['epochs']:,} of {counted(refit['planned'], 'epoch')} (the time budget ended it)"
    return counted(refit["epochs"], "epoch")


def weights_of(refit):
    """Which weights a refit ended with, as metrics.json tells of it.

    >>> weights_of({"best_epoch": 1500, "averaged": 1}), weights_of({"best_epoch": 1500, "averaged": 400})
    ('those of epoch 1,500', 'the mean of those after the last 400 epochs')
    >>> weights_of({"best_epoch": 20, "networks": 4})
    'those of epoch 20; the model is 4 networks, trained so with a seed each, and answers with the mean of their answers'
    """
    averaged, networks = refit.get("averaged", 1), refit.get("networks", 1)
    told = f"the mean of those after the last {averaged:,} epochs" if averaged > 1 else f"those of epoch {refit['best_epoch']:,}"
    if networks == 1:
        return told
    return f"{told}; the model is {networks} networks, trained so with a seed each, and answers with the mean of their answers"
