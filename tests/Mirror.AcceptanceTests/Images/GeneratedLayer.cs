using System.Security.Cryptography;
using Mirror.Oci;

namespace Mirror.AcceptanceTests.Images;

/// <summary>
/// Content of any size, of which nothing is kept: it is made when it is read. It looks random, and bytes from a wrong place are wrong,
/// because each block has its number in front.
/// </summary>
internal sealed class GeneratedLayer
{
    private const int BlockSize = 64 * 1024;

    private readonly byte[] _block = new byte[BlockSize];

    public GeneratedLayer(long size, int seed)
    {
        Size = size;
        new Random(seed).NextBytes(_block);
    }

    public long Size { get; }

    public async Task<Digest> DigestAsync() =>
        Digest.Parse($"sha256:{Convert.ToHexStringLower(await SHA256.HashDataAsync(Open(0, Size)))}");

    /// <summary>A part of it.</summary>
    /// <param name="from">Its first byte.</param>
    /// <param name="to">The first byte behind it.</param>
    /// <param name="half">In the middle of the part, reading waits for this.</param>
    public Stream Open(long from, long to, Task? half = null) => new Part(_block, from, to, half ?? Task.CompletedTask);

    private sealed class Part : Stream
    {
        private readonly byte[] _block;
        private readonly long _from;
        private readonly long _to;
        private readonly long _middle;
        private readonly Task _half;
        private long _at;

        public Part(byte[] block, long from, long to, Task half)
        {
            (_block, _from, _to, _half) = (block, from, to, half);
            _middle = from + ((to - from) / 2);
            _at = from;
        }

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => _to - _from;

        public override long Position
        {
            get => _at - _from;
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_at == _middle)
            {
                await _half.WaitAsync(cancellationToken);
            }

            return Read(buffer.Span);
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override int Read(Span<byte> buffer)
        {
            var end = _at < _middle ? _middle : _to;
            var start = (int)(_at % BlockSize);
            var count = (int)Math.Min(Math.Min(buffer.Length, BlockSize - start), end - _at);
            Span<byte> number = stackalloc byte[sizeof(long)];
            BitConverter.TryWriteBytes(number, _at / BlockSize);
            _block.AsSpan(start, count).CopyTo(buffer);
            for (var i = start; i < Math.Min(number.Length, start + count); i++)
            {
                buffer[i - start] = number[i];
            }

            _at += count;
            return count;
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
