using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;
using Mirror.Oci;

namespace Mirror.Commands;

/// <summary><c>mirror rm</c>: tags and manifests are taken out of repositories.</summary>
public static class RemoveCommand
{
    private const int NamedTags = 20;

    public static Command Create()
    {
        var images = ImageArgument.Create("What to remove: name:tag or name@digest; with --all, name.");
        var all = new Option<bool>("--all") { Description = "Remove whole repositories, with all tags, manifests and blobs." };
        var json = StoreCommand.Json();
        var remove = new DetailedCommand(
            "rm",
            "Remove tags and manifests, pushed or cached.",
            """
            name:tag removes the tag. Of an image that was pushed here, the manifest stays under its digest. What is
            cached of another registry goes with its last tag, unless an index that is here refers to it.
            name@digest removes the manifest, and all tags that point to it.
            --all removes all of the repositories that are named.

            It is no longer found here from then on; who is reading it reads on. What is cached is pulled anew by the next who
            asks for it, and `mirror refresh` brings a tag back. What was pushed here is gone.
            Names are removed, not bytes: those leave the disk when they are collected, if nothing else refers to them.

            An IMAGE is named as for a client: team/app:1, alpine:3.20, ghcr.io/org/app:1.2, app@sha256:…
            What is not our own and names no configured registry is the default registry's.

            Exits with 0 if all were removed, 3 if only some were, and 1 if none was.
            """)
        { images, all, json };
        remove.Validators.Add(result =>
        {
            if (result.Errors.Any())
            {
                return;
            }

            var whole = result.GetValue(all);
            foreach (var text in result.GetValue(images) ?? [])
            {
                if (ImageName.TryParse(text, out var image) && image.SaysReference == whole)
                {
                    result.AddError(whole
                        ? $"{Printable.Quote(text)} says a tag or digest: with --all, name repositories alone."
                        : $"{Printable.Quote(text)} says neither tag nor digest: write {text}:latest, or --all for the whole repository.");
                }
            }
        });
        remove.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => RemoveAsync(
                client,
                new RemoveRequest(invocation.GetValue(images), invocation.GetValue(all)),
                invocation.InvocationConfiguration,
                invocation.GetValue(json),
                stopping),
            stopping));
        return remove;
    }

    private static async Task<int> RemoveAsync(
        AdministrationClient client, RemoveRequest request, InvocationConfiguration streams, bool asJson, CancellationToken stopping)
    {
        var list = new JsonList<RemovedImage>(streams.Output, Messages.Json.RemovedImage);
        var (removed, failed) = (0, 0);
        await (asJson ? list.FillAsync(AskAsync) : AskAsync());
        return failed == 0 ? ExitCode.Done : removed > 0 ? ExitCode.Partly : ExitCode.Failed;

        async Task AskAsync()
        {
            await foreach (var image in client.RemoveAsync(request, stopping))
            {
                if (image.Error is not null)
                {
                    failed++;
                    await streams.Error.WriteLineAsync($"mirror: {image.Name ?? image.Image}: {Printable.Sentence(image.Error)}");
                }
                else
                {
                    removed++;
                }

                if (asJson)
                {
                    await list.AddAsync(image);
                }
                else if (image.Error is null)
                {
                    await streams.Output.WriteLineAsync($"{image.Name}: {Text(image)}");
                }
            }
        }
    }

    private static string Text(RemovedImage image) => image.Digest is null
        ? $"removed, with {Count(image.Tags.Count, "tag")} and {Count(image.Manifests, "manifest")}"
        : image.Name!.EndsWith(image.Digest, StringComparison.Ordinal)
            ? $"removed{Tags(image.Tags)}"
            : $"removed, it was {image.Digest}{(image.Manifests > 0 ? ", which is gone too" : "")}";

    private static string Tags(IReadOnlyList<string> tags) => tags.Count switch
    {
        0 => "",
        <= NamedTags => $", with {(tags.Count == 1 ? "the tag" : "the tags")} {string.Join(", ", tags)}",
        _ => $", with {tags.Count} tags",
    };

    private static string Count(int count, string noun) => count == 1 ? $"1 {noun}" : $"{count} {noun}s";
}
