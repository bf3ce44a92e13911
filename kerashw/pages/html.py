"""A Page as one HTML file that needs no other and no network."""

from kerashw.run import write_whole


def write(page, path):
    """The file at `path` shows the page; it appears there whole or not at all."""
    write_whole(path, html(page).encode())
    return path


def html(page):
    """The page as HTML; all text is escaped.

    >>> from kerashw.pages.blocks import Notice, Page, section
    >>> text = html(Page("mnist", "a <small> run", None, (section("verdict", "Verdict", Notice("It won.")),)))
    >>> "a &lt;small&gt; run" in text, '<section id="verdict">' in text
    (True, True)
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("kerashw.pages"), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("page.html").render(page=page)
