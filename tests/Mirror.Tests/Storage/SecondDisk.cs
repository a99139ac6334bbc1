namespace Mirror.Tests.Storage;

/// <summary>A folder of one's own on another file system than the temporary folder's; gone when disposed.</summary>
internal sealed class SecondDisk : IDisposable
{
    private const string Mount = "/dev/shm";

    public string Path { get; } = Directory.CreateDirectory($"{Mount}/mirror-{Guid.NewGuid():N}").FullName;

    /// <returns>Null where there is one.</returns>
    public static string? WhyNone() =>
        !DriveInfo.GetDrives().Any(drive => drive.Name == Mount) ? $"this machine has no second file system at {Mount}"
        : System.IO.Path.GetTempPath().StartsWith(Mount, StringComparison.Ordinal) ? $"the temporary folder is in {Mount} itself"
        : null;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}

/// <summary>A test that needs a second file system; where there is none it is skipped, and says so.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SecondDiskFactAttribute : FactAttribute
{
    public SecondDiskFactAttribute() => Skip = SecondDisk.WhyNone();
}
