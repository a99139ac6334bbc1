using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Mirror.Demo;

/// <summary>What a pull, or several at once, cost. Bytes are of manifests and blobs, without headers.</summary>
internal sealed record DemoMeasurement(
    string Pull,
    string Image,
    int Clients,
    double Milliseconds,
    long ReceivedBytes,
    long UpstreamSentBytes,
    int UpstreamRequests,
    int UpstreamRequestsPerBlob);

/// <summary>The demonstration's outcome: that every pull was right is why there is one.</summary>
internal sealed record DemoReport(IReadOnlyList<DemoMeasurement> Pulls)
{
    public string ToJson() => JsonSerializer.Serialize(this, DemoJson.Default.DemoReport);

    /// <summary>The table, and below it what it shows.</summary>
    public string ToText()
    {
        var text = new StringBuilder();
        AddRow(text, "pull", "time", "clients received", "upstream sent", "upstream requests");
        foreach (var pull in Pulls)
        {
            var (received, sent) = (Size(pull.ReceivedBytes), Size(pull.UpstreamSentBytes));
            AddRow(text, pull.Pull, $"{pull.Milliseconds:F0} ms", received, sent, $"{pull.UpstreamRequests}");
        }

        var most = Pulls.Max(pull => pull.UpstreamRequestsPerBlob);
        return text
            .AppendLine()
            .Append($"{Pulls.Sum(pull => pull.Clients)} pulls, every digest verified: ")
            .Append($"clients received {Size(Pulls.Sum(pull => pull.ReceivedBytes))}, ")
            .Append($"upstream sent {Size(Pulls.Sum(pull => pull.UpstreamSentBytes))} ")
            .AppendLine($"and was asked for no blob more than {(most == 1 ? "once" : $"{most} times")}.")
            .AppendLine("The last pull was complete although upstream had stopped. No network was used: the times are this machine's own.")
            .ToString();
    }

    private static void AddRow(StringBuilder text, string pull, string time, string received, string sent, string requests) =>
        text.AppendLine($"{pull,-20}{time,10}{received,18}{sent,15}{requests,19}");

    private static string Size(long bytes) => $"{bytes / (1024.0 * 1024.0):F1} MiB";
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true)]
[JsonSerializable(typeof(DemoReport))]
internal sealed partial class DemoJson : JsonSerializerContext;
