using System.Buffers;
using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;

namespace Mirror.Listening;

/// <summary>
/// The web server's memory, in blocks of 64 KiB: with its own of 4 KiB, each receive brings no more than that, and receiving a layer costs twice the
/// CPU time. Blocks are used again; a connection that waits for a request has none.
/// </summary>
internal sealed class ConnectionMemory : IMemoryPoolFactory<byte>
{
    private const int BlockSize = 64 * 1024;

    /// <summary>
    /// So many unused blocks are kept, 64 MiB in all: what two hundred uploads at once take. Those that are not are garbage that is pinned, which is
    /// collected late.
    /// </summary>
    private const int MaxIdle = 1024;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool();

    private sealed class Pool : MemoryPool<byte>
    {
        private readonly ConcurrentQueue<Block> _idle = new();

        public override int MaxBufferSize => BlockSize;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
            var block = _idle.TryDequeue(out var idle) ? idle : new Block(this);
            block.Lend();
            return block;
        }

        protected override void Dispose(bool disposing) => _idle.Clear();

        private void Return(Block block)
        {
            if (_idle.Count < MaxIdle)
            {
                _idle.Enqueue(block);
            }
        }

        private sealed class Block(Pool pool) : IMemoryOwner<byte>
        {
            // Pinned once and for all: the kernel writes into it.
            private readonly byte[] _content = GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true);
            private int _lent;

            public Memory<byte> Memory => _content;

            public void Lend() => Volatile.Write(ref _lent, 1);

            public void Dispose()
            {
                if (Interlocked.Exchange(ref _lent, 0) == 1)
                {
                    pool.Return(this);
                }
            }
        }
    }
}
