using System.Diagnostics.Metrics;

namespace Mirror.Observability;

/// <summary>
/// The program's instruments, in OpenTelemetry's terms. Tags are few and bounded: a registry's configured name, a kind, an outcome; a
/// repository or digest belongs into a log.
/// </summary>
public sealed class MirrorMetrics : IDisposable
{
    public const string MeterName = "Mirror";

    private readonly Meter _meter = new(MeterName);
    private readonly Counter<long> _cacheRequests;
    private readonly Counter<long> _upstreamRequests;
    private readonly Counter<long> _refusedTags;
    private readonly Counter<long> _downloads;
    private readonly Counter<long> _downloadedBytes;
    private readonly Counter<long> _servedBytes;
    private readonly Counter<long> _damagedBlobs;
    private readonly Counter<long> _storeFailures;

    public MirrorMetrics()
    {
        _cacheRequests = _meter.CreateCounter<long>("mirror.cache.requests", "{request}", "Requests for content, by kind and where the answer came from.");
        _upstreamRequests = _meter.CreateCounter<long>("mirror.upstream.requests", "{request}", "Requests to upstreams, by registry, operation and outcome.");
        _refusedTags = _meter.CreateCounter<long>(
            "mirror.upstream.refused", "{request}", "Questions about cached tags that an upstream refused to answer (401, 403), by registry.");
        _downloads = _meter.CreateCounter<long>("mirror.downloads", "{download}", "Blobs fetched from upstreams, by registry and outcome.");
        _downloadedBytes = _meter.CreateCounter<long>("mirror.downloads.size", "By", "Bytes of blobs received from upstreams.");
        _servedBytes = _meter.CreateCounter<long>("mirror.served.size", "By", "Bytes of blobs sent to clients, by where they came from.");
        _damagedBlobs = _meter.CreateCounter<long>("mirror.store.damaged", "{blob}", "Stored content that no longer had its checksum when it was read.");
        _storeFailures = _meter.CreateCounter<long>("mirror.store.failures", "{failure}", "What the store could not do, by what it was.");
    }

    /// <param name="kind">blob, manifest or tag.</param>
    /// <param name="outcome">hit, miss or failed; for a tag also revalidated or stale.</param>
    public void CacheRequest(string kind, string outcome) => _cacheRequests.Add(1, new("kind", kind), new("outcome", outcome));

    public void UpstreamRequest(string registry, string operation, string outcome) =>
        _upstreamRequests.Add(1, new("registry", registry), new("operation", operation), new("outcome", outcome));

    public void CachedTagRefused(string registry) => _refusedTags.Add(1, new KeyValuePair<string, object?>("registry", registry));

    /// <param name="read">Each registry that has said how many requests are left to us, and how many.</param>
    public void ObserveRateLimits(Func<IEnumerable<(string Registry, long Remaining)>> read) => _meter.CreateObservableGauge(
        "mirror.upstream.ratelimit.remaining",
        () => read().Select(limit => new Measurement<long>(limit.Remaining, new KeyValuePair<string, object?>("registry", limit.Registry))),
        "{request}",
        "What is left of an upstream's quota for us, as it last said.");

    /// <param name="registry">From which.</param>
    /// <param name="outcome">done, not stored, stopped or failed.</param>
    public void Downloaded(string registry, string outcome) => _downloads.Add(1, new("registry", registry), new("outcome", outcome));

    /// <summary>Some bytes of a blob have arrived.</summary>
    public void Received(string registry, long bytes) => _downloadedBytes.Add(bytes, new KeyValuePair<string, object?>("registry", registry));

    /// <param name="source">disk, download or upstream.</param>
    /// <param name="bytes">Sent with this answer.</param>
    public void Served(string source, long bytes) => _servedBytes.Add(bytes, new KeyValuePair<string, object?>("source", source));

    public void DamageFound() => _damagedBlobs.Add(1);

    /// <param name="what">One of a few names.</param>
    public void StoreFailed(string what) => _storeFailures.Add(1, new KeyValuePair<string, object?>("what", what));

    public void Dispose() => _meter.Dispose();
}
