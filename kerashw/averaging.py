"""The mean of the weights after each of the last epochs: it lies where the noise of single steps has levelled out."""


def averaged_from(epochs, share):
    """The first epoch, counted from 0, of that share of the last ones; the last one where the share is 0.

    >>> averaged_from(100, 0.25), averaged_from(100, 0), averaged_from(1, 1.0)
    (75, 99, 0)
    """
    return epochs - max(1, round(share * epochs))


def averaged_of(done, epochs, share):
    """After how many epochs the weights of a training were averaged that was cut after `done` of its epochs.

    >>> averaged_of(100, 100, 0.25), averaged_of(80, 100, 0.25), averaged_of(50, 100, 0.25)
    (25, 5, 1)
    """
    return max(1, done - averaged_from(epochs, share))


def mean_of_last(epochs, share):
    """A callback that leaves a model with the mean of its weights after the last epochs."""
    import keras

    first = averaged_from(epochs, share)

    class MeanOfLast(keras.callbacks.Callback):
        mean, count = None, 0

        def on_epoch_end(self, number, logs=None):
            if number < first:
                return
            self.count += 1
            weights = self.model.get_weights()
            if self.mean is None:
                self.mean = weights
            else:
                self.mean = [mean + (one - mean) / self.count for mean, one in zip(self.mean, weights)]

        def on_train_end(self, logs=None):
            if self.mean is not None:
                self.model.set_weights(self.mean)

    return MeanOfLast()
