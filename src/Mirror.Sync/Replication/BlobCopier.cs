using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Repositories;
using Mirror.Sync.State;

namespace Mirror.Sync.Replication;

/// <summary>
/// Brings blobs to one target, each once: what it has is not sent, what another of its repositories is known to have, from this run or an
/// earlier one, is mounted, and what is sent goes on where an earlier upload of it has ended.
/// </summary>
/// <param name="source">Where they are.</param>
/// <param name="target">Where they go.</param>
/// <param name="state">What is remembered of earlier runs.</param>
/// <param name="wanted">The repositories of the target that this run copies to: nothing is put into any other.</param>
/// <param name="blobs">What is known of the target.</param>
/// <param name="turns">For the connections.</param>
/// <param name="progress">Counts it.</param>
/// <param name="time">The clock.</param>
internal sealed class BlobCopier(
    ISourceRegistry source,
    ITargetRegistry target,
    ISyncState state,
    IReadOnlySet<RepositoryName> wanted,
    TargetBlobs blobs,
    TransferTurns turns,
    RunProgress progress,
    TimeProvider time)
{
    /// <summary>Smaller blobs are sent again sooner than anybody has remembered how far they came.</summary>
    private const int WorthRemembering = 1024 * 1024;

    /// <param name="from">Where it is.</param>
    /// <param name="to">Where it goes.</param>
    /// <param name="blob">Its digest and size.</param>
    /// <param name="isNew">
    /// Whether the repository has nothing but what is remembered: the target is not asked for another blob then.
    /// </param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="CopyFailedException">It is not there.</exception>
    public async Task CopyAsync(
        ISourceRepository from, ITargetRepository to, Descriptor blob, bool isNew, CancellationToken cancellationToken)
    {
        if (blobs.IsAt(to.Name, blob.Digest))
        {
            return;
        }

        using var turn = await blobs.EnterAsync(blob.Digest, cancellationToken);
        if (blobs.IsAt(to.Name, blob.Digest))
        {
            return;
        }

        var saved = blob.Size >= WorthRemembering ? state.FindUpload(target.Name, blob.Digest) : null;
        if (saved is not null && saved.Repository != to.Name)
        {
            if (wanted.Contains(saved.Repository)
                && blobs.FindPlace(blob.Digest) is null
                && (isNew || !await HasAsync(to, blob.Digest, cancellationToken)))
            {
                await TryGoOnAsync(from, blob, saved, cancellationToken);
            }

            saved = null;
        }

        await BringAsync(from, to, blob, saved, isNew, cancellationToken);
    }

    /// <summary>
    /// What was on its way to another repository may be nearly all there. So it goes on to there, to be mounted. Where the target does not take
    /// it there, that is no reason not to push it to where it is wanted now.
    /// </summary>
    private async Task TryGoOnAsync(ISourceRepository from, Descriptor blob, UploadState saved, CancellationToken cancellationToken)
    {
        if (target.FindFault(saved.Repository) is not null)
        {
            return;
        }

        try
        {
            await BringAsync(from, target.GetTarget(saved.Repository), blob, saved, isNew: false, cancellationToken);
        }
        catch (CopyFailedException e) when (e.IsOfTarget)
        {
            // Who copies there says so.
        }
    }

    private async Task BringAsync(
        ISourceRepository from, ITargetRepository to, Descriptor blob, UploadState? saved, bool isNew, CancellationToken cancellationToken)
    {
        var (isThere, begun) = await MountAsync(from, to, blob.Digest, isNew, cancellationToken);
        // Before it is there: who comes after a process that was killed looks here first.
        state.SavePlace(target.Name, blob.Digest, to.Name);
        if (!isThere)
        {
            await PushAsync(from, to, blob, saved?.Upload ?? begun, cancellationToken);
        }
        else if (saved is not null)
        {
            state.RemoveUpload(target.Name, blob.Digest);
        }

        blobs.Add(to.Name, blob.Digest);
    }

    /// <summary>
    /// (1) mount what was put into another repository (2) ask whether it is there (3) mount what the source has, where that is the target
    /// as well
    /// </summary>
    private async Task<(bool IsThere, RemoteUpload? Begun)> MountAsync(
        ISourceRepository from, ITargetRepository to, Digest digest, bool isNew, CancellationToken cancellationToken)
    {
        RemoteUpload? begun = null;
        var place = blobs.FindPlace(digest) ?? state.FindPlace(target.Name, digest);
        if (place is { } other && other != to.Name)
        {
            (var isMounted, begun) = await MountAsync(to, digest, other, cancellationToken);
            if (isMounted)
            {
                return (true, null);
            }
        }

        if ((!isNew || place is not null) && await HasAsync(to, digest, cancellationToken))
        {
            return (true, null);
        }

        return begun is null && source.Name == target.Name && from.Name != to.Name
            ? await MountAsync(to, digest, from.Name, cancellationToken)
            : (false, begun);
    }

    private async Task<bool> HasAsync(ITargetRepository to, Digest digest, CancellationToken cancellationToken) =>
        await to.HasBlobAsync(digest, cancellationToken) switch
        {
            RemoteAnswer<bool>.Found(var isThere) => isThere,
            var answer => throw Failed(
                $"{target.Name} does not say whether {to.Name} has blob {digest}", ((RemoteAnswer<bool>.Failed)answer).Failure),
        };

    private static CopyFailedException Failed(string what, RemoteFailure failure) => new($"{what}: {failure.WhyInFull}", failure);

    /// <summary>A mount that fails is no reason not to push.</summary>
    private async Task<(bool IsMounted, RemoteUpload? Begun)> MountAsync(
        ITargetRepository to, Digest digest, RepositoryName place, CancellationToken cancellationToken)
    {
        if (await to.MountAsync(digest, place, cancellationToken) is not RemoteAnswer<MountedBlob>.Found(var mounted))
        {
            return (false, null);
        }

        if (mounted.IsMounted)
        {
            progress.CountMounted();
        }
        else
        {
            state.RemovePlace(target.Name, digest, place);
        }

        return (mounted.IsMounted, mounted.Upload);
    }

    private async Task PushAsync(
        ISourceRepository from, ITargetRepository to, Descriptor blob, RemoteUpload? begun, CancellationToken cancellationToken)
    {
        var isRemembered = blob.Size >= WorthRemembering;
        using var turn = await turns.EnterAsync(source, target, cancellationToken);
        var answer = await to.TryFetchBlobAsync(blob, progress.CountRead, cancellationToken) ?? await SendAsync();
        if (answer is RemoteAnswer<PushedBlob>.Failed(var failure))
        {
            // Another repository's is for that one.
            if (isRemembered && failure is RemoteFailure.Refused && state.FindUpload(target.Name, blob.Digest)?.Repository == to.Name)
            {
                state.RemoveUpload(target.Name, blob.Digest);
            }

            throw Failed($"blob {blob.Digest} is not at {target.Name}", failure);
        }

        if (isRemembered)
        {
            state.RemoveUpload(target.Name, blob.Digest);
        }

        progress.CountSent(((RemoteAnswer<PushedBlob>.Found)answer).Content.Sent);

        async Task<RemoteAnswer<PushedBlob>> SendAsync()
        {
            await using var content = new BlobSource(from, blob.Digest, progress);
            // What goes on further behind opens it there.
            if (begun is not { Offset: > 0 })
            {
                await content.OpenFirstAsync(cancellationToken);
            }

            try
            {
                return await to.PushBlobAsync(blob, content.OpenAsync, begun, Reached, cancellationToken);
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                throw new CopyFailedException($"blob {blob.Digest} has not come whole from {source.Name}: {e.Message}");
            }
        }

        void Reached(RemoteUpload upload)
        {
            if (isRemembered)
            {
                state.Save(new UploadState(target.Name, to.Name, blob.Digest, upload, time.GetUtcNow()));
            }
        }
    }
}
