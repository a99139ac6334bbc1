using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror images</c>: what is cached.</summary>
public static class ImagesCommand
{
    private const int MaxPattern = 500;
    private const int ShortDigest = 19;    // sha256: and twelve digits

    public static Command Create()
    {
        var pattern = new Argument<string?>("PATTERN")
        {
            Description = "Which images: a name, such as alpine or alpine:3.20, or a pattern for full names, such as "
                + "'docker.io/library/*' or '*:3.20', in which * is any text and ? one character.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        pattern.Validators.Add(result =>
        {
            if (result.Tokens is [{ Value.Length: > MaxPattern }])
            {
                result.AddError($"A pattern has at most {MaxPattern} characters: no name is longer.");
            }
        });
        var json = StoreCommand.Json();
        var images = new DetailedCommand(
            "images",
            "List the cached tags.",
            """
            Shows what each points to, the platforms of which something is here, how much is here of how much, whether the
            image is complete, and when upstream was last asked. Of an index, SIZE is that of the images whose manifests are
            here, and it is complete when one of them is.

            Exits with 0, also where there is none, and 1 if the store can not be read.
            """)
        { pattern, json };
        images.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => ListAsync(
                client, invocation.GetValue(pattern), invocation.InvocationConfiguration.Output, invocation.GetValue(json), stopping),
            stopping));
        return images;
    }

    private static async Task<int> ListAsync(
        AdministrationClient client, string? pattern, TextWriter output, bool asJson, CancellationToken stopping)
    {
        var images = client.ImagesAsync(pattern, stopping);
        await (asJson
            ? new JsonList<ListedImage>(output, Messages.Json.ListedImage).AddAllAsync(images)
            : WriteTextAsync(images, NoneText(pattern, client.DataPath), output));
        return ExitCode.Done;
    }

    private static async Task WriteTextAsync(IAsyncEnumerable<ListedImage> images, string none, TextWriter output)
    {
        TextTable? table = null;
        await foreach (var image in images)
        {
            table ??= new TextTable(
                output,
                new Column("IMAGE"),
                new Column("DIGEST"),
                new Column("PLATFORMS"),
                new Column("HERE", IsNumber: true),
                new Column("SIZE", IsNumber: true),
                new Column("COMPLETE"),
                new Column("CHECKED (UTC)"));
            // What a server says, and an upstream has written into manifests, is made fit for a terminal.
            await table.AddAsync(
                Printable.Sentence(image.Image),
                Printable.Of(image.Digest[..Math.Min(ShortDigest, image.Digest.Length)]),
                Kind(image),
                Bytes.Human(image.BytesHere),
                Bytes.Human(image.Bytes),
                image.Complete ? "yes" : "no",
                $"{image.CheckedAt.UtcDateTime:yyyy-MM-dd HH:mm}");
        }

        await (table?.FlushAsync() ?? output.WriteLineAsync(none));
    }

    /// <summary>The data directory is said: another may have been meant.</summary>
    private static string NoneText(string? pattern, string dataPath) => pattern is null
        ? $"No image is cached in {dataPath}."
        : $"No image that is cached in {dataPath} matches {Printable.Quote(pattern)}: `mirror images` without a pattern lists all.";

    private static string Kind(ListedImage image)
    {
        var kind = Printable.Of(image.Platforms.Count > 0 ? string.Join(',', image.Platforms) : image.Type ?? "-");
        return image.Manifests == 0 ? kind : $"{kind} ({image.ManifestsHere} of {image.Manifests})";
    }
}
