using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

/// <summary>A blob to push, whose source remembers from where it was opened and breaks off where the test wants it.</summary>
internal sealed class PushSource(TestBlob blob)
{
    private readonly List<long> _opened = [];

    public IReadOnlyList<long> Opened => _opened;

    /// <summary>Where it breaks off each time, as long as <see cref="Breaks"/> are left.</summary>
    public int BreakAt { get; init; }

    public int Breaks { get; set; }

    /// <summary>What happens there.</summary>
    public Action AtBreak { get; init; } = () => { };

    public Task<Stream> OpenAsync(long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        _opened.Add(offset);
        var content = new MemoryStream(blob.Content[(int)offset..].ToArray());
        if (Breaks == 0)
        {
            return Task.FromResult<Stream>(content);
        }

        Breaks--;
        return Task.FromResult<Stream>(new BreakingStream(content, Math.Max(0, BreakAt - (int)offset), AtBreak));
    }

    private sealed class BreakingStream(MemoryStream content, int length, Action atBreak) : Stream
    {
        private int _left = length;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = content.Read(buffer, offset, Math.Min(count, _left));
            _left -= read;
            if (read > 0)
            {
                return read;
            }

            atBreak();
            throw new IOException("the source broke off");
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
