"""`python -m kerashw.predict RUN FILE...`: labels and probabilities, or values, for files of items."""

import csv
import json
import sys

import numpy as np

from kerashw.commands import Parser, quiet_tensorflow, run, whole
from kerashw.errors import UsageError
from kerashw.framing import Frame
from kerashw.items import read_pieces
from kerashw.results import Results
from kerashw.run import Run
from kerashw.sources import KNOWN, find_sources, kind_of

BATCH = 256  # items answered at once; files are read one after the other, so memory does not grow with their number
EPILOG = f"""Files end in {KNOWN}; - is one such file on standard input, of a
kind seen from its first bytes, CSV if of no other. Names of files come from elsewhere by xargs:
  find scans -name '*.png' -print0 | xargs -0 python -m kerashw.predict saved_models/mnist --format json

A picture may have any size and polarity. It is turned upright and grey, where the model is grey; one with a light
border is inverted where the training images are dark, and the reverse, but for photographs, whose borders are of both
kinds. One that has the model's size already is taken so. Of any other size, it depends on the training images
(study.json, data.frame). Where all of them are drawings of one size on plain paper, as in MNIST and Fashion-MNIST,
the drawing is cut out of the picture, fitted into the box that theirs fill (20x20 and 28x28) with its proportions
kept, given their full contrast, and placed where theirs lie: by its centre of mass (MNIST) or by the middle of its
box (Fashion-MNIST), whichever varies less among them. Elsewhere the picture is resized as a whole.

A file that cannot be read is named and skipped, and the exit code is 1 at the end. Files are read 256 items at a time:
of a file with a wrong item those before its 256 are answered. A name that leads nowhere ends the command before anything
is answered.
"""


def main(argv):
    """Prints one line for each item."""
    parser = Parser("predict", description=__doc__, epilog=EPILOG)
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as saved_models/mnist")
    parser.add_argument("files", metavar="FILE", nargs="+", help="files, folders of them, or -")
    parser.add_argument("--top-k", type=whole(1), default=3, metavar="K", help="how many classes (default: 3)")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="json: a line each")
    options = parser.parse_args(argv)
    finished = Run.finished(options.run)
    sources = find_sources(options.files)
    data = finished.study()["data"]
    quiet_tensorflow()
    model = Results(finished.folder).model
    frame = data.get("frame")  # runs made before frames were recorded have none
    like = {"background": data["background"], "frame": Frame(**frame) if frame else None,
            "columns": tuple(data.get("columns", ()))}  # fmt: skip
    skipped = []
    write = {"table": write_table, "csv": write_csv, "json": write_json}[options.format]
    items = readable(sources, tuple(model.input_shape[1:]), skipped, **like)
    write(answers(model, items, data["classes"], options.top_k))
    return 1 if skipped else 0


def readable(sources, shape, skipped, **like):
    """(name, place in it, item) for all that can be read; what cannot is named on stderr and noted.

    `like` tells of the data the model was trained on, as `read_pieces` takes it.
    """
    for source in sources:
        place = 0
        try:
            for piece in read_pieces(source, shape, **like):
                for item in piece:
                    yield source.name, place, item
                    place += 1
        except UsageError as error:
            print(f"kerashw: skipped: {error}", file=sys.stderr)
            skipped.append(source.name)


def answers(model, items, classes, top_k):
    """One dict per item: file, item, and label, class and the most probable classes, or y."""
    from kerashw.evaluation import predict, probabilities

    for batch in batched(items):
        outputs = predict(model, np.stack([item for _, _, item in batch]))
        for (name, place, _), output in zip(batch, outputs):
            answer = {"file": name, "item": place}
            if not classes:
                yield {**answer, "y": [float(value) for value in output]}
                continue
            chances = probabilities(output.astype("float64"))
            order = np.argsort(-chances, kind="stable")[:top_k]
            yield {
                **answer,
                "label": classes[order[0]],
                "class": int(order[0]),
                "probabilities": {classes[place]: float(chances[place]) for place in order},
            }


def batched(items):
    """Lists of at most BATCH."""
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def write_json(rows):
    """A line of JSON for each item."""
    for row in rows:
        print(json.dumps(row, ensure_ascii=False, allow_nan=False))


def write_csv(rows):
    """CSV with a header."""
    writer = None
    for row in rows:
        row = {**{key: value for key, value in row.items() if key not in ("probabilities", "y")}, **_numbered(row)}
        if writer is None:
            writer = csv.DictWriter(sys.stdout, row, lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


def _numbered(row):
    if "y" in row:
        return {f"y_{place}" if len(row["y"]) > 1 else "y": value for place, value in enumerate(row["y"])}
    top = row["probabilities"].items()
    return {key: value for place, (label, chance) in enumerate(top, 1)
            for key, value in ((f"label_{place}", label), (f"probability_{place}", round(chance, 6)))}  # fmt: skip


def write_table(rows):
    """A line of text for each item."""
    for row in rows:
        name = row["file"] if kind_of(row["file"]) == "picture" else f"{row['file']}[{row['item']}]"
        if "y" in row:
            print(f"{name}  {'  '.join(f'{value:.6g}' for value in row['y'])}")
        else:
            print(f"{name}  " + "  ".join(f"{label} {chance:.1%}" for label, chance in row["probabilities"].items()))


if __name__ == "__main__":
    sys.exit(run(main))
