using System.Security.Cryptography.X509Certificates;
using Mirror.Configuration.Reading;
using Mirror.Oci;

namespace Mirror.Configuration;

/// <summary>Where credentials are, other than in the configuration itself.</summary>
public enum CredentialSource
{
    /// <summary>In Docker's own configuration, and with the helpers that it names.</summary>
    Docker,
}

/// <summary>What clients that no rule names may see of what our credentials can read.</summary>
public enum Share
{
    /// <summary>What the registry gives to everybody.</summary>
    Public,

    All,
}

/// <summary>A registry that Mirror may talk to.</summary>
public sealed record RegistryOptions
{
    public const string DockerHub = "docker.io";

    private const string DockerHubHost = "registry-1.docker.io";

    // Name and Url are required of others; the defaults of the rest are what is asked of this one.
    private static readonly RegistryOptions Defaults = new() { Name = DockerHub, Url = new Uri($"https://{DockerHubHost}") };

    /// <summary>Names by which clients know Docker Hub besides <see cref="DockerHub"/>.</summary>
    public static IReadOnlyList<string> DockerHubAliases { get; } = ["index.docker.io", DockerHubHost];

    /// <summary>Whether it is Docker Hub itself, and not something else that answers in its name.</summary>
    public bool IsDockerHub => Url.Host == DockerHubHost;

    /// <summary>What names it in a repository's path: its host, or an alias where that has a port.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute, http or https, without user, query or fragment.</summary>
    public required Uri Url { get; init; }

    /// <summary>Whether names that say no registry are looked for here. True for one registry at most.</summary>
    public bool Default { get; init; }

    /// <summary>Requests to this host mean this registry. Without a port, in lower case, of one registry only.</summary>
    public string? Host { get; init; }

    /// <summary>Set exactly where <see cref="Password"/> is.</summary>
    public string? Username { get; init; }

    public Secret? Password { get; init; }

    /// <summary>Set only where <see cref="Username"/> is not.</summary>
    public CredentialSource? Credentials { get; init; }

    /// <summary>Token servers, <c>host[:port]</c> in lower case, that may see the credentials. Empty: not said.</summary>
    public IReadOnlyList<string> Realms { get; init; } = [];

    /// <summary>Who may vouch for the registry beside those whom the system trusts.</summary>
    public X509Certificate2Collection? CertificateAuthorities { get; init; }

    /// <summary>With its private key.</summary>
    public X509Certificate2? ClientCertificate { get; init; }

    public Uri? Proxy { get; init; }

    public Share Share { get; init; }

    /// <summary>Whether it is never contacted.</summary>
    public bool Offline { get; init; }

    /// <summary>Whether clients can pull from it through this mirror. Else it is for jobs alone.</summary>
    public bool PullThrough { get; init; } = true;

    /// <summary>What may be pulled through. Empty: everything.</summary>
    public IReadOnlyList<RepositoryPattern> Allow { get; init; } = [];

    public TimeSpan TagFreshness { get; init; } = TimeSpan.FromMinutes(5);

    public TimeSpan ServeStale { get; init; } = TimeSpan.FromDays(30);

    /// <summary>Tags that never move.</summary>
    public IReadOnlyList<TagPattern> ImmutableTags { get; init; } = [];

    /// <summary>How many bytes all downloads together may still lack that go on although their clients have left.</summary>
    public long FinishAbandoned { get; init; } = 2_000_000_000;

    /// <summary>Up to which size, in bytes, an image is fetched whole when a client reads a layer of it.</summary>
    public long Complete { get; init; } = 20_000_000_000;

    /// <summary>How many blobs are transferred at once.</summary>
    public int MaxConnections { get; init; } = 64;

    /// <summary>In bytes per second, of all transfers of blobs together; null for as much as comes.</summary>
    public long? Bandwidth { get; init; }

