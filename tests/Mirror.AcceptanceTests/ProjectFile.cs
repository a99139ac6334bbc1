namespace Mirror.AcceptanceTests;

/// <summary>The checkout's files, which the tests use as people do.</summary>
internal static class ProjectFile
{
    /// <param name="parts">From the folder that has the solution.</param>
    public static string Locate(params ReadOnlySpan<string> parts)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Mirror.slnx")))
            {
                return Path.Combine([folder.FullName, .. parts]);
            }
        }

        throw new DirectoryNotFoundException("The tests do not run in the repository.");
    }
}
