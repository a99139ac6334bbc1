using Mirror.Local;
using Mirror.Oci;

namespace Mirror.Adoption;

/// <summary>What came of it all.</summary>
/// <param name="Repositories">Their names here.</param>
/// <param name="Found">The blobs that the repositories have, and how many bytes those are.</param>
/// <param name="Blobs">What came of them; in a dry run, only what is here already.</param>
internal sealed record AdoptionResult(IReadOnlyList<RepositoryName> Repositories, (long Count, long Bytes) Found, AdoptedBlobs Blobs);

/// <summary>
/// Takes over the content of another registry's data directory, each repository in the order of a push: blobs, then images, then the indexes of
/// them, each with its tags. It has as many threads as there are processors: computing digests is most of the work. Broken off anywhere, what was
/// taken over stays, and doing it again goes on from there.
/// </summary>
/// <param name="source">The other registry's directory.</param>
/// <param name="own">Gets all of it.</param>
/// <param name="prefix">What stands before all names here; null for the names that they have.</param>
/// <param name="movesTags">Whether tags that are here and point elsewhere come to point to what they do there.</param>
/// <param name="tell">Is told what is done; by several threads at once.</param>
internal sealed class RegistryAdoption(
    DistributionFolder source, LocalRepositories own, RepositoryName? prefix, bool movesTags, Action<AdoptionNews> tell)
{
    /// <summary>Says what would be done. Blobs are not read, so what is damaged is not known.</summary>
    public AdoptionResult Plan()
    {
        var (repositories, blobs) = Survey();
        foreach (var (name, repository) in repositories)
        {
            var manifests = repository.ListManifests().ToHashSet();
            tell(new AdoptionNews(Repository: new AdoptedRepository(
                $"{name}",
                repository.ListTags().Count(tag => manifests.Contains(tag.Manifest)),
                manifests.Count,
                manifests.Count(digest => !own.HasManifest(name, digest)))));
        }

        var here = blobs.Where(blob => own.IsHere(blob.Key)).ToList();
        return new AdoptionResult(
            [.. repositories.Select(repository => repository.Name)],
            (blobs.Count, blobs.Values.Sum()),
            new AdoptedBlobs(0, 0, 0, 0, here.Count, here.Sum(blob => blob.Value)));
    }

    /// <exception cref="IOException">Our disk is full.</exception>
    /// <exception cref="OperationCanceledException">It was broken off.</exception>
    public async Task<AdoptionResult> RunAsync(CancellationToken cancellationToken)
    {
        var (repositories, found) = Survey();
        var total = (Count: (long)found.Count, Bytes: found.Values.Sum());
        var blobs = new BlobAdoption(source, own, total, tell);
        await Parallel.ForEachAsync(
            StepsOf(repositories),
            new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = cancellationToken },
            async (step, ended) =>
            {
                var (repository, blob) = step;
                if (blob is var (digest, keptAs))
                {
                    await blobs.AdoptAsync(repository.Name, digest, keptAs, ended);
                }

                if (repository.IsLastStep())
                {
                    var manifests = new ManifestAdoption(source, repository.Source, repository.Name, own, movesTags, blobs.Bad, tell);
                    tell(new AdoptionNews(Repository: await manifests.RunAsync(ended)));
                }
            });
        return new AdoptionResult([.. repositories.Select(repository => repository.Name)], total, blobs.Done);
    }

    /// <summary>The blobs of all repositories, and behind those of each a step without one.</summary>
    private static IEnumerable<(Repository, (Digest Blob, Digest KeptAs)?)> StepsOf(
        IEnumerable<(RepositoryName Name, DistributionRepository Source)> repositories)
    {
        foreach (var (name, source) in repositories)
        {
            var repository = new Repository(name, source);
            foreach (var blob in source.ListBlobs())
            {
                repository.AddStep();
                yield return (repository, blob);
            }

            yield return (repository, null);
        }
    }

    /// <summary>
    /// Goes through all of it once and names what is left out because of its place or name; the repositories that it answers with do so no more.
    /// </summary>
    private (List<(RepositoryName Name, DistributionRepository Source)> Repositories, Dictionary<Digest, long> Blobs) Survey()
    {
        var repositories = new List<(RepositoryName, DistributionRepository)>();
        var blobs = new Dictionary<Digest, long>();
        foreach (var repository in source.ListRepositories())
        {
            if (FindName(repository.Name) is not { } name)
            {
                tell(new AdoptionNews(LeftOut: new LeftOut($"{repository.Name}", $"with {prefix}/ before it, the name is too long")));
                continue;
            }

            foreach (var (digest, keptAs) in repository.ListBlobs())
            {
                if (FindSize(keptAs) is { } size)
                {
                    blobs[digest] = size;
                }
            }

            // For what they leave out.
            _ = repository.ListManifests().Count() + repository.ListTags().Count();
            repositories.Add((name, repository.Silent()));
        }

        return (repositories, blobs);
    }

    private RepositoryName? FindName(RepositoryName name) =>
        prefix is null ? name : RepositoryName.TryParse($"{prefix}/{name}", out var behind) ? behind : null;

    private long? FindSize(Digest digest)
    {
        try
        {
            return source.FindFile(digest)?.Length;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is named when it is to be taken over.
            return null;
        }
    }

    /// <summary>A repository whose blobs are being taken over by several threads; the one that ends last goes on with the manifests.</summary>
    private sealed class Repository(RepositoryName name, DistributionRepository source)
    {
        /// <summary>The one without a blob is there from the beginning.</summary>
        private int _steps = 1;

        public RepositoryName Name => name;

        public DistributionRepository Source => source;

        public void AddStep() => Interlocked.Increment(ref _steps);

        public bool IsLastStep() => Interlocked.Decrement(ref _steps) == 0;
    }
}
