# SPDX-License-Identifier: MIT
"""Every exhibit of museum.py: sow check names the cause in the broken checkpoint, and finds nothing in the repaired one."""

import json
import os
import subprocess

import pytest

torch = pytest.importorskip("torch", reason="torch spoils the exhibits")
pytest.importorskip("safetensors", reason="safetensors writes them")
import museum  # noqa: E402

if not os.path.exists(museum.SOW):
    pytest.skip("SOW does not name the built tool", allow_module_level=True)


def check(path, *arguments):
    done = subprocess.run([museum.SOW, "check", str(path), *arguments, "--json"], capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr
    return done.returncode, json.loads(done.stdout)["findings"]


def said(finding):
    return f"{finding['text']}; {finding['cause']}"


@pytest.mark.parametrize("name", museum.MUSEUM)
def test_the_cause_is_named_and_the_repaired_twin_is_silent(name, tmp_path):
    of = museum.MUSEUM[name]
    arguments = museum.make(of, tmp_path)
    code, findings = check(tmp_path / "broken.safetensors", *arguments)
    assert code == 1
    meant = [f for f in findings if f["code"] == of.code and any(of.where in t for t in [f["where"], *f["tensors"]])]
    assert meant, f"no {of.code} among {[(f['code'], f['where'], said(f)) for f in findings]}"
    assert any(all(word in said(f) for word in of.words) for f in meant), [said(f) for f in meant]
    assert check(tmp_path / "repaired.safetensors", *arguments) == (0, [])


def test_the_page_is_what_the_list_says():
    assert museum.PAGE.read_text() == museum.page(), "python tests/python/museum.py --page"


def test_the_museum_is_large_enough_and_says_where_things_happened():
    assert sum("#" in of.thread for of in museum.MUSEUM.values()) >= 15
    assert all(of.story.endswith(".") and of.words for of in museum.MUSEUM.values())
