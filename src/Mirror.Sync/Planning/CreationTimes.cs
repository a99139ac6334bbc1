using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Jobs;
using Mirror.Sync.Repositories;

namespace Mirror.Sync.Planning;

/// <summary>
/// When images were made, as their configurations say. That of a digest never changes, and is remembered while this process lives.
/// </summary>
public sealed class CreationTimes
{
    /// <summary>A configuration larger than this is not read.</summary>
    private const int MaxConfigSize = 4 * 1024 * 1024;

    private readonly ConcurrentDictionary<Digest, DateTimeOffset?> _times = [];

    /// <returns>The times of those that the selection asks about, as far as they say one; or why one can not be found out.</returns>
    internal async Task<(IReadOnlyDictionary<Tag, DateTimeOffset>? Times, string? Failure)> FindAsync(
        SyncJob job,
        ISourceRegistry source,
        ISourceRepository repository,
        IReadOnlyList<Tag> tags,
        TagResolver resolver,
        CancellationToken cancellationToken)
    {
        var times = new Dictionary<Tag, DateTimeOffset>();
        foreach (var tag in job.TagSelector.FindUndecided(tags))
        {
            var (digest, failure) = await resolver.FindDigestAsync(tag, cancellationToken);
            if (digest is { } found && !_times.ContainsKey(found))
            {
                if (source.Quota is { } quota && quota.Remaining <= job.Reserve)
                {
                    return (null, $"{source.Name} allows {quota.Remaining} more pulls, and {job.Reserve} are left to others (reserve)");
                }

                failure = await ReadAsync(repository, found, found, cancellationToken);
            }

            if (failure is not null and not RemoteFailure.Missing)
            {
                return (null, $"{tag}: {failure.WhyInFull}");
            }

            if (digest is { } asked && _times.GetValueOrDefault(asked) is { } created)
            {
                times[tag] = created;
            }
        }

        return (times, null);
    }

    /// <summary>Of an index, that of its first image.</summary>
    private async Task<RemoteFailure?> ReadAsync(
        ISourceRepository repository, Digest digest, Digest asked, CancellationToken cancellationToken)
    {
        var answer = await repository.GetManifestAsync(digest, cancellationToken);
        if (answer is not RemoteAnswer<Manifest>.Found(var manifest))
        {
            return ((RemoteAnswer<Manifest>.Failed)answer).Failure;
        }

        var view = manifest.View();
        var first = view.Children.FirstOrDefault(child => MediaTypes.IsImage(child.MediaType) && child.Platform?.OS != "unknown");
        if (first is not null && digest == asked)
        {
            return await ReadAsync(repository, first.Digest, asked, cancellationToken);
        }

        if (view.Config is not { Size: <= MaxConfigSize } config)
        {
            _times[asked] = null;
            return null;
        }

        var opened = await repository.OpenBlobAsync(config.Digest, 0, cancellationToken);
        if (opened is not RemoteAnswer<Stream>.Found(var stream))
        {
            return ((RemoteAnswer<Stream>.Failed)opened).Failure;
        }

        try
        {
            await using (stream)
            {
                var content = new byte[config.Size];
                await stream.ReadExactlyAsync(content, cancellationToken);
                _times[asked] = config.Digest.Matches(content) ? FindCreated(content) : null;
                return null;
            }
        }
        catch (IOException e)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Unreachable, e.Message);
        }
    }

    private static DateTimeOffset? FindCreated(byte[] config)
    {
        try
        {
            using var document = JsonDocument.Parse(config);
            return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("created", out var created)
                && created.ValueKind == JsonValueKind.String
                && DateTimeOffset.TryParse(created.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time)
                    ? time
                    : null;
        }
        // A lone surrogate in a string is valid JSON that has no value in UTF-16.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
