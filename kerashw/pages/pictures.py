"""The figures of a folder as pictures of a page: embedded, small, with captions and links, each in its section."""

import base64
import io
import os
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

from kerashw.pages.blocks import Gallery, Picture, section
from kerashw.run import read_json

# The section of a figure by how its name begins; what begins in no such way, or belongs to a section that a page has
# not, is shown in the last one.
SECTIONS = {
    "data": ("data_", "sample_", "augmented_"),
    "search": ("search_", "timeline"),
    "training": ("curves", "arms"),
    "architecture": ("layers", "receptive_fields"),
    "evaluation": ("fit", "residuals", "predictions", "confusion_", "class_", "calibration", "worst_", "arms_fit"),
    "inside": (
        "weights", "dense_weights", "filters", "pixel_weights", "feature_maps", "activation", "strongest_crops",
        "maximal_inputs", "attributions",
    ),
    "checks": ("gradient_check",),
    "results": ("arms_results",),
}  # fmt: skip
FURTHER = "further"
FOLDED = ("layers", "search_table", "arms_results")  # these repeat a table of the page
EFFORT = dict(method=2, quality=50)  # of WebP: more takes five times as long for 3 % less


def section_of(name):
    """The section that a figure belongs to.

    >>> section_of("filters_conv_1"), section_of("arms_loss"), section_of("arms_results"), section_of("something_new")
    ('inside', 'training', 'results', 'further')
    """
    known = [(len(start), place) for place, starts in SECTIONS.items() for start in starts if name.startswith(start)]
    return max(known, default=(0, FURTHER))[1]


def galleries(figures, page_folder, order=()):
    """{section: its galleries} of the figures in a folder, in the order of the names given, then by name."""
    found = {}
    rank = {name: place for place, name in enumerate(order)}
    files = sorted(figures.glob("*.json"), key=lambda file: (_rank(file.stem, rank), file.stem))
    with ThreadPoolExecutor() as pool:  # to compress a picture needs no Python
        for picture in pool.map(lambda file: picture_of(file, page_folder), files):
            found.setdefault(section_of(picture.name), []).append(picture)
    return {place: _parted(pictures) for place, pictures in found.items()}


def picture_of(file, page_folder):
    """The Picture of a figure by the JSON file of its numbers, for a page in a folder."""
    kept = read_json(file)
    path = file.with_suffix(".png")
    content, kind, (width, height) = smallest(path.read_bytes())
    links = [quote(os.path.relpath(one, page_folder).replace(os.sep, "/")) for one in (path, file)]
    uri = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return Picture(file.stem, kept["title"], kept["caption"], uri, width, height, *links)


def smallest(png):
    """A picture as bytes, without loss, in the smaller of its two formats, which that is, and its size in pixels.

    >>> from PIL import Image
    >>> file = io.BytesIO()
    >>> Image.linear_gradient("L").save(file, "png")
    >>> content, kind, size = smallest(file.getvalue())
    >>> kind, size, len(content) < len(file.getvalue())
    ('webp', (256, 256), True)
    """
    from PIL import Image

    image = Image.open(io.BytesIO(png))
    file = io.BytesIO()
    image.convert("RGB").save(file, "webp", lossless=True, **EFFORT)
    if len(file.getvalue()) < len(png):
        return file.getvalue(), "webp", image.size
    return png, "png", image.size


def take(found, place):
    """The galleries of a section, which are then no longer among those found."""
    return found.pop(place, [])


def further(found):
    """The last section: the figures that none before it has taken; None where there are none."""
    left = [gallery for place in list(found) for gallery in take(found, place)]
    return section(FURTHER, "Further figures", *left) if left else None


def _parted(pictures):
    shown = tuple(picture for picture in pictures if picture.name not in FOLDED)
    folded = tuple(picture for picture in pictures if picture.name in FOLDED)
    return [gallery for gallery in (Gallery(shown), Gallery(folded, is_folded=True)) if gallery.pictures]


def _rank(name, rank):
    """The place of the longest name with which this one begins, as filters_conv_1 does with filters."""
    starts = [start for start in rank if name == start or name.startswith(f"{start}_")]
    return rank[max(starts, key=len)] if starts else len(rank)
