using System.IO.Pipelines;
using Mirror.Oci;
using Mirror.Storage;

namespace Mirror.Local;

/// <summary>
/// An upload in progress (distribution spec, "Pushing blobs"). What was received stays, whatever becomes of the connection, and the client goes on
/// from there. Only who has its turn changes it.
/// </summary>
/// <param name="key">Which it is.</param>
/// <param name="client">Whose address it counts for.</param>
/// <param name="staged">Its file, where that is open.</param>
/// <param name="length">How much there is of it, in bytes.</param>
/// <param name="resume">Opens the staged file, which may have been closed meanwhile, or may have gone.</param>
/// <param name="time">The clock.</param>
public sealed class Upload(
    UploadKey key, string client, StagedBlob? staged, long length, Func<StagedBlob?> resume, TimeProvider time) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SemaphoreSlim _turns = new(1, 1);
    private CancellationTokenSource? _current;
    private StagedBlob? _staged = staged;
    private long _length = length;
    private DateTimeOffset _usedAt = time.GetUtcNow();

    public UploadKey Key => key;

    public string Client => client;

    /// <summary>How much has been received, in bytes.</summary>
    public long Length => Volatile.Read(ref _length);

    /// <summary>When a request last used it.</summary>
    public DateTimeOffset UsedAt
    {
        get
        {
            lock (_gate)
            {
                return _usedAt;
            }
        }
    }

    /// <summary>Whether it has ended: the blob is there, or nobody wants it any more, or who finds it again gets another object for it.</summary>
    public bool IsOver { get; private set; }

    /// <summary>
    /// Waits until this request is the one that goes on with the upload. An earlier one that still is ends: mostly its connection has died without a
    /// word, and the client has come back on another.
    /// </summary>
    /// <exception cref="OperationCanceledException">The client has gone, or has come back once more.</exception>
    public async Task<UploadTurn> TakeTurnAsync(CancellationToken aborted)
    {
        var mine = await WaitForTurnAsync(aborted);
        try
        {
            _staged ??= IsOver ? null : resume();
            IsOver = _staged is null;
            Volatile.Write(ref _length, _staged?.Length ?? 0);
            return new UploadTurn(this, mine);
        }
        catch
        {
            EndTurn(mine);
            throw;
        }
    }

    /// <summary>
    /// Ends the request that still goes on with the upload, if there is one, so that <see cref="Length"/> stays what it is: who asks how far an
    /// upload is has mostly lost the connection that brought it so far, and the server may not know that yet.
    /// </summary>
    /// <returns>Whether there is anything to go on with. The file is not opened for that: there may be much to hash again.</returns>
    /// <exception cref="OperationCanceledException">The client has gone, or has come back once more.</exception>
    public async Task<bool> TrySettleAsync(CancellationToken aborted)
    {
        var mine = await WaitForTurnAsync(aborted);
        var goesOn = !IsOver;
        EndTurn(mine);
        return goesOn;
    }

    private async Task<CancellationTokenSource> WaitForTurnAsync(CancellationToken aborted)
    {
        var mine = CancellationTokenSource.CreateLinkedTokenSource(aborted);
        lock (_gate)
        {
            _current?.Cancel();
            _current = mine;
            _usedAt = time.GetUtcNow();
        }

        try
        {
            await _turns.WaitAsync(mine.Token);
            return mine;
        }
        catch
        {
            Forget(mine);
            throw;
        }
    }

    /// <summary>Closes the file of an upload that nobody is using; who finds the upload again gets another object for it.</summary>
    /// <param name="unusedSince">Somebody is, who has used it later than then.</param>
    /// <returns>Whether it was closed: not while somebody has a turn, or where it is over anyway.</returns>
    public bool TryRest(DateTimeOffset unusedSince)
    {
        if (!_turns.Wait(0))
        {
            return false;
        }

        try
        {
            if (IsOver || UsedAt > unusedSince)
            {
                return false;
            }

            CloseAndKeep();
            IsOver = true;
            return true;
        }
        finally
        {
            _turns.Release();
        }
    }

    /// <summary>Ends an upload that nobody has a turn at; nothing stays of it.</summary>
    public void Discard()
    {
        if (_staged is not null)
        {
            End(keepsFile: false);
        }
    }

    /// <summary>The mirror is stopping: what was received stays for the next start.</summary>
    public void Dispose()
    {
        CloseAndKeep();
        _turns.Dispose();
    }

    internal StagedBlob Staged => _staged ?? throw new InvalidOperationException("An upload was used without a turn.");

    internal void Append(ReadOnlySpan<byte> content)
    {
        Staged.Append(content);
        Volatile.Write(ref _length, Staged.Length);
    }

    internal void End(bool keepsFile)
    {
        if (!keepsFile)
        {
            Staged.Discard();
        }

        Staged.Dispose();
        _staged = null;
        IsOver = true;
    }

    internal void EndTurn(CancellationTokenSource mine)
    {
        Forget(mine);
        _turns.Release();
    }

    private void Forget(CancellationTokenSource mine)
    {
        lock (_gate)
        {
            _current = _current == mine ? null : _current;
            _usedAt = time.GetUtcNow();
        }

        mine.Dispose();
    }

    private void CloseAndKeep()
    {
        _staged?.Keep();
        _staged?.Dispose();
        _staged = null;
    }
}

