using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Mirror.Oci;
using Mirror.Registry;

namespace Mirror.Demo;

/// <summary>A registry that can be read and nothing else, on a port of its own. It counts what it is asked and what it sends.</summary>
internal sealed class DemoUpstream : IAsyncDisposable
{
    private const int ChunkSize = 256 * 1024;

    private readonly IReadOnlyList<DemoImage> _images;
    private readonly WebApplication _web;
    private readonly ConcurrentDictionary<Digest, int> _blobRequests = new();
    private int _requests;
    private long _sentBytes;

    private DemoUpstream(IReadOnlyList<DemoImage> images)
    {
        _images = images;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        _web = builder.Build();
        _web.Run(HandleAsync);
    }

    public Uri Url => new(_web.Urls.Single());

    public static async Task<DemoUpstream> StartAsync(IReadOnlyList<DemoImage> images, CancellationToken cancellationToken)
    {
        var upstream = new DemoUpstream(images);
        try
        {
            await upstream._web.StartAsync(cancellationToken);
            return upstream;
        }
        catch
        {
            await upstream.DisposeAsync();
            throw;
        }
    }

    /// <summary>What it was asked and has sent since this was last called. No request may be running.</summary>
    public UpstreamCounts TakeCounts()
    {
        var counts = new UpstreamCounts(_requests, _blobRequests.Values.DefaultIfEmpty().Max(), _sentBytes);
        (_requests, _sentBytes) = (0, 0);
        _blobRequests.Clear();
        return counts;
    }

    /// <summary>Refuses connections from now on.</summary>
    public Task StopAsync() => _web.StopAsync(new CancellationToken(canceled: true));

    public ValueTask DisposeAsync() => _web.DisposeAsync();

    private Task HandleAsync(HttpContext http)
    {
        Interlocked.Increment(ref _requests);
        switch (Route.Parse(http.Request.Path.Value ?? "", _ => false))
        {
            case Route.Manifest(var name, var reference):
                return FindImage(name) is { Manifest: var manifest }
                    && (reference.Tag == DemoImage.Tag || reference.Digest == manifest.Digest)
                    ? SendAsync(http, manifest.Descriptor, manifest.Content)
                    : RegistryError.ManifestUnknown.WriteAsync(http);

            case Route.Blob(var name, var digest):
                _blobRequests.AddOrUpdate(digest, 1, (_, count) => count + 1);
                return FindImage(name) is { Blobs: var blobs } && blobs.TryGetValue(digest, out var content)
                    ? SendAsync(http, new Descriptor(MediaTypes.OctetStream, digest, content.Length), content)
                    : RegistryError.BlobUnknown.WriteAsync(http);

            default:
                return RegistryError.NotFound.WriteAsync(http);
        }
    }

    private DemoImage? FindImage(RepositoryName name) => _images.FirstOrDefault(image => image.Repository == name);

    private async Task SendAsync(HttpContext http, Descriptor descriptor, ReadOnlyMemory<byte> content)
    {
        RegistryHeaders.AddContent(http.Response, descriptor.Digest, descriptor.MediaType);
        http.Response.ContentLength = descriptor.Size;
        if (HttpMethods.IsHead(http.Request.Method))
        {
            return;
        }

        while (!content.IsEmpty)
        {
            var chunk = content[..Math.Min(ChunkSize, content.Length)];
            // Counted before it leaves: who has received the last byte finds it counted.
            Interlocked.Add(ref _sentBytes, chunk.Length);
            await http.Response.BodyWriter.WriteAsync(chunk, http.RequestAborted);
            content = content[chunk.Length..];
        }
    }
}

/// <param name="Requests">Of any kind, whatever the answer.</param>
/// <param name="RequestsPerBlob">For the blob that was asked for most often.</param>
/// <param name="SentBytes">Of manifests and blobs, without headers.</param>
internal readonly record struct UpstreamCounts(int Requests, int RequestsPerBlob, long SentBytes);
