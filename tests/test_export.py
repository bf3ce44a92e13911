"""The winner as files: what they answer equals Keras's own prediction, always the same, without kerashw; what has
changed since it was written is refused."""

import importlib.util
import json
import resource
import shutil
import subprocess
import sys

import numpy as np
import pytest

from kerashw.__main__ import main
from kerashw.augment import Augment
from kerashw.errors import WorkError
from kerashw.evaluation import predict, probabilities
from kerashw.formats import FORMATS, Served, entries, export, load_format, load_keras, load_model, served, verify
from kerashw.formats.exports import digest, place_of
from kerashw.formats.writing import largest_difference
from kerashw.models import cnn, mlp
from kerashw.run import Run
from kerashw.training import Task, train

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.integers(0, 256, (24, 8, 8)).astype("uint8")
NUMBERS = (GENERATOR.uniform(-1, 1, (24, 3)) * 40 + 900).astype("float32")
CLASSES = ("T-shirt", "trouser", "naïve")
AUGMENTED = dict(
    filters=(3,), kernel_size=3, pool="average", hidden=(4,), dropout=0.5, conv_dropout=0.2, batch_normalization=True,
    batch_size=8, epochs=1, activation="leaky_relu",
    augment=Augment(rotation=90, width_shift=0.3, zoom=0.5, brightness=0.9, horizontal_flip=True),
)  # fmt: skip
POOLED = dict(filters=(2, 3), kernel_size=3, padding="same", pool="max", spatial_dropout=0.2, hidden=(), epochs=1)
DENSE = dict(hidden=(4,), activation="sigmoid", dropout=0.5, batch_normalization=True, normalize=True, epochs=1)

needs_onnx = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("onnx", "onnxruntime", "tf2onnx"))),
    reason="the extra `onnx` is not installed",
)
each_format = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=needs_onnx if name == "onnx" else ()) for name in FORMATS]
)


def trained(builder, settings, x, y, outputs):
    task = Task(x, y, outputs, outputs > 1)
    return train(builder, settings, task, train_indices=np.arange(24), seed=0).model


@pytest.fixture(autouse=True)
def no_data_of_the_person_who_tests(monkeypatch):
    monkeypatch.delenv("KERASHW_DATA_DIR", raising=False)


@pytest.fixture(scope="module")
def models():
    """Trained models in which augmentation, dropout, normalisation or pooling could do harm."""
    kinds = np.arange(24) % 3
    return {
        "augmented": Served(trained(cnn, AUGMENTED, IMAGES, kinds, 3), CLASSES, IMAGES, "garments"),
        "pooled": Served(trained(cnn, POOLED, IMAGES, kinds, 3), CLASSES, IMAGES),
        "regression": Served(trained(mlp, DENSE, NUMBERS, NUMBERS[:, :1] * 100, 1), (), NUMBERS, "tides", "a guess"),
    }


@pytest.fixture(scope="module")
def runs(models, tmp_path_factory):
    """A folder with each of the models in each format that can be written here."""
    folder = tmp_path_factory.mktemp("exported")
    found = {}
    for kind, one in models.items():
        found[kind] = Run(folder / kind)
        found[kind].folder.mkdir()
        for name in FORMATS:
            if name != "onnx" or importlib.util.find_spec("onnx"):
                export(found[kind], name, one)
    return found


@pytest.fixture
def run(runs, tmp_path):
    """A copy of the run of the augmented classifier, to be harmed."""
    shutil.copytree(runs["augmented"].folder, tmp_path / "run")
    return Run(tmp_path / "run")


# What they answer


@pytest.mark.parametrize("kind", ["augmented", "pooled", "regression"])
@each_format
def test_every_format_answers_as_keras_does_and_each_time_the_same(kind, name, models, runs):
    outputs = predict(models[kind].model, models[kind].items)
    expected = probabilities(outputs) if kind != "regression" else outputs
    answer = load_format(runs[kind], name)
    first, second = answer(models[kind].items), answer(models[kind].items)
    key = "probabilities" if kind != "regression" else "y"
    assert first[key] == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert all((first[key] == second[key]).all() for key in first)
    assert first[key].dtype == "float32"


