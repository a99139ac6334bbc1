using System.Text;
using Mirror.Oci;

namespace Mirror.Adoption;

/// <summary>
/// The data directory of another registry, CNCF Distribution (<c>registry:2</c>), as it is on the disk. It is only read, and nothing is believed
/// of it: what is not as it should be is left out, and named; nothing in it leads out of it.
/// <code>
/// docker/registry/v2/
///   blobs/sha256/ab/abcdef…/data                             all content, manifests too
///   repositories/team/app/
///     _manifests/tags/1.0/current/link                       the digest that a tag points to
///     _manifests/revisions/sha256/abcdef…/link               a manifest that is there; gone when it was deleted
///     _layers/sha256/abcdef…/link                            a blob that is there, and the digest that it is kept under
///     _uploads/…                                             what was being received
/// </code>
/// </summary>
internal sealed class DistributionFolder
{
    /// <summary>Ample for a digest; what is longer is not read.</summary>
    private const int MaxLinkLength = 200;

    private readonly string _root;
    private readonly string _repositories;
    private readonly Action<LeftOut> _leaveOut;

    private DistributionFolder(string root, Action<LeftOut> leaveOut) =>
        (_root, _repositories, _leaveOut) = (root, Path.Combine(root, "repositories"), leaveOut);

    /// <summary>Whether it is what a registry has kept of another one, to which it leads its clients: a proxy remembers when to forget.</summary>
    public bool IsCache => File.Exists(Path.GetFullPath(Path.Combine(_root, "..", "..", "..", "scheduler-state.json")));

    /// <summary>Finds it where a person would say that it is: the registry's root directory, or a folder on the way to <c>v2</c>.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="leaveOut">Is told what is left out; also by several threads at once.</param>
    public static DistributionFolder? Find(string path, Action<LeftOut> leaveOut) =>
        new[] { Path.Combine(path, "docker", "registry", "v2"), Path.Combine(path, "registry", "v2"), Path.Combine(path, "v2"), path }
            .Where(root => Directory.Exists(Path.Combine(root, "repositories")) || Directory.Exists(Path.Combine(root, "blobs")))
            .Select(root => new DistributionFolder(root, leaveOut))
            .FirstOrDefault();

    internal DistributionFolder Silent() => new(_root, _ => { });

    /// <summary>The repositories in it, in the order of their names; not those to which nothing was ever pushed whole.</summary>
    public IEnumerable<DistributionRepository> ListRepositories()
    {
        var ahead = new Stack<string>([_repositories]);
        while (ahead.TryPop(out var folder))
        {
            var inside = Folders(folder).ToList();
            if (folder != _repositories && inside.Exists(entry => entry.Name is "_manifests" or "_layers"))
            {
                var name = Path.GetRelativePath(_repositories, folder);
                if (RepositoryName.TryParse(name, out var parsed))
                {
                    yield return new DistributionRepository(this, parsed, folder);
                }
                else
                {
                    _leaveOut(new LeftOut(name, "this is not a repository's name: lower-case letters, digits and . _ - between them"));
                }
            }

            foreach (var next in inside.Where(entry => !entry.Name.StartsWith('_')).Reverse())
            {
                if (Path.GetRelativePath(_repositories, next.FullName).Length > RepositoryName.MaxLength)
                {
                    _leaveOut(new LeftOut(NameOf(next), $"a repository's name has at most {RepositoryName.MaxLength} characters"));
                    continue;
                }

                ahead.Push(next.FullName);
            }
        }
    }

    /// <summary>The file of some content; null where there is none.</summary>
    /// <exception cref="IOException">It can not be looked at, or is no file.</exception>
    public FileInfo? FindFile(Digest digest)
    {
        var folder = new DirectoryInfo(Path.Combine(_root, "blobs", AlgorithmOf(digest), digest.Hex[..2], digest.Hex));
        var file = new FileInfo(Path.Combine(folder.FullName, "data"));
        if (folder.LinkTarget is not null || folder.Parent!.LinkTarget is not null || file.LinkTarget is not null)
        {
            throw new IOException("it is a symbolic link");
        }

        return file.Exists ? file : null;
    }