    internal static IReadOnlyList<RegistryOptions> ReadAll(ConfigurationSection root, IReadOnlyList<ListenAddress> own)
    {
        string? defaultName = null;
        var byHost = new Dictionary<string, string>();
        return root.ReadMap("registries", Kinds.RegistryName, ReadNext, "Every registry that Mirror may talk to, by name.");

        RegistryOptions ReadNext(string name, ConfigurationSection section)
        {
            var registry = Read(name, section);
            if (registry.Default && defaultName is not null)
            {
                section.Fault("default", $"'{defaultName}' is the default registry already: keep one of the two");
            }

            defaultName ??= registry.Default ? name : null;
            if (own.Any(address => address.IsReachedBy(registry.Url)))
            {
                section.Fault("url", "this is where Mirror itself listens: write the registry's own address");
            }

            if (registry.Host is not null && !byHost.TryAdd(registry.Host, name))
            {
                section.Fault("host", $"'{byHost[registry.Host]}' has this host already: each needs its own");
            }

            foreach (var (key, isSet) in (ReadOnlySpan<(string, bool)>)[("default", registry.Default), ("host", registry.Host is not null)])
            {
                if (isSet && !registry.PullThrough)
                {
                    section.Fault(key, "pullThrough is false, so that no client can reach the registry: remove one of the two");
                }
            }

            return registry;
        }
    }

    private static RegistryOptions Read(string name, ConfigurationSection section)
    {
        var url = section.Read(
            "url",
            Kinds.RegistryUrl,
            DefaultUrl(name, section),
            $"Where the registry is, http or https. Default: https://<name>, and https://{DockerHubHost} for {DockerHub}.",
            hasFixedDefault: false);
        var isDefault = section.Read(
            "default",
            Kinds.Flag,
            Defaults.Default,
            "Whether this registry is asked for names that say no registry. One may be.");
        var host = section.Find("host", Kinds.HostName, "Requests whose Host header is this mean this registry, on whatever port.");
        var username = section.Find("username", Kinds.Username, "Whom to log in as; needs password or passwordFile.");
        var password = section.Find("password", Kinds.Password, "The password or token of username.");
        var passwordFile = section.Find(
            "passwordFile",
            Kinds.SecretFileIn(section.Folder),
            "A file that holds the password. A relative path starts at the configuration file's directory.");
        var credentials = section.FindValue(
            "credentials",
            Kinds.Choice(("docker", CredentialSource.Docker)),
            "docker: as docker login has left them, in $DOCKER_CONFIG/config.json or ~/.docker/config.json and with credential helpers.");
        CheckCredentials(section);
        return new RegistryOptions
        {
            Name = name,
            Url = url,
            Default = isDefault,
            Host = host,
            Username = username,
            Password = password ?? passwordFile?.Content,
            Credentials = credentials,
            Realms = section.ReadList(
                "realms",
                Kinds.Host,
                Defaults.Realms,
                "Token servers (host or host:port) that may see the credentials, where they are not the registry's own host."),
            CertificateAuthorities = section.Find(
                "ca",
                Pem.CertificatesIn(section.Folder),
                "A file of PEM certificates of authorities that are trusted for this registry beside the system's.")?.Content,
            ClientCertificate = ReadClientCertificate(section),
            Proxy = section.Find(
                "proxy",
                Kinds.ProxyUrl,
                "The proxy through which the registry is reached. Default: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say."),
            Share = section.Read(
                "share",
                Kinds.Choice(("public", Share.Public), ("all", Share.All)),
                Defaults.Share,
                "What everybody may see of what the credentials can read: public, what the registry gives to everybody, or all."),
            Offline = section.Read(
                "offline",
                Kinds.Flag,
                Defaults.Offline,
                "Whether the registry is never contacted: what is here is served however old it is, and the rest does not exist."),
            PullThrough = section.Read(
                "pullThrough",
                Kinds.Flag,
                Defaults.PullThrough,
                "Whether clients can pull from the registry through Mirror. With false it is only for what is copied under sync."),
            Allow = section.ReadList(
                "allow",
                Kinds.RepositoryPattern,
                Defaults.Allow,
                "Repositories that may be pulled through (* is any text in one part of the name, ** one or more whole parts). Default: all.",
                atLeast: 1),
            TagFreshness = section.Read(
                "tagFreshness",
                Kinds.Duration,
                Defaults.TagFreshness,
                "How long a tag is answered without asking the registry again."),
            ServeStale = section.Read(
                "serveStale",
                Kinds.Duration,
                Defaults.ServeStale,
                "How long past that a tag may still be answered while the registry can not be asked."),
            ImmutableTags = section.ReadList(
                "immutableTags",
                Kinds.TagPattern,
                Defaults.ImmutableTags,
                "Tags that never move (* is any text, ? one character): once here, the registry is not asked about them again."),
            FinishAbandoned = section.Read(
                "finishAbandoned",
                Kinds.Size,
                Defaults.FinishAbandoned,
                "How much all downloads together may still lack that go on although their clients have left; 0 stops each at once."),
            Complete = section.Read(
                "complete",
                Kinds.Size,
                Defaults.Complete,
                "Up to which size an image is fetched whole, behind the client that reads the first layer of it; 0 turns that off."),
            MaxConnections = section.Read(
                "maxConnections",
                Kinds.CountTo(1000),
                Defaults.MaxConnections,
                "How many blobs are transferred from the registry at once."),
            Bandwidth = section.FindValue(
                "bandwidth",
                Kinds.Bandwidth,
                "How much all transfers from the registry together receive in a second. Default: as much as comes."),
        };
    }

