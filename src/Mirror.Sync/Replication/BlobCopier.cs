using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Repositories;
using Mirror.Sync.State;

namespace Mirror.Sync.Replication;

/// <summary>
/// Brings blobs to one target, each once: what it has is not sent, what another of its repositories is known to have, from this run or an
/// earlier one, is mounted, and what is sent goes on where an earlier upload of it has ended.
/// </summary>
internal sealed class BlobCopier(
    ISourceRegistry source,
    ITargetRegistry target,
    ISyncState state,
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
            await GoOnElsewhereAsync(from, blob, saved, cancellationToken);
            saved = null;
        }

        await BringAsync(from, to, blob, saved, isNew, cancellationToken);
    }

    /// <summary>
    /// What was on its way to another repository may be nearly all there. So it goes on to there, to be mounted, unless that repository does
    /// not take it any more.
    /// </summary>
    private async Task GoOnElsewhereAsync(ISourceRepository from, Descriptor blob, UploadState saved, CancellationToken cancellationToken)
    {
        try
        {
            if (target.FindFault(saved.Repository) is null)
            {
                await BringAsync(from, target.GetTarget(saved.Repository), blob, saved, isNew: false, cancellationToken);
                return;
            }
        }
        catch (CopyFailedException e) when (e.IsForGood)
        {
            // Nobody has asked for it there.
        }

        state.RemovePlace(target.Name, blob.Digest, saved.Repository);
        state.RemoveUpload(target.Name, blob.Digest);
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

        if (!isNew || place is not null)
        {
            switch (await to.HasBlobAsync(digest, cancellationToken))
            {
                case RemoteAnswer<bool>.Found(true):
                    return (true, null);

                case RemoteAnswer<bool>.Failed(var failure):
                    throw new CopyFailedException($"{target.Name} does not say whether it has blob {digest}: {failure.WhyInFull}", failure);
            }
        }

        return begun is null && source.Name == target.Name && from.Name != to.Name
            ? await MountAsync(to, digest, from.Name, cancellationToken)
            : (false, begun);
    }

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
            if (isRemembered && failure is RemoteFailure.Refused)
            {
                state.RemoveUpload(target.Name, blob.Digest);
            }

            throw new CopyFailedException($"blob {blob.Digest} is not at {target.Name}: {failure.WhyInFull}", failure);
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
