import Foundation
import Testing

/// The settings that are searched. Each leaves something out, so that all of it is looked at in seconds, in debug builds
/// too; the large ones leave out less, and take minutes.
extension Setting {
  static let stopped = Setting(
    name: "a step of a group, stopped when it is cut off", placement: .group, cutOff: .stop, lockFor: 2)
  static let kept = Setting(
    name: "a step pinned to a host, kept when it is cut off", placement: .pinned, cutOff: .keep, lockFor: 2,
    hosts: [0, 0])

  /// `EVENTOR_LOCK_MODEL=large` adds the large ones.
  static var searched: [Setting] {
    let isLarge = ProcessInfo.processInfo.environment["EVENTOR_LOCK_MODEL"] == "large"
    return isLarge ? usual + large : usual
  }

  static let usual: [Setting] = [
    stopped.with {
      $0.name += ", hosts rebooted"
      $0.reboots = true
    },
    stopped.with {
      $0.name += ", tried again after failures, requests carried out late"
      $0.retries = true
      $0.lateRequests = true
      $0.slowAnswers = false
      $0.maxLost = 0
    },
    stopped.with {
      $0.name += ", the store away at times"
      $0.outages = true
      $0.slowAnswers = false
      $0.kills = false
    },
    stopped.with {
      $0.name += ", the store away at times, requests carried out late"
      $0.outages = true
      $0.lateRequests = true
      $0.slowAnswers = false
      $0.kills = false
      $0.maxLost = 0
    },
    stopped.with {
      $0.name += ", both agents on its host"
      $0.placement = .pinned
      $0.hosts = [0, 0]
      $0.slowAnswers = false
    },
    stopped.with {
      $0.name += ", cancelled and run again"
      $0.cancels = true
      $0.reruns = true
      $0.slowAnswers = false
      $0.maxLost = 0
    },
    kept.with {
      $0.name += ", its host rebooted"
      $0.reboots = true
    },
    kept.with {
      $0.name += ", requests carried out late"
      $0.lateRequests = true
      $0.slowAnswers = false
    },
    kept.with {
      $0.name += ", cancelled and run again"
      $0.cancels = true
      $0.reruns = true
      $0.slowAnswers = false
      $0.maxLost = 0
    },
    kept.with {
      $0.name += ", failed when lost, run again"
      $0.onLost = .fail
      $0.reruns = true
      $0.reboots = true
      $0.slowAnswers = false
    },
    kept.with {
      $0.name += ", tried again after failures, requests carried out late"
      $0.retries = true
      $0.lateRequests = true
      $0.slowAnswers = false
      $0.maxLost = 0
    },
    kept.with {
      $0.name += ", of a group, failed when lost, run again"
      $0.placement = .group
      $0.hosts = [0, 1]
      $0.onLost = .fail
      $0.reruns = true
      $0.slowAnswers = false
    },
    kept.with {
      $0.name += ", of a group, cancelled"
      $0.placement = .group
      $0.hosts = [0, 1]
      $0.cancels = true
      $0.slowAnswers = false
    },
  ]

  static let large: [Setting] = [
    stopped.with {
      $0.name += ", three agents"
      $0.hosts = [0, 1, 1]
    },
    stopped.with {
      $0.name += ", locks of three ticks, lost twice"
      $0.lockFor = 3
      $0.maxLost = 2
    },
    stopped.with {
      $0.name += ", locks of three ticks, requests carried out late"
      $0.lockFor = 3
      $0.lateRequests = true
    },
    stopped.with {
      $0.name += ", the store away at times, agents killed"
      $0.outages = true
      $0.slowAnswers = false
    },
    kept.with {
      $0.name += ", locks of three ticks, tried again after failures, requests carried out late"
      $0.lockFor = 3
      $0.lateRequests = true
      $0.retries = true
    },
    kept.with {
      $0.name += ", cancelled and run again, requests carried out late"
      $0.cancels = true
      $0.reruns = true
      $0.slowAnswers = false
      $0.lateRequests = true
    },
    kept.with {
      $0.name += ", of a group, three agents, cancelled"
      $0.placement = .group
      $0.hosts = [0, 0, 1]
      $0.slowAnswers = false
      $0.cancels = true
    },
    kept.with {
      $0.name += ", of a group, cancelled and run again"
      $0.placement = .group
      $0.hosts = [0, 1]
      $0.cancels = true
      $0.reruns = true
    },
    kept.with {
      $0.name += ", of a group, cancelled and run again, the store away at times"
      $0.placement = .group
      $0.hosts = [0, 1]
      $0.cancels = true
      $0.reruns = true
      $0.slowAnswers = false
      $0.outages = true
    },
  ]

  /// What a setting lets happen: if the search never met it, it would prove less than it says.
  var promised: [Move.Kind] {
    var kinds: [Move.Kind] = [.claim, .takingAnswerLost, .endUnheard, .endRefused, .giveUp, .stepEnds, .tick]
    if kills { kinds += [.kill, .restart, .adopt, .follow, .findEnd, .keeperRefuses] }
    if reboots { kinds += [.reboot] }
    if outages { kinds += [.storeLeaves, .storeReturns] }
    if lateRequests { kinds += [.claimSentLate, .endSentLate, .lateCarriedOut, .lateGone] }
    if retries { kinds += [.endForRetry, .endAndClaim, .endAndClaimUnheard] }
    if cancels { kinds += [.cancel] }
    if reruns { kinds += [.rerun] }
    if cutOff == .stop { kinds += [.guardEnds, .expire] }
    if cutOff == .keep, cancels || onLost == .fail { kinds += [.expire, .resolve, .sweep] }
    return kinds
  }
}

extension Setting: CustomTestStringConvertible {
  var testDescription: String { name }
}
