using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror refresh</c>: upstream is asked about tags now.</summary>
public static class RefreshCommand
{
    public static Command Create()
    {
        var images = ImageArgument.Create("Which tag to ask about: name or name:tag.");
        images.Validators.Add(result =>
        {
            foreach (var token in result.Tokens.Where(token => token.Value.Contains('@', StringComparison.Ordinal)))
            {
                result.AddError($"'{token.Value}' names a digest, which is always the same: name a tag.");
            }
        });
        var json = StoreCommand.Json();
        var refresh = new DetailedCommand(
            "refresh",
            "Ask upstream now what tags point to.",
            """
            Also about tags that are still fresh, that are declared immutable, or that did not exist a moment ago. Says
            of each whether it is unchanged, has moved, is new here, or is gone. Layers are fetched when somebody wants them.

            An IMAGE is named as for a client: alpine, alpine:3.20, ghcr.io/org/app:1.2, app@sha256:…
            What names no configured registry is the default registry's.

            Exits with 0 if all were answered, 3 if only some were, and 1 if none was.
            """)
        { images, json };
        refresh.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => RefreshAsync(
                client,
                new RefreshRequest(invocation.GetValue(images)),
                invocation.InvocationConfiguration,
                invocation.GetValue(json),
                stopping),
            stopping));
        return refresh;
    }

    private static async Task<int> RefreshAsync(
        AdministrationClient client, RefreshRequest request, InvocationConfiguration streams, bool asJson, CancellationToken stopping)
    {
        var list = new JsonList<RefreshedImage>(streams.Output, Messages.Json.RefreshedImage);
        var (answered, failed) = (0, 0);
        await (asJson ? list.FillAsync(AskAsync) : AskAsync());
        return failed == 0 ? ExitCode.Done : answered > 0 ? ExitCode.Partly : ExitCode.Failed;

        async Task AskAsync()
        {
            await foreach (var image in client.RefreshAsync(request, stopping))
            {
                if (image.Outcome == RefreshOutcome.Failed)
                {
                    failed++;
                    await streams.Error.WriteLineAsync($"mirror: {image.Name ?? image.Image}: {Printable.Sentence(image.Why ?? "")}");
                }
                else
                {
                    answered++;
                }

                if (asJson)
                {
                    await list.AddAsync(image);
                }
                else if (image.Outcome != RefreshOutcome.Failed)
                {
                    await streams.Output.WriteLineAsync($"{image.Name}: {Text(image)}");
                }
            }
        }
    }

    private static string Text(RefreshedImage image) => image.Outcome switch
    {
        RefreshOutcome.Unchanged => $"unchanged, {image.After}",
        RefreshOutcome.Moved => $"moved from {image.Before} to {image.After}",
        RefreshOutcome.New => $"new, {image.After}",
        RefreshOutcome.Gone => image.Before is null ? $"gone: {image.Why}" : $"gone, it was {image.Before}: {image.Why}",
        RefreshOutcome.Failed => image.Why!,
    };
}
