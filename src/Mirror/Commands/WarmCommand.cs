using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;
using Mirror.Oci;

namespace Mirror.Commands;

/// <summary><c>mirror warm</c>: whole images are pulled into the cache now.</summary>
public static class WarmCommand
{
    public static Command Create()
    {
        var images = ImageArgument.Create("What to pull: name, name:tag or name@digest.");
        var platforms = new Option<string[]>("--platform")
        {
            Description = "Of an index, only the image for this platform, such as linux/arm64 or linux/arm/v7; may be given several times. "
                + "Default: all.",
            HelpName = "OS/ARCH[/VARIANT]",
        };
        platforms.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => !Platform.TryParse(token.Value, out _)))
            {
                result.AddError($"'{token.Value}' is not a platform: write os/architecture or os/architecture/variant.");
            }
        });
        var json = StoreCommand.Json();
        var warm = new DetailedCommand(
            "warm",
            "Pull whole images into the cache now.",
            """
            Every client then finds all of them here: manifests, configs and all layers that their registry has.
            What is here already, or is being fetched for somebody, is not fetched again.

            An IMAGE is named as for a client: alpine, alpine:3.20, ghcr.io/org/app:1.2, app@sha256:…
            What names no configured registry is the default registry's.

            Exits with 0 if all images are here, 3 if only a part is, and 1 if nothing is.
            """)
        { images, platforms, json };
        warm.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => WarmAsync(
                client,
                new WarmRequest(invocation.GetValue(images), invocation.GetValue(platforms)),
                invocation.InvocationConfiguration,
                invocation.GetValue(json),
                stopping),
            stopping));
        return warm;
    }

    private static async Task<int> WarmAsync(
        AdministrationClient client, WarmRequest request, InvocationConfiguration streams, bool asJson, CancellationToken stopping)
    {
        var list = new JsonList<WarmedImage>(streams.Output, Messages.Json.WarmedImage);
        var progress = new ProgressLine(streams.Error);
        var (done, whole, there) = (0, 0, 0);
        try
        {
            await (asJson ? list.FillAsync(AskAsync) : AskAsync());
        }
        finally
        {
            progress.Clear();
        }

        return whole == done ? ExitCode.Done : there > 0 ? ExitCode.Partly : ExitCode.Failed;

        async Task AskAsync()
        {
            await foreach (var line in client.WarmAsync(request, stopping))
            {
                if (line.Image is not { } image)
                {
                    progress.Show(Text(line.Progress!, done, request.Images!.Count));
                    continue;
                }

                done++;
                whole += image.IsWhole ? 1 : 0;
                there += image.IsThere ? 1 : 0;
                progress.Clear();
                await ComplainAsync(image, streams.Error);
                if (asJson)
                {
                    await list.AddAsync(image);
                }
                else if (image.Error is null)
                {
                    await streams.Output.WriteLineAsync(Text(image));
                }
            }
        }
    }

    private static string Text(WarmProgress progress, int done, int images) =>
        $"{progress.Image}: {Bytes.Human(progress.Bytes)} of {Bytes.Human(progress.TotalBytes)}; {done} of {images} images done";

    private static string Text(WarmedImage image) =>
        $"{image.Name}: {(image.IsWhole ? "complete" : "incomplete")}; "
        + $"{image.Fetched.Count} blobs fetched ({Bytes.Human(image.Fetched.Bytes)}), "
        + $"{image.AlreadyHere.Count} already here ({Bytes.Human(image.AlreadyHere.Bytes)})"
        + (image.Stale ? "; upstream could not be asked: this is what the tag last was" : "");

    private static async Task ComplainAsync(WarmedImage image, TextWriter errors)
    {
        if (image.Error is not null)
        {
            await errors.WriteLineAsync($"mirror: {image.Name ?? image.Image}: {Printable.Sentence(image.Error)}");
        }

        foreach (var failed in image.Failed)
        {
            await errors.WriteLineAsync($"mirror: {image.Name}: incomplete: {failed.Digest}: {Printable.Sentence(failed.Why)}");
        }
    }
}
