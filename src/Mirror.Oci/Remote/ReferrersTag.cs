using System.Text.Json;
using System.Text.Json.Nodes;

namespace Mirror.Oci.Remote;

/// <summary>
/// The list of a manifest's referrers at a registry that keeps none: an index with a tag that is made from the subject's digest (distribution spec,
/// "Referrers Tag Schema"). It is read, changed and written back, and no registry tells whether it has been changed meanwhile. Within this process
/// one change waits for the other. Of two processes one may take away what the other has just entered; so it is read again, and entered
/// again where it is missing. What is lost all the same, because the other has written after that, the next push of that manifest mends.
/// </summary>
internal sealed class ReferrersTag(RegistryConnection connection, RemoteRegistry registry, RemoteManifests manifests)
{
    private const int Attempts = 3;

    /// <summary>Enters a manifest; null where it is entered.</summary>
    public async Task<RemoteFailure?> AddAsync(
        RepositoryName repository, Digest subject, Manifest referrer, ManifestView view, CancellationToken cancellationToken)
    {
        var tag = TagOf(subject);
        await connection.ReferrersTurn.WaitAsync(cancellationToken);
        try
        {
            for (var attempt = 0; ; attempt++)
            {
                var answer = await registry.GetManifestAsync(repository, tag, cancellationToken);
                if (answer is RemoteAnswer<Manifest>.Failed { Failure: not RemoteFailure.Missing and var failure })
                {
                    return failure;
                }

                var index = (answer as RemoteAnswer<Manifest>.Found)?.Content;
                if (index?.View().Children.Any(child => child.Digest == referrer.Digest) == true)
                {
                    return null;
                }

                if (attempt == Attempts)
                {
                    return connection.BadAnswer($"has taken {tag} {Attempts} times, and {referrer.Digest}, which was entered there, is not there");
                }

                if (!TryEnter(index, referrer, view, out var changed, out var fault))
                {
                    return new RemoteFailure.Refused(RefusalReason.Invalid, $"{referrer.Digest} can not be entered under {tag} at {registry.Name}: {fault}");
                }

                if ((await manifests.SendAsync(repository, tag, changed, cancellationToken)).Failure is { } refused)
                {
                    return refused;
                }
            }
        }
        finally
        {
            connection.ReferrersTurn.Release();
        }
    }

    public static Tag TagOf(Digest subject) =>
        Tag.Parse($"{(subject.Algorithm == DigestAlgorithm.Sha256 ? "sha256" : "sha512")}-{subject.Hex[..64]}");

    /// <summary>The index with one more entry; the others, and whatever else somebody has written there, stay as they are.</summary>
    private static bool TryEnter(
        Manifest? index,
        Manifest referrer,
        ManifestView view,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Manifest? changed,
        [System.Diagnostics.CodeAnalysis.NotNullWhen(false)] out string? fault)
    {
        (changed, fault) = (null, "there is something there that is no OCI index");
        if (index is not null && index.MediaType != MediaTypes.OciIndex)
        {
            return false;
        }

        var json = index is null
            ? new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray() }
            : JsonNode.Parse(index.Content.Span)!.AsObject();
        var entry = new JsonObject
        {
            ["mediaType"] = referrer.MediaType,
            ["digest"] = referrer.Digest.ToString(),
            ["size"] = referrer.Content.Length,
        };
        if ((view.ArtifactType ?? view.Config?.MediaType) is { } artifactType)
        {
            entry["artifactType"] = artifactType;
        }

        if (view.Annotations.Count > 0)
        {
            entry["annotations"] = new JsonObject(view.Annotations.Select(annotation => KeyValuePair.Create(annotation.Key, (JsonNode?)annotation.Value)));
        }

        if (json["manifests"] is not JsonArray entries)
        {
            return false;
        }

        entries.Add(entry);
        return Manifest.TryParse(JsonSerializer.SerializeToUtf8Bytes(json), MediaTypes.OciIndex, DigestAlgorithm.Sha256, out changed, out fault);
    }
}
