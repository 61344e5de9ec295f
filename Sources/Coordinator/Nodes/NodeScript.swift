/// What a node is asked to do, as one script for `/bin/sh`: it needs no program of ours there.
///
/// Called as `MODE ACCOUNT VERB [ARGUMENT…]`, where MODE is `system`, `user`, or `found` for what is installed. Answers are lines of a
/// key, a tab and a value; the key `error` has the kind of a ``NodeFailure``, and `why` and `mend` follow.
enum NodeScript {
  /// What scripts ask of processes.
  static let processes = #"""
    # proc(5): behind the name in brackets the state comes first, the start time twentieth.
    of_stat() { sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null; }
    started() { of_stat "$1" | cut -d ' ' -f 20; }
    # One that has ended and was not waited for yet does not live.
    lives() { case $(of_stat "$1") in Z* | '') false ;; esac; }
    """#

  static let text = #"""
    set -u
    umask 022
    cd / || exit 1
    mode=$1 account=$2 verb=$3
    shift 3
    uid=$(id -u) self=$(id -un)
    # Nothing of the login's own says what is done.
    for name in $(env | sed -n 's/^\(EVENTOR_[A-Z_]*\)=.*/\1/p'); do unset "$name"; done
    HOME=${HOME:-$(getent passwd "$uid" | cut -d : -f 6)}
    say() { printf '%s\t%s\n' "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"; }
    fail() { say error "$1"; say why "$2"; say mend "${3-}"; exit 1; }

    # Where everything is.
    if [ "$mode" = found ]; then
      if [ "$uid" = 0 ] && [ -x /usr/local/bin/eventor-agent ] && [ -e /etc/eventor/eventor.yaml ]; then mode=system
      elif [ -x "$HOME/.local/bin/eventor-agent" ] && [ -e "$HOME/.config/eventor/eventor.yaml" ]; then mode=user
      else fail not_found "$self has no agent installed there" "coordinator agent install HOST"
      fi
    fi
    if [ "$mode" = system ]; then
      [ "$uid" = 0 ] || fail usage "an agent for all of the host needs root, and the login is $self's" "name root@HOST, or add --user"
      bin=/usr/local/bin etc=/etc/eventor state=/var/lib/eventor
      # The account it has, which an installation that was broken off may have given to the directory alone.
      for place in "$etc/eventor.yaml" "$etc"; do
        if [ -z "$account" ] && [ -e "$place" ]; then account=$(stat -c %U "$place" | grep -vx root); fi
      done
      if [ -z "$account" ] && grep -qE "^(# )?User=root$" /etc/systemd/system/eventor-agent.service "$bin/eventor-agent-start" 2>/dev/null; then account=root; fi
      account=${account:-eventor}
    else
      bin=$HOME/.local/bin etc=$HOME/.config/eventor state=$HOME/.local/state/eventor account=$self
    fi
    # root calls the starter, so it lies where the agent's account can't replace it.
    new=$bin/.eventor-new starter=$bin/eventor-agent-start

    # Who starts it: systemd where it runs, else the starter in the background.
    manager=none scope=--system units=/etc/systemd/system log=$state/agent.log
    if [ -d /run/systemd/system ] && command -v systemctl >/dev/null; then
      if [ "$mode" = system ]; then manager=systemd
      else
        XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$uid} scope=--user units=$HOME/.config/systemd/user
        export XDG_RUNTIME_DIR
        if systemctl --user show-environment >/dev/null 2>&1; then manager=systemd; fi
      fi
    fi
    [ "$manager" = none ] || log="journalctl $scope -u eventor-agent"

    # A command as the agent's account, with the agent's configuration.
    as() {
      if [ "$account" = "$self" ]; then EVENTOR_CONFIG=$etc/eventor.yaml "$@"
      else setpriv --reuid="$account" --regid="$account" --init-groups env HOME="$state" EVENTOR_CONFIG="$etc/eventor.yaml" "$@"
      fi
    }

    \#(processes)
    running() {
      if [ "$manager" = systemd ]; then
        pid=$(systemctl $scope show -p MainPID --value eventor-agent 2>/dev/null)
        [ "${pid:-0}" != 0 ]
      else
        read -r pid start boot 2>/dev/null <"$state/agent.pid" || return 1
        # The account may write what it likes into that file, but no process of another account is signalled for it.
        [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ "$start" = "$(started "$pid")" ] &&
          [ "$(stat -c %U "/proc/$pid" 2>/dev/null)" = "$account" ] && lives "$pid"
      fi
    }
    last_words() {
      if [ "$manager" = systemd ]; then journalctl $scope -u eventor-agent -n 1 -o cat 2>/dev/null
      else tail -n 1 "$state/agent.log" 2>/dev/null
      fi
    }
    host_name() {
      name=$(sed -n "s/^host:[[:space:]]*[\"']\{0,1\}\([^\"'#[:space:]]*\).*/\1/p" "$etc/eventor.yaml" 2>/dev/null | head -n 1)
      [ -n "$name" ] || name=$(uname -n)
      case $name in *[!0-9.]*) printf '%s\n' "${name%%.*}" ;; *) printf '%s\n' "$name" ;; esac
    }
    digest() { if [ -e "$2" ]; then say "$1" "$(sha256sum <"$2" | cut -c 1-64)"; fi; }
    at_boot() {
      if [ "$manager" = systemd ]; then systemctl $scope is-enabled eventor-agent >/dev/null 2>&1 && echo systemd
      elif [ "$mode" = system ]; then [ -e /etc/cron.d/eventor-agent ] && echo cron
      else crontab -l 2>/dev/null | grep -qF "@reboot $starter" && echo cron
      fi
    }

    case $verb in
    look)
      say mode "$mode"; say user "$self"; say account "$account"; say manager "$manager"; say machine "$(uname -m)"
      say bin "$bin"; say etc "$etc"; say state "$state"; say log "$log"; say name "$(host_name)"; say units "$units"
      if [ "$mode" = system ] && ! id "$account" >/dev/null 2>&1; then say account_missing yes; fi
      digest coordinator "$bin/coordinator"; digest eventor-agent "$bin/eventor-agent"
      digest configuration "$etc/eventor.yaml"; digest starter "$starter"; digest unit "$units/eventor-agent.service"
      if [ -e "$etc/secrets.yaml" ]; then say vault yes; fi
      say boot "$(at_boot)"
      if command -v cron >/dev/null || command -v crond >/dev/null; then say cron yes; fi
      if running; then
        say pid "$pid"
        say age "$(awk -v s="$(started "$pid")" -v t="$(getconf CLK_TCK)" '{ print int($1 - s / t) }' /proc/uptime)"
      fi
      if [ -x "$bin/eventor-agent" ]; then say version "$(timeout 10 "$bin/eventor-agent" --version 2>/dev/null </dev/null)"; fi
      ;;
    prepare)
      if [ "$mode" = system ] && ! id "$account" >/dev/null 2>&1; then
        said=$(useradd --system --user-group --home-dir "$state" --shell /usr/sbin/nologin "$account" 2>&1) ||
          fail failed "the account $account can't be made: $said" "name one that is there with --run-as"
      fi
      mkdir -p "$bin" "$state" && { [ -d "$etc" ] || mkdir -p -m 700 "$etc"; } &&
        rm -rf "$new" && mkdir -m 700 "$new" || fail failed "directories can't be made under $bin, $etc and $state" ""
      if [ "$mode" = system ]; then
        chown -h "$account:" "$etc"
        [ "$(stat -c %U "$state")" = "$account" ] || chown -R -h "$account:" "$state"
      fi
      ;;
    try)
      # What was sent must run before it takes the place of what runs.
      for program in coordinator eventor-agent; do
        [ -e "$new/$program" ] || continue
        said=$(timeout 30 "$new/$program" --version 2>&1 </dev/null) && continue
        missing=$(ldd "$new/$program" 2>/dev/null | sed -n 's/^[[:space:]]*\([^ ]*\) => not found.*/\1/p' | sort -u)
        rm -rf "$new"
        say program "$program"; say missing "$missing"
        fail cannot_run "$said" ""
      done
      ;;
    place)
      for program in coordinator eventor-agent; do
        if [ -e "$new/$program" ]; then mv -f "$new/$program" "$bin/$program" || fail failed "$bin/$program can't be replaced" ""; fi
      done
      rm -rf "$new"
      ;;
    settle)
      [ "$mode" = user ] || chown -h "$account:" "$etc/eventor.yaml"
      if [ "$manager" = systemd ]; then
        if [ "$mode" = user ]; then loginctl enable-linger "$self" >/dev/null 2>&1; fi
        said=$(systemctl $scope daemon-reload 2>&1 && systemctl $scope enable eventor-agent 2>&1) ||
          fail failed "systemd does not take the unit: $said" ""
      elif [ "$mode" = system ]; then
        if [ -d /etc/cron.d ]; then printf '@reboot root %s\n' "$starter" >/etc/cron.d/eventor-agent; fi
      elif command -v crontab >/dev/null && [ -z "$(at_boot)" ]; then
        { crontab -l 2>/dev/null; printf '@reboot %s\n' "$starter"; } | crontab -
      fi
      say boot "$(at_boot)"
      ;;
    key)
      if [ -e "$etc/secrets.yaml" ]; then said=$(as "$bin/coordinator" secret list --public-key 2>&1 </dev/null)
      else said=$(as "$bin/coordinator" secret init --key-file "$etc/secrets.key" 2>&1 </dev/null)
      fi || fail failed "its vault gives no key: ${said#error: }" ""
      say key "$(printf '%s\n' "$said" | grep '^evpk1\.' | head -n 1)"
      ;;
    import)
      said=$(as "$bin/coordinator" secret import --yes 2>&1) || fail failed "its vault does not take the credentials: ${said#error: }" ""
      printf '%s\n' "$said" | while IFS= read -r line; do say credential "$line"; done
      ;;
    start)
      if running; then say pid "$pid"; say already yes; exit 0; fi
      if [ "$manager" = systemd ]; then
        said=$(systemctl $scope start --no-block eventor-agent 2>&1) || fail failed "systemd does not start it: $said" ""
      else
        said=$("$starter" 2>&1 </dev/null) || fail failed "it does not start: $said" "its log on the host: $log"
      fi
      ;;
    stop)
      # $1: seconds to wait; $2: `now` to hand running steps over at once. A step is never ended by this.
      running || { say already yes; exit 0; }
      say pid "$pid"
      former="$pid $(started "$pid")"
      if [ "$manager" = systemd ]; then systemctl $scope stop --no-block eventor-agent; else kill -s TERM "$pid"; fi
      tries=$(($1 * 10))
      while [ "$former" = "$pid $(started "$pid")" ] && lives "$pid"; do
        [ "$tries" -gt 0 ] || fail timed_out "its agent (pid $pid) has not ended within $1 s" "its log on the host: $log"
        if [ "${2-}" = now ] && [ "$tries" -eq $(($1 * 10 - 3)) ]; then kill -s TERM "$pid" 2>/dev/null; fi
        tries=$((tries - 1))
        sleep 0.1
      done
      ;;
    beat)
      if ! running; then say log "$log"; say words "$(last_words)"; exit 0; fi
      say pid "$pid"
      said=$(as "$bin/coordinator" agent list --output tsv --no-header --columns host,state,pid,version 2>&1 </dev/null)
      code=$?
      if [ "$code" != 0 ]; then say code "$code"; say store "$(printf '%s\n' "$said" | tail -n 1)"; exit 0; fi
      printf '%s\n' "$said" | awk -F '\t' -v pid="$pid" -v name="$(host_name)" \
        '$1 == name && $3 == pid { printf "heard\t%s\nversion\t%s\n", $2, $4 }'
      ;;
    esac
    exit 0
    """#
}
