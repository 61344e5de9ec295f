/// What lines of `ssh_config` say of one host: the first value of each keyword, and all identity files.
struct ConfigurationValues {
  /// The host as it was named, which `Host` lines are compared with.
  let host: String
  var notes: [String] = []
  private var first: [String: ConfigurationLine] = [:]
  private var identityFiles: [ConfigurationLine] = []

  init(host: String) { self.host = host }

  /// Takes a line that applies.
  mutating func take(_ line: ConfigurationLine) {
    if line.keyword == "identityfile" { return identityFiles.append(line) }
    // Whichever of the two comes first excludes the other.
    if line.keyword == "proxycommand", first["proxyjump"] != nil { return }
    if line.keyword == "proxyjump", first["proxycommand"] != nil { return }
    if first[line.keyword] == nil { first[line.keyword] = line }
  }

  /// The settings they make.
  func settings(for destination: Destination, local: LocalUser) throws -> HostSettings {
    var settings = HostSettings(host: host, user: destination.user ?? local.name)
    settings.notes = notes
    if destination.user == nil, let user = text("user") { settings.user = user }
    if let line = first["port"] { settings.port = try number(line, 1...65535) }
    if let port = destination.port { settings.port = port }
    var expansion = Expansion(
      local: local, host: host, hostName: host, port: settings.port, user: settings.user)
    if let line = first["hostname"] {
      settings.hostName = try expansion.tokens(line.arguments[0], only: "h", place: line.place)
      expansion.hostName = settings.hostName
    }
    try readKeys(into: &settings, expansion)
    try readKnownHosts(into: &settings, expansion)
    if let line = first["connecttimeout"], line.arguments[0] != "none" {
      settings.connectTimeout = try time(line)
      if settings.connectTimeout == .zero { throw bad(line, "a time above 0") }
    }
    if let line = first["serveraliveinterval"] {
      let interval = try time(line)
      settings.serverAliveInterval = interval == .zero ? nil : interval
    }
    if let line = first["serveralivecountmax"] {
      settings.serverAliveCountMax = try number(line, 0...1_000_000)
    }
    if let line = first["addressfamily"] {
      guard let family = HostSettings.AddressFamily(rawValue: line.arguments[0].lowercased()) else {
        throw bad(line, "any, inet or inet6")
      }
      settings.addressFamily = family
    }
    if let line = first["batchmode"] { settings.batchMode = try flag(line) }
    try readProxies(into: &settings, expansion)
    return settings
  }

  private func readKeys(into settings: inout HostSettings, _ expansion: Expansion) throws {
    let named = identityFiles.filter { $0.arguments[0].lowercased() != "none" }
    if identityFiles.isEmpty {
      settings.identityFiles = ["id_ed25519", "id_ecdsa", "id_rsa"].map {
        expansion.local.home + "/.ssh/" + $0
      }
    }
    for line in named {
      let path = try expansion.path(line.arguments[0], place: line.place)
      if !settings.identityFiles.contains(path) { settings.identityFiles.append(path) }
    }
    if let line = first["identitiesonly"] { settings.identitiesOnly = try flag(line) }
    let environment = expansion.local.environment
    settings.identityAgent = environment["SSH_AUTH_SOCK"]
    if let line = first["identityagent"] {
      let value = line.arguments[0]
      if value.lowercased() == "none" {
        settings.identityAgent = nil
      } else if value.hasPrefix("$"), !value.hasPrefix("${") {
        settings.identityAgent = environment[String(value.dropFirst())]
      } else if value != "SSH_AUTH_SOCK" {
        settings.identityAgent = try expansion.path(value, place: line.place)
      }
    }
    if settings.identityAgent?.isEmpty == true { settings.identityAgent = nil }
  }

  private func readKnownHosts(into settings: inout HostSettings, _ expansion: Expansion) throws {
    func files(_ keyword: String, _ defaults: [String]) throws -> [String] {
      guard let line = first[keyword] else { return defaults }
      if line.arguments.map({ $0.lowercased() }) == ["none"] { return [] }
      return try line.arguments.map { try expansion.path($0, place: line.place) }
    }
    let own = expansion.local.home + "/.ssh/known_hosts"
    settings.userKnownHostsFiles = try files("userknownhostsfile", [own, own + "2"])
    settings.globalKnownHostsFiles = try files(
      "globalknownhostsfile", ["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"])
    if let line = first["hashknownhosts"] { settings.hashKnownHosts = try flag(line) }
    settings.hostKeyAlias = text("hostkeyalias")
    if let line = first["stricthostkeychecking"] {
      switch line.arguments[0].lowercased() {
      case "yes", "true", "ask": settings.strictHostKeyChecking = .refuse
      case "accept-new", "no", "false", "off": settings.strictHostKeyChecking = .acceptNew
      default: throw bad(line, "yes, ask, accept-new or no")
      }
    }
  }

  private func readProxies(into settings: inout HostSettings, _ expansion: Expansion) throws {
    if let line = first["proxycommand"], line.arguments.first?.lowercased() != "none" {
      throw TransportError(
        .configuration, what: line.place, why: "ProxyCommand is not carried out here, and \(host) needs it",
        mend: "use ProxyJump")
    }
    guard let line = first["proxyjump"], line.arguments[0].lowercased() != "none" else { return }
    let hops = try expansion.tokens(line.arguments[0], only: "hnpr", place: line.place)
    settings.proxyJump = try hops.split(separator: ",").map { try Destination(String($0)) }
  }

  // MARK: Values

  private func text(_ keyword: String) -> String? { first[keyword]?.arguments[0] }

  private func number(_ line: ConfigurationLine, _ range: ClosedRange<Int>) throws -> Int {
    guard let number = Int(line.arguments[0]), range.contains(number) else {
      throw bad(line, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  private func flag(_ line: ConfigurationLine) throws -> Bool {
    switch line.arguments[0].lowercased() {
    case "yes", "true": true
    case "no", "false": false
    default: throw bad(line, "yes or no")
    }
  }

  /// `90`, `1m30s`, `2h`: seconds where no unit is given (sshd_config(5), TIME FORMATS).
  private func time(_ line: ConfigurationLine) throws -> Duration {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800]
    var total = 0
    var digits = ""
    for character in line.arguments[0].lowercased() + "s" {
      if character.isASCII, character.isNumber {
        digits.append(character)
      } else if let unit = units[character], let number = Int(digits), number < 1 << 31 {
        total += number * unit
        digits = ""
      } else if !(digits.isEmpty && total > 0 && character == "s") {
        throw bad(line, "a time such as 30 or 1m30s")
      }
    }
    return .seconds(total)
  }

  private func bad(_ line: ConfigurationLine, _ wanted: String) -> TransportError {
    TransportError(
      .configuration, what: line.place,
      why: "\(line.keyword) is \(quoted(line.arguments[0]))", mend: "write \(wanted)")
  }
}
