"""The options of `tune`, in the order of its --help."""

from kerashw.commands import Parser, checked, folder, whole
from kerashw.space import SEARCHES
from kerashw.values import parse_address, parse_amount, parse_duration, parse_objectives, parse_setting, parse_winner

DESCRIPTION = "`python -m kerashw.tune --task NAME`: search, refit the winner, test it, draw its figures and export it."
EXAMPLES = """examples:
  python -m kerashw.tune --task mnist
  python -m kerashw.tune --task fashion --tuner hyperband --time-budget 10m
  python -m kerashw.tune --task my_study.py --data-dir my_data --set learning_rate=0.01

The same command again continues an unfinished run and prints the result of a finished one.
"""


def parser():
    """The options of the verb; KERASHW_* variables give their defaults."""
    parser = Parser("tune", description=DESCRIPTION, epilog=EXAMPLES)
    add = parser.add_argument
    add("--task", required=True, metavar="NAME|FILE.py", help="a study's name (see kerashw.studies) or your own file")
    add("--preset", choices=("quick", "paper"), default="quick", help="quick is made to end within ten minutes on two cores; "
        "paper is the report's own budget (default: quick)")  # fmt: skip
    add("--tuner", choices=tuple(SEARCHES), help="another search than the study's")
    add("--trials", type=whole(1), metavar="N", help="how many settings to try")
    add("--coarse", type=whole(0), metavar="K", help="a Bayesian search begins with a coarse grid of K values of each "
        "range, and keeps to where its best quarter lies; 0 begins with draws")  # fmt: skip
    add("--epochs", type=whole(1), metavar="N", help="epochs of each training, the refit included")
    add("--refit-epochs", type=whole(1), metavar="N", help="epochs of the refit alone (default: as many as the search found "
        "best, or as the study says)")  # fmt: skip
    add("--folds", type=whole(0), metavar="K", help="cross-validate with K folds; 0 holds one part out")
    add("--executions", type=whole(1), metavar="N", help="trainings per setting and fold")
    again = parser.add_mutually_exclusive_group()
    again.add_argument("--refits", type=whole(1), metavar="N", help="train the winner N times, each with another seed, and "
                       "tell the spread of its test metrics (default: the study's, mostly 1)")  # fmt: skip
    again.add_argument("--ensemble", type=whole(1), metavar="N", help="the same, and the model is all N networks, which "
                       "answer with the mean of their answers; 1 is a single network")  # fmt: skip
    add("--prune", choices=("median", "none"), help="give up trials that lie below the median of the earlier ones, or "
        "train all to their end (default: as the study says; in the preset quick mostly median)")  # fmt: skip
    add("--objectives", type=checked(parse_objectives), metavar="NAME,NAME", help="search by several at once, such as "
        "val_accuracy,parameters or val_mse,latency; the first, of validation, leads; or by a single one")  # fmt: skip
    add("--winner", type=checked(parse_winner), metavar="knee|best|N", help="which trial of several objectives wins: the "
        "knee of their front (default), the best by the first, or trial N; also of a search that is done")  # fmt: skip
    add("--samples", type=whole(1), metavar="N", help="use only N training items")
    add("--set", action="append", default=[], type=checked(parse_setting), metavar="KEY=VALUE", dest="settings",
        help="fix a setting, or search it: --set 'momentum=Real(0, 0.9)'; may be repeated")  # fmt: skip
    add("--workers", type=whole(1, 256), metavar="N", help="processes that train trials side by side, each with its share of "
        "the processors (default: 1; with --ray as many as there is room for)")  # fmt: skip
    add("--ray", type=checked(parse_address), metavar="ADDRESS", help="train trials on the nodes of a Ray cluster: auto, "
        "host:port or ray://host:port; local starts Ray on this machine")  # fmt: skip
    add("--cpus-per-trial", type=checked(parse_amount), metavar="N", help="of a node of that cluster, may be a fraction "
        "(default: 1)")  # fmt: skip
    add("--gpus-per-trial", type=checked(parse_amount), metavar="N", help="of a node of that cluster, may be a fraction "
        "(default: 0)")  # fmt: skip
    add("--time-budget", type=checked(parse_duration), metavar="TIME", help="such as 90s or 10m; the refit fits in")
    add("--seed", type=whole(0, 2**32 - 1), default=0, metavar="N", help="decides all chance (default: 0)")
    add("--data-dir", type=folder, metavar="DIR",
        help="idx, npz or CSV files, or folders mnist, fashion-mnist, regression in it")  # fmt: skip
    add("--no-stand-in", action="store_true", help="rather fail than use a stand-in for data that cannot be had")
    add("--out", type=folder, default="saved_models", metavar="DIR", help="where runs go (default: saved_models)")
    add("--name", metavar="NAME", help="the run's folder in it (default: the study's name)")
    add("--overwrite", action="store_true", help="begin anew where a run already lies")
    add("--dry-run", action="store_true", help="print the resolved study and an estimate; train and write nothing")
    add("--no-figures", action="store_true", help="draw no figures; report.html is then without pictures")
    add("--json", action="store_true", help="print the result as JSON")
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="no progress")
    volume.add_argument("-v", "--verbose", action="store_true", help="TensorFlow's own lines, and where a fault arose")
    return parser
