using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>Content with the descriptor that refers to it.</summary>
public sealed record TestBlob(Descriptor Descriptor, ReadOnlyMemory<byte> Content)
{
    private const int BlockSize = 64 * 1024;

    public Digest Digest => Descriptor.Digest;

    public long Size => Descriptor.Size;

    public string MediaType => Descriptor.MediaType;

    public static TestBlob Of(
        ReadOnlyMemory<byte> content, string mediaType = MediaTypes.OctetStream, DigestAlgorithm algorithm = DigestAlgorithm.Sha256) =>
        new(new Descriptor(mediaType, Digest.Of(algorithm, content.Span), content.Length), content);

    /// <summary>A blob of <see cref="Bytes"/>.</summary>
    public static TestBlob Create(
        int size, int seed = 0, string mediaType = MediaTypes.OciLayerGzip, DigestAlgorithm algorithm = DigestAlgorithm.Sha256) =>
        Of(Bytes(size, seed), mediaType, algorithm);

    /// <summary>
    /// Bytes that look random, are the same for the same seed and cost one copy: a random block again and again, each with its number in
    /// front, so that bytes from a wrong place are wrong.
    /// </summary>
    public static byte[] Bytes(int size, int seed = 0)
    {
        var block = new byte[BlockSize];
        new Random(seed).NextBytes(block);
        var bytes = new byte[size];
        for (var start = 0; start < size; start += BlockSize)
        {
            BitConverter.TryWriteBytes(block, start / BlockSize);
            block.AsSpan(0, Math.Min(BlockSize, size - start)).CopyTo(bytes.AsSpan(start));
        }

        return bytes;
    }
}
