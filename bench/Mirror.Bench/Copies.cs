using System.Diagnostics;
using System.Globalization;
using Mirror.Bench.Clients;
using Mirror.Bench.Servers;

namespace Mirror.Bench;

/// <summary>A registry with repositories of many tags, which are copied to another: by Mirror's job, and by skopeo sync.</summary>
/// <param name="folder">For its files.</param>
/// <param name="repositories">How many there are.</param>
/// <param name="tags">How many each has. Its images share two layers.</param>
internal sealed class Copies(string folder, int repositories, int tags) : IDisposable
{
    private readonly RegistryServer _source = new("source", Path.Combine(folder, "source"), upstream: null) { CountsRequests = true };
    private int _number;

    /// <summary>Who copies.</summary>
    public static string Mirror => "Mirror";

    public static string Skopeo => "skopeo sync";

    private IEnumerable<string> Repositories => Enumerable.Range(0, repositories).Select(i => string.Create(CultureInfo.InvariantCulture, $"r{i}"));

    public void Start(CancellationToken stopping)
    {
        _source.Start(workingDirectory: null, stopping);
        var random = new Random(1);
        foreach (var repository in Repositories)
        {
            byte[][] shared = [Layer(1_000_000), Layer(1_000_000)];
            var images = Enumerable.Range(0, tags).Select(i => Image.Of([.. shared, Layer(50_000)], $"{repository}.{i}")).ToList();
            PushClient.PushImages(_source.Address, repository, images, clients: 4, stopping);
        }

        byte[] Layer(int size)
        {
            var layer = new byte[size];
            random.NextBytes(layer);
            return layer;
        }
    }

    /// <summary>
    /// Copies everything to a new registry; then once more, when there is nothing to be copied any more; and once again where all tags are declared
    /// immutable, which only Mirror can be told.
    /// </summary>
    /// <param name="who"><see cref="Mirror"/> or <see cref="Skopeo"/>.</param>
    /// <param name="stopping">Ends it.</param>
    public (Copied First, Copied Again, Copied Immutable) Copy(string who, CancellationToken stopping)
    {
        var work = Path.Combine(folder, $"{_number++}");
        using var target = new RegistryServer("target", Path.Combine(work, "target"), upstream: null) { CountsRequests = true };
        target.Start(workingDirectory: null, stopping);
        var (program, arguments) = who == Mirror ? MirrorCommand(work, target, "") : SkopeoCommand(work, target);
        var first = Run(program, arguments, target, stopping);
        var again = Run(program, arguments, target, stopping);
        (program, arguments) = who == Mirror ? MirrorCommand(work, target, ", immutableTags: [\"*\"]") : (program, arguments);
        var settled = Run(program, arguments, target, stopping);
        Check(target);
        target.Stop();
        Directory.Delete(work, recursive: true);
        return (first, again, settled);
    }

    public void Dispose() => _source.Dispose();

    private (string Program, string[] Arguments) MirrorCommand(string work, RegistryServer target, string options)
    {
        var file = Path.Combine(work, "mirror.yml");
        File.WriteAllText(file, $$"""
            storage: { path: {{work}}/data }
            registries:
              source: { url: "http://{{_source.Address}}", pullThrough: false{{options}} }
              target: { url: "http://{{target.Address}}", pullThrough: false }
            sync: { jobs: { all: { from: source, to: target, repositories: [{{string.Join(", ", Repositories)}}] } } }
            """);
        return (MirrorServer.FindProgram(), ["sync", "run", "all", "--config", file]);
    }

    private (string Program, string[] Arguments) SkopeoCommand(string work, RegistryServer target)
    {
        var file = Path.Combine(work, "skopeo.yml");
        File.WriteAllText(file, $$"""
            "{{_source.Address}}":
              tls-verify: false
              images: { {{string.Join(", ", Repositories.Select(repository => $"{repository}: []"))}} }
            """);
        return ("skopeo",
        [
            "--insecure-policy", "sync", "--src", "yaml", "--dest", "docker", "--all", "--preserve-digests", "--dest-tls-verify=false",
            file, $"{target.Address}",
        ]);
    }

    private Copied Run(string program, string[] arguments, RegistryServer target, CancellationToken stopping)
    {
        var (source, sent) = (_source.Counted(), target.Counted());
        var info = new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        var started = Stopwatch.GetTimestamp();
        using var process = Process.Start(info)!;
        using var registration = stopping.Register(process.Kill);
        var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
        var error = process.StandardError.ReadToEndAsync(CancellationToken.None);
        process.WaitForExit();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{program} ended with {process.ExitCode}: {output.Result}{error.Result}");
        }

        var (asked, put) = (_source.Counted(), target.Counted());
        return new Copied(seconds, asked.Requests - source.Requests, put.Requests - sent.Requests, asked.Bytes - source.Bytes);
    }

    /// <summary>What was measured has copied everything.</summary>
    private void Check(RegistryServer target)
    {
        using var http = new HttpClient();
        foreach (var repository in Repositories)
        {
            var path = $"/v2/{repository}/manifests/{string.Create(CultureInfo.InvariantCulture, $"t{tags - 1}")}";
            if (Fetch(http, target, path) != Fetch(http, _source, path))
            {
                throw new InvalidDataException($"{path} was not copied");
            }
        }
    }

    private static string Fetch(HttpClient http, RegistryServer registry, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"http://{registry.Address}{path}") { Headers = { { "Accept", Image.ManifestType } } };
        using var answer = http.Send(request);
        answer.EnsureSuccessStatusCode();
        using var reader = new StreamReader(answer.Content.ReadAsStream());
        return reader.ReadToEnd();
    }
}

/// <param name="Seconds">From starting the program to its end.</param>
/// <param name="SourceRequests">How often the source was asked.</param>
/// <param name="TargetRequests">The same of the target.</param>
/// <param name="Bytes">What the source has sent.</param>
internal sealed record Copied(double Seconds, int SourceRequests, int TargetRequests, long Bytes);
