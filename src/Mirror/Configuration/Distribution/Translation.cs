using System.Text;
using Mirror.Configuration.Reading;

namespace Mirror.Configuration.Distribution;

/// <summary>Something of the other configuration that is not in ours.</summary>
/// <param name="Setting">What.</param>
/// <param name="Why">And what to do about it.</param>
/// <param name="IsLost">Whether somebody may miss it; else it is not needed here.</param>
internal sealed record Untranslated(DistributionSetting Setting, string Why, bool IsLost)
{
    public override string ToString() => $"{Setting.Place}: {Printable.Of(Setting.Key)}: {Why}";
}

/// <summary>
/// A mirror.yml that does what a configuration of CNCF Distribution does. Each value is either taken, or named together with what to do about it.
/// </summary>
internal sealed class Translation
{
    private static readonly string[] Hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];

    private readonly List<DistributionSetting> _left;
    private readonly List<Untranslated> _untranslated = [];
    private readonly StringBuilder _yaml = new();

    private Translation(IReadOnlyList<DistributionSetting> settings)
    {
        _left = [.. settings.Where(setting => setting.Text is not null)];
        _untranslated.AddRange(
            settings.Where(setting => setting.Text is null).Select(setting => new Untranslated(setting, "has no value", IsLost: false)));
    }

    /// <param name="settings">The other configuration.</param>
    /// <param name="source">What to call it.</param>
    /// <returns>The file, which ends with comments on what is not in it; and that once more.</returns>
    public static (string Yaml, IReadOnlyList<Untranslated> Untranslated) Of(IReadOnlyList<DistributionSetting> settings, string source)
    {
        var translation = new Translation(settings);
        translation._yaml.Append($"# What {Printable.Of(source)} says, as far as Mirror has it. docs/configuration.md has all keys.\n");
        translation.Server();
        translation.Storage();
        var isProxy = translation.Registries();
        translation.Access(isProxy);
        translation.Log();
        translation.Rest();
        return (translation._yaml.ToString(), translation._untranslated);
    }

    private void Server()
    {
        Line(0, "server:");
        Listen();
        PublicUrl();
        var (certificate, key) = (Take("http.tls.certificate"), Take("http.tls.key"));
        var clientCas = TakeList("http.tls.clientcas");
        if (certificate?.Text is not { Length: > 0 } || key?.Text is not { Length: > 0 })
        {
            Lose(
                new[] { certificate, key }.Concat(clientCas).FirstOrDefault(setting => setting?.Text is { Length: > 0 }),
                "certificate and key belong together: both are needed");
            return;
        }

        Line(1, "tls:");
        Path(2, "certificate", certificate);
        Path(2, "key", key);
        if (clientCas is [var clientCa, ..])
        {
            Path(2, "clientCa", clientCa);
            Line(2, "requireClientCertificate: true");
        }

        foreach (var other in clientCas.Skip(1))
        {
            Lose(other, $"clientCa is one file: append these certificates to {clientCas[0].Text}");
        }
    }

    private void Listen()
    {
        var address = Take("http.addr");
        var text = address?.Text is { Length: > 0 } given ? given.StartsWith(':') ? $"*{given}" : given : "*:5000";
        if (!ListenAddress.TryParse(text, out var listen))
        {
            Lose(address, "Mirror listens on an IP address and a port's number: it is *:5000 now");
            listen = ListenAddress.Parse("*:5000");
        }

        Line(1, "listen", listen.ToString());
    }

    /// <summary>What stands before Mirror takes the prefix away; Distribution does that itself.</summary>
    private void PublicUrl()
    {
        var (host, prefix) = (Take("http.host"), Take("http.prefix"));
        var path = prefix?.Text?.Trim('/') ?? "";
        if (path.Length > 0)
        {
            Lose(prefix, "Mirror's API is at /v2/: let the proxy in front of it take the prefix away"
                + (host?.Text is null ? ", and write the address with the prefix as server.publicUrl" : "; server.publicUrl has it"));
        }

        if (host?.Text is not { } text)
        {
            return;
        }

        var url = path.Length > 0 ? $"{text.TrimEnd('/')}/{path}" : text;
        if (Kinds.PublicUrl.Parse(url).Fault is { } fault)
        {
            Lose(host, $"as server.publicUrl it {fault}");
            return;
        }

        Line(1, "publicUrl", url);
    }

    private void Storage()
    {
        var root = Take("storage.filesystem.rootdirectory")?.Text ?? "/var/lib/registry";
        Line(0, "storage:");
        if (!_left.Exists(setting => IsOtherDriver(setting.Key)))
        {
            Line(1, $"# Not the directory of the other registry. Its images come here with: mirror adopt {Printable.Of(root)}");
            Line(1, "# On the same file system its files are linked, and not copied.");
        }

        Line(1, "path: /var/lib/mirror");
    }

    /// <returns>Whether there is one that names are asked of.</returns>
    private bool Registries()
    {
        var (remote, username, password) = (Take("proxy.remoteurl"), Take("proxy.username"), Take("proxy.password"));
        if (remote?.Text is not { Length: > 0 } url)
        {
            Lose(username ?? password, "there is no proxy.remoteurl");
            return false;
        }

        url = url.Contains("://", StringComparison.Ordinal) ? url : $"https://{url}";
        var fault = Kinds.RegistryUrl.Parse(url).Fault;
        var host = fault is null ? new Uri(url).Host : "";
        var name = Hub.Contains(host, StringComparer.OrdinalIgnoreCase) ? RegistryOptions.DockerHub
            : Kinds.RegistryName.Parse(host).Fault is null ? host
            : "upstream";
        if (fault is not null)
        {
            Lose(remote, $"as a registry's url it {fault}");
            return false;
        }

        Line(0, "registries:");
        Line(1, $"{name}:");
        Line(2, "default: true");
        if (name != RegistryOptions.DockerHub)
        {
            Line(2, "url", url);
        }

        if (username?.Text is { Length: > 0 } user && password?.Text is { Length: > 0 } secret)
        {
            Line(2, "username", user);
            Line(2, "# Or write passwordFile and the name of a file that holds it, or ${NAME} for a variable of the environment.");
            Line(2, "password", secret);
            Line(2, "# As there: everybody sees what these credentials can read. With public, only what the registry shows to everybody.");
            Line(2, "share: all");
        }
        else
        {
            Lose(username ?? password, "proxy.username and proxy.password belong together");
        }

        return true;
    }

    private void Access(bool isProxy)
    {
        var deletes = IsTrue(Take("storage.delete.enabled"));
        var isReadOnly = isProxy || IsTrue(Take("storage.maintenance.readonly.enabled"));
        var rights = isReadOnly ? "[pull]" : deletes ? "[pull, push, delete]" : "[pull, push]";
        // REGISTRY_AUTH=htpasswd names the way alone.
        var way = Take("auth");
        var (users, issuer) = (Take("auth.htpasswd.path"), Take("auth.token.issuer"));
        var isGuarded = way is not null || users is not null || issuer is not null
            || _left.Exists(setting => setting.Key.StartsWith("auth.", StringComparison.Ordinal));
        Line(0, "access:");
        Line(1, $"anonymous: {(isGuarded ? "[]" : rights)}");
        if (users is not null)
        {
            Path(1, "users", users);
            Line(1, "rules:");
            Line(2, $"- {{ repositories: [\"**\"], users: [\"*\"], allow: {rights} }}");
        }

        if (issuer is not null)
        {
            Tokens(issuer);
        }
        else if (isGuarded && users is null)
        {
            Lose(way, "this way of logging in is not known here: nobody may do anything until there are users and rules");
        }
    }

    private void Tokens(DistributionSetting issuer)
    {
        var (service, keys) = (Take("auth.token.service"), Take("auth.token.rootcertbundle") ?? Take("auth.token.jwks"));
        Line(1, "tokens:");
        Line(2, "issuer", issuer.Text ?? "");
        Line(2, "service", service?.Text ?? "");
        Path(2, "keys", keys ?? issuer with { Text = "token-keys.pem" });
        if (Take("auth.token.realm") is { } realm)
        {
            Line(2, "realm", realm.Text ?? "");
        }
    }

    private void Log()
    {
        var level = (Take("log.level") ?? Take("loglevel"))?.Text;
        var formatter = Take("log.formatter");
        if (level is null && formatter is null)
        {
            return;
        }

        Line(0, "observability:");
        Line(1, "log:");
        if (level is not null)
        {
            Line(2, $"level: {(level is "debug" or "warn" or "error" ? level : "info")}");
        }

        if (formatter is not null)
        {
            Line(2, $"format: {(formatter.Text is "json" or "logstash" ? "json" : "text")}");
        }

        if (formatter?.Text == "logstash")
        {
            Lose(formatter, "it is json now, with other field names than Logstash's");
        }
    }

    /// <summary>What nobody has taken.</summary>
    private void Rest()
    {
        foreach (var setting in _left)
        {
            var (why, isLost) = Counterparts.WhyNone(setting.Key);
            _untranslated.Add(new Untranslated(setting, why, isLost));
        }

        Comment("Not translated:", isLost: true);
        Comment("Not needed:", isLost: false);
    }

    private void Comment(string title, bool isLost)
    {
        var lines = _untranslated.Where(one => one.IsLost == isLost).Select(one => $"#   {one}\n").Distinct().ToList();
        if (lines.Count > 0)
        {
            _yaml.Append($"\n# {title}\n").AppendJoin("", lines);
        }
    }

    private static bool IsOtherDriver(string key) => key.Split('.') is ["storage", var driver, ..] && Counterparts.IsOtherDriver(driver);

    private static bool IsTrue(DistributionSetting? setting) => setting?.Text is "true" or "True" or "yes" or "on";

    private DistributionSetting? Take(string key)
    {
        var found = _left.FindLast(setting => setting.Key == key);
        _left.RemoveAll(setting => setting.Key == key);
        return found;
    }

    private List<DistributionSetting> TakeList(string key)
    {
        var found = _left.FindAll(setting => setting.Key == key || setting.Key.StartsWith($"{key}.", StringComparison.Ordinal));
        _left.RemoveAll(found.Contains);
        return found;
    }

    private void Lose(DistributionSetting? setting, string why)
    {
        if (setting is not null)
        {
            _untranslated.Add(new Untranslated(setting, why, IsLost: true));
        }
    }

    /// <summary>A path as it is there; one that is relative starts elsewhere here.</summary>
    private void Path(int indent, string key, DistributionSetting path)
    {
        var text = path.Text ?? "";
        Line(indent, key, text);
        if (!System.IO.Path.IsPathRooted(text))
        {
            Lose(path, "a relative path starts at mirror.yml's folder here, and not where the program was started");
        }
    }

    private void Line(int indent, string key, string value) => Line(indent, $"{key}: {EffectiveYaml.Escaped(value)}");

    private void Line(int indent, string line) => _yaml.Append(' ', 2 * indent).Append(line).Append('\n');
}
