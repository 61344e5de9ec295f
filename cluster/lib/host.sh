# shellcheck shell=bash
# A host: namespaces for its network, name, processes, mounts and shared memory, around a first process that lives as long
# as the host has power. Killing that one process makes the kernel kill all the others, in whatever session or group
# they are, and a process of one host can't see, let alone signal, one of another.

# Sets `stat_fields` to those of /proc/PID/stat behind the command's name: [0] is the state, [19] the start time in
# ticks since the machine's boot.
read_stat() {
  local text
  { read -r text <"/proc/$1/stat"; } 2>/dev/null || return 1
  read -r -a stat_fields <<<"${text##*) }"
}

started_at() {
  local stat_fields
  read_stat "$1" || return 1
  printf '%s\n' "${stat_fields[19]}"
}

# Prints the pid that a file names, in the machine's numbers, if that very process still lives: a file holds a pid and a
# start time, so that no other process with the same number is taken for it.
living() {
  local pid start stat_fields
  read -r pid start _ 2>/dev/null <"$1" || return 1
  read_stat "$pid" || return 1
  [ "${stat_fields[19]}" = "$start" ] && [ "${stat_fields[0]}" != Z ] || return 1
  printf '%s\n' "$pid"
}

has_power() { living "$state/$1/init" >/dev/null; }

await() {
  local tries=$1
  shift
  for ((; tries > 0; tries--)); do
    if "$@"; then return 0; fi
    sleep 0.02
  done
  return 1
}

# The command that enters a host, in `enter`.
entrance() {
  local pid
  pid=$(living "$state/$1/init") || fail "$1 has no power; switch it on with: cluster/start $1"
  enter=(nsenter --target "$pid" --net --uts --ipc --pid --mount --)
}

# What every process on the host finds, whether it came by SSH, by `exec` or with the boot.
path_of() {
  if ! is_node "$1" || [ ! -e "$state/bare" ]; then printf '%s:' "$(<"$state/bin")"; fi
  printf '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n'
}

environment_of() {
  environment=(PATH="$(path_of "$1")" HOME="$state/$1/home" USER=root LOGNAME=root SHELL=/bin/bash
    TMPDIR="$state/$1/tmp" LANG=C.UTF-8)
}

# Runs a command on a host in a clean environment.
on_host() {
  local enter environment host=$1
  shift
  entrance "$host"
  environment_of "$host"
  "${enter[@]}" env -i -C / "${environment[@]}" "$@" 8>&- 9>&-
}

boot() {
  local host=$1 dir=$state/$1
  plug "$host"
  put "$dir/boot-id" "$(</proc/sys/kernel/random/uuid)"
  rm -f "$dir/init" "$dir/agent"
  setsid nsenter --net="/run/netns/$(netns_of "$host")" \
    unshare --uts --ipc --pid --mount --propagation private --fork \
    "$root/cluster/lib/first-process" "$dir" "$host" </dev/null >>"$dir/logs/console" 2>&1 8>&- 9>&- &
  disown
  if ! await 500 has_power "$host"; then
    tail -n 5 "$dir/logs/console" >&2
    fail "$host does not boot; see $dir/logs/console"
  fi
}

# A power cut: first the cables, so that no connection is closed properly and nobody is told, then all processes at once.
power_off() {
  local host=$1 leg pid start
  for leg in $(legs_of "$host"); do set_port "$host" "$leg" 0; done
  if pid=$(living "$state/$host/init") && start=$(started_at "$pid"); then
    kill -KILL "$pid" 2>/dev/null || true
    # The kernel lets go of the first process when the last of the others is gone.
    await 1500 gone "$pid" "$start" || fail "process $pid of $host does not end"
  fi
  rm -f "$state/$host/init" "$state/$host/agent"
  unplug "$host"
}

gone() {
  local stat_fields
  ! read_stat "$1" || [ "${stat_fields[19]}" != "$2" ] || [ "${stat_fields[0]}" = Z ]
}

# The pid by the machine's numbers of a process that is PID by the host's own.
outer_pid() {
  local host=$1 inner=$2 init namespace status pid
  init=$(living "$state/$host/init") || return 1
  namespace=$(readlink "/proc/$init/ns/pid")
  { grep -slE "^NSpid:[[:space:]]+[0-9]+[[:space:]]+$inner\$" /proc/[0-9]*/status || true; } | while read -r status; do
    pid=${status%/status}
    if [ "$(readlink "$pid/ns/pid" 2>/dev/null)" = "$namespace" ]; then printf '%s\n' "${pid##*/}"; fi
  done
}
