# SPDX-License-Identifier: MIT
"""Elementary functions against mpmath, and the tables that ship with the program that made them."""
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def run(script, *arguments):
    return subprocess.run([sys.executable, str(ROOT / "scripts" / script), *arguments],
                          capture_output=True, text=True)


def test_errors_stay_below_their_limits():
    result = run("measure_elementary.py", "10000")
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("script", ["derive_elementary.py", "derive_quadrature.py"])
def test_tables_are_what_their_program_gives(script):
    assert run(script, "--check").returncode == 0
