"""The winner in the formats others use, each checked when written and again when loaded.

`export(run, name, Served.of(model, dataset))` writes one and records it, `load_format(run, name)` answers by it,
`load_model(run)` is the Keras model itself. A file that has changed since it was written is refused by its name.
"""

from kerashw.formats.exports import FORMATS, entries, verify
from kerashw.formats.keras_file import load_keras
from kerashw.formats.served import Served
from kerashw.formats.writing import adopt, export, load_format, load_model

__all__ = ["FORMATS", "Served", "adopt", "entries", "export", "load_format", "load_keras", "load_model", "verify"]
