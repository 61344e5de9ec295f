import CSSH2

extension Wire {
  /// Greets the host and exchanges keys, preferring host keys of `preferredTypes`; returns the host's key.
  func shakeHands(preferredTypes: [String]) throws -> HostKey {
    let ours = ServerOffer.supported(LIBSSH2_METHOD_HOSTKEY, in: session).filter { $0 != "ssh-dss" }
    let wanted = preferredTypes.filter(ours.contains)
    let order = wanted + HostKey.order.filter { ours.contains($0) && !wanted.contains($0) }
    if !order.isEmpty {
      _ = libssh2_session_method_pref(session, LIBSSH2_METHOD_HOSTKEY, order.joined(separator: ","))
    }
    let code: Int32
    do {
      code = try perform(Limit(patience, "greeting and key exchange")) {
        libssh2_session_handshake(session, link.descriptor)
      }
    } catch let error as TransportError where error.kind == .timedOut {
      throw silence(error)
    }
    guard code == 0 else { throw handshakeFailure(code) }
    link.forgetBeginning()
    var length = 0
    var type: Int32 = 0
    guard let key = libssh2_session_hostkey(session, &length, &type),
      let hostKey = HostKey(blob: Array(UnsafeRawBufferPointer(start: key, count: length)))
    else { throw failure(.protocolViolation, "the host has shown no key") }
    return hostKey
  }

  /// A host that did not answer in time: how far it came.
  private func silence(_ error: TransportError) -> TransportError {
    let offer = ServerOffer(link.beginning)
    var error = error
    if link.beginning.isEmpty {
      error.why = "it accepts connections, and then says nothing"
      error.mend = "check that it is sshd that listens there, and that the host is not stuck"
    } else if offer.greeting == nil {
      error.why = "what listens there is no SSH server: it talks without a greeting"
    } else {
      error.why = "it greets, and then falls silent in the key exchange"
    }
    return error
  }

  private func handshakeFailure(_ code: Int32) -> TransportError {
    let offer = ServerOffer(link.beginning)
    if offer.greeting == nil, code == LIBSSH2_ERROR_BANNER_RECV || !link.beginning.isEmpty {
      return failure(
        .protocolViolation,
        "what listens there is no SSH server" + (offer.otherWords.map { ": it says \(quoted($0))" } ?? ""),
        "check the port")
    }
    if code != LIBSSH2_ERROR_SOCKET_DISCONNECT, let list = offer.disagreement(in: session) {
      let names = list.names.map { $0.prefix(60) }.prefix(12).joined(separator: ", ")
      return failure(
        .noCommonAlgorithm, "there is no common \(list.noun): it offers only \(quoted(names))",
        list.method == LIBSSH2_METHOD_HOSTKEY
          ? "give the host an ed25519 or ecdsa key: libssh2 \(Library.version) knows no rsa-sha2"
          : "let its sshd_config allow one of "
            + ServerOffer.supported(list.method, in: session).prefix(6).joined(separator: ", "))
    }
    let stage = offer.greeting == nil ? "before any greeting" : "in the key exchange"
    return connectionFailure(code, stage) ?? failure(.protocolViolation, "\(stage): \(lastError.text)")
  }
}

extension Wire {
  /// The line the host greeted with.
  var greeting: String {
    libssh2_session_banner_get(session).map { String(cString: $0) } ?? ""
  }
}
