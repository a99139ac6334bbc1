using Microsoft.Extensions.Logging;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;

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
    /// <param name="priority">How much it matters to who follows.</param>
    /// <param name="throughOthers">Whether one that was started through another repository may be followed: the registry is giving the blob right now, so a repository of it that refers to the blob may.</param>
    /// <param name="evenIfHere">Whether the blob is wanted from upstream although the store has it: it can not be read.</param>
    public DownloadAnswer Follow(
        UpstreamRepository repository, Digest digest, long? announcedSize, TransferPriority priority, bool throughOthers, bool evenIfHere)
    {
        var key = (repository.Upstream.Name, digest);
        lock (_gate)
        {
            var isRunning = _running.TryGetValue(key, out var running);
            if (isRunning && !running.Download.IsStopped)
            {
                return throughOthers || running.Download.Repository == repository
                    ? new DownloadAnswer.Following(running.Download.Follow(priority))
                    : new DownloadAnswer.OnlyThroughOthers();
            }

            // A download may have ended since the caller looked for the blob; it was recorded before it was taken off the list.
            if (!evenIfHere && store.FindBlob(digest) is not null)
            {
                return new DownloadAnswer.AlreadyHere();
            }

            ObjectDisposedException.ThrowIf(_stopping.IsCancellationRequested, this);
            var stop = CancellationTokenSource.CreateLinkedTokenSource(_stopping.Token);
            var download = new BlobDownload(repository, digest, announcedSize, this, store, metrics, time, loggers, stop);
            var follower = download.Follow(priority);
            _running[key] = (download, Task.Run(() => RunAsync(download, isRunning ? running.Running : Task.CompletedTask, stop)));
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

    /// <summary>
    /// A download has lost its last follower. It goes on as long as all such downloads of its registry together lack no more than the
    /// registry's limit; where nobody knows what one lacks, it counts as all of that.
    /// </summary>
    internal void StopIfAbandoned(BlobDownload download)
    {
        lock (_gate)
        {
            // Somebody may have come meanwhile, and whoever comes does so under this lock.
            if (!IsRunning(download) || !download.IsAbandoned)
            {
                return;
            }

            var upstream = download.Repository.Upstream;
            var limit = upstream.FinishAbandoned;
            var abandoned = _running.Values.Select(running => running.Download)
                .Where(other => other.Repository.Upstream == upstream && other.IsAbandoned)
                .ToList();
            var lacking = abandoned.Sum(other => (decimal)(other.Lacking ?? Math.Max(limit, 1)));
            if (lacking > limit || abandoned.Count > upstream.SpareConnections)
            {
                download.Stop();
            }
        }
    }

    /// <summary>A download is over: who asks from now on starts another.</summary>
    internal void Forget(BlobDownload download)
    {
        lock (_gate)
        {
            if (IsRunning(download))
            {
                _running.Remove((download.Repository.Upstream.Name, download.Digest));
            }
        }
    }

    private bool IsRunning(BlobDownload download) =>
        _running.TryGetValue((download.Repository.Upstream.Name, download.Digest), out var running) && running.Download == download;

    /// <summary>Two downloads never write the same staged file: what was stopped ends first.</summary>
    private static async Task RunAsync(BlobDownload download, Task former, CancellationTokenSource stop)
    {
        using (stop)
        {
            await former;
            await download.RunAsync();
        }
    }
}
