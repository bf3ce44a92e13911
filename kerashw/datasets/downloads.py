"""The real MNIST and Fashion-MNIST by tensorflow-datasets: its prepared copy, else its download."""

import contextlib
import functools
import io
import os
import tempfile
from pathlib import Path
from urllib.parse import urljoin

from kerashw.datasets.known import Known
from kerashw.errors import WorkError

SMALLEST_FILE = "t10k-labels-idx1-ubyte.gz"       # of the four; what the preflight asks for
TIMEOUTS = (5, 20)                                # seconds to connect, and between two packets
LARGEST = 256 * 1024**2                           # bytes of one file, ten times those of the largest there is
RETRIES = 2                                       # of a request; tensorflow-datasets itself makes ten, in 200 s


def prepared_folder() -> Path:
    """Where tensorflow-datasets keeps prepared data: $TFDS_DATA_DIR, else its folder in the home directory."""
    return Path(os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets").expanduser()


def builder_of(known: Known):
    """The builder of tensorflow-datasets, which reads only the local disk until told to download."""
    from tensorflow_datasets.image_classification import mnist

    try:
        return getattr(mnist, known.builder)(data_dir=os.fspath(prepared_folder()))
    except Exception as reason:   # protobuf's, json's or the disk's own, from the description of a prepared copy
        raise WorkError(f"data prepared by tensorflow-datasets for {known.title} in {prepared_folder()} "
                        f"cannot be read ({_one_line(reason)}); remove its folder and run again") from None


def is_prepared(builder) -> bool:
    """Whether a prepared copy is there; the builder's own way to tell logs a warning when it is not."""
    return Path(builder.data_dir, "dataset_info.json").is_file()


def read_prepared(builder) -> dict:
    """The four arrays of a prepared copy, in the order in which tensorflow-datasets stored them."""
    import tensorflow_datasets as tfds

    arrays = {}
    try:
        with _quietly(tfds):
            for split in ("train", "test"):
                batch = tfds.as_numpy(builder.as_dataset(split=split, batch_size=-1, shuffle_files=False))
                arrays[f"x_{split}"], arrays[f"y_{split}"] = batch["image"], batch["label"]
    except Exception as reason:   # TensorFlow's, protobuf's or the disk's own; all mean a damaged copy
        raise WorkError(f"the prepared copy in {builder.data_dir} cannot be read ({_one_line(reason)}); "
                        f"remove it and run again") from None
    return arrays


def download(builder) -> None:
    """Download, verify and prepare the data set, all or nothing; a failure is one WorkError with the reason."""
    import tensorflow_datasets as tfds

    # Checksums are bound to the usual address; bind them to the present one too, so that a mirror is verified.
    checksums = builder.url_infos or {}
    for url, expected in list(checksums.items()):
        checksums.setdefault(urljoin(builder.URL, url.rsplit("/", 1)[-1]), expected)
    config = tfds.download.DownloadConfig(try_download_gcs=False, force_checksums_validation=True)
    try:
        prepared_folder().mkdir(parents=True, exist_ok=True)
        with (tempfile.TemporaryDirectory(prefix="downloads.", dir=prepared_folder(),
                                          ignore_cleanup_errors=True) as folder, _quietly(tfds), _impatiently()):
            builder.download_and_prepare(download_dir=folder, download_config=config)
    except Exception as reason:   # the network's, requests', tensorflow-datasets' or the disk's own
        raise WorkError(f"the download of {builder.name} from {builder.URL} failed ({_one_line(reason)}); "
                        f"run again, or give a folder with its files by --data-dir") from None


@contextlib.contextmanager
def _quietly(tfds):
    """Keep stdout for results: no progress bars, and what tensorflow-datasets prints all the same is dropped."""
    from tensorflow_datasets.core.utils import tqdm_utils

    shown = getattr(tqdm_utils, "_active", True)
    tfds.disable_progress_bar()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        if shown:
            tfds.enable_progress_bar()


@contextlib.contextmanager
def _impatiently():
    """tensorflow-datasets sets no limits: a silent server would hold it for ever, an endless answer fill the disk."""
    from tensorflow_datasets.core.download import downloader

    names = {"_open_url": functools.partial(_open_bounded, downloader._open_url), "MAX_RETRIES": RETRIES}
    before = {name: getattr(downloader, name) for name in names}
    try:
        for name, value in names.items():
            setattr(downloader, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(downloader, name, value)


@contextlib.contextmanager
def _open_bounded(open_url, url, **options):
    with open_url(url, timeout=TIMEOUTS, **options) as (response, blocks):
        yield response, _at_most(LARGEST, blocks)


def _at_most(limit, blocks):
    """The same blocks of bytes; a WorkError where they are more than that."""
    for block in blocks:
        limit -= len(block)
        if limit < 0:
            raise WorkError(f"more than the limit of {LARGEST // 1024**2} MiB was sent")
        yield block


def _one_line(reason):
    text = " ".join(str(reason).split()) or type(reason).__name__
    artifact, _, mismatch = text.partition(", downloaded to ")          # how tensorflow-datasets tells a checksum
    if mismatch:
        return f"{artifact.removeprefix('Artifact ')} has a wrong checksum"
    return text if len(text) <= 200 else text[:200] + "..."
