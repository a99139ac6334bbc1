namespace Mirror.Configuration.Distribution;

/// <summary>What keys of CNCF Distribution have no counterpart in mirror.yml, why, and what to do.</summary>
internal static class Counterparts
{
    private static readonly string[] OtherDrivers = ["s3", "s3aws", "azure", "gcs", "swift", "oss", "inmemory", "testdriver"];

    /// <summary>By the beginning of a key; the first that fits counts.</summary>
    private static readonly (string Key, string Why, bool IsLost)[] None =
    [
        ("version", "the file's own version", false),
        ("log.fields", "log lines have no fields of one's own", false),
        ("log.accesslog", "requests are not logged one by one", false),
        ("log.hooks", "nothing is mailed: watch /readyz and the log", true),
        ("storage.cache", "Mirror remembers what it needs by itself", false),
        ("storage.redirect", "blobs are always served by Mirror itself", false),
        ("storage.filesystem", "reads and writes need no such limit", false),
        ("storage.maintenance.uploadpurging", "uploads that nobody goes on with are removed by themselves, a week after their last bytes", false),
        ("storage.delete", "see access", false),
        ("storage.tag", "there is no such limit", false),
        ("auth.htpasswd.realm", "the challenge says Mirror's own realm", false),
        ("auth.silly", "it is for tests alone: write access.users and access.rules; nobody may do anything until then", true),
        ("auth.token.autoredirect", "clients are sent to no other address", true),
        ("auth.token", "of access.tokens there are issuer, service and keys: a file of PEM certificates or keys, or a JWKS", true),
        ("auth", "this way of logging in is not known here: write access.users and access.rules; nobody may do anything until then", true),
        ("http.net", "Mirror listens on TCP; over a Unix socket only its own commands speak", true),
        ("http.relativeurls", "Locations are relative wherever server.publicUrl is not set", false),
        ("http.headers.x-content-type-options", "set it in a proxy in front, if browsers come here", false),
        ("http.headers", "answers have no headers of one's own: a proxy in front can add them", true),
        ("http.secret", "uploads need no secret that several processes share", false),
        ("http.draintimeout", "running requests are finished for up to ten seconds", false),
        ("http.debug", "there is no second address: /healthz and /readyz are at the one that is listened on", true),
        ("http.http2", "HTTP/2 is spoken over TLS, by those who ask for it", false),
        ("http.h2c", "HTTP/2 is spoken over TLS alone", true),
        ("http.tls.letsencrypt", "Mirror gets no certificates: let certbot do it and name its files under server.tls", true),
        ("http.tls.minimumtls", "TLS 1.2 and 1.3 are spoken", false),
        ("http.tls.ciphersuites", "the system's choice of ciphers holds", true),
        ("http.tls", "of server.tls there are certificate, key, clientCa and requireClientCertificate", true),
        ("proxy.ttl", "nothing is dropped for its age; tagFreshness of the registry says how long a tag is answered without asking again", false),
        ("proxy.exec", "write credentials: docker for the registry: its helpers are asked then", true),
        ("notifications", "nobody is notified of pushes and pulls", true),
        ("redis", "Mirror needs no Redis", false),
        ("middleware", "there is no middleware: rewriting and CDN signing belong into a proxy in front", true),
        ("reporting", "nothing is reported to other services", true),
        ("health", "/healthz and /readyz say how Mirror is, and need no settings", false),
        ("validation.manifests.urls", "layers that lie elsewhere are accepted, and never fetched from there", true),
        ("validation.manifests.indexes", "an index may leave out images, as a copy for some platforms does", false),
        ("validation.disabled", "manifests are always validated", false),
        ("validation", "there is nothing to choose", true),
        ("compatibility.schema1", "Docker schema 1 is not supported: push such images again with a current client", true),
        ("policy", "names are limited by access.rules alone", true),
        ("catalog", "the catalog is paged, and needs no limit", false),
        ("tracing", "there are no traces", true),
    ];

    public static bool IsOtherDriver(string driver) => OtherDrivers.Contains(driver, StringComparer.Ordinal);

    /// <summary>Why a key is not in the translation, and whether somebody may miss it.</summary>
    public static (string Why, bool IsLost) WhyNone(string key)
    {
        if (key.Split('.') is ["storage", var driver, ..] && IsOtherDriver(driver))
        {
            return ("Mirror keeps its data on a disk of its own: copy the images from the running registry, as with skopeo sync", true);
        }

        foreach (var none in None)
        {
            if (key == none.Key || key.StartsWith($"{none.Key}.", StringComparison.Ordinal))
            {
                return (none.Why, none.IsLost);
            }
        }

        return ("this is no key that is known", true);
    }
}
