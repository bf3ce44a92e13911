"""`python -m kerashw.evaluate RUN`: metrics of a finished run on its test items, or on the training items."""

import json
import sys
from dataclasses import replace

import numpy as np

from kerashw.commands import Parser, folder, quiet_tensorflow, run
from kerashw.errors import UsageError
from kerashw.provenance import dataset_of
from kerashw.results import Results
from kerashw.run import Run
from kerashw.seeds import derive
from kerashw.verdict import interval, with_interval


def main(argv):
    """Prints the metrics of the run's model."""
    parser = Parser("evaluate", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run's folder, such as saved_models/mnist")
    parser.add_argument("--part", choices=("test", "train"), default="test", help="which items (default: test)")
    parser.add_argument("--data-dir", type=folder, metavar="DIR",
                        help="other data of the same kind (default: the run's own)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(argv)
    finished = Run.finished(options.run)
    dataset = other_data(finished, options.data_dir) if options.data_dir else dataset_of(finished)
    quiet_tensorflow()
    from kerashw import evaluation

    model = Results(finished.folder).model
    check_shapes(model, dataset, finished)
    x, y = (dataset.x_test, dataset.y_test) if options.part == "test" else (dataset.x_train, dataset.y_train)
    asked = dict(outputs=evaluation.predict(model, x), y=y, is_classification=dataset.task == "classification")
    metrics, between = evaluation.metrics(**asked), None
    if options.part == "test":  # of items it has learnt from, a model tells nothing about others
        between = interval(**asked, seed=derive(finished.study()["seed"], "interval"))
    result = {"run": str(finished.folder), "part": options.part, "items": len(x), "data": dataset.source,
              "stand_in": dataset.stand_in, **metrics, "interval": between}  # fmt: skip
    if options.json:
        print(json.dumps(result, indent=2, allow_nan=False))
        return
    told = with_interval({"test": metrics, "interval": between})
    shown = ", ".join(f"{name} {value}" for name, value in told.items())
    print(f"{finished.folder}: {shown} on {len(x):,} {options.part} items of {dataset.source}")


def other_data(finished, data_dir):
    """The data set in another folder, its labels numbered as the run numbers them; a UsageError where it has others."""
    from kerashw.datasets import load
    from kerashw.datasets.tables import check_places

    kept = finished.study()["data"]
    dataset, classes = load(kept["name"], data_dir), tuple(kept["classes"])
    check_places(dataset.source, dataset.columns, tuple(kept.get("columns", ())))
    strange = [name for name in dataset.classes if name not in classes]
    if strange or bool(dataset.classes) != bool(classes):
        raise UsageError(
            f"{finished.folder} {knows(classes)}, but {dataset.source} {knows(strange)}: name data of the same kind."
        )
    if dataset.classes == classes:
        return dataset
    numbers = np.array([classes.index(name) for name in dataset.classes])
    return replace(dataset, y_train=numbers[dataset.y_train], y_test=numbers[dataset.y_test], classes=classes)


def knows(classes):
    """What a run or a data set has to tell, in words."""
    return f"has the classes {', '.join(classes)}" if classes else "has values, no classes"


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
