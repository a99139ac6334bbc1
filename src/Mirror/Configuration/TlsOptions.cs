using Mirror.Configuration.Reading;

namespace Mirror.Configuration;

/// <summary>How connections of clients are encrypted. The paths are absolute.</summary>
public sealed record TlsOptions
{
    /// <summary>A PEM file: the server's certificate first, then those of the authorities between it and a root.</summary>
    public required string Certificate { get; init; }

    /// <summary>A PEM file.</summary>
    public required string Key { get; init; }

    /// <summary>A PEM file of authorities that vouch for clients; null where clients are not asked for a certificate.</summary>
    public string? ClientCa { get; init; }

    /// <summary>Whether nobody is served without one. True only with <see cref="ClientCa"/>.</summary>
    public bool RequireClientCertificate { get; init; }

    /// <summary>Null where there is to be no encryption. What the files hold is judged here too: a server that clients refuse is no server.</summary>
    internal static TlsOptions? Read(ConfigurationSection section)
    {
        var certificate = section.Find(
            "certificate",
            Pem.CertificatesIn(section.Folder),
            "A PEM file with the server's certificate and, behind it, those of the authorities between it and a root. Read again when it changes.");
        var key = section.Find("key", Pem.KeyIn(section.Folder), "A PEM file with the private key of certificate, not encrypted.");
        var clientCa = section.Find(
            "clientCa",
            Pem.CertificatesIn(section.Folder),
            "A PEM file of authorities: a client may show a certificate of theirs, which names the user.");
        var required = section.Read(
            "requireClientCertificate", Kinds.Flag, false, "Whether nobody is served who does not show a certificate that clientCa vouches for.");
        CheckTogether(section, required);
        if (certificate is null || key is null)
        {
            return null;
        }

        var pair = ServerCertificate.Of(certificate.Content, key.Content);
        if (pair.Fault is not null)
        {
            section.Fault("key", pair.Fault);
        }
        else if (pair.Value.FindFault(TimeProvider.System.GetUtcNow()) is { } fault)
        {
            section.Fault("certificate", $"the certificate {fault}");
        }

        return new TlsOptions
        {
            Certificate = Path.GetFullPath(certificate.Path, section.Folder),
            Key = Path.GetFullPath(key.Path, section.Folder),
            ClientCa = clientCa is null ? null : Path.GetFullPath(clientCa.Path, section.Folder),
            RequireClientCertificate = required,
        };
    }

    private static void CheckTogether(ConfigurationSection section, bool required)
    {
        foreach (var (there, missing) in ((string, string)[])[("certificate", "key"), ("key", "certificate"), ("clientCa", "certificate")])
        {
            if (section.Has(there) && !section.Has(missing))
            {
                section.Fault(there, $"there is no {missing}: add it");
            }
        }

        if (required && !section.Has("clientCa"))
        {
            section.Fault("requireClientCertificate", "there is no clientCa, so nobody's certificate would do: add it");
        }
    }
}
