using System.Net;
using System.Text;
using Mirror.Bench.Servers;

namespace Mirror.Bench;

/// <summary>A Mirror with many tags in one repository, and many repositories.</summary>
internal sealed class Lists(string folder, IPEndPoint upstream, int tags, int repositories) : IDisposable
{
    private const int TagsAtOnce = 100;
    private const string IndexType = "application/vnd.oci.image.index.v1+json";
    private static readonly byte[] Index = Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"mediaType":"{{IndexType}}","manifests":[]}""");

    public MirrorServer Server { get; } = new(folder, upstream);

    /// <summary>A page out of the middle, with what it is one of.</summary>
    public IEnumerable<(string Name, string Path)> Pages =>
    [
        ($"page of {tags} tags", $"/v2/tagged/tags/list?n=40&last={Tag(tags / 2)}"),
        ($"page of {repositories} repositories", $"/v2/_catalog?n=40&last={Repository(repositories / 2)}"),
    ];

    public void Start(CancellationToken stopping)
    {
        Server.Start(workingDirectory: null, stopping);
        using var http = new HttpClient();
        var several = new ParallelOptions { CancellationToken = stopping, MaxDegreeOfParallelism = 32 };
        // The repository of the tags is one of them.
        Parallel.For(1, repositories, several, i => Put(http, $"{Repository(i)}/manifests/1", stopping));
        Parallel.ForEach(Enumerable.Range(0, tags).Chunk(TagsAtOnce), several, some =>
            Put(http, $"tagged/manifests/{Tag(some[0])}?{string.Join('&', some.Skip(1).Select(i => $"tag={Tag(i)}"))}", stopping));
    }

    public void Dispose() => Server.Dispose();

    private static string Tag(int i) => $"t{i:00000}";

    private static string Repository(int i) => $"r{i:00000}";

    private void Put(HttpClient http, string path, CancellationToken stopping)
    {
        using var request = new HttpRequestMessage(HttpMethod.Put, $"http://{Server.Address}/v2/{path}") { Content = new ByteArrayContent(Index) };
        request.Content.Headers.Add("Content-Type", IndexType);
        using var done = http.Send(request, stopping);
        done.EnsureSuccessStatusCode();
    }
}
