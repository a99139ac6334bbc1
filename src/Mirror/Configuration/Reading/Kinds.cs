using System.Buffers;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Mirror.Oci;

namespace Mirror.Configuration.Reading;

/// <summary>The kinds of values that options have.</summary>
internal static class Kinds
{
    private const int MaxSecretFileSize = 64 * 1024;

    private static readonly SearchValues<char> HostCharacters =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:[]");

    public static Kind<bool> Flag { get; } = new(
        text => text switch
        {
            "true" => Parsed.Right(true),
            "false" => Parsed.Right(false),
            _ => Parsed.Wrong<bool>("is neither true nor false: write one of them"),
        },
        value => value ? "true" : "false",
        () => new JsonObject { ["type"] = "boolean" });

    public static Kind<TimeSpan> Duration { get; } = new(
        Durations.Parse,
        Durations.Write,
        () => Text("^[0-9]+(ms|s|m|h|d)$"));

    /// <summary>In bytes. YAML takes the 0 for a number, which needs no unit.</summary>
    public static Kind<long> Size { get; } = new(
        Sizes.Parse,
        Sizes.Write,
        () => new JsonObject
        {
            ["type"] = new JsonArray("string", "integer"),
            ["pattern"] = "^(0|[0-9]+(B|KB|MB|GB|TB))$",
            ["minimum"] = 0,
            ["maximum"] = 0,
        });

    /// <summary>What comes in a second, in bytes. Less than a kilobyte is a mistake, and nothing at all is not a bandwidth.</summary>
    public static Kind<long> Bandwidth { get; } = new(
        text => Sizes.Parse(text) is { Fault: null, Value: < 1000 }
            ? Parsed.Wrong<long>("is too little: write at least 1KB, or remove the key")
            : Sizes.Parse(text),
        Sizes.Write,
        () => Text("^[0-9]+(B|KB|MB|GB|TB)$"));

    public static Kind<ListenAddress> ListenAddress { get; } = new(
        text => Configuration.ListenAddress.TryParse(text, out var address)
            ? Parsed.Right(address)
            : Parsed.Wrong<ListenAddress>("is not an address to listen on: write 127.0.0.1:5000, localhost:5000, '[::1]:5000' or '*:5000'"),
        address => address.ToString(),
        () => Text(@"^(\*|localhost|[0-9]+(\.[0-9]+){3}|\[[^\]]+\]):[0-9]{1,5}$"));

    public static Kind<string> RegistryName { get; } = new(
        text => RegistryOptions.DockerHubAliases.Contains(text, StringComparer.Ordinal)
                ? Parsed.Wrong<string>($"is another name of {RegistryOptions.DockerHub}: write {RegistryOptions.DockerHub}")
            : RepositoryName.TryParse(text, out var name) && name.Components.Length == 1 ? Parsed.Right(text)
            : Parsed.Wrong<string>("is not a registry's name: write its host in lower case, or an alias for it and the address as url"),
        name => name,
        () => Text(@"^[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*$"));

    public static Kind<Uri> RegistryUrl { get; } = new(
        text => ParseUrl(text),
        WriteUrl,
        () => Text("^https?://[^?#@]+$"));

    /// <summary>It goes into headers as it is.</summary>
    public static Kind<Uri> PublicUrl { get; } = new(
        text => text.All(char.IsAscii)
            ? ParseUrl(text, "leave it out")
            : Parsed.Wrong<Uri>("has other letters than ASCII's: write a host's name as xn--…, and a path percent-encoded"),
        WriteUrl,
        () => Text("^https?://[^?#@]+$"));

    /// <summary>Where clients get tokens. It goes into headers in quotes, and may have a query.</summary>
    public static Kind<Uri> RealmUrl { get; } = new(
        text => text.All(c => c is > ' ' and <= '~' and not '"' and not '\\') && ParseUrl(text.Split('?', 2)[0]) is { Fault: null } && !text.Contains('#')
            ? Parsed.Right(new Uri(text))
            : Parsed.Wrong<Uri>("is not where tokens are issued: write https://auth.example.com/token"),
        url => url.AbsoluteUri,
        () => Text("^https?://[^#@\"]+$"));

    /// <summary>A proxy that is asked over http; what goes through it may be https.</summary>
    public static Kind<Uri> ProxyUrl { get; } = new(
        text => ParseUrl(text) is { Fault: null, Value: { Scheme: "http", AbsolutePath: "/" } url }
            ? Parsed.Right(url)
            : Parsed.Wrong<Uri>("is not a proxy's address: write http://proxy.example.com:3128"),
        url => url.GetLeftPart(UriPartial.Authority),
        () => Text("^http://[^/?#@]+/?$"));

