#!/bin/sh
# A database and a role of its own for each of Airflow and MLflow; neither role can reach the other's. Run once, by the image of PostgreSQL, on an
# empty volume; reads the passwords from the secrets. Nothing else connects as the superuser.
set -eu
secrets=${SECRETS:-/run/secrets}
for name in airflow mlflow; do
  psql -v ON_ERROR_STOP=1 --quiet --no-password --username "$POSTGRES_USER" --dbname postgres \
    --set name="$name" --set file="$secrets/${name}_database_password" <<'SQL'
\set password `cat :'file'`
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE CONNECT ON DATABASE :"name" FROM PUBLIC;
SQL
done
