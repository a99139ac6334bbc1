using System.Data.Common;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Mirror.Adoption;
using Mirror.Caching;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Registry;

namespace Mirror.Administration;

/// <summary>Takes over another registry's data directory, and tells how it goes.</summary>
internal sealed class RegistryAdopting(Doors doors, LocalRepositories own)
{
    /// <summary>Reads the request, and looks whether there is anything of the kind that it says.</summary>
    /// <param name="request">What is to be done.</param>
    /// <param name="adoption">Does it, line by line.</param>
    /// <param name="fault">Why it can not be.</param>
    public bool TryBegin(
        AdoptRequest request,
        [NotNullWhen(true)] out Func<CancellationToken, IAsyncEnumerable<AdoptLine>>? adoption,
        [NotNullWhen(false)] out string? fault)
    {
        adoption = null;
        var path = request.Path ?? "";
        RepositoryName? prefix = RepositoryName.TryParse(request.Prefix ?? "", out var parsed) ? parsed : null;
        // Nobody is slowed down by what nobody reads: what is told is small.
        var news = Channel.CreateUnbounded<AdoptLine>();
        var source = Path.IsPathFullyQualified(path)
            ? DistributionFolder.Find(path, leftOut => Tell(news, new AdoptionNews(LeftOut: leftOut)))
            : null;
        fault = request.Prefix is not null && prefix is null
                ? $"'{request.Prefix}' can not stand before a repository's name: write team or team/old"
            : source is null && !Path.Exists(path) ? $"{path} does not exist, or the user who runs the server may not look at it"
            : source is null ? $"{path} is not the data directory of a registry: there is no docker/registry/v2 in it that may be read"
            : source.IsCache && !request.TakesCache
                ? $"{path} is what a pull-through proxy keeps of another registry (it has a scheduler-state.json): that needs no moving, "
                + "because Mirror fetches it again when it is asked for. --force takes it over as images of our own"
            : null;
        if (fault is not null)
        {
            return false;
        }

        var registry = new RegistryAdoption(source!, own, prefix, request.MovesTags, told => Tell(news, told));
        adoption = cancellationToken => RunAsync(path, registry, request.IsDry, news, cancellationToken);
        return true;
    }

    /// <summary>Of the progress only the latest counts: where something else waits to be read, there is no need to tell it.</summary>
    private static void Tell(Channel<AdoptLine> news, AdoptionNews told)
    {
        if (told.Progress is null || news.Reader.Count == 0)
        {
            news.Writer.TryWrite(new AdoptLine(told.Progress, told.LeftOut, told.Repository, Registry: null));
        }
    }

    private async IAsyncEnumerable<AdoptLine> RunAsync(
        string path, RegistryAdoption registry, bool isDry, Channel<AdoptLine> news, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var running = Task.Run(
            async () =>
            {
                try
                {
                    return Describe(path, isDry, isDry ? registry.Plan() : await registry.RunAsync(cancellationToken));
                }
                catch (Exception e) when (e is IOException or UnauthorizedAccessException or DbException)
                {
                    return new AdoptedRegistry(path, isDry, ContentCount.None, new AdoptedBlobs(0, 0, 0, 0, 0, 0), [], [], [], e.Message);
                }
                finally
                {
                    news.Writer.Complete();
                }
            },
            CancellationToken.None);
        try
        {
            await foreach (var line in news.Reader.ReadAllAsync(CancellationToken.None))
            {
                yield return line;
            }

            yield return new AdoptLine(Progress: null, LeftOut: null, Repository: null, await running);
        }
        finally
        {
            // Whoever asked may have gone in the middle; nothing of it goes on behind an answer's end.
            await ((Task)running).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private AdoptedRegistry Describe(string path, bool isDry, AdoptionResult result)
    {
        var unreached = result.Repositories.Where(name => !doors.IsOwnAtRoot(name)).ToLookup(name => doors.IsRegistry(name.Components[0]));
        var notLocal = unreached[false].ToList();
        var patterns = doors.Own.Select(pattern => pattern.ToString())
            .Concat(notLocal.Select(name => name.Components is [var first, _, ..] ? $"{first}/**" : $"{name}"))
            .Distinct();
        return new AdoptedRegistry(
            path,
            isDry,
            new ContentCount(result.Found.Count, result.Found.Bytes),
            result.Blobs,
            [.. notLocal.Select(name => $"{name}")],
            [.. unreached[true].Select(name => $"{name}")],
            notLocal.Count == 0 ? [] : [.. patterns],
            Error: null);
    }
}
