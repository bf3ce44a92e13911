"""The winner as files: what they answer equals Keras's own prediction, always the same, without kerashw."""

import json
import resource
import subprocess
import sys

import numpy as np
import pytest

from kerashw import export
from kerashw.augment import Augment
from kerashw.errors import WorkError
from kerashw.evaluation import predict, probabilities
from kerashw.export import load_keras, save_keras, save_saved_model
from kerashw.models import cnn, mlp
from kerashw.training import Task, train

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (24, 8, 8)).astype("uint8")
NUMBERS = GENERATOR.uniform(-1, 1, (24, 3)).astype("float32")
CLASSES = ["T-shirt", "trouser", "naïve"]
AUGMENTED = dict(
    filters=(3,), kernel_size=3, hidden=(4,), dropout=0.5, conv_dropout=0.2, batch_normalization=True, batch_size=8,
    epochs=1, augment=Augment(rotation=90, width_shift=0.3, zoom=0.5, brightness=0.9, horizontal_flip=True),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("exported")


@pytest.fixture(scope="module")
def classifier(folder):
    """A trained model in which augmentation, dropout and batch normalisation could all do harm, and its files."""
    task = Task(IMAGES, np.arange(24) % 3, 3, True)
    model = train(cnn, AUGMENTED, task, train_indices=np.arange(24), seed=0).model
    save_keras(model, folder / "model.keras")
    difference = save_saved_model(model, folder / "model", classes=CLASSES, sample=IMAGES)
    assert difference < 1e-5
    return model


@pytest.fixture(scope="module")
def regressor(folder):
    task = Task(NUMBERS, NUMBERS[:, :1], 1, False)
    settings = dict(hidden=(4,), dropout=0.5, normalize=True, epochs=1)
    model = train(mlp, settings, task, train_indices=np.arange(24), seed=0).model
    assert save_saved_model(model, folder / "regressor", classes=[], sample=NUMBERS) < 1e-5
    return model


# A process that has TensorFlow but cannot import kerashw.
STRANGER = """
import json, sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("kerashw", "tuning"):
            raise ImportError(f"{name} is not to be had here")

sys.meta_path.insert(0, Blocker())
import numpy as np
import tensorflow as tf

answers = {}
for name in ("model", "regressor"):
    loaded = tf.saved_model.load(f"{sys.argv[1]}/{name}")
    serve = loaded.signatures["serving_default"]
    items = np.load(f"{sys.argv[1]}/{name}.npy")
    (given,) = serve.structured_input_signature[1].values()
    twice = [{key: value.numpy() for key, value in serve(**{given.name: tf.constant(items)}).items()} for _ in range(2)]
    assert all((twice[0][key] == twice[1][key]).all() for key in twice[0])
    one = serve(**{given.name: tf.constant(items[:1])})
    answers[name] = {
        "input": [given.name, given.dtype.name, given.shape.as_list()],
        "one": {key: value.shape.as_list() for key, value in one.items()},
        "answer": {key: np.char.decode(value.astype("S"), "utf-8").tolist() if value.dtype == object else value.tolist()
                   for key, value in twice[0].items()},
    }
assert not [name for name in sys.modules if name.split(".")[0] in ("kerashw", "tuning")]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def stranger(folder, classifier, regressor):
    """What the SavedModels answer in a process that cannot import kerashw."""
    np.save(folder / "model.npy", IMAGES)
    np.save(folder / "regressor.npy", NUMBERS)
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(folder)], cwd=folder, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_elsewhere_uint8_images_of_the_raw_size_go_in_and_named_answers_come_out(stranger, classifier):
    answers = stranger["model"]
    assert answers["input"] == ["images", "uint8", [None, 8, 8]]
    assert answers["one"] == {"probabilities": [1, 3], "class": [1], "label": [1]}
    expected = probabilities(predict(classifier, IMAGES))
    assert np.array(answers["answer"]["probabilities"]) == pytest.approx(expected, abs=1e-5)
    assert answers["answer"]["class"] == expected.argmax(axis=1).tolist()
    assert answers["answer"]["label"] == [CLASSES[number] for number in expected.argmax(axis=1)]


def test_elsewhere_x_goes_in_and_y_comes_out(stranger, regressor):
    answers = stranger["regressor"]
    assert answers["input"] == ["x", "float32", [None, 3]] and answers["one"] == {"y": [1, 1]}
    assert np.array(answers["answer"]["y"]) == pytest.approx(predict(regressor, NUMBERS), abs=1e-5)


def test_the_keras_file_predicts_the_same_and_keeps_augmentation_for_training(folder, classifier):
    loaded = load_keras(folder / "model.keras")
    assert (predict(loaded, IMAGES) == predict(classifier, IMAGES)).all()
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in classifier.layers]
    answers = [np.asarray(loaded(IMAGES, training=True)) for _ in range(2)]  # as it must not be in the export
    assert np.abs(answers[0] - answers[1]).max() > 0.01


def test_an_export_replaces_the_one_before_it(tmp_path, classifier, regressor):
    save_keras(classifier, tmp_path / "model.keras")
    save_keras(regressor, tmp_path / "model.keras")
    assert load_keras(tmp_path / "model.keras").name == "mlp"
    (tmp_path / "1" / "stale").mkdir(parents=True)
    save_saved_model(regressor, tmp_path / "1", classes=[], sample=NUMBERS)
    assert not (tmp_path / "1" / "stale").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "model.keras"]


@pytest.fixture
def full_disk():
    """No file can grow beyond a few bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_a_keras_file_that_cannot_be_written_leaves_the_old_one_and_no_part(tmp_path, classifier, full_disk):
    (tmp_path / "model.keras").write_text("old")
    with pytest.raises(WorkError, match=r"model\.keras: could not be written .*make room"):
        save_keras(classifier, tmp_path / "model.keras")
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]
    assert (tmp_path / "model.keras").read_text() == "old"


def test_a_saved_model_that_cannot_be_written_leaves_the_old_one_and_no_part(tmp_path, classifier, full_disk):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "saved_model.pb").write_text("old")
    with pytest.raises(WorkError, match=r"1: could not be written .*make room"):
        save_saved_model(classifier, tmp_path / "1", classes=CLASSES, sample=IMAGES)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
    assert (tmp_path / "1" / "saved_model.pb").read_text() == "old"


@pytest.mark.parametrize("difference", [0.01, np.nan])
def test_an_export_that_answers_differently_is_refused(tmp_path, regressor, monkeypatch, difference):
    monkeypatch.setattr(export, "predict", lambda model, x: predict(model, x) + difference)
    with pytest.raises(WorkError, match=f"answers differently from Keras, by {difference}"):
        save_saved_model(regressor, tmp_path / "1", classes=[], sample=NUMBERS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 and then nothing"])
def test_a_damaged_keras_file_is_named(tmp_path, content):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(WorkError, match=r"model\.keras: cannot be loaded .*--overwrite"):
        load_keras(tmp_path / "model.keras")
    with pytest.raises(WorkError, match=r"absent\.keras: cannot be loaded"):
        load_keras(tmp_path / "absent.keras")
