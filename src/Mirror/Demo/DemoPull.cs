using System.Buffers;
using Mirror.Oci;
using Mirror.Oci.Remote;

namespace Mirror.Demo;

/// <summary>A client with its own connections that pulls as clients do: the manifest by tag, then config and layers side by side.</summary>
internal sealed class DemoPull(Uri registry, TimeProvider time) : IDisposable
{
    private const int ChunkSize = 256 * 1024;

    private readonly RemoteRegistry _registry = new(new RemoteRegistryOptions { Name = "the mirror", Url = registry }, time);

    /// <summary>Pulls an image, keeps nothing of it, and verifies everything as it arrives.</summary>
    /// <returns>The bytes received.</returns>
    /// <exception cref="DemoPullException">It did not come, or is not the image.</exception>
    public async Task<long> RunAsync(DemoImage image, CancellationToken cancellationToken)
    {
        var manifest = ContentOf(await _registry.GetManifestAsync(image.Repository, DemoImage.Tag, cancellationToken));
        if (manifest.Digest != image.Manifest.Digest)
        {
            throw new DemoPullException($"the mirror sent the manifest {manifest.Digest} for {image}, not {image.Manifest.Digest}");
        }

        var sizes = await Task.WhenAll(manifest.View().Blobs.Select(blob => PullBlobAsync(image.Repository, blob, cancellationToken)));
        return manifest.Content.Length + sizes.Sum();
    }

    public void Dispose() => _registry.Dispose();

    private async Task<long> PullBlobAsync(RepositoryName repository, Descriptor expected, CancellationToken cancellationToken)
    {
        var transfer = _registry.StartTransfer(TransferPriority.Client);
        await using var blob = ContentOf(await _registry.OpenBlobAsync(repository, expected.Digest, offset: 0, transfer, cancellationToken));
        using var hash = Digest.Start(expected.Digest.Algorithm);
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkSize);
        var size = 0L;
        try
        {
            while (await blob.Body.ReadAsync(buffer) is > 0 and var read)
            {
                hash.AppendData(buffer, 0, read);
                size += read;
            }
        }
        catch (RemoteReadException e)
        {
            throw new DemoPullException(e.Message);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }

        var digest = Digest.Finish(hash);
        return digest == expected.Digest
            ? size
            : throw new DemoPullException(
                $"the mirror sent {size} bytes with the digest {digest} for the blob {expected.Digest} of {expected.Size} bytes");
    }

    private static T ContentOf<T>(RemoteAnswer<T> answer) => answer switch
    {
        RemoteAnswer<T>.Found(var content) => content,
        RemoteAnswer<T>.Failed(var failure) => throw new DemoPullException(failure.Why),
        _ => throw new System.Diagnostics.UnreachableException(),
    };
}

/// <summary>A pull was wrong; the message says how.</summary>
internal sealed class DemoPullException(string message) : Exception(message);
