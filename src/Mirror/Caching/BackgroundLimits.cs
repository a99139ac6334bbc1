namespace Mirror.Caching;

/// <summary>How much is fetched from a registry that nobody waits for.</summary>
/// <param name="FinishAbandoned">How many bytes all downloads together may still lack that go on although their clients have left.</param>
public sealed record BackgroundLimits(long FinishAbandoned);
