"""`python -m benchmarks`: what kerashw needs, what its peers need for the same, in one run on one machine.

    python -m pip install -r requirements.txt -r benchmarks/requirements.txt
    python -m benchmarks                                  # times, in less than ten minutes on two idle cores
    python -m benchmarks --only best-after pruning        # how good what is found is, over several seeds
    python -m benchmarks --full --json measured.json      # published budgets, more seeds: some hours
    python -m benchmarks --only start growth              # some of them
    python -m benchmarks --list
    python -m benchmarks --markdown measured.json         # the README's section from a saved run

`--data-dir`, or KERASHW_DATA_DIR, names a folder with `mnist/`, `fashion-mnist/` and `regression/`; without it the
stand-ins are measured, and said. The exit code is 1 where a benchmark failed. A target that was not met is told in
the table and does not change the exit code. A peer that is not installed is named with the command that installs it.

Each benchmark is one module with a `measure` that gives rows (`rows.py`) one after the other:

    searches       whole searches: KerasTuner + `fit`, a PyTorch loop, skorch's grid search
    member_epoch   nets trained together against the arithmetic floor (`floor.py`)
    images         images per second of convolutional nets against Keras's `fit`
    exports        what the callbacks that draw pictures add to a training
    start          from the command to the first finished trial
    growth         time and memory against the number of trials
    suggestion     the time of a Bayesian suggestion against KerasTuner's oracle and Optuna
    best_after     how good a Bayesian search is after n trials, against the same two
    pruning        the same search with and without stopping losers early

Every side runs in a process of its own (`processes.py`), whole commands as a person types them (`runs.py`), and no
two of them at the same time. How a peer is made to do the same stands in `stock_tuner.py` (KerasTuner),
`torch_loop.py`, `skorch_grid.py` and `proposers.py`. What is extrapolated says so in its note.
"""
