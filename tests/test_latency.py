"""What a model takes for one item: told of each structure once, in milliseconds."""

import tensorflow as tf

from kerashw import latency
from kerashw.latency import latency_of
from kerashw.models import cnn, mlp


def test_models_that_compute_the_same_have_the_same_latency_and_others_are_measured(monkeypatch):
    monkeypatch.setattr(latency, "_measured", {})
    of = dict(input_shape=(3,), outputs=2)
    first = latency_of(mlp(**of, hidden=(5,), dropout=0.1))
    assert latency_of(mlp(**of, hidden=(5,), dropout=0.4, l2=0.1)) == first
    assert len(latency._measured) == 1
    for other in (dict(hidden=(6,)), dict(hidden=(5,), activation="tanh"), dict(hidden=(5, 5))):
        latency_of(mlp(**of, **other))
    assert len(latency._measured) == 4


def test_a_model_of_images_that_does_more_takes_longer():
    images = dict(input_shape=(28, 28), outputs=10, kernel_size=5)
    small = cnn(**images, filters=(2,), hidden=(4,))
    assert latency_of(small) < latency_of(cnn(**images, filters=(256, 256), hidden=(1024,)))


def test_it_is_measured_without_dropout_or_augmentation_and_leaves_the_weights_as_they_were():
    model = mlp(input_shape=(3,), outputs=2, hidden=(5,), dropout=0.5)
    before = model.get_weights()
    assert 0 < latency_of(model) < 1000
    assert all(tf.reduce_all(old == new) for old, new in zip(before, model.get_weights()))
