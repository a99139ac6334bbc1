using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Sync.Repositories;

namespace Mirror.Sync.Replication;

/// <summary>A blob's content at the source. Its first opening is made before anybody is told to expect it.</summary>
internal sealed class BlobSource(ISourceRepository repository, Digest digest, RunProgress progress) : IAsyncDisposable
{
    private Stream? _first;

    /// <exception cref="CopyFailedException">The source does not give it.</exception>
    public async Task OpenFirstAsync(CancellationToken cancellationToken) =>
        _first = await repository.OpenBlobAsync(digest, 0, cancellationToken) switch
        {
            RemoteAnswer<Stream>.Found(var stream) => stream,
            var answer =>
                throw new CopyFailedException($"blob {digest} can not be read: {((RemoteAnswer<Stream>.Failed)answer).Failure.WhyInFull}"),
        };

    /// <summary>For <see cref="ITargetRepository.PushBlobAsync"/>.</summary>
    public async Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken)
    {
        if (offset == 0 && _first is { } first)
        {
            _first = null;
            return new CountedStream(first, progress);
        }

        await DisposeAsync();
        return await repository.OpenBlobAsync(digest, offset, cancellationToken) switch
        {
            RemoteAnswer<Stream>.Found(var stream) => new CountedStream(stream, progress),
            var answer => throw new IOException(((RemoteAnswer<Stream>.Failed)answer).Failure.WhyInFull),
        };
    }

    public async ValueTask DisposeAsync()
    {
        if (_first is { } first)
        {
            _first = null;
            await first.DisposeAsync();
        }
    }

    private sealed class CountedStream(Stream inner, RunProgress progress) : ForwardStream
    {
        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            progress.CountRead(read);
            return read;
        }

        public override async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            await base.DisposeAsync();
        }
    }
}
