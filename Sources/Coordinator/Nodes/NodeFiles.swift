import Transport

/// The files of a node that are made for it: what starts its agent, and its configuration.
enum NodeFiles {
  /// A script that starts the agent in the background unless it runs, where there is no systemd.
  ///
  /// It is locked by itself, and whatever the agent's account could have replaced is opened as that account. The agent
  /// leaves its process id with start time and boot id: a number alone may be another process's by now.
  static func starter(_ facts: NodeFacts) -> String {
    let quoted = { (text: String) in ShellWord.quoted(text) }
    let become =
      facts.account == facts.user
      ? "" : "setpriv --reuid=\(quoted(facts.account)) --regid=\(quoted(facts.account)) --init-groups "
    // The home in which ~ is looked up: that of the login, or of the account.
    let home = facts.isSystem ? quoted(facts.state) : "\"$HOME\""
    return #"""
      #!/bin/sh
      # Starts the agent of this host in the background, unless it runs. `coordinator agent install` and `agent upgrade` write this
      # file anew: change eventor.yaml instead.
      # User=\#(facts.account)
      set -eu
      state=\#(quoted(facts.state))
      cd "$state"
      exec 9<"$0"
      flock 9
      \#(NodeScript.processes)
      running() {
        read -r pid start boot 2>/dev/null <agent.pid || return 1
        [ "$boot" = "$(cat /proc/sys/kernel/random/boot_id)" ] && [ "$start" = "$(started "$pid")" ] &&
          lives "$pid"
      }
      if running; then exit 0; fi
      setsid env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=\#(home) \
        USER=\#(quoted(facts.account)) LOGNAME=\#(quoted(facts.account)) SHELL=/bin/sh LANG=C.UTF-8 \#(become)/bin/sh -c '
        umask 022
        exec </dev/null >>agent.log 2>&1
        echo "$$ $(sed "s/^.*) //" "/proc/$$/stat" | cut -d " " -f 20) $(cat /proc/sys/kernel/random/boot_id)" >agent.pid.new
        mv -f agent.pid.new agent.pid
        exec "$@"' sh \#(quoted(facts.bin + "/eventor-agent")) --config \#(quoted(facts.etc + "/eventor.yaml")) \
        </dev/null >/dev/null 2>&1 9<&- &
      tries=100
      until running; do
        tries=$((tries - 1))
        if [ "$tries" -eq 0 ]; then
          tail -n 1 agent.log >&2
          exit 1
        fi
        sleep 0.05
      done

      """#
  }

  /// The unit of systemd, for the host or for the user; docs/agents.md says why each line is there.
  static func unit(_ facts: NodeFacts) -> String {
    let account = facts.isSystem ? "User=\(facts.account)\n" : ""
    return """
      # Made by `coordinator agent install`. Change it with `systemctl edit eventor-agent`: an upgrade writes this file anew.
      [Unit]
      Description=Eventor agent
      After=network-online.target
      Wants=network-online.target
      StartLimitIntervalSec=0

      [Service]
      Type=notify
      ExecStart=\(facts.bin)/eventor-agent --config \(facts.etc)/eventor.yaml
      ExecReload=/bin/kill -HUP $MAINPID
      # Steps outlive their agent: its keeper and they are not told to end.
      KillMode=process
      OOMPolicy=continue
      TimeoutStopSec=60s
      TimeoutStartSec=infinity
      Restart=always
      RestartSec=2s
      # Not with a configuration that it refuses.
      RestartPreventExitStatus=2
      \(account)WorkingDirectory=\(facts.state)
      TasksMax=infinity
      LimitNOFILE=65536
      LimitCORE=0

      [Install]
      WantedBy=\(facts.isSystem ? "multi-user" : "default").target

      """
  }

  /// The configuration of a node that has none.
  static func configuration(_ store: NodeStore, _ facts: NodeFacts) -> String {
    """
    # The agent of this host; `coordinator agent install` made this file, and does not change it again.
    # `coordinator schema config` explains every key; send the agent SIGHUP after a change.
    store: \(store.tag)
    databases:
      \(store.tag): \(quoted(store.entry))
    log_dir: \(quoted(facts.state + "/logs"))
    work_dir: \(quoted(facts.state + "/work"))

    """
  }

  /// A scalar of YAML in double quotes.
  private static func quoted(_ text: String) -> String {
    "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
  }
}