@pytest.mark.parametrize("count", [1, 5, 24])
@each_format
def test_any_number_of_items_goes_in_at_once(name, count, models, runs):
    answers = load_format(runs["pooled"], name)(IMAGES[:count])
    assert answers["probabilities"].shape == (count, 3)
    assert answers["probabilities"] == pytest.approx(models["pooled"].expected[:count], abs=1e-5)


@pytest.mark.parametrize("name", ["savedmodel", "litert", pytest.param("onnx", marks=needs_onnx)])
def test_a_graph_tells_class_and_label_of_every_image_and_y_of_numbers(name, models, runs):
    answers = load_format(runs["augmented"], name)(IMAGES)
    chosen = models["augmented"].expected.argmax(axis=1)
    assert set(answers) == {"probabilities", "class", "label"} and answers["class"].dtype == "int64"
    assert answers["class"].tolist() == chosen.tolist()
    labels = [label.decode() if isinstance(label, bytes) else label for label in answers["label"]]
    assert labels == [CLASSES[place] for place in chosen]
    assert set(load_format(runs["regression"], name)(NUMBERS)) == {"y"}


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

def plain(answers):
    return {key: np.char.decode(value.astype("S"), "utf-8").tolist() if value.dtype == object else value.tolist()
            for key, value in answers.items()}

answers = {}
for kind in ("augmented", "regression"):
    loaded = tf.saved_model.load(f"{sys.argv[1]}/{kind}/model/1")
    serve = loaded.signatures["serving_default"]
    items = np.load(f"{sys.argv[1]}/{kind}.npy")
    (given,) = serve.structured_input_signature[1].values()
    lite = tf.lite.Interpreter(f"{sys.argv[1]}/{kind}/model.tflite").get_signature_runner("serving_default")
    answers[kind] = {
        "input": [given.name, given.dtype.name, given.shape.as_list()],
        "signatures": sorted(loaded.signatures),
        "saved_model": plain({key: value.numpy() for key, value in serve(**{given.name: tf.constant(items)}).items()}),
        "litert": plain(lite(**{given.name: items})),
    }
