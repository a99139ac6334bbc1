namespace Mirror.Listening;

/// <summary>There is nothing to show to clients. The message says which file is why.</summary>
public sealed class CertificateException(string message) : Exception(message);
