using System.Net;
using System.Runtime.ExceptionServices;

namespace Mirror.Oci.Remote;

/// <summary>
/// One blob's way to a registry: begun, sent, asked how far it has come wherever that is not sure, and finished. An upload that the registry has
/// lost begins again.
/// </summary>
internal sealed class BlobPush(
    RegistryConnection registry,
    RemoteUploads uploads,
    RepositoryName repository,
    OutgoingBlob blob,
    Transfer transfer,
    Action<RemoteUpload> reached,
    CancellationToken cancellationToken)
{
    /// <summary>A blob of at most this size goes with the request that finishes it, which spares one.</summary>
    private const int Small = 1024 * 1024;

    /// <summary>Chunks for who wants chunks, where the least is less than this: between two there is a wait for an answer.</summary>
    private const long UsualChunk = 16 * 1024 * 1024;
    private const long SmallestChunk = 1024 * 1024;
    private const long LargestChunk = 64 * 1024 * 1024;

    private const int MaxFruitless = 6;

    /// <summary>After so many steps without success another upload is begun, where the registry fails at the mention of this one.</summary>
    private const int PatienceWithOne = 2;
    private const int MaxBeginnings = 8;
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(400);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan BreakerPause = TimeSpan.FromSeconds(5);

    private RemoteUpload? _upload;
    private bool _isSure;
    private bool _isDone;
    private bool _isInOne = blob.Size <= Small;
    private bool _knowsNoParts;
    private bool _wasDenied;
    private bool _wasReplaced;
    private long? _chunk = registry.Options.UploadChunk;
    private long _furthest;
    private int _fruitless;
    private int _beginnings;

    /// <summary>Goes on, step by step, until the blob is there or nothing helps.</summary>
    public async Task<RemoteAnswer<PushedBlob>> RunAsync(RemoteUpload? begun)
    {
        // Where an earlier process may have been led, this one may perhaps not.
        _upload = begun is not null && uploads.FindFault(begun.Location, out _) is null ? begun : null;
        while (!_isDone)
        {
            var (failure, fault) = await TryStepAsync();
            if (blob.IsWrong)
            {
                return await GiveUpAsync("its content is another");
            }

            if ((failure is not null && !await TryWaitAsync(failure)) || (fault is not null && !await TryWaitAsync(pause: TimeSpan.Zero)))
            {
                fault?.Throw();
                return failure!;
            }
        }

        return new PushedBlob(blob.Sent);
    }

    /// <summary>One step, and what has failed in it: the registry, or our own source.</summary>
    private async Task<(RemoteFailure? Failure, ExceptionDispatchInfo? Fault)> TryStepAsync()
    {
        try
        {
            var failure = await StepAsync();
            return blob.TakeFault() is { } fault ? (null, ExceptionDispatchInfo.Capture(fault)) : (failure, null);
        }
        catch (Exception e) when (blob.TakeFault() == e)
        {
            return (null, ExceptionDispatchInfo.Capture(e));
        }
    }

    private Task<RemoteFailure?> StepAsync() =>
        _upload is null ? BeginAsync()
        : !_isSure ? AskAsync(_upload)
        : _isInOne && _upload.Offset == 0 ? SendInOneAsync(_upload)
        : _upload.Offset == blob.Size ? FinishAsync(_upload)
        : SendPartAsync(_upload);

    private async Task<RemoteFailure?> BeginAsync()
    {
        if (++_beginnings > MaxBeginnings)
        {
            return registry.BadAnswer($"has lost the upload of {blob.Digest} {MaxBeginnings} times");
        }

        _furthest = 0;
        switch (await uploads.BeginAsync(repository, cancellationToken))
        {
            case RemoteAnswer<RemoteUpload>.Found(var upload):
                Reach(upload with { Offset = 0 });
                return null;

            case var other:
                return WriteFailures.Of(((RemoteAnswer<RemoteUpload>.Failed)other).Failure);
        }
    }

    private async Task<RemoteFailure?> AskAsync(RemoteUpload upload)
    {
        switch (await uploads.AskAsync(repository, upload, cancellationToken))
        {
            // What may be one byte or none is not worth finding out; more than all is not this blob.
            case RemoteAnswer<RemoteUpload>.Found(var found) when found.Offset <= 1 || found.Offset > blob.Size || _knowsNoParts:
                await AbandonAsync(found);
                return null;

            case RemoteAnswer<RemoteUpload>.Found(var found):
                Reach(found);
                return null;

            case RemoteAnswer<RemoteUpload>.Failed(var failure) when WriteFailures.IsUploadGone(failure):
                _upload = null;
                // Where all of it had arrived, somebody's finishing request may have been done since.
                _isDone = upload.Offset == blob.Size && await IsThereAsync();
                return null;

            case RemoteAnswer<RemoteUpload>.Failed({ Status: HttpStatusCode.InternalServerError } failure)
                when _fruitless >= PatienceWithOne && !_wasReplaced:
                return await ReplaceAsync(upload, failure);

            case var other:
                return ((RemoteAnswer<RemoteUpload>.Failed)other).Failure;
        }
    }

    /// <summary>
    /// Who can begin another upload, and still fails at the mention of this one, has lost its way in it; who can not is out of order as a whole,
    /// and may know it later. Once: the next may go the same way, and with it as many bytes.
    /// </summary>
    private async Task<RemoteFailure?> ReplaceAsync(RemoteUpload stuck, RemoteFailure failure)
    {
        if (await uploads.BeginAsync(repository, cancellationToken) is not RemoteAnswer<RemoteUpload>.Found(var other))
        {
            return failure;
        }

        if (await uploads.AskAsync(repository, stuck, cancellationToken) is RemoteAnswer<RemoteUpload>.Found)
        {
            await uploads.CancelAsync(repository, other, cancellationToken);
            return failure;
        }

        (_wasReplaced, _furthest) = (true, 0);
        Reach(other with { Offset = 0 });
        return null;
    }

    private async Task<RemoteFailure?> SendPartAsync(RemoteUpload upload)
    {
        if (uploads.FindFault(upload.Location, out var location) is { } fault)
        {
            return fault;
        }

        var chunk = Math.Max(_chunk ?? (upload.ChunkMinLength is null ? long.MaxValue : UsualChunk), upload.ChunkMinLength ?? 1);
        var length = Math.Min(chunk, blob.Size - upload.Offset);
        // All that there is, from the first byte on, is a stream, which some registries take that take no ranges.
        var range = length == blob.Size ? null : $"{upload.Offset}-{upload.Offset + length - 1}";
        _isSure = false;
        var answer = await SendAsync(HttpMethod.Patch, location, upload.Offset, length, range);
        if (answer is RemoteAnswer<HttpResponseMessage>.Found(var response))
        {
            using (response)
            {
                return Took(upload, response, location, upload.Offset + length);
            }
        }

        var failure = registry.FailureOf(answer);
        if (WriteFailures.IsUploadGone(failure))
        {
            _upload = null;
            return null;
        }

        switch (WriteFailures.Of(failure))
        {
            case RemoteFailure.Refused { Reason: RefusalReason.TooLarge } when length > Math.Max(SmallestChunk, upload.ChunkMinLength ?? 0):
                (_chunk, _isSure) = (Math.Max(SmallestChunk, Math.Min(LargestChunk, length / 4)), true);
                return null;

            case RemoteFailure.Refused { Reason: RefusalReason.Unsupported } when upload.Offset == 0:
                (_knowsNoParts, _isInOne, _isSure) = (true, true, true);
                return null;

            case RemoteFailure.Denied denied:
                return await RenewAsync(upload, denied);

            case var other:
                return other;
        }
    }

    /// <summary>The whole blob with the request that finishes it: small ones, and at registries that do not know PATCH.</summary>
    private async Task<RemoteFailure?> SendInOneAsync(RemoteUpload upload)
    {
        // Where it breaks off, the rest of it is better sent in parts, which can be asked for.
        (_isSure, _isInOne) = (false, _knowsNoParts);
        var answer = await SendAsync(HttpMethod.Put, UploadLocation.WithDigest(upload.Location, blob.Digest), 0, blob.Size, range: null);
        if (answer is RemoteAnswer<HttpResponseMessage>.Failed(var failure) && !_knowsNoParts
            && WriteFailures.Of(failure) is RemoteFailure.Refused { Reason: RefusalReason.Unsupported or RefusalReason.Invalid })
        {
            return null;
        }

        return await FinishedAsync(answer);
    }

    private async Task<RemoteFailure?> FinishAsync(RemoteUpload upload)
    {
        await blob.SeekAsync(blob.Size, cancellationToken);
        if (!blob.IsRight)
        {
            return await GiveUpAsync("its content is another");
        }

        _isSure = false;
        var request = RegistryConnection.Push(HttpMethod.Put, repository, UploadLocation.WithDigest(upload.Location, blob.Digest)) with
        {
            Content = RemoteUploads.Empty,
            AnswerTimeout = registry.Options.FinishTimeout,
        };
        return await FinishedAsync(await registry.Sender.SendAsync(request, cancellationToken));
    }

    /// <summary>An answer to the finishing request may be lost although the blob is there.</summary>
    private async Task<RemoteFailure?> FinishedAsync(RemoteAnswer<HttpResponseMessage> answer)
    {
        if (answer is RemoteAnswer<HttpResponseMessage>.Found(var response))
        {
            using (response)
            {
                var fault = uploads.FaultIn(response, blob.Digest);
                _isDone = fault is null;
                return fault;
            }
        }

        var failure = registry.FailureOf(answer);
        if (blob.IsWrong || blob.HasFault)
        {
            return failure;
        }

        if (WriteFailures.Of(failure) is RemoteFailure.Refused refused)
        {
            return refused.Reason == RefusalReason.WrongDigest ? await GiveUpAsync(failure.Why) : refused;
        }

        if (await IsThereAsync())
        {
            _isDone = true;
            return null;
        }

        if (WriteFailures.IsUploadGone(failure))
        {
            _upload = null;
            return null;
        }

        return failure is RemoteFailure.Denied denied && _upload is { } upload ? await RenewAsync(upload, denied) : failure;
    }

    private async Task<bool> IsThereAsync() =>
        await uploads.HeadAsync(repository, blob.Digest, cancellationToken) is RemoteAnswer<BlobSize>.Found;

    /// <summary>
    /// The token may have ended on the way: whoever asks how far the upload is gets another. Who is denied again before anything more has arrived
    /// is so for good.
    /// </summary>
    private async Task<RemoteFailure?> RenewAsync(RemoteUpload upload, RemoteFailure.Denied denied)
    {
        var isAgain = _wasDenied;
        _wasDenied = true;
        return !isAgain && await AskAsync(upload) is null ? null : denied;
    }

    private async Task<RemoteAnswer<HttpResponseMessage>> SendAsync(HttpMethod method, Uri target, long offset, long length, string? range)
    {
        using var slot = await transfer.EnterAsync(cancellationToken);
        // What is to be hashed again is so before the registry waits for it.
        await blob.SeekAsync(offset, cancellationToken);
        var request = RegistryConnection.Push(method, repository, target) with
        {
            Content = () => new StreamedContent(blob, offset, length, range, slot, registry.Options),
            IsReplayable = false,
            Patience = RemotePatience.OneAttempt,
        };
        return await registry.Sender.SendAsync(request, cancellationToken);
    }

    /// <summary>A part was taken: so far as the registry says, which may be less than was sent.</summary>
    private RemoteFailure.Unavailable? Took(RemoteUpload upload, HttpResponseMessage response, Uri asked, long end)
    {
        var next = uploads.FindUpload(response, asked) is RemoteAnswer<RemoteUpload>.Found(var found) ? found : upload;
        var position = UploadLocation.FindLength(response) is > 1 and var said ? said : end;
        if (position <= upload.Offset || position > end)
        {
            return new RemoteFailure.Unavailable(
                UnavailableReason.ServerError, $"{registry.Name} has {position} bytes of an upload that was sent from {upload.Offset} to {end}");
        }

        Reach(next with { Offset = position, ChunkMinLength = next.ChunkMinLength ?? upload.ChunkMinLength });
        return null;
    }

    private void Reach(RemoteUpload upload)
    {
        (_upload, _isSure) = (upload, true);
        if (upload.Offset > _furthest)
        {
            (_furthest, _fruitless, _wasDenied) = (upload.Offset, 0, false);
        }

        reached(upload);
    }

    /// <summary>The registry need not keep it; if it does not listen, it will forget it by itself.</summary>
    private async Task AbandonAsync(RemoteUpload upload)
    {
        _upload = null;
        await uploads.CancelAsync(repository, upload, cancellationToken);
    }

    private async Task<RemoteFailure> GiveUpAsync(string why)
    {
        if (_upload is { } upload)
        {
            await AbandonAsync(upload);
        }

        return new RemoteFailure.Refused(RefusalReason.WrongDigest, $"{blob.Digest} was not pushed to {registry.Name}: {why}");
    }

    /// <summary>Waits before the next step, if that may help.</summary>
    private async Task<bool> TryWaitAsync(RemoteFailure failure)
    {
        var asked = failure switch
        {
            RemoteFailure.Throttled throttled => throttled.RetryAfter ?? FirstPause,
            RemoteFailure.Unavailable { Reason: UnavailableReason.BreakerOpen } => BreakerPause,
            RemoteFailure.Unavailable { Reason: UnavailableReason.Unreachable or UnavailableReason.Timeout or UnavailableReason.ServerError } passing =>
                passing.RetryAfter ?? TimeSpan.Zero,
            { Status: HttpStatusCode.RequestedRangeNotSatisfiable } => TimeSpan.Zero,
            _ => (TimeSpan?)null,
        };
        return asked <= LongestPause && await TryWaitAsync(asked.Value);
    }

    /// <summary>None after the first failure, as connections break; longer and longer where that brings nothing, and at least what was asked for.</summary>
    private async Task<bool> TryWaitAsync(TimeSpan pause)
    {
        if (++_fruitless > MaxFruitless)
        {
            return false;
        }

        var own = _fruitless == 1 ? TimeSpan.Zero : FirstPause * Math.Pow(2, _fruitless - 2);
        await Task.Delay(own > pause ? own : pause, registry.Time, cancellationToken);
        return true;
    }
}
