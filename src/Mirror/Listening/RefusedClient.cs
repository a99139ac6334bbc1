namespace Mirror.Listening;

/// <summary>
/// Is among the features of a connection whose client has shown a certificate that does not count, or none where one is required. Its requests are
/// answered, and not its handshake broken off: of that, clients say nothing that a person could understand.
/// </summary>
/// <param name="Why">For people.</param>
internal sealed record RefusedClient(string Why);
