"""`python -m kerashw.predict RUN FILE...`: labels and probabilities, or values, for pictures, NPY and CSV files."""

import csv
import json
import sys

import numpy as np

from kerashw.commands import Parser, from_environment, quiet_tensorflow, run, whole
from kerashw.errors import UsageError
from kerashw.items import SUFFIXES, list_files, read_items
from kerashw.run import Run

BATCH = 256  # items answered at once; files are read one after the other, so memory does not grow with their number
EPILOG = f"""files end in {', '.join(SUFFIXES)}. Pictures may have any size; they are turned grey where the
model is, resized, and inverted where their border is light and that of the training images dark, or the reverse.
A file that cannot be read is named and skipped, and the exit code is 1 at the end.
"""


def main(argv):
    """Prints one line for each item."""
    parser = Parser("predict", description=__doc__, epilog=EPILOG)
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as saved_models/mnist")
    parser.add_argument("files", metavar="FILE", nargs="+", help="files, or folders of them")
    parser.add_argument("--top-k", type=whole(1), default=3, metavar="K", help="how many classes (default: 3)")
    parser.add_argument("--format", choices=("table", "csv", "json"), default="table", help="json: a line each")
    options = from_environment(parser).parse_args(argv)
    finished = Run.finished(options.run)
    files = list_files(options.files)
    data = finished.study()["data"]
    quiet_tensorflow()
    from kerashw.export import load_keras

    model = load_keras(finished.keras_file)
    shape = tuple(model.input_shape[1:])
    skipped = []
    write = {"table": write_table, "csv": write_csv, "json": write_json}[options.format]
    write(answers(model, readable(files, shape, data["background"], skipped), data["classes"], options.top_k))
    return 1 if skipped else 0


def readable(files, shape, background, skipped):
    """(file, place in it, item) for all files that can be read; the others are named on stderr and noted."""
    for path in files:
        try:
            items = read_items(path, shape, background=background)
        except UsageError as error:
            print(f"kerashw: skipped: {error}", file=sys.stderr)
            skipped.append(path)
            continue
        for place, item in enumerate(items):
            yield path, place, item


def answers(model, items, classes, top_k):
    """One dict per item: file, item, and label, class and the most probable classes, or y."""
    from kerashw.evaluation import predict, probabilities

    for batch in batched(items):
        outputs = predict(model, np.stack([item for _, _, item in batch]))
        for (path, place, _), output in zip(batch, outputs):
            answer = {"file": str(path), "item": place}
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
        name = row["file"] if not row["file"].lower().endswith((".npy", ".csv")) else f"{row['file']}[{row['item']}]"
        if "y" in row:
            print(f"{name}  {'  '.join(f'{value:.6g}' for value in row['y'])}")
        else:
            print(f"{name}  " + "  ".join(f"{label} {chance:.1%}" for label, chance in row["probabilities"].items()))


if __name__ == "__main__":
    sys.exit(run(main))
