using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;

namespace Mirror.Caching;

/// <summary>How a blob that was not in the store can be had.</summary>
public abstract record DownloadAnswer
{
    private DownloadAnswer()
    {
    }

    public sealed record Following(BlobFollower Follower) : DownloadAnswer;

    /// <summary>Behind a download that was started through another repository.</summary>
    public sealed record OnlyThroughOthers : DownloadAnswer;

    /// <summary>From the store after all.</summary>
    public sealed record AlreadyHere : DownloadAnswer;
}

/// <summary>The running downloads: one for each registry and digest, however many ask.</summary>
public sealed class Downloads(CacheStore store, MirrorMetrics metrics, TimeProvider time, ILoggerFactory loggers) : IAsyncDisposable
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string Registry, Digest Digest), (BlobDownload Download, Task Running)> _running = [];
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Follows the running download of a blob, or starts one where the blob is not here.</summary>
    /// <param name="repository">Through which it would be started.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="announcedSize">Its size as a manifest has it, in bytes, if one has.</param>
    /// <param name="throughOthers">Whether one that was started through another repository may be followed: the registry is giving the blob right now, so a repository of it that refers to the blob may.</param>
    /// <param name="evenIfHere">Whether the blob is wanted from upstream although the store has it: it can not be read.</param>
    public DownloadAnswer Follow(UpstreamRepository repository, Digest digest, long? announcedSize, bool throughOthers, bool evenIfHere)
    {
        var key = (repository.Upstream.Name, digest);
        lock (_gate)
        {
            if (_running.TryGetValue(key, out var running))
            {
                return throughOthers || running.Download.Repository == repository
                    ? new DownloadAnswer.Following(running.Download.Follow())
                    : new DownloadAnswer.OnlyThroughOthers();
            }

            // A download may have ended since the caller looked for the blob; it was recorded before it was taken off the list.
            if (!evenIfHere && store.FindBlob(digest) is not null)
            {
                return new DownloadAnswer.AlreadyHere();
            }

            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            var download = new BlobDownload(repository, digest, announcedSize, this, store, metrics, time, loggers);
            var follower = download.Follow();
            _running[key] = (download, Task.Run(() => download.RunAsync(_stopping.Token)));
            return new DownloadAnswer.Following(follower);
        }
    }

    /// <summary>Done when no download of the blob is running: it is in the store then, or has failed.</summary>
    public Task EndedAsync(UpstreamRepository repository, Digest digest)
    {
        lock (_gate)
        {
            return _running.TryGetValue((repository.Upstream.Name, digest), out var running) ? running.Running : Task.CompletedTask;
        }
    }

    /// <summary>Ends the running downloads and waits for them.</summary>
    public async ValueTask DisposeAsync()
    {
        Task[] running;
        lock (_gate)
        {
            _stopping.Cancel();
            running = [.. _running.Values.Select(r => r.Running)];
        }

        await Task.WhenAll(running);
        _stopping.Dispose();
    }

    /// <summary>A download is over: who asks from now on starts another.</summary>
    internal void Forget(BlobDownload download)
    {
        var key = (download.Repository.Upstream.Name, download.Digest);
        lock (_gate)
        {
            if (_running.TryGetValue(key, out var running) && running.Download == download)
            {
                _running.Remove(key);
            }
        }
    }
}
