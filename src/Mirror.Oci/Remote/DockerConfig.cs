using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Mirror.Oci.Remote;

/// <summary>
/// The credentials that <c>docker login</c> left for a registry: in Docker's <c>config.json</c>, or with the credential helper that it names.
/// Read anew every time, for others write it.
/// </summary>
internal sealed class DockerConfig(string path, RemoteRegistryOptions options, TimeProvider time)
{
    private const string HubKey = "https://index.docker.io/v1/";
    private const int MaxSize = 1024 * 1024;

    private static readonly string[] HubHosts = ["docker.io", "index.docker.io", "registry-1.docker.io"];

    /// <summary>What Docker's configuration calls the registry.</summary>
    private readonly string _key = HubHosts.Contains(options.Url.IdnHost, StringComparer.OrdinalIgnoreCase) ? HubKey
        : options.Url.IsDefaultPort ? options.Url.IdnHost
        : $"{options.Url.IdnHost}:{options.Url.Port}";

    /// <summary>
    /// (1) the helper of this registry, (2) the helper of all, (3) what the file itself has; nothing of it is Anonymous. A helper that fails,
    /// or a file that can not be read, is a failure: to go on without credentials would only be refused with less reason.
    /// </summary>
    public async Task<RemoteAnswer<Login>> FindAsync()
    {
        try
        {
            using var document = JsonDocument.Parse(await ReadAsync());
            var root = document.RootElement;
            var helper = FindEntry(root, "credHelpers") is { ValueKind: JsonValueKind.String } own ? own.GetString() : FindString(root, "credsStore");
            if (!string.IsNullOrEmpty(helper))
            {
                var answer = await new CredentialHelper(helper, options.Name, time).GetAsync(_key);
                if (answer is not RemoteAnswer<Login>.Found(var login) || login != Login.Anonymous)
                {
                    return answer;
                }
            }

            return FindEntry(root, "auths") is { } entry ? Read(entry) : Login.Anonymous;
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            return Login.Anonymous;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Unusable(e.Message);
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            // What the exception says may quote the file.
            return Unusable("it is not what docker login writes");
        }
    }

    /// <summary>As Docker has it: a password that is empty stands for the identity token.</summary>
    public static Login LoginOf(string username, string password, string? identityToken) =>
        identityToken is null
            ? username.Length == 0 ? Login.Anonymous : new Login(new BasicCredentials(username, password), null)
            : new Login(
                new BasicCredentials(username.Length == 0 ? CredentialHelper.TokenUser : username, password.Length == 0 ? identityToken : password),
                identityToken);

    private async Task<ReadOnlyMemory<byte>> ReadAsync()
    {
        await using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        var buffer = new byte[MaxSize + 1];
        var length = await file.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false);
        return length > MaxSize ? throw new IOException("it is too large") : buffer.AsMemory(0, length);
    }

    private static Login Read(JsonElement entry)
    {
        var identityToken = FindString(entry, "identitytoken");
        var (username, password) = FindString(entry, "auth") is { } auth
            && Encoding.UTF8.GetString(Convert.FromBase64String(auth)).TrimEnd('\0') is var pair && pair.IndexOf(':', StringComparison.Ordinal) is >= 0 and var colon
            ? (pair[..colon], pair[(colon + 1)..])
            : (FindString(entry, "username") ?? "", FindString(entry, "password") ?? "");
        return LoginOf(username, password, identityToken);
    }

    /// <summary>The registry's entry: its key, or one that means the same host (<c>https://host/v2/</c>).</summary>
    private JsonElement? FindEntry(JsonElement root, string section)
    {
        if (!root.TryGetProperty(section, out var entries) || entries.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        if (entries.TryGetProperty(_key, out var exact))
        {
            return exact;
        }

        foreach (var entry in entries.EnumerateObject())
        {
            if (HostOf(entry.Name).Equals(HostOf(_key), StringComparison.OrdinalIgnoreCase))
            {
                return entry.Value;
            }
        }

        return null;
    }

    private static string HostOf(string key)
    {
        var start = key.IndexOf("://", StringComparison.Ordinal);
        var host = start < 0 ? key : key[(start + 3)..];
        return host.Split('/')[0];
    }

    private static string? FindString(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text ? text : null;

    private RemoteFailure.Denied Unusable(string why) =>
        new($"the credentials of {options.Name} can not be read") { Aside = $"{path}: {why}" };
}

/// <summary>A program <c>docker-credential-*</c>, which keeps passwords elsewhere than in a file. What it prints is never quoted.</summary>
internal sealed class CredentialHelper(string name, string registry, TimeProvider time)
{
    /// <summary>The user name that says that the secret is an identity token.</summary>
    public const string TokenUser = "<token>";

    private const int MaxOutput = 64 * 1024;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(15);

    public async Task<RemoteAnswer<Login>> GetAsync(string server)
    {
        if (name.Length > 64 || !name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-'))
        {
            return Failed("the name of its credential helper is none");
        }

        if (FindProgram() is not { } program)
        {
            return Failed($"docker-credential-{name} is not on the PATH");
        }

        using var limit = new CancellationTokenSource(Limit, time);
        try
        {
            var (exitCode, output) = await RunAsync(program, server, limit.Token);
            return exitCode == 0 ? Read(output)
                : Encoding.UTF8.GetString(output.Span).Contains("credentials not found", StringComparison.Ordinal) ? Login.Anonymous
                : Failed($"docker-credential-{name} ended with {exitCode}");
        }
        catch (OperationCanceledException)
        {
            return Failed($"docker-credential-{name} did not answer within {Limit.TotalSeconds} s");
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or IOException)
        {
            return Failed($"docker-credential-{name} can not be run: {e.Message}");
        }
    }

    /// <summary>On the PATH only: the system's own search would begin in the working directory.</summary>
    private string? FindProgram() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Where(Path.IsPathFullyQualified)
        .Select(folder => Path.Combine(folder, $"docker-credential-{name}"))
        .FirstOrDefault(File.Exists);

    private static async Task<(int ExitCode, ReadOnlyMemory<byte> Output)> RunAsync(string program, string server, CancellationToken limit)
    {
        using var process = Process.Start(new ProcessStartInfo(program, ["get"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;
        try
        {
            var errors = process.StandardError.BaseStream.CopyToAsync(Stream.Null, limit);
            try
            {
                await process.StandardInput.BaseStream.WriteAsync(Encoding.UTF8.GetBytes(server), limit);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It did not want to know; what it says counts all the same.
            }

            var buffer = new byte[MaxOutput + 1];
            var length = await process.StandardOutput.BaseStream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, limit);
            if (length > MaxOutput)
            {
                throw new IOException("it prints too much");
            }

            await errors;
            await process.WaitForExitAsync(limit);
            return (process.ExitCode, buffer.AsMemory(0, length));
        }
        finally
        {
            if (!process.HasExited)
            {
                process.Kill(entireProcessTree: true);
            }
        }
    }

    private RemoteAnswer<Login> Read(ReadOnlyMemory<byte> output)
    {
        try
        {
            using var document = JsonDocument.Parse(output);
            var username = document.RootElement.GetProperty("Username").GetString() ?? "";
            var secret = document.RootElement.GetProperty("Secret").GetString() ?? "";
            return username == TokenUser ? DockerConfig.LoginOf("", "", secret) : DockerConfig.LoginOf(username, secret, null);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return Failed($"docker-credential-{name} answered with something else than a user name and a secret");
        }
    }

    private RemoteFailure.Denied Failed(string why) => new($"there are no credentials for {registry}") { Aside = why };
}
