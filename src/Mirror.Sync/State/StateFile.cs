namespace Mirror.Sync.State;

/// <summary>
/// The file in which the state is, and what is said when it is of no use. Nothing that goes wrong with it stops a run: what was remembered
/// can be found out again.
/// </summary>
internal sealed class StateFile
{
    private const string Aside = ".old";

    private const UnixFileMode OwnersOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    private static readonly TimeSpan BetweenWarnings = TimeSpan.FromHours(1);

    private readonly string[] _files;
    private readonly TimeProvider _time;
    private readonly Action<string> _warn;
    private DateTimeOffset? _warnedAt;

    /// <param name="path">The file.</param>
    /// <param name="beside">The files that the database has beside it.</param>
    /// <param name="time">The clock.</param>
    /// <param name="warn">Is told what people should know.</param>
    public StateFile(string path, IReadOnlyList<string> beside, TimeProvider time, Action<string> warn)
    {
        Path = path;
        _files = [path, .. beside];
        _time = time;
        _warn = warn;
    }

    public string Path { get; }

    /// <summary>
    /// Makes the files that are not there, empty, for nobody else to read: an upload's address may be all that it takes to write to it.
    /// </summary>
    /// <param name="paths">Which.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not.</exception>
    public static void Create(params ReadOnlySpan<string> paths)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.OpenOrCreate,
            Access = FileAccess.Write,
            Share = FileShare.ReadWrite | FileShare.Delete,
        };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnersOnly;
        }

        foreach (var path in paths)
        {
            File.Open(path, options).Dispose();
        }
    }

    /// <summary>
    /// Moves the database out of the way, to be looked at by whoever wants to. There is one such place, so that a disk that goes on
    /// damaging files is not filled with them.
    /// </summary>
    /// <param name="why">What is wrong with it.</param>
    /// <exception cref="IOException">The disk refused.</exception>
    /// <exception cref="UnauthorizedAccessException">This user may not.</exception>
    public void PutAside(string why)
    {
        foreach (var path in _files)
        {
            File.Delete(path + Aside);
            if (File.Exists(path))
            {
                File.Move(path, path + Aside);
            }
        }

        _warn($"{Path} {why}: it is put aside as {System.IO.Path.GetFileName(Path)}{Aside}, and what is remembered of replication begins"
            + " anew. The next runs ask for more, and copy nothing that is there");
    }

    /// <summary>The file can not be opened, and is not at fault.</summary>
    public void WarnUnusable(Exception e) =>
        _warn($"{Path} can not be used ({e.Message}): until the program ends, what replication remembers is in memory alone");

    /// <summary>Something could not be kept. Said once in a while: a full disk would say it at each tag.</summary>
    public void WarnNotKept(Exception e)
    {
        var now = _time.GetUtcNow();
        if (_warnedAt is not { } last || now - last >= BetweenWarnings)
        {
            _warnedAt = now;
            _warn($"{Path} fails ({e.Message}): replication goes on without memory, and the next runs ask for more");
        }
    }
}
