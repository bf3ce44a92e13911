"""What pages are made of: a Page of Sections of blocks, all plain data. The template knows one way to show each kind.

    >>> section("budget", "Budget", Facts({"trials": "20"}), None).blocks
    (Facts(rows={'trials': '20'}),)
"""

import math
from dataclasses import dataclass, replace
from typing import ClassVar

from kerashw.figures.style import number


@dataclass(frozen=True)
class Cell:
    """A field of a table: what is shown, and where there is one the number by which it sorts, a link, a bar.

    `share`, from 0 to 1, is the length of a bar behind the text.
    """

    text: str
    value: float | None = None
    link: str | None = None
    share: float | None = None


@dataclass(frozen=True)
class Notice:
    """A paragraph; a loud one stands out as a warning."""

    text: str
    loud: bool = False
    kind: ClassVar = "notice"


@dataclass(frozen=True)
class Points:
    """Sentences one below the other."""

    texts: tuple
    kind: ClassVar = "points"


@dataclass(frozen=True)
class Figure:
    """A number large enough to be read first: its name, the number as text, and what to hold it against."""

    name: str
    text: str
    note: str = ""
    leads: bool = False


@dataclass(frozen=True)
class Headline:
    """The few numbers that matter, beside each other."""

    figures: tuple
    kind: ClassVar = "headline"


@dataclass(frozen=True)
class Facts:
    """{name: text} as a list."""

    rows: dict
    kind: ClassVar = "facts"


@dataclass(frozen=True)
class Table:
    """Rows of Cells below their headings, and a note above; on paper there are only the first `printed` of them."""

    columns: tuple
    rows: tuple
    note: str = ""
    is_sortable: bool = False
    kind: ClassVar = "table"
    printed: ClassVar = 40  # as in page.css

    @property
    def is_number(self):
        """For each column, whether it holds numbers, which stand to the right."""
        columns = [[row[place] for row in self.rows] for place in range(len(self.columns))]
        return [any(cell.value is not None for cell in cells) and
                all(cell.value is not None or not cell.text for cell in cells) for cells in columns]  # fmt: skip


@dataclass(frozen=True)
class Code:
    """Text to copy as it stands, such as a command."""

    text: str
    kind: ClassVar = "code"


@dataclass(frozen=True)
class Picture:
    """A drawn figure: the whole picture as a data URI, what it shows, and where its PNG and its numbers lie."""

    name: str
    title: str
    caption: str
    source: str
    width: int
    height: int
    png: str
    json: str


@dataclass(frozen=True)
class Gallery:
    """Pictures; folded ones repeat a table of the page and are opened by who wants them."""

    pictures: tuple
    is_folded: bool = False
    kind: ClassVar = "gallery"


@dataclass(frozen=True)
class Section:
    """A part of a page with a heading and an anchor."""

    name: str
    title: str
    blocks: tuple


@dataclass(frozen=True)
class Page:
    """All of a page: its title, what it is about in a line, a warning before everything, and its sections."""

    title: str
    about: str
    warning: str | None
    sections: tuple


def section(name, title, *blocks):
    """A Section of those blocks that there are; None leaves one out."""
    return Section(name, title, tuple(block for block in blocks if block is not None))


def table(columns, *, note="", is_sortable=False):
    """The Table of {heading: values}; a value may be a Cell, a number, text or None.

    >>> table({"layer": ["dense_1"], "parameters": [1280]}).rows
    ((Cell(text='dense_1', value=None, link=None, share=None), Cell(text='1,280', value=1280, link=None, share=None)),)
    """
    rows = zip(*([cell(value) for value in values] for values in columns.values()), strict=True)
    return Table(tuple(columns), tuple(rows), note, is_sortable)


def cell(value, **more):
    """A Cell with the value as a reader wants it."""
    if isinstance(value, Cell):
        return replace(value, **more)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if is_number:
        return Cell(number(value), value, **more)
    return Cell("" if value is None else str(value), **more)
