import CSQLite

/// File systems of other machines, on which SQLite's locks and shared memory don't work.
enum NetworkFileSystem {
  /// `f_type` of statfs(2) for each; the numbers are those of linux/magic.h and of the file systems' sources.
  ///
  /// All of FUSE is refused, as sshfs and s3fs look like the local ones.
  static let names: [UInt32: String] = [
    0x6969: "NFS",
    0x517b: "SMB",
    0xff53_4d42: "CIFS",
    0xfe53_4d42: "SMB2",
    0x0102_1997: "9p",
    0x6573_5546: "FUSE (sshfs and others)",
    0x00c3_6400: "Ceph",
    0x0bd0_0bd0: "Lustre",
    0x4750_4653: "GPFS",
    0x5346_414f: "AFS",
    0x6b41_4653: "AFS",
    0x7375_7245: "Coda",
    0x564c: "NCP",
    0x1983_0326: "BeeGFS",
    0xaad7_aaea: "PanFS",
    0x7461_636f: "OCFS2",
    0x0116_1970: "GFS2",
  ]

  /// The network file system that holds `path`, if it is one; asked of the directory for a file to come.
  static func name(at path: String) -> String? {
    name(type: eventor_file_system_type(path))
  }

  /// The name for a value of `f_type`, which some kernels sign-extend.
  static func name(type: Int) -> String? {
    names[UInt32(truncatingIfNeeded: type)]
  }
}
