"""A plain PyTorch loop over the nets of the regression studies, as a person would write it without a library."""

import statistics
import time

ACTIVATIONS = {"sigmoid": "Sigmoid", "tanh": "Tanh", "relu": "ReLU", "leaky_relu": "LeakyReLU"}
OPTIMIZERS = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}


def net(settings, features=1, outputs=1):
    """A chain of linear layers, each with its activation and dropout, as `kerashw.models.mlp` has them.

    >>> sum(weights.numel() for weights in net(dict(hidden=(128, 64), activation="sigmoid")).parameters())
    8577
    """
    from torch import nn

    layers, width = [], features
    for units in settings["hidden"]:
        layers += [nn.Linear(width, units), getattr(nn, ACTIVATIONS[settings["activation"]])()]
        if settings.get("dropout"):
            layers.append(nn.Dropout(settings["dropout"]))
        width = units
    return nn.Sequential(*layers, nn.Linear(width, outputs))


def optimizer(model, settings):
    """The optimizer by its Keras name; L2 on kernels as its weight decay, which costs least."""
    import torch

    weights = list(model.parameters())
    groups = [
        {"params": [array for array in weights if array.ndim > 1], "weight_decay": 2 * settings.get("l2", 0.0)},
        {"params": [array for array in weights if array.ndim == 1]},
    ]
    return getattr(torch.optim, OPTIMIZERS[settings["optimizer"]])(groups, lr=settings["learning_rate"])


def epochs_of(model, settings, x, y, x_held, y_held, epochs):
    """The validation error after every epoch: a new order, batch by batch, then the held-out items."""
    import torch

    rule, loss_of = optimizer(model, settings), torch.nn.MSELoss()
    for _ in range(epochs):
        model.train()
        for batch in torch.randperm(len(x)).split(settings["batch_size"]):
            rule.zero_grad()
            loss_of(model(x[batch]), y[batch]).backward()
            rule.step()
        model.eval()
        with torch.no_grad():
            yield loss_of(model(x_held), y_held).item()


def epoch_seconds(problem, proposals, epochs):
    """The median seconds of one epoch, for each proposal."""
    import torch

    arrays = [torch.from_numpy(part.copy()) for part in problem.first_fold(problem.task())]
    seconds = []
    for settings in problem.settings_of(proposals):
        ends = [time.perf_counter()]
        for _ in epochs_of(net(settings), settings, *arrays, epochs):
            ends.append(time.perf_counter())
        seconds.append(statistics.median(later - before for before, later in zip(ends[1:], ends[2:])))
    return seconds
