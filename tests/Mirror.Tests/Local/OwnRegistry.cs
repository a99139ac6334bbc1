using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Mirror.Configuration;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>An answer, read whole.</summary>
internal sealed record PushAnswer(HttpStatusCode Code, HttpResponseHeaders Headers, HttpContentHeaders ContentHeaders, byte[] Body)
{
    public int Status => (int)Code;

    /// <summary>The error's code in the body.</summary>
    public string? Error => Body.Length > 0 && Body[0] == '{' && JsonDocument.Parse(Body).RootElement.TryGetProperty("errors", out var errors)
        ? errors[0].GetProperty("code").GetString()
        : null;

    public string? Header(string name) =>
        Headers.TryGetValues(name, out var values) || ContentHeaders.TryGetValues(name, out values) ? string.Join(',', values) : null;
}

/// <summary>A Mirror and a client that pushes to it.</summary>
internal sealed class OwnRegistry : IAsyncDisposable
{
    private readonly HttpClient _http = new();

    private OwnRegistry(MirrorHost mirror) => Mirror = mirror;

    public MirrorHost Mirror { get; }

    /// <summary>One without upstreams.</summary>
    /// <param name="configure">Changes how the server is reached.</param>
    public static async Task<OwnRegistry> StartAsync(Func<ServerOptions, ServerOptions>? configure = null) =>
        new(await MirrorHost.StartAsync([], configure: configure));

    /// <summary>One beside an upstream, which is the default registry.</summary>
    /// <param name="upstream">Is Docker Hub.</param>
    /// <param name="local">Names that are its own.</param>
    public static async Task<OwnRegistry> StartAsync(FakeRegistry upstream, params IEnumerable<string> local) =>
        new(await MirrorHost.StartAsync([MirrorHost.Registry("docker.io", upstream) with { Default = true }], local: local));

    /// <param name="method">GET, PUT and so on.</param>
    /// <param name="target">A path, or a Location.</param>
    /// <param name="content">The body, if there is one.</param>
    /// <param name="headers">Beside the usual.</param>
    public async Task<PushAnswer> SendAsync(string method, string target, ReadOnlyMemory<byte>? content = null, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(new HttpMethod(method), new Uri(Mirror.Url, target));
        request.Content = content is null ? null : new ReadOnlyMemoryContent(content.Value);
        foreach (var (name, value) in headers)
        {
            if (!request.Headers.TryAddWithoutValidation(name, value))
            {
                request.Content!.Headers.TryAddWithoutValidation(name, value);
            }
        }

        using var answer = await _http.SendAsync(request);
        return new PushAnswer(answer.StatusCode, answer.Headers, answer.Content.Headers, await answer.Content.ReadAsByteArrayAsync());
    }

    /// <summary>Begins an upload.</summary>
    /// <returns>Where it goes on.</returns>
    public async Task<string> BeginAsync(string repository)
    {
        var answer = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/");
        Assert.Equal(202, answer.Status);
        return answer.Header("Location")!;
    }

    public static string With(string location, string query) => $"{location}{(location.Contains('?', StringComparison.Ordinal) ? '&' : '?')}{query}";

    public async Task PushBlobAsync(string repository, TestBlob blob)
    {
        var answer = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={blob.Digest}", blob.Content);
        Assert.Equal(201, answer.Status);
    }

    /// <summary>Pushes an image as a client does: blobs, then the manifest.</summary>
    public async Task PushAsync(string repository, TestImage image, string reference)
    {
        foreach (var blob in image.Blobs)
        {
            await PushBlobAsync(repository, blob);
        }

        Assert.Equal(201, (await PutManifestAsync(repository, image.Manifest, reference)).Status);
    }

    /// <param name="repository">Gets it.</param>
    /// <param name="manifest">Of sha512, it goes under its digest, with its tag: under a tag alone it would get its sha256.</param>
    /// <param name="reference">A tag or a digest, and perhaps a query.</param>
    public Task<PushAnswer> PutManifestAsync(string repository, TestBlob manifest, string reference)
    {
        var underDigest = manifest.Digest.Algorithm is DigestAlgorithm.Sha512 && !reference.Contains(':', StringComparison.Ordinal);
        return SendAsync(
            "PUT",
            $"/v2/{repository}/manifests/{(underDigest ? $"{manifest.Digest}?tag={reference}" : reference)}",
            manifest.Content,
            ("Content-Type", manifest.MediaType));
    }

    public async Task GetExactlyAsync(string path, TestBlob expected)
    {
        var answer = await SendAsync("GET", path);
        Assert.Equal(200, answer.Status);
        Assert.Equal(expected.Content.ToArray(), answer.Body);
    }

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await Mirror.DisposeAsync();
    }
}
