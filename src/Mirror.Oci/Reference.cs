using System.Buffers;

namespace Mirror.Oci;

/// <summary>A tag: a letter, digit or underscore, then up to 127 of these, dots and hyphens (distribution spec, "Pulling manifests").</summary>
public readonly record struct Tag
{
    public const int MaxLength = 128;

    private static readonly SearchValues<char> Allowed =
        SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-");

    private readonly string? _text;

    private Tag(string text) => _text = text;

    public static bool TryParse(ReadOnlySpan<char> text, out Tag tag)
    {
        if (text.Length is 0 or > MaxLength || text[0] is '.' or '-' || text.ContainsAnyExcept(Allowed))
        {
            tag = default;
            return false;
        }

        tag = new Tag(text.ToString());
        return true;
    }

    /// <exception cref="FormatException">The text is not a tag.</exception>
    public static Tag Parse(string text) => TryParse(text, out var tag) ? tag : throw new FormatException($"'{text}' is not a tag.");

    public override string ToString() => _text ?? throw new InvalidOperationException("A tag was used before it was parsed.");
}

/// <summary>What names a manifest in a repository: a tag or a digest.</summary>
public readonly record struct Reference
{
    private Reference(Tag? tag, Digest? digest) => (Tag, Digest) = (tag, digest);

    /// <summary>The tag, or null where the reference is a digest.</summary>
    public Tag? Tag { get; }

    /// <summary>The digest, or null where the reference is a tag.</summary>
    public Digest? Digest { get; }

    public static implicit operator Reference(Tag tag) => FromTag(tag);

    public static implicit operator Reference(Digest digest) => FromDigest(digest);

    public static Reference FromTag(Tag tag) => new(tag, null);

    public static Reference FromDigest(Digest digest) => new(null, digest);

    public static bool TryParse(ReadOnlySpan<char> text, out Reference reference)
    {
        if (Oci.Digest.TryParse(text, out var digest))
        {
            reference = digest;
            return true;
        }

        var isTag = Oci.Tag.TryParse(text, out var tag);
        reference = isTag ? tag : default;
        return isTag;
    }

    public override string ToString() => Digest is { } digest ? digest.ToString() : Tag.GetValueOrDefault().ToString();
}
