using Mirror.Oci;

namespace Mirror.Sync.Jobs;

/// <summary>
/// Tags that stand for what refers to a manifest: <c>sha256-…</c> (distribution spec, "Referrers Tag Schema"), and cosign's
/// <c>sha256-….sig</c>, <c>.att</c> and <c>.sbom</c>.
/// </summary>
public static class SubjectTag
{
    private static readonly string[] Suffixes = [".sig", ".att", ".sbom"];

    /// <summary>The manifest's digest, or null for any other tag.</summary>
    public static Digest? FindSubject(Tag tag)
    {
        var text = tag.ToString();
        var suffix = Array.Find(Suffixes, suffix => text.EndsWith(suffix, StringComparison.Ordinal)) ?? "";
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        return dash > 0 && Digest.TryParse($"{text[..dash]}:{text[(dash + 1)..^suffix.Length]}", out var digest) ? digest : null;
    }
}
