using System.Security.Cryptography.X509Certificates;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>
/// A registry to pull from and to push to: the distribution specification, over plain HTTP, with content that the test puts in and
/// knows the digests of.
/// </summary>
public sealed class FakeRegistry : FakeServer
{
    private readonly Content _content = new();
    private readonly RegistryApi _api;
    private readonly PushApi _pushApi;
    private readonly TokenService _ownTokens;
    private volatile Access _access = Access.Open;

    private FakeRegistry()
    {
        _api = new RegistryApi(_content);
        _pushApi = new PushApi(_content);
        _ownTokens = new TokenService();
    }

    public static async Task<FakeRegistry> StartAsync(X509Certificate2? certificate = null)
    {
        var registry = new FakeRegistry { Certificate = certificate };
        await registry.ListenAsync();
        return registry;
    }

    /// <summary>How it takes what is pushed.</summary>
    public PushOptions Pushing
    {
        get => _pushApi.Options;
        set => _pushApi.Options = value;
    }

    public int UploadsInProgress => _pushApi.UploadsInProgress;

    /// <summary>All uploads in progress are unknown from now on.</summary>
    public void ForgetUploads() => _pushApi.ForgetUploads();

    public TestBlob? FindBlob(RepositoryName repository, Digest digest) => _content.FindBlob(repository, digest);

    public TestBlob? FindManifest(RepositoryName repository, Reference reference) => _content.FindManifest(repository, reference);

    public void Add(RepositoryName repository, TestImage image, params IReadOnlyList<string> tags)
    {
        foreach (var blob in image.Blobs)
        {
            _content.AddBlob(repository, blob);
        }

        AddManifest(repository, image.Manifest, tags);
    }

    public void Add(RepositoryName repository, TestIndex index, params IReadOnlyList<string> tags)
    {
        foreach (var image in index.Images)
        {
            Add(repository, image);
        }

        AddManifest(repository, index.Manifest, tags);
    }

    /// <summary>A manifest alone, without what it refers to; it need not be a valid one.</summary>
    public void AddManifest(RepositoryName repository, TestBlob manifest, params IReadOnlyList<string> tags)
    {
        _content.AddManifest(repository, manifest);
        foreach (var tag in tags)
        {
            Tag(repository, tag, manifest.Digest);
        }
    }

    public void AddBlob(RepositoryName repository, TestBlob blob) => _content.AddBlob(repository, blob);

    public Digest AddBlob(RepositoryName repository, ReadOnlyMemory<byte> content)
    {
        var blob = TestBlob.Of(content);
        AddBlob(repository, blob);
        return blob.Digest;
    }

    /// <summary>Sets or moves a tag.</summary>
    public void Tag(RepositoryName repository, string tag, Digest digest) => _content.Tag(repository, tag, digest);

    public void Untag(RepositoryName repository, string tag) => _content.Untag(repository, tag);

    /// <summary>Takes away a manifest with its tags, or a blob.</summary>
    public void Remove(RepositoryName repository, Digest digest) => _content.Remove(repository, digest);

    public Uri BlobUrl(RepositoryName repository, Digest digest) => new(Url, $"/v2/{repository}/blobs/{digest}");

    public Uri ManifestUrl(RepositoryName repository, string reference) => new(Url, $"/v2/{repository}/manifests/{reference}");

    /// <summary>Everybody may read everything; this is how it starts.</summary>
    public void RequireNothing() => _access = Access.Open;

    /// <param name="user">May read and write everything.</param>
    /// <param name="password">The user's.</param>
    /// <param name="open">What everybody may read.</param>
    public void RequireBasic(string user, string password, params IReadOnlyCollection<RepositoryName> open) =>
        _access = new Access.Basic(user, password, open);

    /// <summary>
    /// The token protocol, with tokens from <c>/token</c> here or from <see cref="TokenOptions.Server"/>. Without a user nobody's
    /// credentials are accepted there.
    /// </summary>
    public void RequireTokens(string? user = null, string? password = null, TokenOptions? options = null)
    {
        options ??= new TokenOptions();
        var tokens = options.Server?.Tokens ?? _ownTokens;
        tokens.Set(user, password, options);
        _access = new Access.Tokens(tokens, options, () => options.Server?.Realm ?? new Uri(Url, TokenService.Path));
    }

    /// <summary>Makes all tokens that were given out invalid.</summary>
    public void ExpireTokens() => (_access as Access.Tokens)?.Service.Expire();

    private protected override Answer? Challenge(RecordedRequest request) => FindTokens(request) is null ? _access.Challenge(request) : null;

    private protected override Answer AnswerTo(RecordedRequest request) =>
        FindTokens(request)?.AnswerTo(request) ?? _pushApi.TryAnswerTo(request) ?? _api.AnswerTo(request, _pushApi.Options.KeepsReferrers);

    private TokenService? FindTokens(RecordedRequest request) =>
        request.Path == TokenService.Path && _access is Access.Tokens { Service: var tokens } && tokens == _ownTokens ? tokens : null;
}
