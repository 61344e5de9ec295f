import Testing

@Suite("The rules of the domain, at the places of a file")
struct RuleDiagnosticTests {
  @Test(arguments: [
    Case(
      "names",
      "program: a b\nevents: {'e/1': {}}\nsteps: {.: {}, e2: {}, l: {}}\nloops: {l: {over: [], start: e2}}",
      "p:1:10: error: 'a b' is not a valid name; use 1 to 128 of A-Z a-z 0-9 _ . -",
      "p:2:10: error: 'e/1' is not a valid name; use 1 to 128 of A-Z a-z 0-9 _ . -",
      "p:3:9: error: '.' is not a valid name; use 1 to 128 of A-Z a-z 0-9 _ . -",
      "p:4:9: error: 'l' is the name of a step too; events, steps and loops share one space of names",
      "p:4:30: error: 'e2' is a step, not an event; 'after' waits for steps and loops"),
    Case(
      "unknown names everywhere",
      """
      program: x
      events: {go: {}, done: {when: go and dome}}
      groups: {builders: {hosts: [h1]}}
      resources: {license: 2}
      steps:
        s1: {on: [go, og], group: bilders, acquires: {licence: 1}, releases: {vcs: 1}}
        s2: {after: [s1, go], triggers: {success: s1, failure: [don], complete: x1, skipped: x2}}
      loops:
        l: {on: s1, over: [1], start: [gone], until: doen, triggers: {success: aaaaaaaa}}
      associations:
        - {event: goo, to: [s1, s3, l]}
      start: [go, {event: g, sequence: a/b}]
      """,
      "p:2:31: error: unknown event 'dome'; did you mean 'done'?",
      "p:6:17: error: unknown event 'og'; did you mean 'go'?",
      "p:6:29: error: unknown group 'bilders'; did you mean 'builders'?",
      "p:6:49: error: unknown resource 'licence'; did you mean 'license'?",
      "p:6:73: error: unknown resource 'vcs'",
      "p:7:20: error: 'go' is an event; 'after' names steps and loops, 'on' names events",
      "p:7:45: error: 's1' is a step, not an event; 'after' waits for steps and loops",
      "p:7:59: error: unknown event 'don'; did you mean 'done'?",
      "p:7:75: error: unknown event 'x1'; did you mean 'go'?",
      "p:7:88: warning: step 's2' has no precondition: it is never skipped",
      "p:7:88: error: unknown event 'x2'; did you mean 'go'?",
      "p:9:11: error: 's1' is a step, not an event; 'after' waits for steps and loops",
      "p:9:34: error: unknown event 'gone'; did you mean 'done'?",
      "p:9:48: error: unknown event 'doen'; did you mean 'done'?",
      "p:9:74: error: unknown event 'aaaaaaaa'",
      "p:11:13: error: unknown event 'goo'; did you mean 'go'?",
      "p:11:27: error: unknown event, step or loop 's3'; did you mean 's1'?",
      "p:12:21: error: unknown event 'g'; did you mean 'go'?",
      "p:12:34: error: 'a/b' is not a valid sequence; use 1 to 64 of A-Z a-z 0-9 _ . : -"),
    Case(
      "numbers out of range",
      """
      program: x
      config: {max_concurrent: -1, timeout: 0, env_prefix: 1-}
      groups: {g: {hosts: [], max_concurrent: -2}, h: {hosts: ["", "a b"]}}
      resources: {r: 0, q: 1}
      steps:
        s1: {priority: 1000001, max_lost: -1, timeout: 0s, acquires: {q: 2}, releases: {q: -1}}
        s2: {retry: {attempts: 0, backoff: 0, jitter: 1.5, on_exit: [0, 256, signal]}, acquires: {q: 0}}
        s3: {foreach: [1], at_once: -1, limits: {memory: 0, cpu: 0}, host: "a b", env: {A=B: 1}}
        s4: {run: [], precondition: [""]}
        s5: {shell: " ", cwd: ""}
      """,
      "p:2:26: error: 'max_concurrent' can't be negative",
      "p:2:39: error: 'timeout' must be longer than nothing",
      "p:2:54: error: '1-' can't begin the name of an environment variable",
      "p:3:21: error: group 'g' has no hosts; name some, or labels under 'match'",
      "p:3:41: error: 'max_concurrent' can't be negative",
      "p:3:58: error: the name of the host is empty",
      "p:3:62: error: 'a b' is no name of a host",
      "p:4:16: error: 'capacity' must be at least 1, not 0",
      "p:6:18: error: 'priority' must be from -1000000 to 1000000",
      "p:6:37: error: 'max_lost' can't be negative",
      "p:6:50: error: 'timeout' must be longer than nothing",
      "p:6:65: error: the step could never start: it acquires 2 of 'q', of which there are 1",
      "p:6:83: error: 'q' can't be negative",
      "p:7:26: error: 'attempts' must be at least 1, not 0",
      "p:7:38: error: 'backoff' must be more than 0",
      "p:7:49: error: 'jitter' must be from 0 to 1",
      "p:7:64: error: the exit code of a failure is from 1 to 255, not 0",
      "p:7:67: error: the exit code of a failure is from 1 to 255, not 256",
      "p:7:93: error: at least 1 of 'q' must be acquired, not 0",
      "p:8:31: error: 'at_once' can't be negative",
      "p:8:52: error: 'memory' must be more than nothing",
      "p:8:60: error: 'cpu' must be from 0.01 to 100000 cores",
      "p:8:70: error: 'a b' is no name of a host",
      "p:8:83: error: 'A=B' can't be the name of an environment variable",
      "p:9:13: error: the command is empty",
      "p:9:31: error: the command is empty",
      "p:10:15: error: the command is empty",
      "p:10:25: error: 'cwd' is empty"),
    Case(
      "cycles",
      """
      program: x
      events: {a: {when: b and c}, b: {when: a}, c: {}, d: {when: d}}
      steps: {s1: {after: [s2, l]}, s2: {after: l}, s3: {after: s3}, s4: {after: s1}}
      loops: {l: {over: [1], start: c, after: s2}}
      """,
      "p:2:20: error: a cycle of conditions: a needs b needs a",
      "p:2:61: error: a cycle of conditions: d needs d",
      "p:3:43: error: a cycle through 'after': s2 after l after s2; none of them could start",
      "p:3:59: error: a cycle through 'after': s3 after s3; none of them could start"),
    Case(
      "parameters",
      """
      program: x
      parameters:
        a: {type: integer, default: "1"}
        b: {default: z, choices: [x, y]}
        c: {type: number, default: 1, choices: [1, two], required: true}
        d: {choices: []}
        e: {secret: true, default: s3cret}
      """,
      "p:3:31: error: the default \"1\" is not of type integer",
      "p:4:16: error: the default \"z\" is not one of the choices",
      "p:5:46: error: the choice \"two\" is not of type number",
      "p:5:62: warning: 'required' says nothing beside a default",
      "p:6:16: error: 'choices' is empty: no value would be allowed",
      "p:7:30: error: a secret parameter can't have a default: it would stand in the file and the database in clear"
    ),
    Case(
      "references",
      """
      program: x
      parameters: {site: a, key: {secret: true}}
      groups: {g: {hosts: [h], env: {K: "${param.key}"}, cwd: "/${param.sites}"}}
      steps:
        s1: {run: [a, "${param.key}"], env: {A: "${param.key}", B: "${steps.s9.result.x}"}}
        s2: {shell: "$${param.no} ${HOME:-${param.sit}} ${param.site}", host: "${steps.s1.result}", cwd: "/${param.key}"}
        s3: {foreach: "${steps.s0.result}", run: ["${loop.item}", "${loop.itme}"], precondition: "${param.key}"}
        s4: {foreach: ["${param.xyz}"], host: "${param.key}"}
      """,
      "p:3:57: error: unknown parameter 'sites'; did you mean 'site'?",
      "p:5:17: error: the secret parameter 'key' may be used in 'env' only: here others could read it",
      "p:5:59: error: unknown step 's9'; did you mean 's1'?",
      "p:6:15: error: unknown parameter 'sit'; did you mean 'site'?",
      "p:6:73: error: only ${param.NAME} is replaced here, not '${steps.s1.result}'",
      "p:6:100: error: the secret parameter 'key' may be used in 'env' only: here others could read it",
      "p:7:17: error: unknown step 's0'; did you mean 's1'?",
      "p:7:61: warning: '${loop.itme}' is left as it is; there are ${param.NAME}, ${steps.NAME.result}, ${loop.item} "
        + "and ${loop.index}",
      "p:7:92: error: the secret parameter 'key' may be used in 'env' only: here others could read it",
      "p:8:18: error: unknown parameter 'xyz'",
      "p:8:41: error: the secret parameter 'key' may be used in 'env' only: here others could read it"),
    Case(
      "what nothing starts, raises or ends",
      """
      program: x
      events: {go: {}, lost: {}, by_hand: {external: true}, both: {when: go and lost}, never: {}, body: {}}
      start: [go, go]
      steps:
        s1: {on: go, triggers: {skipped: both}, env: {I: "${loop.item}"}}
        s2: {on: lost}
        s3: {on: by_hand}
        s4: {on: both}
        s5: {after: s2}
        s6: {on: body, shell: "${loop.index}"}
      loops:
        l: {on: go, over: [1], start: body, until: [never, both]}
        m: {on: lost, over: [1], start: never}
      """,
      "p:2:18: warning: nothing raises event 'lost'; write 'external: true' if it comes from outside",
      "p:3:13: warning: 'go' is started twice in sequence '1'; once is enough",
      "p:5:36: warning: step 's1' has no precondition: it is never skipped",
      "p:5:49: warning: '${loop.item}' has no value: no loop starts step 's1'",
      "p:6:3: warning: nothing can start step 's2'",
      "p:9:3: warning: nothing can start step 's5'",
      "p:12:47: warning: nothing in an iteration of loop 'l' raises 'never'",
      "p:12:54: warning: nothing in an iteration of loop 'l' raises 'both'",
      "p:13:3: warning: nothing can start loop 'm'",
      "p:13:35: warning: the iterations of loop 'm' start no step and no loop"),
    Case(
      "a loop within itself",
      "program: x\nevents: [go]\nloops: {l: {on: go, over: [1], start: go}}\nstart: go",
      "p:3:9: warning: loop 'l' starts itself within its own iterations"),
  ])
  func rules(_ example: Case) { #expect(said(example.text) == example.said) }

  private static func uncertain(_ line: Int, _ step: String, _ hosts: String) -> String {
    "p:\(line):3: error: step '\(step)' has no certain host: what starts it always comes from \(hosts); "
      + "give it 'host' or 'group', or the program 'config.default_host'"
  }

  @Test(
    "a step without a place whose causes are certain to be on several hosts is refused",
    arguments: [
      Case(
        "after two", "program: x\nsteps:\n  a: {host: h1}\n  b: {host: h2}\n  c: {after: [a, b]}",
        uncertain(5, "c", "'h1' and 'h2'")),
      Case(
        "through events, associations and a loop",
        """
        program: x
        events: {e1: {}, e2: {}, both: {when: e1 and e2}, next: {}, body: {}}
        groups: {one: {hosts: [h2]}}
        steps:
          a: {host: h1, triggers: {success: e1}}
          b: {group: one, triggers: {success: e2}}
          c: {on: body}
        associations: [{event: both, to: next}]
        loops: {l: {on: next, over: [1], start: body}}
        """, uncertain(7, "c", "'h1' and 'h2'")),
      Case(
        "a foreach",
        "program: x\nsteps:\n  a: {host: h1}\n  b: {host: h2}\n  c: {after: [a, b], foreach: [1]}",
        uncertain(5, "c", "'h1' and 'h2'")),
      Case(
        "either is one host",
        "program: x\nevents: {e1: {}, e2: {}, any: {when: e1 or e2}}\nsteps:\n"
          + "  a: {host: h1, triggers: {success: e1}}\n  b: {host: h2, triggers: {success: e2}}\n  c: {on: any}"
      ),
      Case(
        "another way to start it",
        "program: x\nevents: {e: {external: true}}\nsteps:\n  a: {host: h1}\n"
          + "  b: {host: h2}\n  c: {after: [a, b], on: e}"),
      Case("the same host", "program: x\nsteps:\n  a: {host: h1}\n  b: {host: h1}\n  c: {after: [a, b]}"),
      Case(
        "a host from a parameter",
        "program: x\nparameters: {h: a}\nsteps:\n  a: {host: h1}\n"
          + "  b: {host: \"${param.h}\"}\n  c: {after: [a, b]}"),
      Case(
        "a group",
        "program: x\ngroups: {g: {hosts: [h1, h2]}}\nsteps:\n  a: {host: h1}\n  b: {host: h2}\n"
          + "  c: {after: [a, b], group: g}"),
      Case(
        "a default",
        "program: x\nconfig: {default_host: h1}\nsteps:\n  a: {host: h1}\n  b: {host: h2}\n"
          + "  c: {after: [a, b]}"),
    ])
  func hosts(_ example: Case) { #expect(said(example.text) == example.said) }
}
