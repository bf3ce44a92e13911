"""A name or a folder becomes a `Dataset`: frozen arrays, names of classes, a hash, stand-in or not.

    >>> data = load("regression", say=lambda line: None)    # has no download, so its stand-in is generated
    >>> data.task, data.item_shape, data.sizes, data.stand_in
    ('regression', (1,), (100, 100), True)
    >>> KNOWN["fashion"].classes[:3]                         # known without loading anything
    ('T-shirt/top', 'Trouser', 'Pullover')

Real data comes from a folder (`load(name, data_dir)`), or from tensorflow-datasets: its prepared copy, else its
download. Importing this package imports neither TensorFlow nor scikit-learn.
"""

from kerashw.datasets.dataset import Dataset, with_samples
from kerashw.datasets.known import KNOWN, Known, describe
from kerashw.datasets.loading import load

__all__ = ["KNOWN", "Dataset", "Known", "describe", "load", "with_samples"]
