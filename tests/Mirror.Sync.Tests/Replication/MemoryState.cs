using Mirror.Oci;
using Mirror.Sync.State;

namespace Mirror.Sync.Tests.Replication;

/// <summary>What is remembered as long as the test runs.</summary>
internal sealed class MemoryState : ISyncState
{
    private readonly Lock _gate = new();
    private readonly Dictionary<(string, RepositoryName, Tag), TagState> _tags = [];
    private readonly Dictionary<(string, Digest), UploadState> _uploads = [];
    private readonly Dictionary<string, DateTimeOffset> _verified = [];
    private readonly Dictionary<(string, Digest), RepositoryName> _places = [];
    private readonly List<SyncRun> _runs = [];

    public IReadOnlyCollection<UploadState> Uploads => Locked(() => _uploads.Values.ToList());

    public TagState? FindTag(string job, RepositoryName repository, Tag tag) => Locked(() => _tags.GetValueOrDefault((job, repository, tag)));

    public IReadOnlyList<TagState> ListTags(string job, RepositoryName repository) => Locked(() => _tags.Values
        .Where(tag => tag.Job == job && tag.Repository == repository)
        .OrderBy(tag => tag.Tag.ToString(), StringComparer.Ordinal)
        .ToList());

    public IReadOnlyList<RepositoryName> ListRepositories(string job) =>
        Locked(() => _tags.Values.Where(tag => tag.Job == job).Select(tag => tag.Repository).Distinct().ToList());

    public void Save(TagState tag) => Locked(() => _tags[(tag.Job, tag.Repository, tag.Tag)] = tag);

    public void RemoveTag(string job, RepositoryName repository, Tag tag) => Locked(() => _tags.Remove((job, repository, tag)));

    public SyncRun Begin(SyncRun run) => Locked(() =>
    {
        _runs.Add(run with { Id = _runs.Count + 1 });
        return _runs[^1];
    });

    public void Save(SyncRun run) => Locked(() => _runs[(int)run.Id - 1] = run);

    public IReadOnlyList<SyncRun> ListRuns(string? job, int count) =>
        Locked(() => _runs.Where(run => job is null || run.Job == job).Reverse().Take(count).ToList());

    public DateTimeOffset? FindVerified(string job) => Locked(() => _verified.TryGetValue(job, out var at) ? at : (DateTimeOffset?)null);

    public void SaveVerified(string job, DateTimeOffset at) => Locked(() => _verified[job] = at);

    public UploadState? FindUpload(string registry, Digest digest) => Locked(() => _uploads.GetValueOrDefault((registry, digest)));

    public void Save(UploadState upload) => Locked(() => _uploads[(upload.Registry, upload.Digest)] = upload);

    public void RemoveUpload(string registry, Digest digest) => Locked(() => _uploads.Remove((registry, digest)));

    public RepositoryName? FindPlace(string registry, Digest digest) =>
        Locked(() => _places.TryGetValue((registry, digest), out var place) ? place : (RepositoryName?)null);

    public void SavePlace(string registry, Digest digest, RepositoryName repository) =>
        Locked(() => _places[(registry, digest)] = repository);

    public void RemovePlace(string registry, Digest digest, RepositoryName repository) =>
        Locked(() => FindPlace(registry, digest) == repository && _places.Remove((registry, digest)));

    public void Dispose()
    {
    }

    private T Locked<T>(Func<T> access)
    {
        lock (_gate)
        {
            return access();
        }
    }
}
