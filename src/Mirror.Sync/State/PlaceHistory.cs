namespace Mirror.Sync.State;

/// <summary>Which places of blobs are kept: those that were saved last, whatever target they are at.</summary>
internal static class PlaceHistory
{
    public const int Most = 50_000;
}
