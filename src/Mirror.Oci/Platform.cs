namespace Mirror.Oci;

/// <summary>The platform that a child of an index is for (image spec, image-index.md, "platform").</summary>
public sealed record Platform(string OS, string Architecture, string? Variant = null)
{
    public static bool TryParse(string text, out Platform? platform)
    {
        platform = text.Split('/') switch
        {
            [{ Length: > 0 } os, { Length: > 0 } architecture] => new Platform(os, architecture),
            [{ Length: > 0 } os, { Length: > 0 } architecture, { Length: > 0 } variant] => new Platform(os, architecture, variant),
            _ => null,
        };
        return platform is not null;
    }

    /// <summary>Whether who asks for this gets that. One without a variant means every variant.</summary>
    public bool Includes(Platform other) =>
        OS == other.OS && Architecture == other.Architecture && (Variant is null || Variant == other.Variant);

    /// <summary>As Docker writes it: <c>linux/arm/v7</c>.</summary>
    public override string ToString() => Variant is null ? $"{OS}/{Architecture}" : $"{OS}/{Architecture}/{Variant}";
}
