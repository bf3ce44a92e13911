"""`python -m kerashw.export RUN --format NAME...`: the model of a finished run in another format, checked."""

import sys

from kerashw import interrupts
from kerashw.commands import Parser, folder, quiet_tensorflow, run
from kerashw.errors import UsageError, WorkError
from kerashw.provenance import dataset_of
from kerashw.run import Run

FILES = {"savedmodel": "model/1/", "keras": "model.keras", "litert": "model.tflite", "onnx": "model.onnx"}
EPILOG = f"""formats: {', '.join(f'{name} ({file})' for name, file in FILES.items())}
Each is loaded again and compared with the Keras model on test items before it takes the place of an older one;
exports.json keeps the largest difference, the size and the SHA-256 of every file. The others are made from
model.keras, so keras only checks that file and records it. onnx needs the packages onnx, onnxruntime, tf2onnx.
"""


def main(argv):
    """Prints a line for each format."""
    parser = Parser("export", description=__doc__, epilog=EPILOG)
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as saved_models/mnist")
    parser.add_argument("--format", nargs="+", choices=tuple(FILES), required=True, action="extend", metavar="NAME",
                        help=f"one or more of {', '.join(FILES)}")  # fmt: skip
    parser.add_argument("--data-dir", type=folder, metavar="DIR",
                        help="where the run's data are now (default: where they were)")  # fmt: skip
    options = parser.parse_args(argv)
    finished = Run.finished(options.run)
    if set(options.format) == {"onnx"}:  # else the other formats are made all the same
        from kerashw.formats.onnx import lacking

        if told := lacking():
            raise UsageError(f"{told}.")
    dataset = dataset_of(finished, options.data_dir)
    quiet_tensorflow()
    from kerashw import formats

    failed = False
    with finished.locked():
        known = "keras" in formats.entries(finished)
        if not known and "keras" in options.format:
            print(f"kerashw: {finished.keras_file} has no SHA-256 yet and is taken as it is", file=sys.stderr)
            model = formats.load_keras(finished.keras_file)
        else:
            model = formats.load_model(finished)
        served = formats.Served.of(model, dataset)
        for name in dict.fromkeys(options.format):
            interrupts.check()
            try:
                entry = formats.adopt(finished, served) if name == "keras" else formats.export(finished, name, served)
            except WorkError as error:
                print(f"kerashw: {error}", file=sys.stderr)
                failed = True
                continue
            print(f"{finished.folder / entry['path']}: {entry['bytes'] / 1000:,.0f} kB, differs from Keras by at most "
                  f"{entry['largest_difference']:.2g} on {entry['items_compared']} items")  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(run(main))
