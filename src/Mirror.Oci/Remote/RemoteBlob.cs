namespace Mirror.Oci.Remote;

/// <summary>A blob that is arriving.</summary>
/// <param name="Body">Its bytes, from <paramref name="Offset"/> on.</param>
/// <param name="Offset">Where the body starts: what was asked for, or 0 where the registry ignores ranges.</param>
/// <param name="Size">The whole blob's size in bytes, or null where the registry does not say.</param>
public sealed record RemoteBlob(RemoteBody Body, long Offset, long? Size) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Body.DisposeAsync();
}

/// <summary>What a tag points to.</summary>
/// <param name="Descriptor">As the registry's headers say, or of <paramref name="Manifest"/>.</param>
/// <param name="Manifest">The manifest, where finding out meant to fetch it.</param>
/// <param name="ETag">What the registry calls this state of the tag; null where it does not say, or not in the form of RFC 9110, section 8.8.3.</param>
public sealed record ResolvedTag(Descriptor Descriptor, Manifest? Manifest, string? ETag = null);

/// <summary>What a tag pointed to when last asked.</summary>
/// <param name="Digest">To what.</param>
/// <param name="ETag">What the registry called that; null for what most call it, the digest in quotes.</param>
public readonly record struct KnownTag(Digest Digest, string? ETag)
{
    public static implicit operator KnownTag(Digest digest) => new(digest, ETag: null);
}

/// <summary>One page of a listing.</summary>
/// <param name="Items">In the registry's order.</param>
/// <param name="More">Whether the registry says that there is another page.</param>
/// <param name="Next">Where it is; null after the last, and where the registry's link leads away from it.</param>
public sealed record RemotePage<T>(IReadOnlyList<T> Items, bool More, PageLink? Next);

/// <summary>The place of a page as the registry named it; always on the registry itself.</summary>
public sealed record PageLink
{
    internal PageLink(Uri target) => Target = target;

    internal Uri Target { get; }
}
