using System.Collections.Frozen;
using System.Globalization;
using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Microsoft.IdentityModel.Tokens;
using Mirror.Storage;

namespace Mirror.Access.Tokens;

/// <param name="MadeAt">From then on it signs, for <see cref="SigningKeys.Signs"/>.</param>
/// <param name="Key">The key, whose <c>KeyId</c> is the header <c>kid</c> and the file's name.</param>
internal sealed record SigningKey(DateTimeOffset MadeAt, ECDsaSecurityKey Key)
{
    public string Id => Key.KeyId;
}

/// <param name="Current">The one that signs now.</param>
/// <param name="All">Those that verify, by their id.</param>
/// <param name="HoldsUntil">When the keys have to be looked at again.</param>
internal sealed record KeyRing(SigningKey Current, FrozenDictionary<string, SigningKey> All, DateTimeOffset HoldsUntil);

/// <summary>
/// The keys that our own tokens are signed with, each in a file of the data directory: made when the first is needed, followed by another
/// after 30 days, and removed when the last token that they have signed has ended. A file says when its key was made in a line before the
/// key, so that a copied file is not young again. Only one process uses a data directory.
/// </summary>
/// <param name="layout">Where the files are.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Told of files that are no use.</param>
public sealed partial class SigningKeys(StoreLayout layout, TimeProvider time, ILogger<SigningKeys> logger)
{
    /// <summary>How long a key signs.</summary>
    public static readonly TimeSpan Signs = TimeSpan.FromDays(30);

    /// <summary>How long a key verifies: as long as there can be a token that it has signed.</summary>
    public static readonly TimeSpan Verifies = Signs + OwnTokens.RefreshLife + TokenCheck.Leeway;

    /// <summary>What was made by a clock that was wrong by more does not sign, or it would for long.</summary>
    private static readonly TimeSpan ClockError = TimeSpan.FromDays(1);

    /// <summary>How soon a key that could not be written, or a folder that could not be read, is tried again.</summary>
    private static readonly TimeSpan RetryDelay = TimeSpan.FromMinutes(5);

    private const string StagedSuffix = ".new";
    private const string MadePrefix = "made ";
    private const string TimeFormat = "yyyy-MM-dd'T'HH:mm:ss'Z'";
    private const int MaxFileSize = 16 * 1024;

    private readonly Lock _gate = new();
    private readonly HashSet<string> _unsaved = [];
    private KeyRing? _ring;

