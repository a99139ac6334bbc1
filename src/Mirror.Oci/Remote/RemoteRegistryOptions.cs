using System.Security.Cryptography.X509Certificates;

namespace Mirror.Oci.Remote;

/// <summary>A user name and password for one registry. Its text never shows the password.</summary>
public sealed record BasicCredentials(string Username, string Password)
{
    public override string ToString() => $"{Username}:***";
}

/// <summary>How to reach one registry.</summary>
public sealed record RemoteRegistryOptions
{
    /// <summary>The registry's name in configuration and messages, such as <c>docker.io</c>.</summary>
    public required string Name { get; init; }

    /// <summary>http or https; a path comes before <c>/v2/</c>.</summary>
    public required Uri Url { get; init; }

    public BasicCredentials? Credentials { get; init; }

    /// <summary>Docker's <c>config.json</c>, which has the credentials in place of <see cref="Credentials"/>. It need not exist.</summary>
    public string? DockerConfig { get; init; }

    /// <summary>Token servers (<c>host</c> or <c>host:port</c>), beside the registry's own host and known pairs, that may see the credentials.</summary>
    public IReadOnlyList<string> Realms { get; init; } = [];

    /// <summary>Who may vouch for the registry and for where it leads, beside those whom the system trusts.</summary>
    public X509Certificate2Collection? CertificateAuthorities { get; init; }

    /// <summary>With its private key. Shown to the registry's own host only.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    /// <summary>The way out, http; null for what the environment says.</summary>
    public Uri? Proxy { get; init; }

    public TimeSpan ConnectTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>From sending a request to its answer's headers.</summary>
    public TimeSpan HeaderTimeout { get; init; } = TimeSpan.FromSeconds(20);

    /// <summary>From the last byte of something large to the answer: registries hash it then, or copy it to where it belongs.</summary>
    public TimeSpan FinishTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The longest silence inside a body.</summary>
    public TimeSpan IdleTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How many blobs are transferred at once.</summary>
    public int MaxConnections { get; init; } = 64;

    /// <summary>What all transfers of blobs together receive in a second, in bytes; null for as much as comes.</summary>
    public long? Bandwidth { get; init; }

    /// <summary>
    /// How much of a blob is sent in one request, in bytes; null for all of it, unless the registry wants chunks. Between two chunks an upload
    /// can be gone on with at any registry; inside one, only where the registry says how far it has come.
    /// </summary>
    public long? UploadChunk { get; init; }

    /// <summary>What our requests add to <c>Via</c>, such as <c>1.1 name</c>; null for nothing.</summary>
    public string? Via { get; init; }

    public string UserAgent { get; init; } = "mirror";

    /// <summary>Whether there is, or may come to be, anything by which the registry knows us.</summary>
    public bool HasCredentials => Credentials is not null || DockerConfig is not null || ClientCertificate is not null;

    /// <summary>The same registry as everybody reaches it.</summary>
    public RemoteRegistryOptions WithoutCredentials() => this with { Credentials = null, DockerConfig = null, ClientCertificate = null };
}
