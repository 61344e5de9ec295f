/// The keys of a file `secrets.yaml`, which people look at and the program writes.
enum SecretsKeys {
  static let section = Section<SecretsDocument>(
    "secrets",
    [
      Key("format", \.format, .integer, required: true, example: "format: 1", "The form of the file."),
      Key(
        "key", \.key, key, required: true, example: "key: {id: …, file: /etc/eventor/secrets.key}",
        "The key that opens it."),
      Key(
        "entries", \.entries, .map(of: .text), required: true, example: "entries: {prod: ev1.…}",
        "Encrypted secrets by name."),
    ])

  private static let key = Section<SecretsDocument.Key>(
    "key",
    [
      Key("id", \.id, .text, required: true, example: "id: …", "Names the key."),
      Key(
        "file", optional: \.file, .text, example: "file: /etc/eventor/secrets.key", "Where the key file is."),
      Key(
        "passphrase", optional: \.passphrase, passphrase, example: "passphrase: {salt: …}",
        "How the key comes from a passphrase."),
    ]
  ).form(.init())

  private static let passphrase = Section<SecretsDocument.Passphrase>(
    "passphrase",
    [
      Key("salt", \.salt, .text, required: true, example: "salt: …", "Random, in base64."),
      Key(
        "operations", \.operations, .integer, required: true, example: "operations: 3",
        "Passes over the memory."),
      Key(
        "memory", \.memory, .integer, required: true, example: "memory: 268435456", "Bytes of memory."),
    ]
  ).form(.init())
}
