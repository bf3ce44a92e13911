"""A process for each side of a comparison, since what one of them sets holds for the whole process.

kerashw switches TensorFlow to deterministic kernels, a person who writes `fit` has the others, and PyTorch's threads
would stand in the way of both. A process answers one question at a time, so both sides can be asked in turns.
"""

import contextlib
import multiprocessing
import os
import pkgutil
from concurrent.futures import ProcessPoolExecutor


def as_kerashw():
    """TensorFlow as kerashw's commands set it up."""
    from kerashw.commands import quiet_tensorflow

    quiet_tensorflow()


def as_anyone():
    """TensorFlow as it comes, with Keras on it."""
    os.environ["KERAS_BACKEND"] = "tensorflow"


def one_thread():
    """PyTorch with one thread: on nets so small more of them only wait for each other."""
    import torch

    torch.set_num_threads(1)


def one_core():
    """Linear algebra on one core, for work that is spread over several processes."""
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{library}_NUM_THREADS"] = "1"
    as_anyone()


@contextlib.contextmanager
def process(prepare):
    """A function `answer(name, *arguments)` that calls a function of this package in a fresh, prepared process.

    Functions go by name, so that the asking process need not import what they need.

    >>> with process(as_anyone) as answer:
    ...     answer("rows:is_installed", "math")
    True
    """
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(prepare,)) as pool:
        yield lambda name, *arguments: pool.submit(_answer, name, arguments).result()


def spread(name, all_arguments):
    """The answers of a function for each tuple of arguments, from as many processes as there are cores: not for times.

    >>> spread("rows:is_installed", [("math",), ("no_such_peer",)])
    [True, False]
    """
    context, workers = multiprocessing.get_context("spawn"), min(os.cpu_count(), len(all_arguments))
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(one_core,)) as pool:
        return [future.result() for future in [pool.submit(_answer, name, some) for some in all_arguments]]


def _begin(prepare):
    """What TensorFlow and KerasTuner say is kept off the terminal; an exception still comes back as the answer."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    prepare()


def _answer(name, arguments):
    return pkgutil.resolve_name(f"benchmarks.{name}")(*arguments)
