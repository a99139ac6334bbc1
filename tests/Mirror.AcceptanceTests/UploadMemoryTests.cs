using System.Globalization;
using Mirror.AcceptanceTests.Programs;
using Mirror.Testing;
using Xunit.Abstractions;

namespace Mirror.AcceptanceTests;

/// <summary>What is received goes to the disk, and not into memory first.</summary>
public sealed class UploadMemoryTests(ITestOutputHelper output)
{
    private const int Clients = 64;
    private const int Piece = 1024 * 1024;
    private const int Pieces = 32;
    private const int MostMegabytes = 300;

    [Fact]
    public async Task Sixty_four_uploads_at_once_take_bounded_memory()
    {
        await using var mirror = await MirrorProcess.StartAsync(new Uri("http://127.0.0.1:1"));
        var before = mirror.PeakMegabytes();
        var piece = TestBlob.Bytes(Piece, seed: 8);
        var connections = new List<RawHttp>();
        foreach (var client in Enumerable.Range(0, Clients))
        {
            var begin = RawHttp.Request(mirror.Url, "POST", $"/v2/app-{client}/blobs/uploads/", "Content-Length: 0");
            var begun = await RawHttp.SendAsync(mirror.Url, begin);
            var connection = await RawHttp.ConnectAsync(mirror.Url);
            var length = (Piece * (long)Pieces).ToString(CultureInfo.InvariantCulture);
            await connection.SendAsync(RawHttp.Request(mirror.Url, "PATCH", begun.Head.Headers["Location"], $"Content-Length: {length}"));
            connections.Add(connection);
        }

        // Slow clients: nobody is further than a piece ahead of the others, and all of them are there to the end.
        for (var sent = 0; sent < Pieces; sent++)
        {
            await Task.WhenAll(connections.Select(connection => connection.SendAsync(piece)));
        }

        foreach (var connection in connections)
        {
            var answer = await connection.ReadResponseAsync();
            Assert.Equal((202, $"0-{(Piece * (long)Pieces) - 1}"), (answer.Status, answer.Head.Headers["Range"]));
            connection.Dispose();
        }

        var peak = mirror.PeakMegabytes();
        output.WriteLine($"{Clients} uploads of {Pieces} MiB: at most {peak} MB in memory, {before} MB of them before");
        Assert.True(peak < MostMegabytes, $"{peak} MB");
    }
}
