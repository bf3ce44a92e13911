"""Figures as files: a PNG that stays small, and beside it the very numbers it was drawn from, to draw it again."""

import json
import math
import re
import textwrap
from pathlib import Path

import numpy as np

from kerashw.errors import UsageError
from kerashw.run import make_folder, read_json, write_whole

WARNING, REMARK = ("#8B0000", "white", "bold"), ("#EDEFF2", "#333333", "normal")  # a band, its text and weight
LARGEST_PICTURE = 200_000  # bytes
DOTS_PER_INCH = 120
DIGITS = 6  # significant ones that are kept of a float
# An array with more floats than this is kept as whole numbers, in so many steps from its lowest to its highest value.
LARGE_ARRAY, STEPS = 20_000, 9999


def draw(folder, name, figure_function, *, footer=None, remark=None, **numbers):
    """The path of `folder/name.png`, drawn by a function of `kerashw.figures` from numbers; `name.json` has these.

    What is drawn is what the JSON file holds, after its rounding, so `redraw` gives the same picture. The footer, such
    as a warning that the data are a stand-in, stands below the picture on a dark band; a remark, which is no warning, on a
    light one.

    >>> import tempfile
    >>> from kerashw.figures import learning_curves
    >>> path = draw(tempfile.mkdtemp(), "curves", learning_curves, history={"loss": [2.0, 1.0]})
    >>> path.name, redraw(path.with_suffix(".json")).caption
    ('curves.png', 'Training loss was lowest, 1, at epoch 2 of 2.')
    """
    if not re.fullmatch(r"[\w-]+(\.[\w-]+)*", name):
        raise UsageError(f"{name!r} is no name for a figure: use letters, digits, '_', '-' and '.', for its two files.")
    folder = Path(folder)
    make_folder(folder)
    kept = {"figure": figure_function.__name__, "footer": footer, "remark": remark, "numbers": to_json(numbers)}
    figure = _drawn(figure_function, kept)
    kept = {"title": _title(figure), "caption": figure.caption, **kept}
    path = folder / f"{name}.png"
    picture = to_png(figure)
    path.with_suffix(".json").unlink(missing_ok=True)  # of an older picture
    write_whole(path, picture)
    # Last, so that where there are numbers there is a picture of them.
    content = json.dumps(kept, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    write_whole(folder / f"{name}.json", (content + "\n").encode())
    return path


def is_drawn(folder, name):
    """Whether `draw` has brought that figure to its end: each file appears whole, the numbers after the picture."""
    return all((Path(folder) / f"{name}{suffix}").exists() for suffix in (".png", ".json"))


def redraw(path, figure_function=None):
    """The Figure that `draw` drew, from the numbers it left in the JSON file.

    `figure_function` is needed only for a figure that is not one of `kerashw.figures`.
    """
    from kerashw.figures import FIGURES

    kept = read_json(Path(path))
    if not isinstance(kept, dict) or not {"figure", "numbers"} <= set(kept):
        raise UsageError(f"{path}: holds no numbers of a figure; give the .json file that lies beside a figure.")
    function = figure_function or FIGURES.get(kept["figure"])
    if function is None:
        raise UsageError(f"{path}: was drawn by {kept['figure']!r}, which is not one of kerashw.figures; "
                         "give figure_function.")  # fmt: skip
    return _drawn(function, kept)


def to_json(value):
    """The value for strict JSON: floats with 6 digits, None for what is not finite, arrays with dtype and shape.

    >>> to_json({"loss": [0.123456789, float("nan")], "counts": np.array([[1, 2]])})
    {'loss': [0.123457, None], 'counts': {'dtype': 'int64', 'shape': [1, 2], 'values': [[1, 2]]}}
    """
    if isinstance(value, dict):
        wrong = [key for key in value if not isinstance(key, str)]
        if wrong:
            raise UsageError(f"numbers of a figure have names, got the key {wrong[0]!r}: use str({wrong[0]!r}).")
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "biuf":
        return _array_to_json(value)
    if isinstance(value, (np.ndarray, np.generic)):
        return to_json(value.tolist())
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return _rounded(value)
    raise UsageError(f"numbers of a figure are numbers, text, lists, dicts and arrays, got {type(value).__name__}.")


def from_json(value):
    """The inverse of `to_json`, but for what was rounded; lists stay lists, with None in them."""
    if isinstance(value, list):
        return [from_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if not {"dtype", "shape", "values"} <= set(value):
        return {key: from_json(item) for key, item in value.items()}
    if "low" in value:
        steps = np.array(value["values"], dtype=float).reshape(value["shape"])  # None becomes NaN
        return (value["low"] + steps * (value["high"] - value["low"]) / STEPS).astype(value["dtype"])
    return np.array(value["values"], dtype=value["dtype"]).reshape(value["shape"])


def to_png(figure):
    """A Figure as the bytes of a PNG below 200 kB, which carries title and caption.

    A picture that is larger loses colours first, down to a palette of 256, then dots.
    """
    from PIL import Image, PngImagePlugin

    about = PngImagePlugin.PngInfo()
    texts = {"Title": _title(figure), "Description": getattr(figure, "caption", ""), "Software": "kerashw"}
    for key, text in texts.items():
        about.add_itxt(key, text)
    dots = DOTS_PER_INCH
    while True:
        picture = Image.fromarray(_pixels(figure, dots))
        for colours in (None, 256, 64):
            image = picture if colours is None else picture.quantize(colours, dither=Image.Dither.NONE)
            content = _saved(image, about, dots)
            if len(content) < LARGEST_PICTURE:
                return content
        dots *= 0.8


def _pixels(figure, dots):
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    figure.set_dpi(dots)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _saved(image, about, dots):
    import io

    content = io.BytesIO()
    image.save(content, format="png", pnginfo=about, dpi=(dots, dots))
    return content.getvalue()


def _drawn(figure_function, kept):
    figure = figure_function(**from_json(kept["numbers"]))
    footer, remark = kept.get("footer"), kept.get("remark")
    if footer or remark:
        _add_band(figure, " ".join(filter(None, (footer, remark))), *(WARNING if footer else REMARK))
    return figure


def _add_band(figure, text, face, color, weight):
    """The figure grows by a band at its bottom with the text; what was drawn stays above it."""
    from matplotlib.patches import Rectangle

    width, height = figure.get_size_inches()
    lines = textwrap.wrap(str(text).replace("$", r"\$"), int(width * 10))
    band = 0.17 + 0.17 * len(lines)  # inches
    figure.set_size_inches(width, height + band)
    share = band / (height + band)
    taken = share
    for legend in figure.legends:  # the layout knows them at the edge of the figure only, so they are placed here
        figure.draw_without_rendering()
        taken += (legend.get_window_extent().height / figure.dpi + 0.1) / (height + band)
        legend.set_bbox_to_anchor((0, share, 1, 1 - share), transform=figure.transFigure)
    figure.get_layout_engine().set(rect=(0, taken, 1, 1 - taken))
    figure.text(
        0.5, share / 2, "\n".join(lines), ha="center", va="center", color=color, fontweight=weight, fontsize=10
    )
    figure.add_artist(Rectangle((0, 0), 1, share, transform=figure.transFigure, facecolor=face, zorder=-1))
    figure.get_layout_engine().execute(figure)  # drawing does it again: slanted words settle at the second time


def _title(figure):
    from kerashw.figures.style import title_of

    return title_of(figure)


def _array_to_json(array):
    common = {"dtype": str(array.dtype), "shape": list(array.shape)}
    if array.dtype.kind != "f":
        return {**common, "values": array.tolist()}
    known = array[np.isfinite(array)].astype(float)
    if array.size <= LARGE_ARRAY or not known.size:
        return {**common, "values": to_json(array.tolist())}
    low, high = float(known.min()), float(known.max())
    steps = np.round((array.astype(float) - low) / ((high - low) or 1.0) * STEPS)
    return {**common, "low": low, "high": high, "values": _whole(steps)}


def _whole(steps):
    """Nested lists of whole numbers, None for what is not finite."""
    if np.isfinite(steps).all():
        return steps.astype(int).tolist()
    if steps.ndim > 1:
        return [_whole(part) for part in steps]
    return [int(step) if math.isfinite(step) else None for step in steps]


def _rounded(value):
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
