#!/usr/bin/env bash
# Makes data_folder_<commit>.tar.gz: a data folder as that commit leaves it, killed in the middle of
# a batch, and what it said of itself. Once made, an archive stays: every later version has to open it.
#
#   tests/data/make.sh [COMMIT]
set -euo pipefail
commit=${1:-bef0135}
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/source" "$work/made"
git -C "$here/../.." archive "$commit" | tar -x -C "$work/source"
make --silent -C "$work/source" setup
# Today's test clients, run by that commit's interpreter beside its own `toplu`.
PYTHONPATH="$here/.." PYTHONDONTWRITEBYTECODE=1 \
  "$work/source/.venv/bin/python" "$here/make_data_folder.py" "$work/source" "$work/made"
tar -C "$work/made" --sort=name --owner=0 --group=0 --numeric-owner -cz data data.toml facts.json \
  -f "$here/data_folder_$commit.tar.gz"
ls -l "$here/data_folder_$commit.tar.gz"
