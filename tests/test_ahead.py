"""What SQLite wrote ahead of a database, changed or cut short."""

import contextlib
import random
import shutil

import pytest

from kerashw.ahead import fault_of_log
from kerashw.store import Store


@pytest.fixture
def log(tmp_path):
    """What is written ahead by a process that was killed: a second round over a longer first one."""
    with contextlib.closing(Store(tmp_path / "trials.db")) as store:
        for number in range(6):
            store.begin_trial(number, {"units": number})
        store.database.ask("PRAGMA wal_checkpoint(RESTART)")
        for number in range(2):
            store.end_trial(number, status="completed", score=0.5)
        yield shutil.copyfile(tmp_path / "trials.db-wal", tmp_path / "copy-wal")


def test_what_is_as_it_was_written_is_in_order_though_an_earlier_round_lies_behind(log):
    assert fault_of_log(log) is None
    content = log.read_bytes()
    log.write_bytes(content[:-100])
    assert fault_of_log(log) is None, "a kill leaves a part at the end"
    log.write_bytes(b"")
    assert fault_of_log(log) is None


def test_a_flipped_bit_of_what_counts_is_found(log):
    content, chance, frame = log.read_bytes(), random.Random(0), 24 + 4096
    first = 32 + 2 * frame  # a round of four frames at least, of which not the last
    for place in [*range(32), *(chance.randrange(32, first) for _ in range(40))]:
        log.write_bytes(content[:place] + bytes([content[place] ^ 1 << chance.randrange(8)]) + content[place + 1 :])
        assert "copy-wal: has changed since it was written" in (fault_of_log(log) or ""), place
