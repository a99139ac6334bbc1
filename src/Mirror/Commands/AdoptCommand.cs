using System.CommandLine;
using System.Text.Json;
using Mirror.Administration;
using Mirror.Adoption;
using Mirror.Configuration.Reading;
using Mirror.Oci;

namespace Mirror.Commands;

/// <summary><c>mirror adopt</c>: the content of a <c>registry:2</c> is taken over.</summary>
public static class AdoptCommand
{
    private const int NamedRepositories = 10;

    public static Command Create()
    {
        var folder = new Argument<string>("DIR") { Description = "The other registry's root directory, such as /var/lib/registry." };
        var prefix = new Option<string?>("--as")
        {
            Description = "What to put before all names: with team, the repository app is team/app here.",
            HelpName = "PREFIX",
        };
        prefix.Validators.Add(result =>
        {
            if (result.Tokens is [var token] && !RepositoryName.TryParse(token.Value, out _))
            {
                result.AddError($"{Printable.Quote(token.Value)} can not stand before a repository's name: write team or team/old.");
            }
        });
        var moveTags = new Option<bool>("--move-tags")
        {
            Description = "Let tags that are here already and point elsewhere point to what they do there. Without it they stay as they are.",
        };
        var force = new Option<bool>("--force") { Description = "Take over what a pull-through proxy has kept, too, as images of our own." };
        var dry = new Option<bool>("--dry-run") { Description = "Only say what would be done." };
        var json = StoreCommand.Json();
        var adopt = new DetailedCommand(
            "adopt",
            "Take over the images of a registry:2 (CNCF Distribution).",
            """
            DIR has a docker/registry/v2. All repositories in it, with tags, untagged images, signatures and blobs,
            become our own, under the names and digests that they have. Nothing in DIR is changed: its files
            become ours too by hard links where the file system allows that, and are copied elsewhere. A running
            server reads DIR itself, so its user must be allowed to.

            Every digest is computed before anything is taken over. What is damaged, what needs it, and what is not
            supported is named on standard error and left out; DIR keeps it. What was deleted stays deleted.

            It can be broken off and started again: what is here already is not read again. --dry-run reads no
            blobs, so it does not know what is damaged.

            `mirror config adopt` translates the other registry's configuration.

            Exits with 0 if all was taken over, 3 if something was left out, and 1 if nothing could be taken over or it was
            broken off.
            """)
        { folder, prefix, moveTags, force, dry, json };
        adopt.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => AdoptAsync(
                client,
                new AdoptRequest(
                    Path.GetFullPath(invocation.GetRequiredValue(folder)),
                    invocation.GetValue(prefix),
                    invocation.GetValue(moveTags),
                    invocation.GetValue(force),
                    invocation.GetValue(dry)),
                invocation.InvocationConfiguration,
                invocation.GetValue(json),
                stopping),
            stopping));
        return adopt;
    }

    private static async Task<int> AdoptAsync(
        AdministrationClient client, AdoptRequest request, InvocationConfiguration streams, bool asJson, CancellationToken stopping)
    {
        var progress = new ProgressLine(streams.Error);
        var repositories = new List<AdoptedRepository>();
        var leftOut = new List<LeftOut>();
        AdoptedRegistry? registry = null;
        try
        {
            await foreach (var line in client.AdoptAsync(request, stopping))
            {
                registry ??= line.Registry;
                if (line.Progress is { } now)
                {
                    progress.Show(Text(now));
                    continue;
                }

                progress.Clear();
                if (line.LeftOut is { } one)
                {
                    leftOut.Add(one);
                    await streams.Error.WriteLineAsync($"mirror: left out: {Printable.Sentence(one.What)}: {Printable.Sentence(one.Why)}");
                }

                if (line.Repository is { } repository)
                {
                    repositories.Add(repository);
                    if (!asJson)
                    {
                        await streams.Output.WriteLineAsync(Text(repository, request.IsDry));
                    }
                }
            }
        }
        finally
        {
            progress.Clear();
        }

        var done = registry ?? throw new AdministrationException("the server broke off before it had answered all: its log may say why");
        if (asJson)
        {
            var document = new AdoptionReport(done, repositories, leftOut);
            await streams.Output.WriteLineAsync(JsonSerializer.Serialize(document, Messages.Json.AdoptionReport));
        }
        else if (done.Error is null)
        {
            await streams.Output.WriteLineAsync(Text(done, repositories));
        }

        await ComplainAsync(done, streams.Error);
        var isAnythingHere = repositories.Any(repository => repository.Manifests > 0) || done.Blobs is not { Linked: 0, Copied: 0, AlreadyHere: 0 };
        return done.Error is not null || (leftOut.Count > 0 && !isAnythingHere) ? ExitCode.Failed
            : leftOut.Count > 0 ? ExitCode.Partly
            : ExitCode.Done;
    }

    private static string Text(AdoptionProgress now) =>
        $"{Bytes.Human(now.Bytes)} of {Bytes.Human(now.TotalBytes)}; {now.Blobs} of {now.TotalBlobs} blobs done";

    private static string Text(AdoptedRepository repository, bool isDry) =>
        $"{repository.Repository}: {Count(repository.Tags, "tag")}, {Count(repository.Manifests, "manifest")}"
        + (isDry ? $", {repository.New} of them to be taken over" : $", {repository.New} of them new");

    private static string Text(AdoptedRegistry done, List<AdoptedRepository> repositories)
    {
        var sum = $"{Printable.Sentence(done.Path)}: {Count(repositories.Count, "repository", "repositories")}, "
            + $"{Count(repositories.Sum(one => one.Tags), "tag")}, {Count(repositories.Sum(one => one.Manifests), "manifest")}";
        var blobs = done.Blobs;
        return done.DryRun
            ? $"{sum}, {Count(done.Found.Count, "blob")} ({Bytes.Human(done.Found.Bytes)}), {blobs.AlreadyHere} of them already here "
                + $"({Bytes.Human(blobs.AlreadyHereBytes)}); nothing was done"
            : $"{sum}; blobs: {blobs.Linked} linked ({Bytes.Human(blobs.LinkedBytes)}), {blobs.Copied} copied ({Bytes.Human(blobs.CopiedBytes)}), "
                + $"{blobs.AlreadyHere} already here ({Bytes.Human(blobs.AlreadyHereBytes)})";
    }

    private static async Task ComplainAsync(AdoptedRegistry done, TextWriter errors)
    {
        if (done.Error is not null)
        {
            await errors.WriteLineAsync(
                $"mirror: broken off: {Printable.Sentence(done.Error)}; what was taken over stays, and the next time goes on from there");
        }

        if (done.NotLocal.Count > 0)
        {
            await errors.WriteLineAsync($"mirror: not reached yet, because these names are not this registry's own: {Names(done.NotLocal)}. "
                + "In the configuration, write:\n"
                + $"local: [{string.Join(", ", done.Local.Select(pattern => $"\"{pattern}\""))}]");
        }

        if (done.NamedAsRegistries.Count > 0)
        {
            await errors.WriteLineAsync(
                $"mirror: not reached, because their names begin with a configured registry's: {Names(done.NamedAsRegistries)}. Take them over with --as and another name before theirs");
        }
    }

    private static string Names(IReadOnlyList<string> names) =>
        string.Join(", ", names.Take(NamedRepositories)) + (names.Count > NamedRepositories ? $" and {names.Count - NamedRepositories} more" : "");

    private static string Count(long count, string noun, string? nouns = null) => count == 1 ? $"1 {noun}" : $"{count} {nouns ?? noun + "s"}";
}
