"""Where a run comes from: the versions, machine, data and commit that study.json records; and its data, once more."""

import platform
import subprocess
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import numpy as np

from kerashw.errors import UsageError
from kerashw.framing import border_brightness, frame_of
from kerashw.machine import processors

PACKAGES = ("tensorflow", "keras", "keras-tuner", "numpy", "scikit-learn")
POLARITY_SEEN, POLARITY_ALIKE = 2000, 0.95  # images that are looked at, and the share whose borders are to be alike


def origin():
    """What study.json says of the software and the machine."""
    return {"versions": versions(), "hardware": hardware(), "git_commit": git_commit()}


def versions():
    """{package: version} of what decides results."""
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in PACKAGES}}


def hardware():
    """What the machine is, in a few words, and how many of its processors this process may use."""
    return {"machine": platform.machine(), "system": platform.system(), "processors": processors()}


def git_commit():
    """The commit of the checkout that this code runs from; None outside of one."""
    folder = Path(__file__).resolve().parent.parent
    if not (folder / ".git").exists():
        return None
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, timeout=5, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def of_data(dataset):
    """What study.json says of the data: name, source, sizes, names of classes, and how images of it look."""
    frame = frame_of(dataset.x_train) if dataset.x_train.ndim == 3 else None
    return {
        "name": dataset.name,
        "source": dataset.source,
        "stand_in": dataset.stand_in,
        "training_items": len(dataset.x_train),
        "test_items": len(dataset.x_test),
        "item_shape": list(dataset.item_shape),
        "columns": list(dataset.columns),
        "classes": list(dataset.classes),
        # {part: items of each class}
        "class_counts": _class_counts(dataset) if dataset.classes else None,
        # How bright the border of the images is, 0 to 255: `predict` turns pictures of the other polarity over.
        "background": _background(dataset.x_train, frame) if dataset.x_train.ndim > 2 else None,
        # How drawings lie in the images: `predict` brings pictures of other sizes to lie the same.
        "frame": frame and asdict(frame),
    }


def _background(images, frame):
    """None where the borders of some are light and of others dark, as of photographs: these have no polarity."""
    some = images[:: -(-len(images) // POLARITY_SEEN)]
    light = np.mean([border_brightness(one[np.newaxis]) >= 128 for one in some])
    return border_brightness(images) if frame is not None or max(light, 1 - light) >= POLARITY_ALIKE else None


def dataset_of(run, data_dir=None):
    """The data set that a run was made with, loaded again from where it came; a UsageError where it has changed."""
    from kerashw.datasets import load, with_samples
    from kerashw.datasets.standins import stand_in

    study = run.study()
    kept, samples = study["data"], study["declaration"]["samples"]
    place, classes = data_dir or study["data_dir"], tuple(kept["classes"])
    if kept["stand_in"] and not place:  # also where the real data can be had by now
        dataset = stand_in(kept["name"], classes)
    else:
        dataset = load(kept["name"], place, allow_stand_in=kept["stand_in"], classes=classes or None)
    dataset = dataset if samples is None else with_samples(dataset, samples, study["seed"])
    if dataset.digest != study["data_sha256"]:
        raise UsageError(f"{run.folder}: was made with other data than {dataset.source} holds now; name its own data.")
    return replace(dataset, source=kept["source"])


def _class_counts(dataset):
    count = len(dataset.classes)
    return {part: np.bincount(y, minlength=count).tolist()
            for part, y in (("training", dataset.y_train), ("test", dataset.y_test))}  # fmt: skip
