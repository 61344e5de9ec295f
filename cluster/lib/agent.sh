# shellcheck shell=bash
# The agent of a node: starting, finding and signalling its one process. Its keeper and the steps are other processes.

agent_of() { living "$state/$1/agent"; }

# Starts the agent with the options it had last, and waits until it says that it is ready.
# start_agent HOST SECONDS
start_agent() {
  local host=$1 seconds=$2 dir=$state/$1 inner outer code=0 options=() command=() clock library name
  has_power "$host" || fail "$host has no power; switch it on with: cluster/start $host"
  if agent_of "$host" >/dev/null; then
    say "the agent of $host runs already"
    return
  fi
  [ -x "$(<"$state/bin")/eventor-agent" ] ||
    fail "there is no eventor-agent in $(<"$state/bin"); build it, or say where it is with EVENTOR_BIN"
  mapfile -t options <"$dir/agent-options"
  clock=$(cat "$dir/clock" 2>/dev/null || true)
  if [ -n "$clock" ]; then
    library=$(clock_library)
    command=(env "LD_PRELOAD=$library" "CLOCK_OFFSET=$clock")
  fi
  command+=(eventor-agent --host "$host" --work-dir "$dir/work" --log-dir "$dir/logs/steps" --log-format json)
  for name in "${databases[@]}"; do command+=(--store "$name"); done
  inner=$(on_host "$host" "$root/cluster/lib/launch" "$dir/logs/agent" "$seconds" "${command[@]}" "${options[@]}") ||
    code=$?
  if [ "$code" -eq 1 ] || [ -z "$inner" ]; then fail "the agent of $host has ended at once; see $dir/logs/agent"; fi
  outer=$(outer_pid "$host" "$inner")
  [ -n "$outer" ] || fail "the agent of $host has ended; see $dir/logs/agent"
  : >"$dir/agent-wanted"
  put "$dir/agent" "$outer $(started_at "$outer") $inner"
  if [ "$code" -ne 0 ] && [ "$seconds" != 0 ]; then
    say "the agent of $host lives, but has not said within $seconds s that it is ready"
    return 8
  fi
}

# Makes a library of clock.c, once.
clock_library() {
  local library=$state/clock.so compiler
  if [ ! -e "$library" ]; then
    compiler=$(command -v cc || command -v clang) || fail "a C compiler is missing; run scripts/install-deps"
    "$compiler" -O -shared -fPIC -o "$library.$$" "$root/cluster/lib/clock.c"
    mv "$library.$$" "$library"
  fi
  printf '%s\n' "$library"
}

# +1h, -90m, 3s: in seconds; nothing for 0.
seconds_of() {
  [[ $1 =~ ^([-+]?)([0-9]+)([smhd]?)$ ]] || fail 2 "'$1' is no offset of a clock; say for example +1h or -90s"
  local sign=${BASH_REMATCH[1]#+} number=${BASH_REMATCH[2]} unit=1
  case ${BASH_REMATCH[3]} in m) unit=60 ;; h) unit=3600 ;; d) unit=86400 ;; esac
  if [ "$number" -ne 0 ]; then printf '%s%d\n' "$sign" $((number * unit)); fi
}

signal_agent() {
  local host=$1 signal=$2 pid
  pid=$(agent_of "$host") || fail 3 "no agent runs on $host"
  kill -s "$signal" "$pid"
}

# Asks it to end and waits: its steps are handed over or finished before that.
stop_agent() {
  local host=$1 seconds=$2 pid start
  pid=$(agent_of "$host") || return 0
  start=$(started_at "$pid") || return 0
  kill -s TERM "$pid" 2>/dev/null || return 0
  await $((seconds * 50)) gone "$pid" "$start" ||
    fail 7 "the agent of $host has not ended within $seconds s of SIGTERM; it runs on"
  rm -f "$state/$host/agent"
}
