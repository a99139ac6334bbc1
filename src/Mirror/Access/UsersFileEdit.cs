using System.Text;
using Mirror.Storage;

namespace Mirror.Access;

/// <summary>Changes a users file: line by line, so that comments and the other users stay as they are, and whole or not at all.</summary>
public static class UsersFileEdit
{
    private const UnixFileMode NewMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;

    /// <summary>Gives a user a password, whether there is such a user already or not.</summary>
    /// <returns>Whether it is a new user.</returns>
    /// <exception cref="IOException">The file can not be changed, or somebody else is changing it.</exception>
    public static bool Set(string path, string name, string hash)
    {
        var isNew = true;
        Change(path, mayCreate: true, lines =>
        {
            var changed = lines.ToList();
            var found = changed.FindIndex(line => IsOf(line, name));
            isNew = found < 0;
            if (isNew)
            {
                changed.Add($"{name}:{hash}");
            }
            else
            {
                changed[found] = $"{name}:{hash}";
            }

            return changed;
        });
        return isNew;
    }

    /// <summary>Takes a user out.</summary>
    /// <returns>Whether it was there.</returns>
    /// <exception cref="IOException">The file can not be changed, or somebody else is changing it.</exception>
    public static bool Remove(string path, string name)
    {
        var wasThere = false;
        Change(path, mayCreate: false, lines =>
        {
            var left = lines.Where(line => !IsOf(line, name)).ToList();
            wasThere = left.Count < lines.Count;
            return left;
        });
        return wasThere;
    }

    /// <summary>
    /// Readers see the old file or the new one. The old one is locked meanwhile, in a way that readers do not feel: two changes at once would lose one.
    /// </summary>
    private static void Change(string path, bool mayCreate, Func<IReadOnlyList<string>, IReadOnlyList<string>> change)
    {
        // What a link leads to is what is changed: the link may be somebody's way to swap files.
        // Only of a full path .NET finds what a link leads to that leads nowhere yet.
        path = Path.GetFullPath(path);
        path = (File.Exists(path) ? File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName : null) ?? path;
        var options = new FileStreamOptions
        {
            Mode = mayCreate ? FileMode.OpenOrCreate : FileMode.Open,
            Access = FileAccess.ReadWrite,
            Share = FileShare.ReadWrite | FileShare.Delete,
        };
        if (mayCreate && !OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = NewMode;
        }

        using var old = new FileStream(path, options);
        if (!OperatingSystem.IsMacOS())
        {
            old.Lock(0, 1);
        }

        // Without opening it again: to close that would end the lock.
        if (FileState.Find(path) != new FileState(File.GetLastWriteTimeUtc(old.SafeFileHandle), old.Length))
        {
            throw new IOException("somebody else has changed it between its being opened and locked: try again");
        }

        using var reader = new StreamReader(old, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true));
        var text = reader.ReadToEnd().TrimEnd('\n');
        var lines = change(text.Length == 0 ? [] : text.Split('\n'));
        var replacement = $"{path}.{Guid.NewGuid():N}";
        try
        {
            using (var file = new FileStream(replacement, FileMode.CreateNew, FileAccess.Write))
            {
                if (!OperatingSystem.IsWindows())
                {
                    Durability.KeepOwner(old.SafeFileHandle, file.SafeFileHandle);
                    File.SetUnixFileMode(file.SafeFileHandle, File.GetUnixFileMode(old.SafeFileHandle));
                }

                file.Write(Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => $"{line}\n"))));
                file.Flush(flushToDisk: true);
            }

            Durability.Rename(replacement, path);
            Durability.FlushFolder(Path.GetDirectoryName(path)!);
        }
        finally
        {
            File.Delete(replacement);
        }
    }

    private static bool IsOf(string line, string name) => line.StartsWith($"{name}:", StringComparison.Ordinal);
}
