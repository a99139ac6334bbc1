using System.Text;
using Microsoft.Extensions.Logging;
using Mirror.Configuration;

namespace Mirror.Access;

/// <summary>What a users file says: names and hashes of passwords, and the lines that say something else.</summary>
/// <param name="Hashes">By name.</param>
/// <param name="Faults">For people, with the number of the line.</param>
public sealed record Users(IReadOnlyDictionary<string, string> Hashes, IReadOnlyList<string> Faults)
{
    private const string NotBcrypt = "is no hash of bcrypt's: make one with `mirror user add`, or with `htpasswd -B`";

    /// <param name="text">Lines of <c>name:hash</c>; empty ones and those that begin with # say nothing.</param>
    public static Users Read(string text)
    {
        var hashes = new Dictionary<string, string>();
        var faults = new List<string>();
        foreach (var (number, line) in text.Split('\n').Select((line, i) => (i + 1, line.TrimEnd('\r', ' ', '\t'))))
        {
            if (line.Length == 0 || line[0] == '#')
            {
                continue;
            }

            var colon = line.IndexOf(':', StringComparison.Ordinal);
            var name = colon > 0 ? line[..colon] : "";
            if (name.Length == 0 || name.Any(char.IsControl))
            {
                faults.Add($"line {number} is no user: write name:hash");
            }
            else if (name is AccessRule.AnyUser or AccessRule.Nobody)
            {
                faults.Add($"line {number}: no user can be called {name}: to rules that is {(name == AccessRule.Nobody ? "who has not" : "who has")} logged in");
            }
            else if (!Bcrypt.IsHash(line[(colon + 1)..]))
            {
                faults.Add($"line {number}: what {name} has for a password {NotBcrypt}");
            }
            else if (!hashes.TryAdd(name, line[(colon + 1)..]))
            {
                faults.Add($"line {number}: {name} is there twice; the first counts");
            }
        }

        return new Users(hashes, faults);
    }
}

/// <summary>The users in a file, which is read again when it has changed.</summary>
public sealed partial class UsersFile
{
    private readonly string _path;
    private readonly ILogger<UsersFile> _logger;
    private readonly Lock _gate = new();
    private bool _isMissed;
    private string? _fault;
    private FileState? _read;
    private Users _users = new(new Dictionary<string, string>(), []);

    public UsersFile(string path, ILogger<UsersFile> logger)
    {
        _path = path;
        _logger = logger;
    }

    /// <summary>Those that the file has now. Where it can not be read those hold that it had; where it is gone, nobody is a user.</summary>
    public Users Current()
    {
        lock (_gate)
        {
            try
            {
                var found = FileState.Find(_path);
                if (found != _read || (_read is null && found is null))
                {
                    Read(found);
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or DecoderFallbackException)
            {
                // Every login asks.
                if (e.Message != _fault)
                {
                    LogUnreadable(_path, _fault = e.Message);
                }
            }

            return _users;
        }
    }

    private void Read(FileState? found)
    {
        if (found is null)
        {
            if (!_isMissed)
            {
                LogGone(_path);
            }

            (_isMissed, _fault, _read, _users) = (true, null, null, new Users(new Dictionary<string, string>(), []));
            return;
        }

        var users = Users.Read(File.ReadAllText(_path, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true)));
        foreach (var fault in users.Faults)
        {
            LogFault(_path, fault);
        }

        (_isMissed, _fault, _read, _users) = (false, null, found, users);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "The users file {Path} can not be read, and those hold that it had: {Why}")]
    private partial void LogUnreadable(string path, string why);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The users file {Path} is not there: nobody can log in with a password")]
    private partial void LogGone(string path);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The users file {Path}: {Fault}")]
    private partial void LogFault(string path, string fault);
}
