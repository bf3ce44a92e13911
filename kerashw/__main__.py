"""`kerashw VERB ...`, the same as `python -m kerashw.VERB ...`; alone it lists the verbs."""

import importlib
import sys

from kerashw.commands import VERBS, run
from kerashw.errors import UsageError, closest


def main(argv=None):
    """The exit code of the verb that the command line names."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help"):
        print("usage: kerashw VERB ...    (or python -m kerashw.VERB ...; --help after a verb tells more)\n")
        for verb, does in VERBS.items():
            print(f"  {verb:<10}{does}")
        return 0
    verb, *argv = argv
    return run(lambda argv: _verb(verb)(argv), argv)


def _verb(verb):
    if verb not in VERBS:
        raise UsageError(f"no verb {verb!r}.{closest(verb, VERBS)} There are: {', '.join(VERBS)}.")
    return importlib.import_module(f"kerashw.{verb}").main


if __name__ == "__main__":
    sys.exit(main())