/// <summary>A request's turn at an upload. Disposing it lets the next one have its own.</summary>
public sealed class UploadTurn : IDisposable
{
    private readonly Upload _upload;
    private readonly CancellationTokenSource _mine;

    internal UploadTurn(Upload upload, CancellationTokenSource mine) => (_upload, _mine) = (upload, mine);

    /// <summary>Ends with the client, and when it has come back on another connection.</summary>
    public CancellationToken Ended => _mine.Token;

    public long Length => _upload.Length;

    /// <summary>Whether the upload has ended, perhaps before this turn came.</summary>
    public bool IsOver => _upload.IsOver;

    /// <summary>Appends what arrives, up to its end or to <paramref name="limit"/> bytes.</summary>
    /// <param name="body">What arrives. Each piece is written before the next is read.</param>
    /// <param name="limit">The most that may arrive, in bytes, where the client has said so.</param>
    /// <param name="read">Reads a piece; its patience is the caller's.</param>
    /// <returns>Whether no more than that arrived, and no less.</returns>
    /// <exception cref="IOException">The disk refused, or the connection broke. What was received before stays.</exception>
    /// <exception cref="OperationCanceledException">The turn has ended. What was received before stays.</exception>
    public async Task<bool> AppendAsync(PipeReader body, long? limit, Func<PipeReader, CancellationToken, ValueTask<ReadResult>> read)
    {
        var left = limit ?? long.MaxValue;
        while (true)
        {
            // What is there already is read without looking whether this turn still lasts.
            Ended.ThrowIfCancellationRequested();
            var piece = await read(body, Ended);
            if (piece.Buffer.Length > left)
            {
                body.AdvanceTo(piece.Buffer.Start);
                return false;
            }

            foreach (var segment in piece.Buffer)
            {
                _upload.Append(segment.Span);
            }

            left -= piece.Buffer.Length;
            body.AdvanceTo(piece.Buffer.End);
            if (piece.IsCompleted)
            {
                return limit is null || left == 0;
            }
        }
    }

    /// <summary>Whether all that was received has a digest.</summary>
    public bool Verify(Digest digest) => _upload.Staged.Verify(digest);

    /// <summary>Publishes what has been verified, and ends the upload.</summary>
    /// <exception cref="IOException">The disk refused. The upload goes on where it stood, unless its file is published already.</exception>
    public BlobRecord Publish()
    {
        try
        {
            return _upload.Staged.Publish();
        }
        finally
        {
            if (_upload.Staged.IsPublished)
            {
                _upload.End(keepsFile: true);
            }
        }
    }

    /// <summary>Ends the upload, and nothing stays of it.</summary>
    public void Cancel() => _upload.End(keepsFile: false);

    public void Dispose() => _upload.EndTurn(_mine);
}
