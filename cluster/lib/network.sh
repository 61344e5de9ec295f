# shellcheck shell=bash
# The cluster's networks: two bridges in a namespace of their own, so that the machine's network has no part in them.
#
#   nodes   10.X.1.0/24   the nodes and the client: SSH
#   data    10.X.2.0/24   the nodes and the database
#
# A node has a leg in each and forwards nothing, so the client has no way to the database. Every host knows the hardware
# addresses of the others beforehand: what goes to a host that is cut off or without power is lost in silence, as it
# would be behind a router, and not answered with "no route to host" after some seconds.

switch() { printf '%s-switch\n' "$prefix"; }
netns_of() { printf '%s-%s\n' "$prefix" "$1"; }

legs_of() {
  case $1 in
    db) printf 'data\n' ;;
    client) printf 'nodes\n' ;;
    *) printf 'nodes\ndata\n' ;;
  esac
}

number_of() {
  case $1 in
    db) printf '2\n' ;;
    client) printf '3\n' ;;
    *) printf '%d\n' $((10 + ${1#s})) ;;
  esac
}

address_of() {
  local host=$1 leg=$2 net=1
  [ "$leg" = nodes ] || net=2
  printf '%s.%d.%d\n' "$subnet" "$net" "$(number_of "$host")"
}

hardware_address_of() {
  local host=$1 leg=$2 net=1
  [ "$leg" = nodes ] || net=2
  printf '02:65:76:00:%02x:%02x\n' "$net" "$(number_of "$host")"
}

# Any would do, nothing leaves the namespaces; one that the machine has no route to confuses nobody.
free_subnet() {
  local start i candidate
  start=$(cksum <<<"$state" | cut -d ' ' -f 1)
  for ((i = 0; i < 200; i++)); do
    candidate=10.$((50 + (start + i) % 200))
    if [ -z "$(ip -4 route show match "$candidate.0.0/16" | grep -v '^default' || true)" ] &&
      [ -z "$(ip -4 route show root "$candidate.0.0/16")" ]; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  fail "the machine has routes into every subnet of 10.0.0.0/8; none is left for a cluster"
}

make_switch() {
  ip netns add "$(switch)"
  ip -n "$(switch)" -batch - <<<'link add nodes type bridge
link add data type bridge
link set nodes up
link set data up'
}

# Gives a host its network: a namespace with a leg in each network it belongs to, and cuts it off where it was before.
plug() {
  local host=$1 ns leg other
  ns=$(netns_of "$host")
  ip netns add "$ns"
  for leg in $(legs_of "$host"); do
    printf 'link add %s type veth peer name %s address %s netns %s\n' \
      "$host.$leg" "$leg" "$(hardware_address_of "$host" "$leg")" "$ns"
    printf 'link set %s master %s up\n' "$host.$leg" "$leg"
  done | ip -n "$(switch)" -batch -
  {
    printf 'link set lo up\n'
    for leg in $(legs_of "$host"); do
      printf 'addr add %s/24 dev %s\nlink set %s up\n' "$(address_of "$host" "$leg")" "$leg" "$leg"
      for other in $(hosts); do
        if [ "$other" != "$host" ] && grep -qx "$leg" <<<"$(legs_of "$other")"; then
          printf 'neigh replace %s lladdr %s dev %s nud permanent\n' \
            "$(address_of "$other" "$leg")" "$(hardware_address_of "$other" "$leg")" "$leg"
        fi
      done
    done
  } | ip -n "$ns" -batch -
  for leg in $(cut_legs "$host"); do set_port "$host" "$leg" 0; done
}

# The ports go by themselves when the kernel gets round to it; a host that is switched on again can't wait for that.
unplug() {
  local leg
  for leg in $(legs_of "$1"); do ip -n "$(switch)" link del "$1.$leg" 2>/dev/null || true; done
  ip netns del "$(netns_of "$1")" 2>/dev/null || true
}

# Where the host is cut off at present.
cut_legs() { cat "$state/$1/cut" 2>/dev/null || true; }

# A port of a bridge that is "disabled" (0) drops every frame in both directions; the link itself stays up, so that
# nobody on either side is told. 3 is "forwarding".
set_port() {
  # Without power a host has no port.
  ip -n "$(switch)" link show "$1.$2" >/dev/null 2>&1 || return 0
  bridge -n "$(switch)" link set dev "$1.$2" state "$3"
}

cut_off() {
  local host=$1 leg
  shift
  for leg in "$@"; do set_port "$host" "$leg" 0; done
  # shellcheck disable=SC2046  # one word a leg
  put "$state/$host/cut" "$(printf '%s\n' "$@" $(cut_legs "$host") | sort -u)"
}

mend() {
  local host=$1 leg
  rm -f "$state/$host/cut"
  for leg in $(legs_of "$host"); do set_port "$host" "$leg" 3; done
}
