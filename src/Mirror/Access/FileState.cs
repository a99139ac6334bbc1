namespace Mirror.Access;

/// <summary>
/// By what a file is seen to have changed. Of a link, what it leads to counts: what is mounted into containers is swapped there, and the link stays as it
/// was.
/// </summary>
internal readonly record struct FileState(DateTime ChangedAt, long Length)
{
    /// <returns>Null where there is no file.</returns>
    public static FileState? Find(string path)
    {
        try
        {
            var link = new FileInfo(Path.GetFullPath(path));
            var file = link.LinkTarget is null ? link : link.ResolveLinkTarget(returnFinalTarget: true);
            return file is FileInfo { Exists: true } found ? new FileState(found.LastWriteTimeUtc, found.Length) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It has gone meanwhile, or links lead in a circle.
            return null;
        }
    }
}
