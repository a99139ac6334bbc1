using System.Net;
using System.Net.Http.Headers;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests;

/// <summary>A client that pushes with nothing but HTTP: each blob as an upload of its own in three requests, then the manifest.</summary>
internal sealed class HttpPusher : IDisposable
{
    private readonly HttpClient _http;
    private readonly Action _answered;

    /// <param name="registry">Where it pushes to.</param>
    /// <param name="answered">Called after each answer.</param>
    public HttpPusher(Uri registry, Action? answered = null)
    {
        _http = new HttpClient { BaseAddress = registry, Timeout = TimeSpan.FromMinutes(5) };
        _answered = answered ?? (() => { });
    }

    /// <param name="repository">Where to.</param>
    /// <param name="image">What.</param>
    /// <param name="reference">A tag, or more of them: <c>1.0?tag=latest</c>.</param>
    public async Task PushAsync(string repository, TestImage image, string reference)
    {
        foreach (var blob in image.Blobs)
        {
            await PushBlobAsync(repository, blob);
        }

        await PutManifestAsync(repository, image.Manifest, reference);
    }

    public async Task PushBlobAsync(string repository, TestBlob blob)
    {
        var location = await BeginAsync(repository);
        using var content = new ReadOnlyMemoryContent(blob.Content);
        location = await AppendAsync(location, content);
        await FinishAsync(location, blob.Digest);
    }

    public async Task PutManifestAsync(string repository, TestBlob manifest, string reference)
    {
        using var content = new ReadOnlyMemoryContent(manifest.Content);
        content.Headers.ContentType = new MediaTypeHeaderValue(manifest.MediaType);
        await SendAsync(HttpMethod.Put, $"/v2/{repository}/manifests/{reference}", HttpStatusCode.Created, content);
    }

    /// <summary>Begins an upload.</summary>
    /// <returns>Where it goes on.</returns>
    public async Task<Uri> BeginAsync(string repository) =>
        (await SendAsync(HttpMethod.Post, $"/v2/{repository}/blobs/uploads/", HttpStatusCode.Accepted)).Location!;

    /// <returns>Where it goes on.</returns>
    public async Task<Uri> AppendAsync(Uri location, HttpContent content) =>
        (await SendAsync(HttpMethod.Patch, $"{location}", HttpStatusCode.Accepted, content)).Location!;

    /// <summary>How many bytes an upload has, as its Range says: not for one that has none.</summary>
    public async Task<long> LengthAsync(Uri location)
    {
        var answer = await SendAsync(HttpMethod.Get, $"{location}", HttpStatusCode.NoContent);
        return long.Parse(answer.NonValidated["Range"].ToString()["0-".Length..]) + 1;
    }

    public Task FinishAsync(Uri location, Digest digest) =>
        SendAsync(HttpMethod.Put, $"{location}{($"{location}".Contains('?') ? '&' : '?')}digest={digest}", HttpStatusCode.Created);

    public Task DeleteAsync(string repository, string reference) =>
        SendAsync(HttpMethod.Delete, $"/v2/{repository}/manifests/{reference}", HttpStatusCode.Accepted);

    public void Dispose() => _http.Dispose();

    private async Task<HttpResponseHeaders> SendAsync(
        HttpMethod method, string target, HttpStatusCode expected, HttpContent? content = null)
    {
        using var request = new HttpRequestMessage(method, target) { Content = content };
        using var answer = await _http.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == expected, $"{method} {target}: {(int)answer.StatusCode} {text}");
        _answered();
        return answer.Headers;
    }
}