    private static X509Certificate2? ReadClientCertificate(ConfigurationSection section)
    {
        var certificate = section.Find(
            "clientCertificate",
            Pem.CertificatesIn(section.Folder),
            "A file with the PEM certificate that is shown to the registry; needs clientKey.");
        var key = section.Find("clientKey", Pem.KeyIn(section.Folder), "A file with the PEM private key of clientCertificate, not encrypted.");
        if (section.Has("clientCertificate") != section.Has("clientKey"))
        {
            var (there, missing) = section.Has("clientKey") ? ("clientKey", "clientCertificate") : ("clientCertificate", "clientKey");
            section.Fault(there, $"there is no {missing}: add it");
        }

        if (certificate is null || key is null)
        {
            return null;
        }

        var pair = Pem.FindPair(certificate.Content[0].ExportCertificatePem(), key.Content);
        if (pair is null)
        {
            section.Fault("clientKey", "the key can not be read, or is not the one of clientCertificate");
        }

        return pair;
    }

    private static void CheckCredentials(ConfigurationSection section)
    {
        if (section.Has("credentials") && (section.Has("username") || section.Has("password") || section.Has("passwordFile")))
        {
            section.Fault("credentials", "there is a username or password too: keep one of the two ways");
        }

        if (section.Has("password") && section.Has("passwordFile"))
        {
            section.Fault("passwordFile", "there is a password too: keep one of the two");
        }

        var password = section.Has("password") ? "password" : section.Has("passwordFile") ? "passwordFile" : null;
        if (password is null && section.Has("username"))
        {
            section.Fault("username", "there is no password: add password or passwordFile");
        }
        else if (password is not null && !section.Has("username"))
        {
            section.Fault(password, "there is no username: add it");
        }
    }

    private static Uri DefaultUrl(string name, ConfigurationSection section)
    {
        if (name == DockerHub)
        {
            return Defaults.Url;
        }

        if (Uri.TryCreate($"https://{name}", UriKind.Absolute, out var url))
        {
            return url;
        }

        if (!section.Has("url"))
        {
            section.Fault("url", "the name is not a host: say where the registry is, as url");
        }

        return Defaults.Url;
    }
}
