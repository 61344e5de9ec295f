# shellcheck shell=bash
# The servers on the host `db`: those of scripts/dev-services, run in there and listening on its address.

# The name dev-services knows a database by is also its tag in the nodes' configuration.
services() {
  on_host db env EVENTOR_SERVICES_DIR="$state/db/services" EVENTOR_SERVICES_ADDRESS="$(address_of db data)" \
    "$root/scripts/dev-services" "$@"
}

start_databases() {
  services up "$@" >"$state/urls.new"
  mv "$state/urls.new" "$state/urls"
}

# url_of NAME, as the nodes see it.
url_of() {
  local variable=POSTGRESQL
  [ "$1" = postgresql ] || variable=MYSQL
  sed -n "s/^export EVENTOR_TEST_${variable}_URL='\(.*\)'\$/\1/p" "$state/urls"
}

# Runs statements as the databases' user, on the host `db`; prints bare rows.
sql() {
  local name=$1 url database=$2 statement=$3
  url=$(url_of "$name")
  [[ $url =~ ^[a-z]+://([^:]+):([^@]+)@([^:]+):([0-9]+)/ ]] || fail "there is no $name in this cluster"
  local user=${BASH_REMATCH[1]} password=${BASH_REMATCH[2]} host=${BASH_REMATCH[3]} port=${BASH_REMATCH[4]}
  case $name in
    postgresql)
      on_host db env PGPASSWORD="$password" psql -X -q -A -t -v ON_ERROR_STOP=1 \
        -h "$host" -p "$port" -U "$user" -d "${database:-postgres}" -c "$statement"
      ;;
    mariadb)
      on_host db env MYSQL_PWD="$password" mariadb --no-defaults --protocol=TCP -N -B \
        -h "$host" -P "$port" -u "$user" ${database:+-D "$database"} -e "$statement"
      ;;
  esac
}
