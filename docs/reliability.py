"""docs/reliability.md from what the tests of faults counted.

    FAULTS_COUNTED=counted.jsonl python -m pytest -m 'faults or cluster' && python docs/reliability.py counted.jsonl
"""

import datetime
import json
import sys
from collections import defaultdict
from pathlib import Path

HEAD = """# What happens when something breaks

Counted until {day} by the tests that `python -m pytest -m 'faults or cluster'` runs; to count anew:

    FAULTS_COUNTED=counted.jsonl python -m pytest -m 'faults or cluster' && python docs/reliability.py counted.jsonl

Each fault is injected in earnest: a real SIGKILL, a real full disk, real changed bytes. Every injection counted here
ended as its row says, with the code of that commit; one that does not fails its test.

| fault | injections | what happened | commit |
| --- | ---: | --- | --- |
"""


def main(counted):
    """Writes the page: one row per fault, several counts of one fault added up where they ended alike."""
    rows = defaultdict(int)
    with open(counted, encoding="utf-8") as file:
        for line in map(json.loads, file):
            rows[line["fault"], line["seen"], line["commit"]] += line["tried"]
    day = datetime.date.fromtimestamp(Path(counted).stat().st_mtime)
    table = "".join(f"| {fault} | {tried:,} | {seen} | {commit} |\n" for (fault, seen, commit), tried in sorted(rows.items()))
    Path(__file__).with_name("reliability.md").write_text(HEAD.format(day=day) + table, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
