using Microsoft.AspNetCore.Http;
using Mirror.Caching;
using Mirror.Observability;
using Mirror.Oci;
using Mirror.Oci.Remote;
using Mirror.Storage;

namespace Mirror.Registry;

/// <summary>GET and HEAD of a blob (distribution spec, end-2).</summary>
internal sealed class BlobEndpoint(BlobCache blobs, LastUses uses, MirrorMetrics metrics)
{
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

    /// <summary>
    /// Whole blocks are read straight into the response's own memory and checked there; of the first and last only the part that was asked
    /// for leaves. Reads are synchronous: they come from the page cache, and this is no thread that sockets wait for.
    /// </summary>
    private async Task SendPublishedAsync(HttpContext http, IRepository repository, PublishedBlob blob, ByteRange range)
    {
        var sent = 0L;
        try
        {
            for (var position = range.Start; position < range.End;)
            {
                var block = position / BlockChecksums.BlockSize;
                var skip = (int)(position % BlockChecksums.BlockSize);
                var memory = http.Response.BodyWriter.GetMemory(BlockChecksums.BlockSize);
                var length = (int)Math.Min(blob.ReadBlock(block, memory.Span) - skip, range.End - position);
                if (skip > 0)
                {
                    memory.Slice(skip, length).CopyTo(memory);
                }

                http.Response.BodyWriter.Advance(length);
                if ((await http.Response.BodyWriter.FlushAsync(http.RequestAborted)).IsCompleted)
                {
                    return;
                }

                position += length;
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

        try
        {
            while (position < range.End)
            {
                var memory = http.Response.BodyWriter.GetMemory(BlockChecksums.BlockSize);
                var read = await follower.ReadAsync(new BlobPart(position, range.End, download.Size), memory, http.RequestAborted);
                if (read == 0)
                {
                    return;
                }

                http.Response.BodyWriter.Advance(read);
                if ((await http.Response.BodyWriter.FlushAsync(http.RequestAborted)).IsCompleted)
                {
                    return;
                }

                position += read;
            }
        }
        finally
        {
            metrics.Served(follower.IsDirect ? "upstream" : "download", position - range.Start);
        }
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

                http.Response.BodyWriter.Advance(read);
                if ((await http.Response.BodyWriter.FlushAsync(http.RequestAborted)).IsCompleted)
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
