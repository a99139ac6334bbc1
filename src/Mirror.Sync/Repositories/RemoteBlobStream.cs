using Mirror.Oci.Remote;

namespace Mirror.Sync.Repositories;

/// <summary>A blob that arrives, as a stream.</summary>
/// <param name="blob">Disposed with the stream.</param>
/// <param name="skip">How many of its first bytes nobody asked for: of a registry that ignores ranges.</param>
internal sealed class RemoteBlobStream(RemoteBlob blob, long skip) : ForwardStream
{
    private long _skip = skip;

    /// <summary>The token is the one that the blob was opened with.</summary>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (_skip > 0)
        {
            var skipped = await blob.Body.ReadAsync(buffer[..(int)Math.Min(buffer.Length, _skip)]);
            if (skipped == 0)
            {
                return 0;
            }

            _skip -= skipped;
        }

        return await blob.Body.ReadAsync(buffer);
    }

    public override async ValueTask DisposeAsync()
    {
        await blob.DisposeAsync();
        await base.DisposeAsync();
    }
}
