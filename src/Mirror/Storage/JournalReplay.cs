using Mirror.Oci;

namespace Mirror.Storage;

/// <summary>
/// Does again what the journal says, in its order, in an index that has the blobs already. What was not journalled, because it follows from
/// a manifest, is read from the manifest.
/// </summary>
internal sealed class JournalReplay(StoreLayout layout)
{
    /// <returns>Why it could not be done, or null.</returns>
    /// <param name="write">Into this index.</param>
    /// <param name="change">What the journal says.</param>
    public string? Redo(IndexWrite write, RefChange change)
    {
        // What JSON leaves out is null whatever the record says.
        if (change.Registry is not { } registry || !IsRegistry(registry))
        {
            return "it names no registry";
        }

        RepositoryName name = default;
        if (change.Repository is not null && !RepositoryName.TryParse(change.Repository, out name))
        {
            return "its repository has no valid name";
        }

        Digest digest = default;
        if (change.Digest is not null && !Digest.TryParse(change.Digest, out digest))
        {
            return "its digest is none";
        }

        Tag tag = default;
        if (change.Tag is not null && !Tag.TryParse(change.Tag, out tag))
        {
            return "its tag has no valid name";
        }

        var key = change.Repository is null ? null : new RepositoryKey(registry, name);
        switch (change)
        {
            case { Op: "hold", Digest: not null }:
                write.InsertHolding(key is null ? registry : key.ToString(), digest);
                return null;

            case { Op: "unhold", Digest: not null }:
                write.Session.Execute(
                    "DELETE FROM holdings WHERE holder = $1 AND digest = $2", key is null ? registry : key.ToString(), digest.ToString());
                return null;

            case { Op: "link", Digest: not null, MediaType: not null, Size: >= 0 } when key is not null:
                return Link(write, key, new Descriptor(change.MediaType, digest, change.Size.Value));

            case { Op: "unlink", Digest: not null } when key is not null:
                Unlink(write, key, digest);
                return null;

            case { Op: "tag", Tag: not null, Digest: not null } when key is not null:
                write.SetTag(key, write.GetId(key), tag, digest, change.At);
                return null;

            case { Op: "untag", Tag: not null } when key is not null:
                write.Session.Execute("DELETE FROM tags WHERE repository = $1 AND name = $2", write.FindId(key), tag.ToString());
                return null;

            default:
                return "it is no change that this version knows";
        }
    }

    private string? Link(IndexWrite write, RepositoryKey key, Descriptor content)
    {
        var id = write.GetId(key);
        write.Link(key, id, content);
        if (!MediaTypes.IsManifest(content.MediaType) || !IsHere(write.Session, content.Digest))
        {
            return null;
        }

        if (FindManifest(content) is not { } manifest)
        {
            return $"{content.Digest} can not be read, or is no manifest";
        }

        var view = manifest.View();
        if (key.IsLocal)
        {
            LocalRefs.RecordReferrer(write.Session, id, manifest, view);
        }
        else
        {
            write.LinkAsClaimed(id, view);
        }

        return null;
    }

    private static void Unlink(IndexWrite write, RepositoryKey key, Digest digest)
    {
        if (write.FindId(key) is { } id)
        {
            // Who no longer vouches for it is in the journal too.
            write.Session.Execute("DELETE FROM links WHERE repository = $1 AND digest = $2", id, digest.ToString());
            write.RemoveReferrer(id, digest);
        }
    }

    /// <summary>The empty name is our own.</summary>
    private static bool IsRegistry(string name) => name.Length == 0 || (RepositoryName.TryParse(name, out _) && !name.Contains('/'));

    private static bool IsHere(SqlSession session, Digest digest) => session.FindOne(
        "SELECT EXISTS (SELECT 1 FROM blobs WHERE digest = $1 AND size <= $2)",
        row => row.GetBoolean(0),
        digest.ToString(), Manifest.MaxSize);

    private Manifest? FindManifest(Descriptor content)
    {
        try
        {
            var bytes = File.ReadAllBytes(layout.Blob(content.Digest));
            return Manifest.TryParse(bytes, content.MediaType, content.Digest.Algorithm, out var manifest, out _)
                && manifest.Digest == content.Digest
                    ? manifest
                    : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
