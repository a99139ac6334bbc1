using System.CommandLine;
using System.Text.Json;
using Mirror.Administration;
using Mirror.Caching;

namespace Mirror.Commands;

/// <summary><c>mirror usage</c>: what takes how much room.</summary>
public static class UsageCommand
{
    public static Command Create()
    {
        var json = StoreCommand.Json();
        var usage = new DetailedCommand(
            "usage",
            "Show how much room the data directory takes.",
            """
            Shows content by registry, what is being received, the database, and what is left of the disk. Content that
            several registries have given is stored once; the total counts it once.

            Exits with 0, and 1 if the store can not be read.
            """)
        { json };
        usage.SetAction((invocation, stopping) => StoreCommand.RunAsync(
            invocation,
            client => ShowAsync(client, invocation.InvocationConfiguration.Output, invocation.GetValue(json), stopping),
            stopping));
        return usage;
    }

    private static async Task<int> ShowAsync(AdministrationClient client, TextWriter output, bool asJson, CancellationToken stopping)
    {
        var usage = await client.GetUsageAsync(stopping);
        if (asJson)
        {
            await output.WriteLineAsync(JsonSerializer.Serialize(usage, Messages.Json.StoreUsage));
            return ExitCode.Done;
        }

        var content = new TextTable(
            output,
            new Column("REGISTRY"),
            new Column("MANIFESTS", IsNumber: true),
            new Column("SIZE", IsNumber: true),
            new Column("BLOBS", IsNumber: true),
            new Column("SIZE", IsNumber: true));
        foreach (var registry in usage.Registries)
        {
            await AddAsync(content, registry.Registry, registry.Manifests, registry.Blobs);
        }

        await AddAsync(content, "total", usage.Manifests, usage.Blobs);
        await content.FlushAsync();
        await output.WriteLineAsync();

        var rest = new TextTable(output, new Column(usage.DataPath), new Column("SIZE", IsNumber: true));
        await rest.AddAsync("content", Bytes.Human(usage.Manifests.Bytes + usage.Blobs.Bytes));
        await rest.AddAsync($"staged, in {usage.Staged.Count} files", Bytes.Human(usage.Staged.Bytes));
        await rest.AddAsync("database", Bytes.Human(usage.DatabaseBytes));
        await rest.AddAsync("free on the disk", usage.FreeBytes is { } free ? Bytes.Human(free) : "unknown");
        await rest.FlushAsync();
        return ExitCode.Done;
    }

    private static Task AddAsync(TextTable table, string name, ContentCount manifests, ContentCount blobs) =>
        table.AddAsync(name, $"{manifests.Count}", Bytes.Human(manifests.Bytes), $"{blobs.Count}", Bytes.Human(blobs.Bytes));
}
