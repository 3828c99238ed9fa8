#!/bin/sh
# Makes the secrets of compose.yaml, once: make-secrets.sh FOLDER
set -eu
umask 077
mkdir -p "$1"
cd "$1"
for name in database bucket cluster; do
  [ -e "$name" ] || openssl rand -hex 32 > "$name"
done
printf 'postgresql://toplu:%s@database/toplu\n' "$(cat database)" > database_url
printf '[default]\naws_access_key_id = toplu\naws_secret_access_key = %s\n' "$(cat bucket)" > bucket_keys
