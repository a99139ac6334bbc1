using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>A small disk of its own, in memory.</summary>
internal sealed class SmallDisk : IAsyncDisposable
{
    private readonly TemporaryDirectory _folder = new();

    private SmallDisk()
    {
    }

    public string Path => _folder.Path;

    public static async Task<SmallDisk> MountAsync(int megabytes)
    {
        var disk = new SmallDisk();
        (await Command.RunAsync("mount", ["-t", "tmpfs", "-o", $"size={megabytes}m", "tmpfs", disk.Path])).Succeeded();
        return disk;
    }

    public async ValueTask DisposeAsync()
    {
        (await Command.RunAsync("umount", ["--lazy", Path])).Succeeded();
        _folder.Dispose();
    }
}