assert not [name for name in sys.modules if name.split(".")[0] in ("kerashw", "tuning")]
print(json.dumps(answers))
"""


@pytest.fixture(scope="module")
def stranger(runs):
    """What the files answer in a process that cannot import kerashw."""
    folder = runs["augmented"].folder.parent
    np.save(folder / "augmented.npy", IMAGES)
    np.save(folder / "regression.npy", NUMBERS)
    done = subprocess.run(
        [sys.executable, "-I", "-c", STRANGER, str(folder)], cwd=folder, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("way", ["saved_model", "litert"])
def test_elsewhere_uint8_images_of_the_raw_size_go_in_and_named_answers_come_out(way, stranger, models):
    told, expected = stranger["augmented"], models["augmented"].expected
    assert told["input"] == ["images", "uint8", [None, 8, 8]] and told["signatures"] == ["classes", "serving_default"]
    assert np.array(told[way]["probabilities"]) == pytest.approx(expected, abs=1e-5)
    assert told[way]["class"] == expected.argmax(axis=1).tolist()
    assert told[way]["label"] == [CLASSES[number] for number in expected.argmax(axis=1)]


@pytest.mark.parametrize("way", ["saved_model", "litert"])
def test_elsewhere_x_goes_in_and_y_comes_out(way, stranger, models):
    told = stranger["regression"]
    assert told["input"] == ["x", "float32", [None, 3]] and told["signatures"] == ["serving_default"]
    assert np.array(told[way]["y"]) == pytest.approx(models["regression"].expected, rel=1e-5, abs=1e-5)


def test_the_keras_file_is_the_model_itself_and_keeps_augmentation_for_training(runs, models):
    model, loaded = models["augmented"].model, load_model(runs["augmented"])
    assert (predict(loaded, IMAGES) == predict(model, IMAGES)).all()
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    answers = [np.asarray(loaded(IMAGES, training=True)) for _ in range(2)]  # as it must not be in the export
    assert np.abs(answers[0] - answers[1]).max() > 0.01


# What they say of themselves


def test_the_classes_stand_in_order_in_a_signature_of_the_saved_model(runs):
    import tensorflow as tf

    loaded = tf.saved_model.load(str(runs["augmented"].saved_model))
    labels = loaded.signatures["classes"]()["labels"].numpy()
    assert [label.decode() for label in labels] == list(CLASSES)


@pytest.mark.parametrize(
    "kind, told",
    [
        ("augmented", ["A classifier of garments", "images         uint8    (n, 8, 8) ", "label", "2   naïve",
                       "images=tf.zeros((1, 8, 8), tf.uint8)"]),
        ("regression", ["A regression of tides", "STAND-IN DATA, a guess", "x              float32  (n, 3) ", "(n, 1) ",
                        "x=tf.zeros((1, 3), tf.float32)"]),
    ],
)  # fmt: skip
def test_the_saved_model_brings_a_page_on_how_it_is_called(kind, told, runs):
    text = (runs[kind].saved_model / "assets.extra" / "README.txt").read_text(encoding="utf-8")
    assert [part for part in told if part not in text] == []


def test_the_call_on_that_page_runs(runs, monkeypatch, capsys):
    for kind in ("augmented", "regression"):
        text = (runs[kind].saved_model / "assets.extra" / "README.txt").read_text(encoding="utf-8")
        monkeypatch.chdir(runs[kind].saved_model.parent)
        program = "\n".join(line.strip() for line in text[text.index("    import tensorflow") :].splitlines())
        exec(compile(program, "README.txt", "exec"), {})
        assert "tf.Tensor(" in capsys.readouterr().out


@needs_onnx
def test_an_onnx_file_names_its_classes_and_leaves_the_number_of_items_open(runs):
    import onnx

    model = onnx.load(runs["augmented"].onnx_file)
    (given,) = model.graph.input
    dims = given.type.tensor_type.shape.dim
    assert given.name == "images" and dims[0].dim_param == "n" and [dim.dim_value for dim in dims[1:]] == [8, 8]
    assert {entry.key: json.loads(entry.value) for entry in model.metadata_props} == {"classes": list(CLASSES)}
    assert model.doc_string.startswith("A classifier of garments")


# What the run keeps of them


@each_format
def test_exports_json_keeps_path_difference_size_and_sha256_of_every_file(name, models, runs):
    run = runs["augmented"]
    entry = json.loads(run.exports_file.read_text())[name]
    place = place_of(run, name)
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    assert run.folder / entry["path"] == place
    assert 0 <= entry["largest_difference"] < 1e-5 and entry["items_compared"] == 24
    assert entry["bytes"] == sum(path.stat().st_size for path in files)
    recorded = {run.folder / path: value for path, value in entry["sha256"].items()}
    assert recorded == {path: digest(path) for path in files}


def test_an_export_replaces_the_one_before_it(run, models):
    (run.saved_model / "stale").write_text("old")
    export(run, "savedmodel", models["pooled"])
    export(run, "keras", models["pooled"])
    assert not (run.saved_model / "stale").exists()
    assert load_model(run).get_layer("conv_2") is not None
    verify(run, "savedmodel")
    assert [path.name for path in run.saved_model.parent.iterdir()] == ["1"]
    assert list(entries(run)) == [name for name in FORMATS if name in entries(run)] and "litert" in entries(run)


# What has changed

CHANGED = {
    "savedmodel": "model/1/variables/variables.data-00000-of-00001", "keras": "model.keras", "litert": "model.tflite",
    "onnx": "model.onnx",
}  # fmt: skip
CURE = {name: f"kerashw.export .*run --format {name}` writes it anew" for name in FORMATS} | {
    "keras": "repeat the tune command, which trains it anew"
}


@each_format
def test_one_changed_bit_is_refused_by_the_name_of_the_file(name, run):
    path = run.folder / CHANGED[name]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WorkError, match=f"{CHANGED[name]}: has changed since it was written .*SHA-256.*{CURE[name]}"):
        load_format(run, name)


@each_format
def test_a_file_that_is_gone_is_named(name, run):
    (run.folder / CHANGED[name]).unlink()
    with pytest.raises(WorkError, match=f"{CHANGED[name]}: is missing; .*{CURE[name]}"):
        load_format(run, name)


def test_a_file_that_was_added_to_a_saved_model_is_named(run):
    (run.saved_model / "assets" / "more.txt").write_text("more")
    with pytest.raises(WorkError, match=r"assets/more\.txt: was not there when .* was written"):
        load_format(run, "savedmodel")


def test_a_model_without_a_record_is_not_loaded_until_it_is_said_to_be_trusted(run):
    run.exports_file.unlink()
    with pytest.raises(WorkError, match=r"model\.keras: cannot be verified.* earlier version.*--format keras` rec"):
        load_model(run)
    run.onnx_file.unlink(missing_ok=True)
    with pytest.raises(WorkError, match=r"model\.onnx: there is none; .*--format onnx` makes it"):
        load_format(run, "onnx")


@pytest.mark.parametrize("content", ["[]", '{"keras": 1}', '{"keras": {"sha256": null}}', "{", ""])
def test_a_damaged_record_is_named(run, content):
    run.exports_file.write_text(content)
    with pytest.raises(WorkError, match=r"exports\.json: .*--overwrite"):
        load_model(run)


def test_code_in_a_keras_file_is_not_run(tmp_path):
    import keras

    mark = tmp_path / "mark"
    text, inputs = str(mark), keras.Input((2,))
    outputs = keras.layers.Lambda(lambda x: (open(text, "w").close(), x)[1])(inputs)
    keras.Model(inputs, outputs).save(tmp_path / "model.keras")
    mark.unlink()
    keras.models.load_model(tmp_path / "model.keras", safe_mode=False)
    mark.unlink()  # there it was run
    with pytest.raises(WorkError, match=r"model\.keras: cannot be loaded \(.*Lambda"):
        load_keras(tmp_path / "model.keras")
    assert not mark.exists()


@pytest.mark.parametrize("content", [b"", b"no archive at all", b"PK\x03\x04 and then nothing"])
def test_a_damaged_keras_file_is_named(tmp_path, content):
    (tmp_path / "model.keras").write_bytes(content)
    with pytest.raises(WorkError, match=r"model\.keras: cannot be loaded .*--overwrite"):
        load_keras(tmp_path / "model.keras")
    with pytest.raises(WorkError, match=r"absent\.keras: cannot be loaded"):
        load_keras(tmp_path / "absent.keras")


# What cannot be written


@pytest.fixture
def full_disk():
    """No file can grow beyond a few bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (500, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@each_format
def test_what_finds_no_room_leaves_the_old_one_and_no_part(name, tmp_path, models, full_disk):
    run = Run(tmp_path)
    place = place_of(run, name)
    old = place / "saved_model.pb" if name == "savedmodel" else place
    old.parent.mkdir(parents=True, exist_ok=True)
    old.write_text("old")
    with pytest.raises(WorkError, match=f"{place.name}: could not be written .*make room"):
        export(run, name, models["augmented"])
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [old] and old.read_text() == "old"


@pytest.mark.parametrize(
    "name, difference",
    [("savedmodel", 0.02), ("savedmodel", np.nan), ("keras", 0.02), ("litert", 0.02),
     pytest.param("onnx", 0.02, marks=needs_onnx)],
)  # fmt: skip
def test_an_export_that_answers_differently_is_refused(tmp_path, models, monkeypatch, name, difference):
    model = models["pooled"].model
    monkeypatch.setattr(served, "probabilities", lambda outputs: probabilities(outputs) + difference)
    with pytest.raises(WorkError, match=f"not made, what was written answers differently from Keras, by {difference}"):
        export(Run(tmp_path), name, Served(model, CLASSES, IMAGES))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "wrong",
    [
        lambda answers: {**answers, "label": np.roll(np.array(CLASSES, dtype=object), 1)[answers["class"]]},
        lambda answers: {**answers, "class": (answers["class"] + 1) % 3},
        lambda answers: {**answers, "probabilities": answers["probabilities"][:, :2]},
    ],
)
def test_answers_that_contradict_each_other_count_as_infinitely_far_from_keras(wrong, models, runs):
    answer = load_format(runs["augmented"], "savedmodel")
    assert largest_difference(models["augmented"], answer) < 1e-5
    assert largest_difference(models["augmented"], lambda items: wrong(answer(items))) == np.inf


