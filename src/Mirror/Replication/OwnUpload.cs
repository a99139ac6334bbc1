using System.IO.Pipelines;
using System.Runtime.ExceptionServices;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Replication;

/// <summary>
/// Brings a blob into a repository of our own, as a client's push would: what has come of it stays, and is gone on with from there when
/// the source's connection has broken, or in the next process.
/// </summary>
internal sealed class OwnUpload(
    LocalRepositories own, Uploads uploads, RepositoryName repository, Descriptor blob, OpenContent open, TimeProvider time)
{
    /// <summary>Stands for a client's user and address; no user's name has a colon.</summary>
    private const string Owner = "sync:";

    /// <summary>Less is not kept for another attempt.</summary>
    private const long WorthKeeping = 1024 * 1024;

    private const int PieceSize = 256 * 1024;
    private const int MaxFruitless = 6;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(400);

    private ExceptionDispatchInfo? _fault;
    private long _received;

    /// <summary>Pushes it. What its content throws again and again is thrown in the end; what our own disk throws is an answer.</summary>
    public async Task<RemoteAnswer<PushedBlob>> RunAsync(
        RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken)
    {
        var answer = await OurStore.AskAsync(() => PushAsync(begun, reached, cancellationToken));
        _fault?.Throw();
        return answer;
    }

    private async Task<RemoteAnswer<PushedBlob>> PushAsync(
        RemoteUpload? begun, Action<RemoteUpload> reached, CancellationToken cancellationToken)
    {
        if (Find(begun) is { } earlier && await GoOnAsync(earlier, reached, cancellationToken) is { } answer)
        {
            return answer;
        }

        // There is no earlier one, or what it has left is not how this blob begins.
        return uploads.Begin(repository, blob.Digest.Algorithm, Owner, Owner) is not { } upload
            ? new RemoteFailure.Unavailable(UnavailableReason.ServerError, "this mirror has too many uploads in progress")
            : await GoOnAsync(upload, reached, cancellationToken)
                ?? new RemoteFailure.Refused(RefusalReason.WrongDigest, $"what came as {blob.Digest} is something else");
    }

    private Upload? Find(RemoteUpload? begun) =>
        UploadId.TryParse(begun?.Location, out var id) ? uploads.Find(new UploadKey(repository, Owner, id), Owner) : null;

    /// <returns>Null where the upload is over without the blob being there.</returns>
    private async Task<RemoteAnswer<PushedBlob>?> GoOnAsync(
        Upload upload, Action<RemoteUpload> reached, CancellationToken cancellationToken)
    {
        try
        {
            using var turn = await upload.TakeTurnAsync(cancellationToken);
            return turn.IsOver ? null : await GoOnAsync(upload, turn, reached);
        }
        finally
        {
            // Nobody remembers one that had no turn yet. Another's file is not kept open for what may be another process.
            if (upload.Length == 0)
            {
                uploads.Discard(upload);
            }

            upload.TryRest(DateTimeOffset.MaxValue);
            uploads.Forget(upload);
        }
    }

    private async Task<RemoteAnswer<PushedBlob>?> GoOnAsync(Upload upload, UploadTurn turn, Action<RemoteUpload> reached)
    {
        // Before the first byte: whatever happens from now on, the next attempt finds them.
        reached(new RemoteUpload($"{upload.Key.Id}", turn.Length, ChunkMinLength: null));
        var before = turn.Length;
        try
        {
            await ReceiveAsync(turn);
        }
        finally
        {
            _received += turn.Length - before;
            if (turn.Length < Math.Min(WorthKeeping, blob.Size))
            {
                turn.Cancel();
            }
        }

        if (_fault is not null)
        {
            return new RemoteFailure.Unavailable(UnavailableReason.Unreachable, _fault.SourceException.Message);
        }

        if (turn.Length != blob.Size || !turn.Verify(blob.Digest))
        {
            turn.Cancel();
            return null;
        }

        await own.PushBlobAsync(turn, repository, blob.Digest);
        return new PushedBlob(_received);
    }

    /// <summary>Goes on until all is there, or the source has failed several times without giving anything.</summary>
    private async Task ReceiveAsync(UploadTurn turn)
    {
        for (var fruitless = 0; turn.Length < blob.Size;)
        {
            var before = turn.Length;
            if (await ReceiveRestAsync(turn) is not { } fault)
            {
                continue;
            }

            fruitless = turn.Length > before ? 1 : fruitless + 1;
            if (fruitless > MaxFruitless)
            {
                _fault = ExceptionDispatchInfo.Capture(fault);
                return;
            }

            if (fruitless > 1)
            {
                await Task.Delay(FirstPause * Math.Pow(2, fruitless - 2), time, turn.Ended);
            }
        }
    }

    /// <returns>What the source has failed with; null where it has not.</returns>
    private async Task<Exception?> ReceiveRestAsync(UploadTurn turn)
    {
        Exception? fault = null;
        try
        {
            await using var content = await OfSourceAsync(() => open(turn.Length, turn.Ended));
            var body = PipeReader.Create(content, new StreamPipeReaderOptions(bufferSize: PieceSize, leaveOpen: true));
            try
            {
                return await turn.AppendAsync(body, blob.Size - turn.Length, ReadAsync)
                    ? null
                    : new EndOfStreamException($"{blob.Digest} does not have {blob.Size} bytes there");
            }
            finally
            {
                await body.CompleteAsync();
            }
        }
        catch (Exception e) when (e == fault)
        {
            return fault;
        }

        ValueTask<ReadResult> ReadAsync(PipeReader body, CancellationToken ended) =>
            new(OfSourceAsync(() => body.ReadAsync(ended).AsTask()));

        // The disk throws the same exceptions, and those are not tried again.
        async Task<T> OfSourceAsync<T>(Func<Task<T>> ask)
        {
            try
            {
                return await ask();
            }
            catch (Exception e) when (!turn.Ended.IsCancellationRequested)
            {
                fault = e;
                throw;
            }
        }
    }
}