    /// <summary>A <c>host</c> or <c>host:port</c>.</summary>
    public static Kind<string> Host { get; } = new(
        text => !text.AsSpan().ContainsAnyExcept(HostCharacters) && Uri.TryCreate($"https://{text}", UriKind.Absolute, out var url)
                && url.HostNameType is UriHostNameType.Dns or UriHostNameType.IPv4 or UriHostNameType.IPv6
            ? Parsed.Right(text.ToLowerInvariant())
            : Parsed.Wrong<string>("is not a host: write auth.example.com or auth.example.com:8443"),
        host => host,
        () => Text(@"^[A-Za-z0-9.\-:\[\]]+$"));

    /// <summary>A host without a port.</summary>
    public static Kind<string> HostName { get; } = new(
        text => Host.Parse(text) is { Fault: null, Value: var host } && !host.AsSpan()[(host.IndexOf(']', StringComparison.Ordinal) + 1)..].Contains(':')
            ? Parsed.Right(host)
            : Parsed.Wrong<string>("is not a host's name: write hub.mirror.example.com, without a port"),
        host => host,
        () => Text(@"^([A-Za-z0-9.\-]+|\[[0-9A-Fa-f:.]+\])$"));

    public static Kind<TagPattern> TagPattern { get; } = new(
        text => Oci.TagPattern.TryParse(text, out var pattern)
            ? Parsed.Right(pattern)
            : Parsed.Wrong<TagPattern>("is not a pattern for tags: write v*.*.* or 20??-*"),
        pattern => pattern.ToString(),
        () => Text(@"^[A-Za-z0-9_*?][A-Za-z0-9_.*?\-]{0,127}$"));

    public static Kind<RepositoryPattern> RepositoryPattern { get; } = new(
        text => Oci.RepositoryPattern.TryParse(text, out var pattern)
            ? Parsed.Right(pattern)
            : Parsed.Wrong<RepositoryPattern>("is not a pattern for repositories: write library/alpine, library/* or team-*/**"),
        pattern => pattern.ToString(),
        () => Text(@"^[a-z0-9*][a-z0-9._*\-]*(/[a-z0-9*][a-z0-9._*\-]*)*$"));

    /// <summary>Addresses in CIDR notation, or one address.</summary>
    public static Kind<IPNetwork> Network { get; } = new(
        text => text.StartsWith("::ffff:", StringComparison.OrdinalIgnoreCase)
                ? Parsed.Wrong<IPNetwork>("is IPv4 in the form of IPv6, and no client's address is: write 10.0.0.0/8 or 192.168.1.7")
            : IPNetwork.TryParse(text, out var network) ? Parsed.Right(network)
            : IPAddress.TryParse(text, out var address) && text.AsSpan().ContainsAny('.', ':')
                ? Parsed.Right(new IPNetwork(address, address.GetAddressBytes().Length * 8))
            : Parsed.Wrong<IPNetwork>("is not a network: write 10.0.0.0/8 (no bits set behind the prefix), 192.168.1.7 or fd00::/8"),
        network => network.ToString(),
        () => Text("^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"));

    // A colon ends the name in an Authorization header (RFC 7617, section 2).
    public static Kind<string> Username { get; } = new(
        text => text.Length == 0 ? Parsed.Wrong<string>("is empty: write a name, or remove the key")
            : text.Contains(':') || text.Any(char.IsControl)
                ? Parsed.Wrong<string>("can not be a name: it has a colon or a control character")
            : Parsed.Right(text),
        name => name,
        () => Text());

    /// <summary>A line of text that goes into headers in quotes, and is compared with what others write.</summary>
    public static Kind<string> Phrase { get; } = new(
        text => text.Length is 0 or > 1000 || !text.All(c => c is >= ' ' and <= '~' and not '"' and not '\\')
            ? Parsed.Wrong<string>("can not be this: write up to 1000 ASCII characters, without quotes and backslashes")
            : Parsed.Right(text),
        phrase => phrase,
        () => Text(@"^[ !#-\[\]-~]{1,1000}$"));

    public static Kind<Secret> Password { get; } = new(ParsePassword, secret => secret.ToString(), () => Text()) { IsSecret = true };