    /// <summary>The folders in one. Symbolic links are named, and not followed.</summary>
    internal IEnumerable<DirectoryInfo> Folders(string path)
    {
        List<FileSystemInfo> entries;
        try
        {
            if (!Directory.Exists(path) || IsLedOut(new DirectoryInfo(path)))
            {
                yield break;
            }

            entries = [.. new DirectoryInfo(path).EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _leaveOut(new LeftOut(NameOf(new DirectoryInfo(path)), $"can not be read: {e.Message}"));
            yield break;
        }

        foreach (var entry in entries)
        {
            if (entry.LinkTarget is not null)
            {
                _leaveOut(new LeftOut(NameOf(entry), "is a symbolic link"));
            }
            else if (entry is DirectoryInfo folder)
            {
                yield return folder;
            }
        }
    }

    /// <summary>The digests whose links are in a folder, by algorithm, and what each link says.</summary>
    internal IEnumerable<(Digest Named, Digest Says)> Links(string path)
    {
        foreach (var algorithm in Folders(path))
        {
            foreach (var folder in Folders(algorithm.FullName))
            {
                if (ReadLink(folder.FullName) is not { } says)
                {
                    continue;
                }

                if (Digest.TryParse($"{algorithm.Name}:{folder.Name}", out var named))
                {
                    yield return (named, says);
                }
                else
                {
                    _leaveOut(new LeftOut(NameOf(folder), "is not the name of a sha256 or sha512 digest"));
                }
            }
        }
    }

    /// <summary>What the link in a folder says; null where there is none, as when what it led to was deleted.</summary>
    internal Digest? ReadLink(string folder)
    {
        var file = new FileInfo(Path.Combine(folder, "link"));
        try
        {
            // What has no length may be no file: a pipe would be waited for for ever.
            if ((!file.Exists && file.LinkTarget is null) || IsLedOut(file.Directory!))
            {
                return null;
            }

            if (file.LinkTarget is null && file.Length is > 0 and <= MaxLinkLength
                && Digest.TryParse(Encoding.Latin1.GetString(File.ReadAllBytes(file.FullName)), out var digest))
            {
                return digest;
            }

            _leaveOut(new LeftOut(NameOf(file), "does not say a digest"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            _leaveOut(new LeftOut(NameOf(file), $"can not be read: {e.Message}"));
        }

        return null;
    }

    internal void LeaveOut(LeftOut what) => _leaveOut(what);

    /// <summary>Whether a folder of a repository, or the one that it is in, is a symbolic link.</summary>
    private bool IsLedOut(DirectoryInfo folder)
    {
        if (folder.FullName == _repositories)
        {
            return false;
        }

        if (folder.LinkTarget is not null)
        {
            _leaveOut(new LeftOut(NameOf(folder), "is a symbolic link"));
            return true;
        }

        return folder.Parent!.FullName != _repositories && folder.Parent.LinkTarget is not null;
    }

    private string NameOf(FileSystemInfo entry) => Path.GetRelativePath(_root, entry.FullName);

    private static string AlgorithmOf(Digest digest) => digest.ToString()[..^(digest.Hex.Length + 1)];
}

/// <summary>A repository in a <see cref="DistributionFolder"/>.</summary>
/// <param name="registry">Where it is.</param>
/// <param name="name">Its name there.</param>
/// <param name="path">Its folder.</param>
internal sealed class DistributionRepository(DistributionFolder registry, RepositoryName name, string path)
{
    public RepositoryName Name => name;

    /// <summary>The same, for who has been told already what is left out.</summary>
    public DistributionRepository Silent() => new(registry.Silent(), name, path);

    /// <summary>The blobs that it has, and which digest each is kept under.</summary>
    public IEnumerable<(Digest Blob, Digest KeptAs)> ListBlobs() => registry.Links(Path.Combine(path, "_layers"));

    /// <summary>The manifests that it has.</summary>
    public IEnumerable<Digest> ListManifests()
    {
        foreach (var (named, says) in registry.Links(Path.Combine(path, "_manifests", "revisions")))
        {
            if (named == says)
            {
                yield return named;
            }
            else
            {
                registry.LeaveOut(new LeftOut($"{name}@{named}", $"its link says another digest, {says}"));
            }
        }
    }

    /// <summary>The tags that it has, and what they point to, whether that is there or not.</summary>
    public IEnumerable<(Tag Tag, Digest Manifest)> ListTags()
    {
        foreach (var folder in registry.Folders(Path.Combine(path, "_manifests", "tags")))
        {
            // A tag that was deleted in the middle has no link any more.
            if (registry.ReadLink(Path.Combine(folder.FullName, "current")) is not { } digest)
            {
                continue;
            }

            if (Tag.TryParse(folder.Name, out var tag))
            {
                yield return (tag, digest);
            }
            else
            {
                registry.LeaveOut(new LeftOut($"{name}:{folder.Name}", "this is not a tag's name"));
            }
        }
    }
}
