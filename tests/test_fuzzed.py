"""A fuzzer that sees which code runs looks for files that are neither read nor refused, in every parser of files."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import share_of
from fuzz_driver import KINDS, MEMORY

DRIVER = Path(__file__).with_name("fuzz_driver.py")
SECONDS = 20  # of each kind


@pytest.mark.faults
@pytest.mark.skipif(not importlib.util.find_spec("atheris"), reason="needs atheris: pip install kerashw[fuzz]")
@pytest.mark.parametrize("kind", KINDS)
def test_a_fuzzer_finds_no_file_that_is_neither_read_nor_refused(kind, tmp_path, counted):
    # By a shell: the memory that the fuzzer holds its limit against begins with that of the process that starts it.
    done = subprocess.run(
        ["sh", "-c", '"$@"; exit $?', "sh", sys.executable, DRIVER, kind, tmp_path, str(share_of(SECONDS))], capture_output=True,
        text=True, errors="replace",
        timeout=20 * SECONDS, env={**os.environ, "PYTHONPATH": str(DRIVER.parent.parent)},
    )  # fmt: skip
    found = [path.read_bytes() for path in tmp_path.glob("found-*")]
    assert done.returncode == 0 and not found, f"{found}\n{done.stderr[-3000:]}"
    runs = int(re.search(r"^Done (\d+) runs", done.stderr, re.MULTILINE)[1])
    assert runs > 100
    counted(f"a file made by a coverage-guided fuzzer, {kind}", runs,
            f"read, or refused in one line, in at most {MEMORY} MB")  # fmt: skip