    public static Kind<string> PathIn(string folder) => new(
        text => text.Length == 0 ? Parsed.Wrong<string>("is empty: write a path")
            : text.Any(char.IsControl) ? Parsed.Wrong<string>("is not a path: it has a control character")
            : text.StartsWith("~/", StringComparison.Ordinal)
                ? Parsed.Wrong<string>("begins with ~, which means home only to shells: write ${HOME}")
            : Parsed.Right(folder.Length == 0 ? text : Path.GetFullPath(text, folder)),
        path => path,
        () => Text());

    /// <summary>A path to keys that can be read now. Whoever uses them reads them again, as they change.</summary>
    public static Kind<string> TokenKeysIn(string folder) => new(
        text =>
        {
            var path = PathIn(folder).Parse(text);
            return path.Fault is null && TokenKeys.Read(path.Value).Fault is { } fault ? Parsed.Wrong<string>(fault) : path;
        },
        path => path,
        () => Text());

    public static Kind<SecretFile> SecretFileIn(string folder) => new(
        text => ReadSecretFile(folder, text),
        file => file.Path,
        () => Text());

    public static Kind<T> Choice<T>(params (string Name, T Value)[] choices)
        where T : struct, Enum => new(
        text => Array.FindIndex(choices, c => c.Name == text) is >= 0 and var found
            ? Parsed.Right(choices[found].Value)
            : Parsed.Wrong<T>(
                choices is [var only] ? $"can not be this: write {only.Name}, or remove the key"
                : $"is not one of the choices: write {string.Join(", ", choices[..^1].Select(c => c.Name))} or {choices[^1].Name}"),
        value => choices.First(c => EqualityComparer<T>.Default.Equals(c.Value, value)).Name,
        () => new JsonObject { ["type"] = "string", ["enum"] = new JsonArray([.. choices.Select(c => JsonValue.Create(c.Name))]) });

    public static Kind<int> CountTo(int max) => new(
        text => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= 1 && count <= max
            ? Parsed.Right(count)
            : Parsed.Wrong<int>($"is not a number from 1 to {max}: write one"),
        count => count.ToString(CultureInfo.InvariantCulture),
        () => new JsonObject { ["type"] = "integer", ["minimum"] = 1, ["maximum"] = max });

    private static JsonObject Text(string? pattern = null)
    {
        var schema = new JsonObject { ["type"] = "string" };
        if (pattern is not null)
        {
            schema["pattern"] = pattern;
        }

        return schema;
    }

    private static string WriteUrl(Uri url) => url.AbsolutePath == "/" ? url.GetLeftPart(UriPartial.Authority) : url.AbsoluteUri;

    private static Parsed<Uri> ParseUrl(string text, string withUser = "write that as username, and the password as password")
    {
        if (!text.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            && !text.StartsWith("https://", StringComparison.OrdinalIgnoreCase)
            || !Uri.TryCreate(text, UriKind.Absolute, out var url) || url.Host.Length == 0)
        {
            return Parsed.Wrong<Uri>("is not an http or https address: write https://registry.example.com");
        }

        return url.UserInfo.Length > 0 ? Parsed.Wrong<Uri>($"has a user name in it: {withUser}")
            : text.AsSpan().ContainsAny('?', '#') ? Parsed.Wrong<Uri>("has a query or fragment: leave it out")
            : Parsed.Right(url);
    }

    private static Parsed<Secret> ParsePassword(string text) =>
        text.Length == 0 ? Parsed.Wrong<Secret>("is empty: write a password, or remove the key")
        : text.Any(char.IsControl) ? Parsed.Wrong<Secret>("can not be a password: it has a line break or another control character")
        : Parsed.Right(new Secret(text));

    private static Parsed<SecretFile> ReadSecretFile(string folder, string path)
    {
        var content = TextFile.Read(folder, path, MaxSecretFileSize);
        if (content.Fault is not null)
        {
            return Parsed.Wrong<SecretFile>(content.Fault);
        }

        // Editors and echo end a file with a line break that is no part of the password.
        var text = content.Value.EndsWith("\r\n", StringComparison.Ordinal) ? content.Value[..^2]
            : content.Value.EndsWith('\n') ? content.Value[..^1]
            : content.Value;
        var password = ParsePassword(text);
        return password.Fault is null
            ? Parsed.Right(new SecretFile(path, password.Value))
            : Parsed.Wrong<SecretFile>($"what the file holds {password.Fault}");
    }
}

/// <param name="Path">As it is written in the configuration.</param>
/// <param name="Content">What the file holds, without its last line break.</param>
internal sealed record SecretFile(string Path, Secret Content);
