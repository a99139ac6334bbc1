using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Mirror.Bench.Clients;

/// <summary>What speaks TLS, with either version of HTTP: <c>h2load</c>, on one thread.</summary>
internal static partial class TlsClient
{
    /// <summary>Asks a number of times with each of some connections, one question at a time.</summary>
    public static (long Answers, double Seconds, long Bytes) Ask(
        IPEndPoint server, string path, bool http2, int connections, int times, CancellationToken stopping) =>
        Run(server, path, http2, stopping, "-c", $"{connections}", "-n", $"{connections * times}");

    /// <summary>Asks for so long, with so many questions under way: over few connections where one can have several.</summary>
    public static (long Answers, double Seconds, long Bytes) Ask(
        IPEndPoint server, string path, bool http2, int atOnce, TimeSpan duration, CancellationToken stopping)
    {
        var connections = http2 ? Math.Max(1, atOnce / 8) : atOnce;
        return Run(server, path, http2, stopping, "-c", $"{connections}", "-m", $"{atOnce / connections}", "-D", $"{duration.TotalSeconds}");
    }

    private static (long Answers, double Seconds, long Bytes) Run(
        IPEndPoint server, string path, bool http2, CancellationToken stopping, params string[] options)
    {
        string[] version = http2 ? [] : ["--h1"];
        var info = new ProcessStartInfo("h2load", [.. version, .. options, "-t", "1", "-H", $"Accept: {Image.ManifestType}", $"https://{server}{path}"])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(info)!;
        using var cancelling = stopping.Register(() => process.Kill());
        var complaint = process.StandardError.ReadToEndAsync(stopping);
        var said = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        stopping.ThrowIfCancellationRequested();
        var (time, requests, protocol, data) = (Finished().Match(said), Requests().Match(said), Protocol().Match(said), Data().Match(said));
        var succeeded = Number(requests, "ok");
        if (!time.Success || !data.Success || succeeded == 0 || Number(requests, "failed") + Number(requests, "errored") > 0
            || protocol.Groups["name"].Value != (http2 ? "h2" : "http/1.1"))
        {
            throw new InvalidDataException($"h2load {string.Join(' ', info.ArgumentList)}:\n{said}{complaint.Result}");
        }

        var unit = time.Groups["unit"].Value switch
        {
            "us" => 1e-6,
            "ms" => 1e-3,
            _ => 1,
        };
        return ((long)succeeded, Number(time, "time") * unit, (long)Number(data, "bytes"));
    }

    private static double Number(Match match, string group) => double.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"finished in (?<time>[0-9.]+)(?<unit>us|ms|s),", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Finished();

    [GeneratedRegex(@"(?<ok>[0-9]+) succeeded, (?<failed>[0-9]+) failed, (?<errored>[0-9]+) errored", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Requests();

    [GeneratedRegex(@"Application protocol: (?<name>\S+)", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Protocol();

    [GeneratedRegex(@"\((?<bytes>[0-9]+)\) data", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex Data();
}
