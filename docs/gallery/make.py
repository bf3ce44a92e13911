"""The gallery: the most telling pictures of a few studies on the real data, and the page that shows them.

    python docs/gallery/make.py --data-dir DIR

Every study is run by `python -m kerashw.tune` at its default budget into `--out`; one that is finished there is not run
again. Then the pictures are copied beside this file and README.md is written, with titles and captions from the
records of the runs.
"""

import argparse
import json
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
LARGEST = 3_000_000  # bytes of all pictures

# heading: (study or study/arm, name of the figure) of each picture below it
PICTURES = {
    "What was learnt from": [
        ("mnist", "augmented_samples"), ("fashion", "sample_items"), ("regression", "data_points"),
    ],
    "The search": [
        ("regression", "search_history"), ("regression", "search_slices"), ("regression_cv", "search_parallel"),
        ("regression_cv", "search_importance"), ("regression_cv", "search_timeline"),
    ],
    "The training": [
        ("fashion", "curves_refit"), ("mnist_init", "arms_loss"), ("fashion", "weights"),
    ],
    "The model from within": [
        ("mnist", "filters_conv_1"), ("mnist", "feature_maps_conv_1"), ("mnist", "maximal_inputs_output"),
        ("fashion", "strongest_crops_conv_2"), ("fashion", "attributions"), ("mnist_mlp", "pixel_weights_dense_1"),
        ("regression", "activation_profiles"), ("mnist_gradcheck", "gradient_check"),
    ],
    "Its answers": [
        ("regression", "fit"), ("regression_linear", "arms_fit"), ("fashion", "confusion_matrix"),
        ("fashion", "calibration"), ("mnist", "worst_errors"),
    ],
}  # fmt: skip


def studies():
    """The studies to run, each once.

    >>> studies()[:3]
    ['mnist', 'fashion', 'regression']
    """
    return list(dict.fromkeys(run.partition("/")[0] for some in PICTURES.values() for run, _ in some))


def main(argv=None):
    """Runs what is not finished, then copies and writes."""
    parser = argparse.ArgumentParser("docs/gallery/make.py", description=__doc__.partition("\n")[0])
    parser.add_argument("--data-dir", required=True, help="folder with mnist, fashion-mnist and regression")
    parser.add_argument("--out", type=Path, default=Path("saved_models"), help="where runs go (default: saved_models)")
    options = parser.parse_args(argv)
    for study in studies():
        subprocess.run(
            [sys.executable, "-m", "kerashw.tune", "--task", study, "--data-dir", options.data_dir, "--no-stand-in",
             "--out", str(options.out)],
            check=True, cwd=HERE.parent.parent if not options.out.is_absolute() else None,
        )  # fmt: skip
    out = options.out if options.out.is_absolute() else HERE.parent.parent / options.out
    for old in HERE.glob("*.png"):
        old.unlink()
    page = "\n".join(lines(out))
    (HERE / "README.md").write_text(page, encoding="utf-8")
    size = sum(path.stat().st_size for path in HERE.glob("*.png"))
    print(f"{len(list(HERE.glob('*.png')))} pictures, {size / 1e6:.2f} MB")
    return 0 if size <= LARGEST else f"the pictures take {size:,} bytes, allowed are {LARGEST:,}: show fewer."


def lines(out):
    """The page, line by line; each picture is copied beside it on the way."""
    yield from ("# Gallery", "")
    yield "Pictures from runs of kerashw on the real data, each study at its default budget, all of them made by"
    yield from ("", "    python docs/gallery/make.py --data-dir DIR", "")
    yield "Below each picture stands the caption that its run wrote, and the command that draws it among all the others."
    for heading, pictures in PICTURES.items():
        yield from ("", f"## {heading}")
        for run, figure in pictures:
            told = json.loads((out / run / "figures" / f"{figure}.json").read_text(encoding="utf-8"))
            if told["footer"]:
                raise SystemExit(f"{run}: {told['footer']} The gallery shows real data only.")
            name = f"{run.replace('/', '_')}-{figure}.png"
            shutil.copyfile(out / run / "figures" / f"{figure}.png", HERE / name)
            yield from ("", f"### {told['title']}", "", f"![{told['title']}]({name})", "", told["caption"], "")
            yield f"`python -m kerashw.tune --task {run.partition('/')[0]}`"
    yield from ("", "## The runs", "", "| study | test | trials | seconds |", "| --- | --- | --- | --- |")
    for study in studies():
        for metrics in sorted((out / study).glob("**/metrics.json")):
            yield row(json.loads(metrics.read_text(encoding="utf-8")))
    yield ""


def row(metrics):
    """A run as a row of the table."""
    name = f"{metrics['study']}/{metrics['arm']}" if metrics["arm"] else metrics["study"]
    tested = ", ".join(f"{key} {value:.4g}" for key, value in metrics["test"].items() if isinstance(value, float))
    return f"| `{name}` | {tested} | {sum(metrics['trials'].values())} | {metrics['seconds']['total']:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
