using System.Net.Sockets;
using System.Threading.Tasks.Sources;
using Microsoft.Win32.SafeHandles;

namespace Mirror.Listening;

/// <summary>A part of a file.</summary>
/// <param name="File">Opened for asynchronous use; stays open until the part is sent.</param>
/// <param name="Offset">Where the part begins.</param>
/// <param name="Length">How long it is, in bytes.</param>
internal readonly record struct FilePart(SafeFileHandle File, long Offset, int Length);

/// <summary>Sends parts of files over one socket, out of the kernel's memory and not by way of this program's: <c>sendfile(2)</c>. One at a time.</summary>
internal sealed class FileSender(Socket socket) : SocketAsyncEventArgs(true), IValueTaskSource<int>
{
    private ManualResetValueTaskSourceCore<int> _sent;
    private SafeFileHandle? _handle;
    private FileStream? _file;

    /// <returns>How much was sent. Less than the part where the file, its file system or the connection does not allow more.</returns>
    /// <exception cref="ObjectDisposedException">The connection has ended.</exception>
    public ValueTask<int> SendAsync(FilePart part)
    {
        _sent.Reset();
        SendPacketsElements = [new SendPacketsElement(StreamOf(part.File), part.Offset, part.Length)];
        try
        {
            if (!socket.SendPacketsAsync(this))
            {
                OnCompleted(this);
            }
        }
        catch (NotSupportedException)
        {
            // So says a socket that has found out before that nobody is there any more.
            return ValueTask.FromResult(0);
        }

        return new ValueTask<int>(this, _sent.Version);
    }

    int IValueTaskSource<int>.GetResult(short token) => _sent.GetResult(token);

    ValueTaskSourceStatus IValueTaskSource<int>.GetStatus(short token) => _sent.GetStatus(token);

    void IValueTaskSource<int>.OnCompleted(Action<object?> continuation, object? state, short token, ValueTaskSourceOnCompletedFlags flags) =>
        _sent.OnCompleted(continuation, state, token, flags);

    protected override void OnCompleted(SocketAsyncEventArgs e) => _sent.SetResult(BytesTransferred);

    /// <summary>The socket wants a stream, which is never disposed of, as that would close the file.</summary>
    private FileStream StreamOf(SafeFileHandle file)
    {
        if (_file is null || _handle != file)
        {
            (_handle, _file) = (file, new FileStream(file, FileAccess.Read, bufferSize: 0, isAsync: true));
        }

        return _file;
    }
}