@pytest.mark.parametrize(
    "name, told",
    [("litert", r"LiteRT has no operation for tf\.Erfinv, which"),
     pytest.param("onnx", "ONNX has no operation for Erfinv, which", marks=needs_onnx)],
)  # fmt: skip
def test_a_format_that_lacks_an_operation_of_the_model_says_which(name, told, tmp_path, capfd):
    import keras

    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(1)(keras.ops.erfinv(inputs)))
    with pytest.raises(WorkError, match=rf"model\.\w+: not made, {told}"):
        export(Run(tmp_path), name, Served(model, (), NUMBERS / 1000))
    assert list(tmp_path.iterdir()) == [] and "Erfinv" not in capfd.readouterr().err


def test_onnx_without_its_packages_says_what_to_install(tmp_path, models, monkeypatch):
    for name in ("onnx", "tf2onnx"):
        monkeypatch.setitem(sys.modules, name, None)  # as good as not installed
    with pytest.raises(WorkError, match="ONNX needs onnx, .*tf2onnx, not installed here: pip install onnx onnxruntime"):
        export(Run(tmp_path), "onnx", models["pooled"])


# The verb


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """A finished run of the real command."""
    place = tmp_path_factory.mktemp("tuned")
    (place / "data").mkdir()
    rows = "".join(f"{number / 10},{number % 7}\n" for number in range(24))
    for name in ("train_data.csv", "test_data.csv"):
        (place / "data" / name).write_text(f"x,y\n{rows}")
    (place / "own.py").write_text('''"""A study of its own."""

from kerashw.models import mlp
from kerashw.space import Random
from kerashw.study import Study

STUDY = Study(data="own", model=mlp, settings=dict(hidden=(4,), epochs=2), search=Random(trials=1))
''')
    argv = ["tune", "--task", str(place / "own.py"), "--data-dir", str(place / "data"), "--out", str(place), "-q",
            "--no-figures"]  # fmt: skip
    assert main(argv) == 0
    return Run(place / "own")


