using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Listening;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>GET and HEAD of a blob (distribution spec, end-2).</summary>
internal sealed class BlobEndpoint(BlobCache blobs, LastUses uses, MirrorMetrics metrics)
{
    /// <summary>So much of a file is sent before anybody looks again whether it is still the same.</summary>
    private const int MaxPart = 4 * 1024 * 1024;

    public async Task HeadAsync(HttpContext http, IRepository repository, Digest digest)
    {
        switch (await repository.HeadBlobAsync(digest, http.RequestAborted))
        {
            case RemoteAnswer<BlobSize>.Found(var size):
                AddHeaders(http, digest);
                http.Response.ContentLength = size.Bytes;
                break;

            case RemoteAnswer<BlobSize>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.BlobUnknown);
                break;
        }
    }

    public async Task GetAsync(HttpContext http, IRepository repository, Digest digest)
    {
        try
        {
            await AnswerAsync(http, repository, digest);
        }
        catch (BlobDamagedException damage) when (!http.Response.HasStarted)
        {
            if (!await repository.TryReplaceAsync(damage))
            {
                throw;
            }

            http.Response.Clear();
            RegistryHeaders.Add(http.Response);
            await AnswerAsync(http, repository, digest);
        }
    }

    private async Task AnswerAsync(HttpContext http, IRepository repository, Digest digest)
    {
        switch (await repository.OpenBlobAsync(digest, http.RequestAborted))
        {
            case RemoteAnswer<BlobSource>.Found(var source):
                await using (source)
                {
                    await SendAsync(http, repository, digest, source);
                }

                break;

            case RemoteAnswer<BlobSource>.Failed(var failure):
                await RegistryError.WriteAsync(http, failure, RegistryError.BlobUnknown);
                break;
        }
    }

    private async Task SendAsync(HttpContext http, IRepository repository, Digest digest, BlobSource source)
    {
        AddHeaders(http, digest);
        if (RegistryHeaders.IsNotModified(http.Request, digest))
        {
            http.Response.StatusCode = StatusCodes.Status304NotModified;
            return;
        }

        var size = source switch
        {
            BlobSource.OnDisk(var blob) => blob.Size,
            BlobSource.Downloading(_, var announced) => announced,
            _ => throw new System.Diagnostics.UnreachableException(),
        };
        if (size is null && HttpProtocol.IsHttp10(http.Request.Protocol))
        {
            // The end of the connection would be the end of the body, and so would be a failure's.
            await RegistryError.HttpVersion.WriteAsync(http, "upstream does not say how long this blob is: ask with HTTP/1.1");
            return;
        }

        if (!TryReadRange(http, digest, size, out var range))
        {
            await RegistryError.RangeInvalid.WriteAsync(http, detail: null, ("Content-Range", $"bytes */{size}"));
            return;
        }

        await (source switch
        {
            BlobSource.OnDisk(var blob) => SendPublishedAsync(http, repository, blob, range),
            BlobSource.Downloading download => SendDownloadingAsync(http, digest, download, range),
            _ => throw new System.Diagnostics.UnreachableException(),
        });
    }

    private void AddHeaders(HttpContext http, Digest digest)
    {
        uses.Note(digest);
        RegistryHeaders.AddContent(http.Response, digest, MediaTypes.OctetStream);
        http.Response.Headers.AcceptRanges = "bytes";
        http.Response.Headers.CacheControl = "max-age=31536000, immutable";
    }

    /// <summary>Prepares status and length. Without a known size there is no range to speak of, and the body is chunked.</summary>
    private static bool TryReadRange(HttpContext http, Digest digest, long? size, out ByteRange range)
    {
        if (size is null)
        {
            range = new ByteRange(0, long.MaxValue);
            return true;
        }

        // If-Range with anything but this content's ETag means: the whole, if it has changed.
        var ifRange = http.Request.Headers.IfRange.ToString();
        var header = ifRange.Length == 0 || ifRange == RegistryHeaders.ETagOf(digest) ? http.Request.Headers.Range.ToString() : null;
        var kind = ByteRange.Read(header, size.Value, out range);
        if (kind == RangeKind.Unsatisfiable)
        {
            return false;
        }

        http.Response.ContentLength = range.Length;
        if (kind == RangeKind.Partial)
        {
            http.Response.StatusCode = StatusCodes.Status206PartialContent;
            http.Response.Headers.ContentRange = $"bytes {range.Start}-{range.End - 1}/{size}";
        }

        return true;
    }

    /// <summary>The kernel sends what was checked a short time ago; everything else is read and checked block by block.</summary>
    private async Task SendPublishedAsync(HttpContext http, IRepository repository, PublishedBlob blob, ByteRange range)
    {
        var output = http.Features.Get<SocketOutput>();
        var sent = 0L;
        try
        {
            while (sent < range.Length)
            {
                var position = range.Start + sent;
                var right = output is null ? 0 : blob.CountRight(position, (int)Math.Min(MaxPart, range.End - position));
                var length = right > 0 ? right : Read(position, http.Response.BodyWriter.GetMemory(BlockChecksums.BlockSize));
                if (!await (right > 0
                    ? output!.TrySendAsync(http.Response, new FilePart(blob.Handle, position, right), ReadRestAsync, http.RequestAborted)
                    : TryWriteAsync(http, length)))
                {
                    return;
                }

                sent += length;
            }
        }
        catch (BlobDamagedException damage) when (http.Response.HasStarted)
        {
            await repository.TryReplaceAsync(damage);
            throw;
        }
        finally
        {
            metrics.Served("disk", sent);
        }

        int Read(long position, Memory<byte> memory) => ReadBlock(blob, position, range.End, memory);

        ValueTask<int> ReadRestAsync(long position, Memory<byte> memory) => ValueTask.FromResult(Read(position, memory));
    }

    /// <summary>
    /// Whole blocks are read straight into the response's own memory and checked there; of the first and last only the part that was asked
    /// for leaves. Reads are synchronous: they come from the page cache, and this is no thread that sockets wait for.
    /// </summary>
    private static int ReadBlock(PublishedBlob blob, long position, long end, Memory<byte> memory)
    {
        var skip = (int)(position % BlockChecksums.BlockSize);
        var length = (int)Math.Min(blob.ReadBlock(position / BlockChecksums.BlockSize, memory.Span) - skip, end - position);
        if (skip > 0)
        {
            memory.Slice(skip, length).CopyTo(memory);
        }

        return length;
    }

    /// <summary>Sends what was read into the response's memory. False where nobody receives it any more.</summary>
    private static async ValueTask<bool> TryWriteAsync(HttpContext http, int length)
    {
        http.Response.BodyWriter.Advance(length);
        return !(await http.Response.BodyWriter.FlushAsync(http.RequestAborted)).IsCompleted;
    }

    private async Task SendDownloadingAsync(HttpContext http, Digest digest, BlobSource.Downloading download, ByteRange range)
    {
        var follower = download.Follower;
        var position = range.Start;
        if (position >= follower.Written - 1)
        {
            if (await blobs.FindPartAsync(download, digest, range.Start, range.End, http.RequestAborted) is { } part)
            {
                await SendPartAsync(http, part, range);
                return;
            }

            // The bytes may be long in coming, and clients do not wait so long for headers.
            await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
        }

        // The server divides a body without a length into chunks, and has to see them.
        var output = http.Response.ContentLength is null ? null : http.Features.Get<SocketOutput>();
        try
        {
            while (position < range.End)
            {
                var part = new BlobPart(position, range.End, download.Size);
                var place = output is null ? null : await follower.FindAsync(part, http.RequestAborted);
                var length = place is var (_, end)
                    ? (int)Math.Min(MaxPart, end - position)
                    : await follower.ReadAsync(part, http.Response.BodyWriter.GetMemory(BlockChecksums.BlockSize), http.RequestAborted);
                if (length <= 0)
                {
                    return;
                }

                if (!await (place is var (file, _)
                    ? output!.TrySendAsync(http.Response, new FilePart(file, position, length), ReadRestAsync, http.RequestAborted)
                    : TryWriteAsync(http, length)))
                {
                    return;
                }

                position += length;
            }
        }
        finally
        {
            metrics.Served(follower.IsDirect ? "upstream" : "download", position - range.Start);
        }

        ValueTask<int> ReadRestAsync(long from, Memory<byte> memory) =>
            follower.ReadAsync(new BlobPart(from, range.End, download.Size), memory, http.RequestAborted);
    }

    private async Task SendPartAsync(HttpContext http, RemoteBlob part, ByteRange range)
    {
        var sent = 0L;
        try
        {
            while (sent < range.Length)
            {
                var memory = http.Response.BodyWriter.GetMemory(BlockChecksums.BlockSize);
                var read = await part.Body.ReadAsync(memory[..(int)Math.Min(memory.Length, range.Length - sent)]);
                if (read == 0)
                {
                    http.Abort();
                    return;
                }

                if (!await TryWriteAsync(http, read))
                {
                    return;
                }

                sent += read;
            }
        }
        catch (RemoteReadException e)
        {
            throw new DownloadFailedException(DownloadFault.Upstream, e.Failure, e.Failure.Why);
        }
        finally
        {
            await blobs.ClosePartAsync(part);
            metrics.Served("upstream", sent);
        }
    }
}
