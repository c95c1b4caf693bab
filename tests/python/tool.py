# SPDX-License-Identifier: MIT
"""The command line for the judges of this folder: $SOW, else the build folder's. No tests here."""
import json
import os
import subprocess

from libsow import BUILD

SOW = os.path.abspath(os.environ.get("SOW") or BUILD / "sow")


def run(*arguments, codes=(0,), **how):
    """A command that ends with one of these exit codes."""
    done = subprocess.run([SOW, *map(str, arguments)], capture_output=True, text=True, **how)
    assert done.returncode in codes, f"{arguments}: exit {done.returncode}: {done.stderr}"
    return done


def sow(*arguments, **how):
    """What a command printed; the verdict of probe may be a bad one, which is exit 1."""
    return run(*arguments, codes=(0, 1) if arguments[0] == "probe" else (0,), **how).stdout


def probe(*arguments, **how):
    return json.loads(sow("probe", *arguments, "--json", "-q", **how))


def check(path, *arguments):
    done = run("check", path, "--json", *arguments, codes=(0, 1))
    report = json.loads(done.stdout)
    assert report["passed"] == (done.returncode == 0)
    return report


def init(source, path, *arguments):
    """Draws the weights of a source into a safetensors file; one that is there is overwritten."""
    sow("init", source, "-o", path, "--force", "-q", *arguments)


def instruction_sets():
    """What $SOW_ISA may be on this machine."""
    done = run("plan", "mlp:2,2", codes=(2,), env={**os.environ, "SOW_ISA": "none"})
    return done.stderr.split("it has ")[1].strip().split(", ")
