#!/usr/bin/env bash
# A database and a user of its own for everfit, Dagster and MLflow. The image runs this once, on an empty volume.
# everfit's tables belong to a user that nothing but `everfit prepare` works as.
set -euo pipefail

make_database() {  # NAME PASSWORD; psql quotes both, whatever they hold
  psql --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres --set name="$1" --set password="$2" <<'SQL'
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name";
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
}

make_database everfit_owner "$OWNER_PASSWORD"
psql --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres --set password="$POSTGRES_PASSWORD" <<'SQL'
ALTER DATABASE everfit_owner RENAME TO everfit;
CREATE ROLE everfit LOGIN PASSWORD :'password';
GRANT CONNECT, TEMPORARY ON DATABASE everfit TO everfit;
SQL
make_database dagster "$DAGSTER_PASSWORD"
make_database mlflow "$MLFLOW_PASSWORD"

# Without a password the superuser is let in from inside the container alone.
psql --quiet --set ON_ERROR_STOP=1 --username postgres --dbname postgres --command 'ALTER ROLE postgres PASSWORD NULL'
