namespace Mirror.Caching;

/// <summary>How much is fetched from a registry that nobody waits for.</summary>
/// <param name="FinishAbandoned">How many bytes all downloads together may still lack that go on although their clients have left.</param>
/// <param name="Complete">Up to which size, in bytes, an image is fetched whole when a client reads a layer of it.</param>
public sealed record BackgroundLimits(long FinishAbandoned, long Complete);
