"""What the machine tells of itself."""

import pytest

from kerashw import machine

TOLD = {
    "a processor of Intel with AMX": ("processor : 0\nflags\t\t: fpu sse2 avx512f amx_bf16 amx_tile\n", True),
    "one of AMD": ("processor : 0\nflags\t\t: fpu avx512_bf16\nprocessor : 1\nflags\t\t: fpu avx512_bf16\n", True),
    "one of ARM": ("processor : 0\nFeatures\t: fp asimd bf16\n", True),
    "an older one": ("processor : 0\nflags\t\t: fpu avx2 avx512f\nbugs\t\t: bf16\n", False),
    "nothing of it": ("processor : 0\n", None),
}


@pytest.mark.parametrize("case", TOLD)
def test_bfloat16_is_known_by_the_flags_of_the_processor(case, tmp_path, monkeypatch):
    told, expected = TOLD[case]
    (tmp_path / "cpuinfo").write_text(told)
    monkeypatch.setattr(machine, "PROCESSOR", tmp_path / "cpuinfo")
    assert machine.has_bfloat16() is expected


def test_where_no_file_tells_of_the_processor_nothing_is_known(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "PROCESSOR", tmp_path / "none")
    assert machine.has_bfloat16() is None
