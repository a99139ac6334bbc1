namespace Mirror.Oci.Remote;

/// <summary>Pushes manifests to one registry and deletes them (distribution spec, "Pushing manifests", "Content management").</summary>
public sealed class RemoteManifests
{
    private readonly RegistryConnection _connection;
    private readonly RemoteRegistry _registry;
    private readonly ReferrersTag _referrersTag;

    internal RemoteManifests(RegistryConnection connection, RemoteRegistry registry)
    {
        (_connection, _registry) = (connection, registry);
        _referrersTag = new ReferrersTag(connection, registry, this);
    }

    /// <summary>
    /// Pushes a manifest, its bytes as they are, under its digest or a tag. What it refers to must be there: where it is not, most registries refuse
    /// with ContentUnknown, some of them also an index of which only some children are there.
    /// A manifest with a subject is entered into the subject's list of referrers where the registry keeps none itself (<see cref="ReferrersTag"/>);
    /// where that fails, the answer is the failure, although the manifest is there.
    /// </summary>
    /// <exception cref="ArgumentException">The digest is not the manifest's.</exception>
    public async Task<RemoteAnswer<Descriptor>> PutAsync(
        RepositoryName repository, Reference reference, Manifest manifest, CancellationToken cancellationToken)
    {
        if (reference.Digest is { } digest && !digest.Matches(manifest.Content.Span))
        {
            throw new ArgumentException($"{digest} is not the digest of this manifest.", nameof(reference));
        }

        var (failure, keepsReferrers) = await SendAsync(repository, reference, manifest, cancellationToken);
        return failure is null && !keepsReferrers && manifest.View() is { Subject: { } subject } view
            ? await _referrersTag.AddAsync(repository, subject.Digest, manifest, view, cancellationToken) is { } untold ? untold : manifest.Descriptor
            : failure is null ? manifest.Descriptor : failure;
    }

    /// <summary>
    /// Deletes a tag, or a manifest with all its tags. Null where the registry says that it has done so; Missing where it was not there; Unsupported
    /// where the registry does not delete such things, as older ones do not delete tags alone.
    /// </summary>
    public async Task<RemoteFailure?> DeleteAsync(RepositoryName repository, Reference reference, CancellationToken cancellationToken)
    {
        var target = _connection.UrlOf($"{repository}/manifests/{reference}");
        switch (await _connection.Sender.SendAsync(RegistryConnection.Delete(repository, target), cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                response.Dispose();
                return null;

            case var other:
                return WriteFailures.OfDelete(_connection.FailureOf(other), reference);
        }
    }

    /// <summary>
    /// Deletes a tag and nothing else, also where the registry deletes manifests alone, each with all its tags, as CNCF Distribution 2.8 does: the tag is
    /// moved to a manifest of its own (<see cref="TagStandIn"/>), and that is deleted. Who breaks off in between leaves it there.
    /// </summary>
    /// <returns>Null where it is gone; Missing where it was not there; Unsupported where the registry deletes nothing.</returns>
    public async Task<RemoteFailure?> DeleteTagAsync(RepositoryName repository, Tag tag, CancellationToken cancellationToken)
    {
        var failure = await DeleteAsync(repository, tag, cancellationToken);
        if (failure is not RemoteFailure.Refused { Reason: RefusalReason.Unsupported })
        {
            return failure;
        }

        var standIn = TagStandIn.Of(repository, tag);
        // Nothing is changed at a registry that does not delete manifests either.
        return await DeleteAsync(repository, standIn.Digest, cancellationToken) is { } refused and not RemoteFailure.Missing ? refused
            : await PutConfigAsync(repository, cancellationToken)
                ?? (await SendAsync(repository, tag, standIn, cancellationToken)).Failure
                ?? await DeleteAsync(repository, standIn.Digest, cancellationToken);
    }

    /// <summary>Sends a manifest and no more.</summary>
    /// <returns>Why it was not taken; and whether the registry keeps the list of its subject's referrers.</returns>
    internal async Task<(RemoteFailure? Failure, bool KeepsReferrers)> SendAsync(
        RepositoryName repository, Reference reference, Manifest manifest, CancellationToken cancellationToken)
    {
        var request = _connection.Push(HttpMethod.Put, repository, $"manifests/{reference}") with
        {
            Content = () => ContentOf(manifest),
            AnswerTimeout = _connection.Options.FinishTimeout,
        };
        switch (await _connection.Sender.SendAsync(request, cancellationToken))
        {
            case RemoteAnswer<HttpResponseMessage>.Found(var response):
                using (response)
                {
                    return RegistryConnection.FindDigest(response) is { } named && !named.Matches(manifest.Content.Span)
                        ? (_connection.BadAnswer($"took {manifest.Digest} and says that it is {named}"), false)
                        : (null, response.Headers.NonValidated.Contains("OCI-Subject"));
                }

            case var other:
                return (WriteFailures.Of(_connection.FailureOf(other)), false);
        }
    }

    private async Task<RemoteFailure?> PutConfigAsync(RepositoryName repository, CancellationToken cancellationToken)
    {
        var config = TagStandIn.ConfigDescriptor;
        if (await _registry.HeadBlobAsync(repository, config.Digest, cancellationToken) is RemoteAnswer<BlobSize>.Found)
        {
            return null;
        }

        var answer = await _registry.Uploads.PushAsync(
            repository,
            config,
            (offset, _) => Task.FromResult<Stream>(new MemoryStream(TagStandIn.Config[(int)offset..].ToArray())),
            _registry.StartTransfer(TransferPriority.Sync),
            begun: null,
            _ => { },
            cancellationToken);
        return (answer as RemoteAnswer<PushedBlob>.Failed)?.Failure;
    }

    private static ReadOnlyMemoryContent ContentOf(Manifest manifest)
    {
        var content = new ReadOnlyMemoryContent(manifest.Content);
        content.Headers.TryAddWithoutValidation("Content-Type", manifest.MediaType);
        return content;
    }
}
