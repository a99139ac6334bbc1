using Microsoft.Extensions.Logging.Abstractions;
using Mirror.Configuration;

namespace Mirror.Demo;

/// <summary>An upstream, a mirror of it and clients, all in this process, and what their pulls cost.</summary>
internal sealed class Demonstration
{
    private const int Crowd = 8;

    private readonly DemoUpstream _upstream;
    private readonly MirrorServer _mirror;
    private readonly TextWriter _progress;
    private readonly TimeProvider _time;
    private readonly List<DemoMeasurement> _pulls = [];

    private Demonstration(DemoUpstream upstream, MirrorServer mirror, TextWriter progress, TimeProvider time) =>
        (_upstream, _mirror, _progress, _time) = (upstream, mirror, progress, time);

    /// <param name="folder">For the mirror's data.</param>
    /// <param name="progress">Gets a line for each thing that is begun.</param>
    /// <param name="time">The clock.</param>
    /// <param name="stopping">Ends it early.</param>
    /// <exception cref="DemoPullException">A pull was wrong.</exception>
    public static async Task<DemoReport> RunAsync(string folder, TextWriter progress, TimeProvider time, CancellationToken stopping)
    {
        await progress.WriteLineAsync($"Making two images of {DemoImage.Layers} layers");
        var one = await Task.Run(() => DemoImage.Create("library/one", seed: 1, stopping), stopping);
        var other = await Task.Run(() => DemoImage.Create("library/other", seed: 2, stopping), stopping);

        await using var upstream = await DemoUpstream.StartAsync([one, other], stopping);
        var configuration = new MirrorConfiguration
        {
            Server = new ServerOptions { Listen = [ListenAddress.Parse("127.0.0.1:0")] },
            Storage = new StorageOptions { Path = folder },
            Registries = [new RegistryOptions { Name = RegistryOptions.DockerHub, Url = upstream.Url, Default = true }],
        };
        await using var mirror = await MirrorServer.StartAsync(configuration, NullLoggerFactory.Instance, time);
        await progress.WriteLineAsync($"An upstream registry listens on {upstream.Url}, a mirror of it on {mirror.Addresses[0]}");

        return await new Demonstration(upstream, mirror, progress, time).PullAsync(one, other, stopping);
    }

    private async Task<DemoReport> PullAsync(DemoImage one, DemoImage other, CancellationToken stopping)
    {
        await MeasureAsync("cold", one, clients: 1, stopping);
        await MeasureAsync("warm", one, clients: 1, stopping);
        await MeasureAsync($"{Crowd} clients, cold", other, Crowd, stopping);
        await _upstream.StopAsync();
        await MeasureAsync("upstream stopped", one, clients: 1, stopping);
        return new DemoReport(_pulls);
    }

    private async Task MeasureAsync(string name, DemoImage image, int clients, CancellationToken stopping)
    {
        await _progress.WriteLineAsync($"Pulling {image}: {name}");
        var pulls = Enumerable.Range(0, clients).Select(_ => new DemoPull(_mirror.Addresses[0], _time)).ToList();
        try
        {
            var started = _time.GetTimestamp();
            var received = await Task.WhenAll(pulls.Select(pull => pull.RunAsync(image, stopping)));
            var elapsed = _time.GetElapsedTime(started);
            var (requests, requestsPerBlob, sent) = _upstream.TakeCounts();
            _pulls.Add(new DemoMeasurement(
                name, image.ToString(), clients, elapsed.TotalMilliseconds, received.Sum(), sent, requests, requestsPerBlob));
        }
        finally
        {
            pulls.ForEach(pull => pull.Dispose());
        }
    }
}
