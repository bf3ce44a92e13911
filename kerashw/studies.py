"""`python -m kerashw.studies`: what --task can name, with data, model, search and the published result."""

import json
import sys

from kerashw.commands import Parser, run
from kerashw.study import plain
from tuning.studies import find, names


def rows():
    """One dict for each study."""
    listed = []
    for name in names():
        _, study, description = find(name)
        arms = [study.arm(arm) for arm in study.arms] or [study]
        published = [arm.published for arm in arms if arm.published]
        listed.append({
            "name": name,
            "description": description,
            "data": study.data,
            "model": "/".join(sorted({arm.model.__name__ for arm in arms})),
            "arms": list(study.arms),
            "search": "/".join(sorted({arm.search.name for arm in arms})),
            "trials": study.search.trials,
            "folds": max(arm.folds for arm in arms),
            "searched": sorted({name for arm in arms for name in arm.searched}),
            "published": [plain(one)["published"] for one in dict.fromkeys(published)],
        })  # fmt: skip
    return listed


def main(argv):
    """Prints the studies."""
    parser = Parser("studies", description=__doc__)
    parser.add_argument("--json", action="store_true", help="as JSON")
    options = parser.parse_args(argv)
    listed = rows()
    if options.json:
        print(json.dumps(listed, indent=2))
        return
    for row in listed:
        folds = f", {row['folds']} folds" if row["folds"] else ""
        published = "; ".join(f"{one['metric']} {one['value']:g}" for one in row["published"]) or "-"
        print(f"{row['name']:<18}{row['description']}")
        print(f"{'':<18}{row['model']}, {row['search']}{folds}; published: {published}")


if __name__ == "__main__":
    sys.exit(run(main))
