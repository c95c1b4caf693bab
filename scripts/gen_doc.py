# SPDX-License-Identifier: MIT
"""What scripts/gen-*-doc share: the tool's answers, lists between two marks of a page, and --check. No script of its own."""
import json
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def ask(build, *arguments):
    """What sow answers as JSON."""
    ran = subprocess.run([build / "sow", *arguments, "--json"], check=True, capture_output=True, text=True)
    return json.loads(ran.stdout)


def with_list(page, name, table):
    """The page with `table` between its marks <!-- list NAME --> and <!-- end -->."""
    mark = f"<!-- list {name} -->"
    return re.sub(rf"{mark}.*?<!-- end -->", lambda _: f"{mark}\n{table}<!-- end -->", page, flags=re.S)


def cell(text):
    return text.replace("|", "\\|")


def main(page, document):
    """Writes docs/`page` as document(its text, the build folder) says; with --check only compares, and exits 1 where they differ."""
    target = ROOT / "docs" / page
    arguments = [argument for argument in sys.argv[1:] if argument != "--check"]
    build = pathlib.Path(arguments[0] if arguments else ROOT / "build").resolve()
    before = target.read_text()
    text = document(before, build)
    if "--check" in sys.argv[1:]:
        sys.exit(text != before)
    target.write_text(text)
