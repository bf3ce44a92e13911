"""exports.json: of each format of a run its files with their SHA-256, and how near its answers are to Keras's."""

import hashlib

from kerashw.errors import Damaged, WorkError
from kerashw.run import read_json, write_json

FORMATS = ("savedmodel", "keras", "litert", "onnx")


def place_of(run, name):
    """Where a format lies in a run.

    >>> from kerashw.run import Run
    >>> place_of(Run("saved_models/mnist"), "litert").as_posix()
    'saved_models/mnist/model.tflite'
    """
    places = (run.saved_model, run.keras_file, run.litert_file, run.onnx_file)
    return dict(zip(FORMATS, places))[name]


def entries(run):
    """{format: what is kept of it}; nothing for a run that was made before such things were kept."""
    return read_json(run.exports_file) if run.exports_file.exists() else {}


def entry_of(run, name, written, *, difference, compared):
    """What is kept of a format that has been written aside, to `written`, and found right."""
    place = place_of(run, name).relative_to(run.folder)
    files = files_in(written)
    return {
        "path": place.as_posix(),
        "largest_difference": difference,
        "items_compared": compared,
        "bytes": sum(path.stat().st_size for path in files.values()),
        "sha256": {(place / inner).as_posix(): digest(path) for inner, path in files.items()},
    }


def keep(run, name, entry):
    """exports.json with that entry in the place of an older one."""
    kept = {**entries(run), name: entry}
    write_json(run.exports_file, {name: kept[name] for name in FORMATS if name in kept})


def verify(run, name):
    """Nothing, where the files of a format are those that were written; a WorkError names the first that is not."""
    try:
        recorded = entries(run)[name]["sha256"]
        expected = {run.folder / path: digest for path, digest in recorded.items()}
    except KeyError:
        raise WorkError(_unknown(run, name)) from None
    except (AttributeError, TypeError):
        raise Damaged(
            f"{run.exports_file}: is no record of exports; restore it, or repeat the tune command, which trains the model "
            "anew, or start anew with --overwrite."
        ) from None
    place = place_of(run, name)
    found = {place / inner: path for inner, path in files_in(place).items()}
    for path in sorted({*expected, *found}):
        if path not in found:
            raise Damaged(f"{path}: is missing; {_cure(run, name)}.")
        if path not in expected:
            raise Damaged(f"{path}: was not there when {place} was written; {_cure(run, name)}.")
        if digest(path) != expected[path]:
            raise Damaged(
                f"{path}: has changed since it was written (SHA-256 {digest(path)[:12]}..., expected "
                f"{str(expected[path])[:12]}...); {_cure(run, name)}."
            )


def files_in(place):
    """{path within `place`: path} of all files of a folder, or the one file itself; nothing where there is none."""
    if place.is_dir():
        return {path.relative_to(place): path for path in sorted(place.rglob("*")) if not path.is_dir()}
    return {"": place} if place.exists() else {}


def digest(path):
    """The SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unknown(run, name):
    place, command = place_of(run, name), f"`python -m kerashw.export {run.folder} --format {name}`"
    if not place.exists():
        return f"{place}: there is none; {command} makes it."
    unknown = f"{place}: cannot be verified, as {run.exports_file.name} has no SHA-256 of it"
    if name == "keras":
        return f"{unknown} (runs of earlier versions have none); if you trust it, {command} records it as it is."
    return f"{unknown}; {command} writes it anew."


def _cure(run, name):
    if name == "keras":  # all other formats are made from it
        return "restore it, or repeat the tune command, which trains it anew, or start anew with --overwrite"
    return f"`python -m kerashw.export {run.folder} --format {name}` writes it anew"
