#!/bin/sh
# Makes the secrets of docker-compose.yml that are not there yet, each in a file of its own, and tells compose where they are (.env).
# What is there is never changed: a database keeps the password that it was made with.
#   deploy/secrets.sh [FOLDER]        # secrets/ when left out
# The folder is its owner's alone (0700); the files in it can be read by whoever gets that far, which in a container is another user than here.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-./secrets}
umask 077
mkdir -p "$folder"
chmod 700 "$folder"

hex() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }
fernet() { head -c 32 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n'; }
make() {
  if [ ! -s "$folder/$1" ]; then
    printf %s "$2" >"$folder/.$1"
    chmod 444 "$folder/.$1"
    mv "$folder/.$1" "$folder/$1"
    echo "made $folder/$1"
  fi
}

make postgres_password "$(hex 24)"
for name in airflow mlflow; do
  make "${name}_database_password" "$(hex 24)"
  make "${name}_database_url" "postgresql+psycopg2://$name:$(cat "$folder/${name}_database_password")@postgres:5432/$name"
done
make mlflow_webhook_key "$(fernet)"
make airflow_admin_password "$(hex 12)"
make airflow_api_secret "$(hex 48)"
make airflow_jwt_secret "$(hex 48)"
make airflow_fernet_key "$(fernet)"
make groundswell_pseudonym_key "$(hex 32)"
make groundswell_verdict_key "$(hex 32)"
make groundswell_serving_webhook_secret "$(hex 32)"
make groundswell_serving_secret "$(hex 32)"
# The key that the pipeline shows to serving, and the first content of the file that serving knows keys by: the hash, never the key.
make groundswell_serving_key "gsw_$(hex 4)_$(hex 32)"
key=$(cat "$folder/groundswell_serving_key")
hash=$(printf %s "$key" | sha256sum | cut -d ' ' -f 1)
now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
make serving_keys "{\"keys\": [{\"id\": \"$(echo "$key" | cut -d _ -f 2)\", \"name\": \"pipeline\", \"sha256\": \"$hash\", \
 \"texts_per_second\": 500, \"burst_texts\": 2000, \"created_at\": \"$now\"}]}"

grep -qs '^GROUNDSWELL_SECRETS=' .env || echo "GROUNDSWELL_SECRETS=$folder" >>.env