@pytest.fixture
def finished(tuned, tmp_path, capfd):
    """A copy of that run."""
    shutil.copytree(tuned.folder, tmp_path / "own")
    capfd.readouterr()
    return Run(tmp_path / "own")


def test_tune_writes_and_records_the_keras_file_and_the_saved_model(tuned):
    kept = entries(tuned)
    assert list(kept) == ["savedmodel", "keras"]
    measured = ("largest_difference", "items_compared")
    assert tuned.metrics()["export"] == {name: kept["savedmodel"][name] for name in measured}
    assert kept["keras"]["items_compared"] == 24


def test_export_adds_formats_and_prints_a_line_for_each(finished, capfd):
    argv = ["export", str(finished.folder), "--format", "litert", "keras", "--format", "savedmodel", "litert"]
    assert main(argv) == 0
    out, err = capfd.readouterr()
    assert [line.split(": ")[0] for line in out.splitlines()] == [
        str(place_of(finished, name)) for name in ("litert", "keras", "savedmodel")
    ]
    assert "differs from Keras by at most" in out and "kerashw:" not in err
    for name in ("savedmodel", "keras", "litert"):
        verify(finished, name)


def test_what_cannot_be_exported_is_told_and_the_rest_is_exported_all_the_same(finished, monkeypatch, capfd):
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert main(["export", str(finished.folder), "--format", "onnx", "litert"]) == 1
    out, err = capfd.readouterr()
    assert out.count("\n") == 1 and "model.tflite" in out
    assert err.count("\n") == 1 and err.startswith("kerashw: ") and "ONNX needs onnx" in err


@pytest.mark.parametrize("argv", [["evaluate"], ["export", "--format", "keras", "litert"]])
def test_no_verb_loads_a_changed_model(argv, finished, capfd):
    content = bytearray(finished.keras_file.read_bytes())
    content[100] ^= 1
    finished.keras_file.write_bytes(content)
    assert main([argv[0], str(finished.folder), *argv[1:]]) == 1
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1 and "model.keras: has changed since it was written" in err
    assert not finished.litert_file.exists()


def test_a_run_of_an_earlier_version_is_taken_as_it_is_when_that_is_asked_for(finished, capfd):
    finished.exports_file.unlink()
    assert main(["evaluate", str(finished.folder)]) == 1
    assert "--format keras` records it" in capfd.readouterr().err
    assert main(["export", str(finished.folder), "--format", "litert"]) == 1
    assert main(["export", str(finished.folder), "--format", "keras"]) == 0
    assert "is taken as it is" in capfd.readouterr().err
    assert main(["evaluate", str(finished.folder)]) == 0
