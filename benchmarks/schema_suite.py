"""Holds the validator to the JSON-Schema-Test-Suite, as the sdist of `jsonschema` carries it.

    schema_suite.py jsonschema-VERSION.tar.gz

Left out: `format.json`, which takes a format for a remark where here it is asserted, and schemas
that refer outside themselves or have a meta-schema of their own, which is not read here.
"""

import argparse
import json
import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from toplu.structured.dialect import DRAFTS
from toplu.structured.schema_fault import SchemaFault
from toplu.structured.validator import OUTSIDE, SchemaValidator

FOLDERS = {
    name.replace("draft/", "draft").replace("draft-0", "draft"): DRAFTS[name] for name in DRAFTS
}
PLACE = re.compile(r"json/tests/(draft[^/]+)/((?:optional/format/)?[\w-]+\.json)$")
LEFT_OUT = {"format.json", "vocabulary.json"}
FORMATS = {
    f"optional/format/{name}.json"
    for name in ("date", "time", "date-time", "duration", "email", "hostname", "uri", "uuid")
} | {"optional/format/ipv4.json", "optional/format/ipv6.json"}


def main() -> None:
    """Run the suite; exit 1 if a test fails."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sdist", type=Path)
    counts: Counter[str] = Counter()
    with tarfile.open(parser.parse_args().sdist) as archive:
        for member in archive:
            found = PLACE.search(member.name)
            if found is None or found[1] not in FOLDERS or found[2] in LEFT_OUT:
                continue
            if found[2].startswith("optional/") and found[2] not in FORMATS:
                continue
            content = archive.extractfile(member)
            assert content is not None
            for case in json.load(content):
                _check(case, FOLDERS[found[1]], f"{found[1]}/{found[2]}", counts)
    print(dict(counts))
    raise SystemExit(counts["failed"] > 0)


def _check(case: dict[str, Any], draft: int, place: str, counts: Counter[str]) -> None:
    try:
        validator = SchemaValidator(case["schema"], draft, "schema")
    except SchemaFault as fault:
        is_outside = fault.reason == OUTSIDE or "http" in json.dumps(case["schema"])
        counts["left out" if is_outside else "failed"] += len(case["tests"])
        if not is_outside:
            print(f"{place}: {case['description']}: {fault.path} {fault.reason}")
        return
    for test in case["tests"]:
        is_right = (validator.find_violation(test["data"]) is None) == test["valid"]
        counts["passed" if is_right else "failed"] += 1
        if not is_right:
            print(f"{place}: {case['description']}: {test['description']}")


if __name__ == "__main__":
    main()
