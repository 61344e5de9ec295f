# shellcheck shell=bash
# Where a cluster keeps what it knows of itself, and what its commands say.
#
# The state directory is the whole memory of a cluster. Its file `prefix` is written before anything else is made,
# and everything outside the directory carries that prefix in its name: whatever `up` left, `down` finds.
set -euo pipefail
umask 022

state=${EVENTOR_CLUSTER_DIR:-$root/.build/cluster}
case $state in /*) ;; *) state=$PWD/$state ;; esac

say() { printf '%s: %s\n' "$me" "$*" >&2; }

# fail [CODE] MESSAGE: codes are those of docs/cluster.md.
fail() {
  local code=1
  if [[ $1 =~ ^[0-9]+$ ]]; then
    code=$1
    shift
  fi
  printf 'error: %s\n' "$*" >&2
  exit "$code"
}

# Prints the comment at the head of the command.
usage() {
  sed -n '2,/^[^#]/{/^[^#]/d;/^# shellcheck/d;s/^# \{0,1\}//;p}' "$0" >&2
  exit "${1:-2}"
}

for word in "$@"; do
  case $word in
    -h | --help) usage 0 ;;
    *) break ;;
  esac
done
unset word

needs_root() {
  [ "$(id -u)" -eq 0 ] || fail "$me needs root, for namespaces; run it with sudo"
  local tool
  for tool in ip bridge nsenter unshare setsid flock python3; do
    command -v "$tool" >/dev/null || fail "$tool is missing; run scripts/install-deps"
  done
}

# --- the cluster -----------------------------------------------------------------------------------

# One value per file, written whole or not at all.
put() {
  printf '%s\n' "$2" >"$1.new"
  mv "$1.new" "$1"
}

read_cluster() {
  [ -s "$state/prefix" ] || fail 3 "there is no cluster in $state; make one with cluster/up"
  prefix=$(<"$state/prefix")
  subnet=$(<"$state/subnet")
  count=$(<"$state/count")
  mapfile -t databases <"$state/databases"
}

# `up` and `down` change the cluster alone; everything else may go on side by side, but one at a time on a host.
# Daemons must not inherit these locks: they are started with 8>&- 9>&-.
lock_cluster() {
  exec 8>"/run/lock/eventor-cluster.$(cksum <<<"$state" | tr ' ' .)"
  flock "$1" 8
}

lock_host() {
  exec 9>"$state/$1/lock"
  flock 9
}

# --- its hosts -------------------------------------------------------------------------------------

nodes() {
  local i
  for ((i = 1; i <= count; i++)); do printf 's%d\n' "$i"; done
}

hosts() {
  printf 'db\nclient\n'
  nodes
}

is_node() { [[ $1 =~ ^s[1-9][0-9]*$ ]]; }

# A command about one host: root, the cluster, and a name that is in it.
begin_with_host() {
  [ $# -ge 1 ] && [ -n "$1" ] || usage
  needs_root
  lock_cluster --shared
  read_cluster
  # Not through a pipe: grep would leave as soon as it knows, and what it reads from would fail for that.
  grep -qx -- "$1" <<<"$(hosts)" || fail 3 "there is no host '$1' in this cluster; there are: $(hosts | paste -sd ' ')"
}

begin_with_node() {
  begin_with_host "$@"
  is_node "$1" || fail 2 "'$1' has no agent; agents are on: $(nodes | paste -sd ' ')"
}
