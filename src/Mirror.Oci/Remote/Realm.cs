using System.Net.Http.Headers;
using System.Text;

namespace Mirror.Oci.Remote;

/// <summary>Which token servers may see a registry's credentials: the registry chooses the realm, so the registry is not asked.</summary>
internal static class Realm
{
    /// <summary>Registries whose token server is known to be elsewhere.</summary>
    private static readonly Dictionary<string, string> KnownPairs = new(StringComparer.OrdinalIgnoreCase)
    {
        ["registry-1.docker.io"] = "auth.docker.io",
        ["registry.gitlab.com"] = "gitlab.com",
        ["docker.elastic.co"] = "docker-auth.elastic.co",
    };

    /// <summary>Whether a realm can be used at all: https, or http where the registry itself speaks http.</summary>
    public static bool TryParse(string? text, RemoteRegistryOptions options, out Uri realm)
    {
        var usable = Uri.TryCreate(text, UriKind.Absolute, out var parsed)
            && parsed.UserInfo.Length == 0
            && (parsed.Scheme == Uri.UriSchemeHttps || (parsed.Scheme == Uri.UriSchemeHttp && options.Url.Scheme == Uri.UriSchemeHttp));
        realm = usable ? parsed! : options.Url;
        return usable;
    }

    /// <summary>Whether the operator listed the realm's host, with its port where it is not the scheme's own.</summary>
    public static bool IsNamed(RemoteRegistryOptions options, Uri realm) => options.Realms.Any(named =>
        named.Equals($"{realm.IdnHost}:{realm.Port}", StringComparison.OrdinalIgnoreCase)
        || (realm.IsDefaultPort && named.Equals(realm.IdnHost, StringComparison.OrdinalIgnoreCase)));

    public static AuthenticationHeaderValue Basic(BasicCredentials credentials) =>
        new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credentials.Username}:{credentials.Password}")));

    public static bool MaySeeCredentials(RemoteRegistryOptions options, Uri realm) =>
        Transport.SameHost(realm, options.Url)
        || (KnownPairs.TryGetValue(options.Url.IdnHost, out var pair) && realm.IsDefaultPort
            && pair.Equals(realm.IdnHost, StringComparison.OrdinalIgnoreCase))
        || IsNamed(options, realm);
}
