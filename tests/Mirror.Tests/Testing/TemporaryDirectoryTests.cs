using Mirror.Testing;

namespace Mirror.Tests.Testing;

public sealed class TemporaryDirectoryTests
{
    [Fact]
    public void Nothing_is_left_even_of_what_is_read_only()
    {
        var directory = new TemporaryDirectory();
        var inner = Directory.CreateDirectory(directory.Combine("a", "b"));
        var file = Path.Combine(inner.FullName, "file");
        File.WriteAllText(file, "");
        File.SetAttributes(file, FileAttributes.ReadOnly);
        if (!OperatingSystem.IsWindows())
        {
            inner.UnixFileMode = UnixFileMode.UserRead | UnixFileMode.UserExecute;
        }

        directory.Dispose();

        Assert.False(Directory.Exists(directory.Path));
        directory.Dispose();
    }
}
