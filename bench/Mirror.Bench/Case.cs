namespace Mirror.Bench;

/// <summary>Something that is measured, once a round, on every server that it concerns.</summary>
internal sealed record Case(string Name, Action<Workbench> Measure)
{
    public static IReadOnlyList<Case> All { get; } =
    [
        new("blob-1", bench => bench.MeasureBlobs(clients: 1, times: 12)),
        new("blob-4", bench => bench.MeasureBlobs(clients: 4, times: 4)),
        new("blob-16", bench => bench.MeasureBlobs(clients: 16, times: 2)),
        new("manifest-tag", bench => bench.MeasureRequests("GET manifest by tag", "GET", Content.ManifestPath(Content.Tag), "≥ 20×")),
        new("manifest-digest", bench => bench.MeasureRequests("GET manifest by digest", "GET", bench.ManifestByDigest, "≥ 20×")),
        new("head-tag", bench => bench.MeasureRequests("HEAD manifest by tag", "HEAD", Content.ManifestPath(Content.Tag), "≥ 20×")),
        new("rules", bench => bench.MeasureRules()),
        new("list", bench => bench.MeasureLists()),
        new("cold-1", bench => bench.MeasureCold(clients: 1)),
        new("cold-16", bench => bench.MeasureCold(clients: 16)),
        new("push-large", bench => bench.MeasurePush()),
        new("push-small", bench => bench.MeasureImagePushes()),
        new("sync", bench => bench.MeasureCopies()),
        new("tls-blob-1", bench => bench.MeasureEncryptedBlobs(clients: 1, times: 8)),
        new("tls-blob-4", bench => bench.MeasureEncryptedBlobs(clients: 4, times: 2)),
        new("tls-manifest", bench => bench.MeasureEncryptedRequests()),
        new("memory", bench => bench.MeasureMemory()),
        new("start", bench => bench.MeasureStart()),
    ];
}
