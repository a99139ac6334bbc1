using Mirror.AcceptanceTests.Images;
using Mirror.AcceptanceTests.Programs;
using Mirror.Oci;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.AcceptanceTests;

/// <summary>
/// Mirror is killed while it copies, five times, or twenty where MIRROR_LONG is set. What the target shows is whole each time, and the next
/// start does the rest.
/// </summary>
public sealed class SyncCrashTests(ITestOutputHelper output) : IAsyncLifetime
{
    private const int MiB = 1024 * 1024;

    /// <summary>
    /// What a kill may cost: what was on its way between the programs, of two blobs at once; and the manifests, which are small here.
    /// </summary>
    private const int TailOfKill = 2 * MiB;

    private static readonly string[] Repositories = ["team/app", "team/tool"];

    private readonly PublishedImage[] _images = Images();
    private DistributionRegistry _source = null!;
    private MirrorProcess _target = null!;
    private Gateway _toSource = null!;
    private Gateway _toTarget = null!;

    private static int Kills => Environment.GetEnvironmentVariable("MIRROR_LONG") is null ? 5 : 20;

    private long DistinctBytes => _images.SelectMany(image => image.Blobs).DistinctBy(blob => blob.Digest).Sum(blob => blob.Size);

    public async Task InitializeAsync()
    {
        _source = await DistributionRegistry.StartAsync();
        _target = await MirrorProcess.StartAloneAsync();
        _toSource = await Gateway.StartAsync(_source.Url);
        _toTarget = await Gateway.StartAsync(_target.Url);
        await PublishedImage.PushAsync(_source.Url, _images);
    }

    public async Task DisposeAsync()
    {
        await _toSource.DisposeAsync();
        await _toTarget.DisposeAsync();
        await _target.DisposeAsync();
        await _source.DisposeAsync();
    }

    [FactWith("docker-registry")]
    public async Task A_command_that_is_killed_at_any_moment_leaves_nothing_by_half_and_the_next_one_does_the_rest()
    {
        await using var mirror = await ConfigureAsync("");
        var random = Random();
        for (var kill = 1; kill <= Kills; kill++)
        {
            await using var command = mirror.StartCommand("sync", "run", "copy");
            await _toTarget.WhenBytesUp(NextMark(random));
            await command.KillAsync();
            await AssertShowsNothingByHalfAsync();
        }

        (await mirror.CommandAsync("sync", "run", "copy")).Succeeded();

        await AssertIsAllThereAsync();
    }

    [FactWith("docker-registry")]
    public async Task A_server_that_is_killed_at_any_moment_leaves_nothing_by_half_and_its_schedule_does_the_rest()
    {
        await using var mirror = await ConfigureAsync("schedule: every 1s, ");
        var random = Random();
        await mirror.StartAsync();
        for (var kill = 1; kill <= Kills; kill++)
        {
            await _toTarget.WhenBytesUp(NextMark(random));
            await mirror.KillAsync();
            await AssertShowsNothingByHalfAsync();
            await mirror.StartAsync();
        }

        await mirror.PrintsAsync("Job copy is done");

        await AssertIsAllThereAsync();
    }

    /// <summary>Two layers in each image: one of its own, and one that others have too, in the other repository as well.</summary>
    private static PublishedImage[] Images() =>
    [
        .. Enumerable.Range(0, 2 * Kills).Select(number => PublishedImage.Of(
            Repositories[number % 2],
            $"v{number}",
            BuiltImage.Of(
                new Platform("linux", "amd64"),
                [$"{number}"],
                Layer(4 * MiB, seed: number),
                number < 6 ? Layer(16 * MiB, seed: 1000) : Layer(8 * MiB, seed: 1001)))),
    ];

    private static ImageLayer Layer(int size, int seed) => new(TestBlob.Create(size, seed), Digest.Sha256(BitConverter.GetBytes(seed)));

    private Task<MirrorProcess> ConfigureAsync(string schedule) => MirrorProcess.ConfigureAsync(
        $"source: {{ url: {_toSource.Url}, pullThrough: false }}, "
            + $"target: {{ url: {_toTarget.Url}, pullThrough: false, maxConnections: 8 }}",
        $"jobs: {{ copy: {{ {schedule}from: source, to: target, repositories: [{string.Join(", ", Repositories)}] }} }}");

    private Random Random()
    {
        var seed = System.Random.Shared.Next();
        output.WriteLine($"seed {seed}");
        return new Random(seed);
    }

    /// <summary>How many bytes the target has when Mirror is killed next: never all of them.</summary>
    private long NextMark(Random random) => _toTarget.BytesUp + random.NextInt64(1, DistinctBytes / Kills);

    private async Task AssertShowsNothingByHalfAsync()
    {
        var shown = 0;
        foreach (var repository in Repositories)
        {
            shown += (await PulledImage.AssertIsWholeAsync(_target.Url, repository)).Count;
        }

        output.WriteLine($"killed with {_toTarget.BytesUp} bytes sent: {shown} tags are shown");
    }

    /// <summary>
    /// What the target has of a blob when Mirror is killed is not sent again. From the source it is read again: only who has read all of a
    /// blob knows that it is right, and the process that had read the beginning is gone.
    /// </summary>
    private async Task AssertIsAllThereAsync()
    {
        await PulledImage.AssertAreThereAsync(_target.Url, _images);
        var sent = _toTarget.BytesUp;
        output.WriteLine($"{DistinctBytes} bytes, {Kills} kills: {sent} sent to the target, {_toSource.BytesDown} read from the source");
        Assert.InRange(sent, DistinctBytes, DistinctBytes + (Kills * (long)TailOfKill));
    }
}
