"""`python -m kerashw.evaluate RUN`: metrics of a finished run on its test items, or on the training items."""

import json
import sys

from kerashw.commands import Parser, folder, from_environment, quiet_tensorflow, run
from kerashw.errors import UsageError
from kerashw.run import Run


def main(argv):
    """Prints the metrics of the run's model."""
    parser = Parser("evaluate", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as saved_models/mnist")
    parser.add_argument("--part", choices=("test", "train"), default="test", help="which items (default: test)")
    parser.add_argument("--data-dir", type=folder, metavar="DIR",
                        help="other data of the same kind (default: the run's own)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = from_environment(parser).parse_args(argv)
    finished = Run.finished(options.run)
    study = finished.study()
    dataset = load_again(study, options.data_dir or study["data_dir"])
    quiet_tensorflow()
    from kerashw import evaluation
    from kerashw.export import load_keras

    model = load_keras(finished.keras_file)
    check_shapes(model, dataset, finished)
    x, y = (dataset.x_test, dataset.y_test) if options.part == "test" else (dataset.x_train, dataset.y_train)
    metrics = evaluation.metrics(
        evaluation.predict(model, x), y, is_classification=dataset.task == "classification"
    )
    result = {"run": str(finished.folder), "part": options.part, "items": len(x), "data": dataset.source,
              "stand_in": dataset.stand_in, **metrics}  # fmt: skip
    if options.json:
        print(json.dumps(result, indent=2, allow_nan=False))
        return
    shown = ", ".join(f"{name} {value:.5g}" for name, value in metrics.items())
    print(f"{finished.folder}: {shown} on {len(x):,} {options.part} items of {dataset.source}")


def load_again(study, data_dir):
    """The data set of a run, whole; a UsageError where a stand-in would take the place of real data."""
    from kerashw.datasets import load

    kept = study["data"]
    return load(kept["name"], data_dir, allow_stand_in=kept["stand_in"], classes=tuple(kept["classes"]) or None)


def check_shapes(model, dataset, finished):
    """Nothing where the model takes such items and gives such answers."""
    takes, gives = tuple(model.input_shape[1:]), model.output_shape[-1]
    outputs = len(dataset.classes) or dataset.y_test.shape[-1]
    if takes != dataset.item_shape or gives != outputs:
        raise UsageError(
            f"{finished.folder} takes items of {takes} and gives {gives} output(s), "
            f"but {dataset.source} has items of {dataset.item_shape} and {outputs}: name data of the same kind."
        )


if __name__ == "__main__":
    sys.exit(run(main))
