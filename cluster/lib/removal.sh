# shellcheck shell=bash
# Removing a cluster, whatever state it is in: whole, or left by an `up` that was killed at any moment.

remove_cluster() {
  local prefix file pid start namespace process pids=() namespaces=() inside=() remaining=()
  # Without a prefix nothing was made outside of the directory.
  if [ -s "$state/prefix" ]; then
    prefix=$(<"$state/prefix")
    # First processes that have been recorded, then whatever else is in one of the cluster's networks: that is a host
    # whose boot was cut short, or a command that somebody runs there.
    for file in "$state"/*/init; do
      if pid=$(living "$file"); then pids+=("$pid"); fi
    done
    mapfile -t namespaces < <(ip netns list | sed -n "s/^\($prefix-[a-z0-9]*\).*/\1/p")
    for namespace in "${namespaces[@]}"; do
      mapfile -t inside < <(ip netns pids "$namespace")
      pids+=("${inside[@]}")
    done
    for pid in "${pids[@]}"; do
      if start=$(started_at "$pid") && kill -KILL "$pid" 2>/dev/null; then remaining+=("$pid:$start"); fi
    done
    for process in "${remaining[@]}"; do
      await 1500 gone "${process%:*}" "${process#*:}" || fail "process ${process%:*} does not end; try again"
    done
    for namespace in "${namespaces[@]}"; do ip netns del "$namespace"; done
  fi
  # The databases' data may lie elsewhere, and dev-services knows where.
  if [ -d "$state/db/services" ]; then
    EVENTOR_SERVICES_DIR=$state/db/services "$root/scripts/dev-services" down
  fi
  rm -rf "$state"
}