    /// <summary>Says in the log if there are keys that can not be read. Costs next to nothing: no key is loaded.</summary>
    public void Check()
    {
        try
        {
            foreach (var path in Files())
            {
                using var file = File.OpenRead(path);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogUnreadableFolder(layout.Keys, e.Message);
        }
    }

    internal ValueTask<KeyRing> GetAsync() => Volatile.Read(ref _ring) is { } ring && time.GetUtcNow() < ring.HoldsUntil
        ? ValueTask.FromResult(ring)
        : new ValueTask<KeyRing>(Task.Run(Look));

    private KeyRing Look()
    {
        lock (_gate)
        {
            var now = time.GetUtcNow();
            return _ring is { } ring && now < ring.HoldsUntil ? ring : _ring = Look(now);
        }
    }

    private KeyRing Look(DateTimeOffset now)
    {
        var (onDisk, areAll) = ReadAll();
        var keys = onDisk.Concat(_ring?.All.Values ?? []).DistinctBy(key => key.Id).ToList();
        foreach (var old in keys.Where(key => now - key.MadeAt >= Verifies))
        {
            Remove(old.Id);
        }

        keys.RemoveAll(key => now - key.MadeAt >= Verifies);
        var current = keys.Where(key => now - key.MadeAt < Signs && key.MadeAt - now < ClockError).MaxBy(key => key.MadeAt);
        if (current is null)
        {
            keys.Add(current = Make(now));
            _unsaved.Add(current.Id);
        }

        foreach (var key in keys.Where(key => _unsaved.Contains(key.Id)))
        {
            Save(key);
        }

        var nextChange = keys.Select(key => key.MadeAt + Verifies).Append(current.MadeAt + Signs).Min();
        var holdsUntil = (_unsaved.Count > 0 || !areAll) && now + RetryDelay < nextChange ? now + RetryDelay : nextChange;
        return new KeyRing(current, keys.ToFrozenDictionary(key => key.Id), holdsUntil);
    }

    private static SigningKey Make(DateTimeOffset now) =>
        Named(ECDsa.Create(ECCurve.NamedCurves.nistP256), new DateTimeOffset(now.Ticks - (now.Ticks % TimeSpan.TicksPerSecond), TimeSpan.Zero));

    private static SigningKey Named(ECDsa key, DateTimeOffset madeAt) =>
        new(madeAt, new ECDsaSecurityKey(key) { KeyId = Convert.ToHexStringLower(SHA256.HashData(key.ExportSubjectPublicKeyInfo()).AsSpan(0, 16)) });

    private (IReadOnlyList<SigningKey> Keys, bool AreAll) ReadAll()
    {
        try
        {
            // Begun by a process that ended before they were whole.
            foreach (var begun in Files("*" + StagedSuffix))
            {
                File.Delete(begun);
            }

            return ([.. Files().Select(Find).OfType<SigningKey>()], true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogUnreadableFolder(layout.Keys, e.Message);
            return ([], false);
        }
    }

    private string[] Files(string pattern = "*.pem") => Directory.Exists(layout.Keys) ? Directory.GetFiles(layout.Keys, pattern) : [];

    private SigningKey? Find(string path)
    {
        try
        {
            var text = new FileInfo(path).Length <= MaxFileSize ? File.ReadAllText(path) : "";
            var key = ECDsa.Create();
            key.ImportFromPem(text);
            var line = text.Split('\n')[0].TrimEnd('\r');
            if (line.StartsWith(MadePrefix, StringComparison.Ordinal)
                && DateTimeOffset.TryParseExact(
                    line[MadePrefix.Length..],
                    TimeFormat,
                    CultureInfo.InvariantCulture,
                    DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal,
                    out var madeAt)
                && key.ExportParameters(includePrivateParameters: true) is { D: not null, Curve.Oid.Value: "1.2.840.10045.3.1.7" }
                && Named(key, madeAt) is var named && named.Id == Path.GetFileNameWithoutExtension(path))
            {
                return named;
            }

            LogDamaged(path, "it is not as it was written");
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or IOException or UnauthorizedAccessException)
        {
            LogDamaged(path, e.Message);
        }

        return null;
    }

    /// <summary>Puts a key into its file. One that can not be written is good until this process ends.</summary>
    private void Save(SigningKey key)
    {
        var (path, staged) = (layout.Key(key.Id), layout.Key(key.Id) + StagedSuffix);
        try
        {
            CreateFolder();
            File.Delete(staged);
            var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (var file = new FileStream(staged, options))
            using (var writer = new StreamWriter(file))
            {
                writer.Write($"{MadePrefix}{key.MadeAt.ToString(TimeFormat, CultureInfo.InvariantCulture)}\n{key.Key.ECDsa.ExportPkcs8PrivateKeyPem()}\n");
                writer.Flush();
                RandomAccess.FlushToDisk(file.SafeFileHandle);
            }

            Durability.Rename(staged, path);
            Durability.FlushFolder(layout.Keys);
            _unsaved.Remove(key.Id);
            LogMade(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(path, e.Message);
        }
    }

    private void CreateFolder()
    {
        if (Directory.Exists(layout.Keys))
        {
            return;
        }

        Durability.CreateFolder(layout.Keys);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(layout.Keys, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private void Remove(string id)
    {
        try
        {
            File.Delete(layout.Key(id));
            _unsaved.Remove(id);
            LogRemoved(layout.Key(id));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            LogNotWritten(layout.Key(id), e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "A new key signs tokens: {Path}")]
    private partial void LogMade(string path);

    [LoggerMessage(Level = LogLevel.Information, Message = "The tokens that the key {Path} has signed have ended, and it is removed")]
    private partial void LogRemoved(string path);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The key file {Path} is no use, and who has a token signed with it has to log in again; remove the file: {Why}")]
    private partial void LogDamaged(string path, string why);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The keys of tokens in {Folder} can not be read, and who has a token may have to log in again: {Why}")]
    private partial void LogUnreadableFolder(string folder, string why);

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "The key file {Path} can not be written, and tokens are good only until this process ends: {Why}")]
    private partial void LogNotWritten(string path, string why);
}
