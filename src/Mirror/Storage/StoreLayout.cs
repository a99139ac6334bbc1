using System.Text;
using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Where everything is in the data directory. Only this class makes paths, and only from values that can not hold a separator or a dot.
/// <code>
/// data/
///   blobs/sha256/ab/abcdef…   published content, manifests too; immutable; mode 0440, but for
///                             what another program has a name of too, which keeps the mode that it had
///   staged/…                  bytes that are not verified and published yet; a download's under its registry and digest, an
///                             upload's under its identity and repository, so that both go on where they stood after a
///                             break or a restart; mode 0600
///   refs.log                  journal of tag and link changes
///   mirror.db                 the index over all of it
///   mirror.db.old             the one that was there before it was made again
///   sync.db                   what the replicator remembers, or sync.litedb; mode 0600. All of it can be lost
///   sync.db.old               the one that was there before it was begun anew
///   keys/…                    private keys that this registry's own tokens are signed with; mode 0600
///   lock                      held by the one process that uses the directory
///   mirror.sock               where that process answers the commands of this machine
/// </code>
/// A staged file is <em>growing</em> until its writer says that it is whole, then <em>verified</em> (its digest is the one expected), then
/// <em>published</em>: flushed, made read-only, renamed into <c>blobs/</c>, and the rename flushed. Until the rename nobody can find it by its
/// digest. A growing file may be kept for a later attempt, which hashes it again before it believes it; a wrong one is deleted at once.
/// </summary>
public sealed class StoreLayout(string root)
{
    public string Root { get; } = Path.GetFullPath(root);

    public string Blobs => Path.Combine(Root, "blobs");

    public string Staged => Path.Combine(Root, "staged");

    public string Journal => Path.Combine(Root, "refs.log");

    public string Database => Path.Combine(Root, "mirror.db");

    /// <summary>A new database, being made.</summary>
    public string BuildingDatabase => Database + ".building";

    /// <summary>A new database, whole, on its way to its place.</summary>
    public string RebuiltDatabase => Database + ".rebuilt";

    public string OldDatabase => Database + ".old";

    /// <summary>What the replicator remembers, where it is kept in SQLite.</summary>
    public string SyncDatabase => Path.Combine(Root, "sync.db");

    /// <summary>The same, where it is kept in LiteDB.</summary>
    public string SyncLiteDb => Path.Combine(Root, "sync.litedb");

    /// <summary>Made when the first key is.</summary>
    public string Keys => Path.Combine(Root, "keys");

    public string Lock => Path.Combine(Root, "lock");

    public string Socket => Path.Combine(Root, "mirror.sock");

    public string Blob(Digest digest) => Path.Combine(BlobFolder(digest), digest.Hex);

    public string BlobFolder(Digest digest) => Path.Combine(AlgorithmFolder(digest.Algorithm), digest.Hex[..2]);

    /// <param name="id">Hexadecimal digits.</param>
    public string Key(string id) => Path.Combine(Keys, $"{id}.pem");

    public string NewStaged() => Path.Combine(Staged, Guid.NewGuid().ToString("N"));

    /// <param name="registry">The registry's name in the configuration, which is a component of a repository's name.</param>
    /// <param name="digest">What is downloaded.</param>
    public string StagedDownload(string registry, Digest digest) => Path.Combine(Staged, $"{digest.Algorithm}-{digest.Hex}-{registry}");

    /// <summary>The name says all of the key: an upload's identity alone opens it for no other repository and no other user.</summary>
    public string StagedUpload(UploadKey upload)
    {
        var whose = upload.User is null ? $"{upload.Repository}" : $"{upload.Repository}\n{upload.User}";
        return Path.Combine(Staged, $"upload-{upload.Id}-{Digest.Sha256(Encoding.UTF8.GetBytes(whose)).Hex[..16]}");
    }

    /// <summary>Whether a staged file can be gone on with; any other is of use only to the process that made it.</summary>
    public static bool CanBeGoneOnWith(string path) => Path.GetFileName(path).Contains('-', StringComparison.Ordinal);

    /// <summary>Whether there is anything that a database should know of.</summary>
    public bool HoldsContent() =>
        new FileInfo(Journal) is { Exists: true, Length: > 0 }
        || (Directory.Exists(Blobs) && Directory.EnumerateFiles(Blobs, "*", SearchOption.AllDirectories).Any());

    /// <summary>Makes the folders that are not there yet.</summary>
    public void Create()
    {
        Durability.CreateFolder(Staged);
        foreach (var algorithm in Enum.GetValues<DigestAlgorithm>())
        {
            Durability.CreateFolder(AlgorithmFolder(algorithm));
        }
    }

    /// <summary>Tries whether what is staged can be published by a rename.</summary>
    /// <exception cref="IOException">It can not.</exception>
    public void TryRename()
    {
        foreach (var algorithm in Enum.GetValues<DigestAlgorithm>())
        {
            var staged = NewStaged();
            var published = Path.Combine(AlgorithmFolder(algorithm), "probe");
            File.WriteAllBytes(staged, []);
            try
            {
                Durability.Rename(staged, published);
                File.Delete(published);
            }
            finally
            {
                File.Delete(staged);
            }
        }
    }

    public string AlgorithmFolder(DigestAlgorithm algorithm) => Path.Combine(Blobs, algorithm switch
    {
        DigestAlgorithm.Sha256 => "sha256",
        DigestAlgorithm.Sha512 => "sha512",
    });
}
