using Mirror.Oci.Remote;
using Mirror.Testing;

namespace Mirror.Oci.Tests.Remote;

/// <summary>Who may use a registry's connections and bandwidth, and who comes first. The layer has a thousand bytes.</summary>
public sealed class TransferTests
{
    [Fact]
    public async Task No_more_blobs_are_transferred_at_once_than_there_are_connections()
    {
        await using var scene = await StartAsync(connections: 2);
        var first = await BlobOf(scene.OpenLayerAsync());
        await using var second = await BlobOf(scene.OpenLayerAsync());

        var third = scene.OpenLayerAsync();
        Assert.True(scene.Client.IsFull);
        Assert.False(third.IsCompleted);
        Assert.Equal(2, scene.Registry.Requests.Count);
        await first.DisposeAsync();

        await (await BlobOf(third)).DisposeAsync();
        Assert.False(scene.Client.IsFull);
    }

    [Fact]
    public async Task Clients_come_first_and_each_in_its_turn()
    {
        await using var scene = await StartAsync(connections: 1);
        var running = await BlobOf(scene.OpenLayerAsync());
        var order = new List<string>();

        var waiting = new[]
        {
            TakeTurnAsync("completion", TransferPriority.Completion),
            TakeTurnAsync("another completion", TransferPriority.Completion),
            TakeTurnAsync("client", TransferPriority.Client),
            TakeTurnAsync("another client", TransferPriority.Client),
        };
        await running.DisposeAsync();
        await Task.WhenAll(waiting);

        Assert.Equal(["client", "another client", "completion", "another completion"], order);

        async Task TakeTurnAsync(string who, TransferPriority priority)
        {
            await using var blob = await BlobOf(scene.OpenLayerAsync(scene.Client.StartTransfer(priority)));
            order.Add(who);
        }
    }

    [Theory]
    [InlineData(8, 2)]
    [InlineData(3, 1)]
    public async Task Only_a_quarter_of_the_connections_is_for_others_than_clients(int connections, int others)
    {
        await using var scene = await StartAsync(connections);
        var running = new List<RemoteBlob>();
        for (var other = 0; other < others; other++)
        {
            running.Add(await BlobOf(scene.OpenLayerAsync(scene.Client.StartTransfer(TransferPriority.Completion))));
        }

        var waiting = scene.OpenLayerAsync(scene.Client.StartTransfer(TransferPriority.Completion));
        for (var client = others; client < connections; client++)
        {
            running.Add(await BlobOf(scene.OpenLayerAsync()));
        }

        Assert.False(waiting.IsCompleted);
        await running[0].DisposeAsync();
        await (await BlobOf(waiting)).DisposeAsync();
        await Task.WhenAll(running.Select(blob => blob.DisposeAsync().AsTask()));
    }

    [Fact]
    public async Task What_a_client_comes_to_no_longer_waits_with_the_others()
    {
        await using var scene = await StartAsync(connections: 4);
        var running = scene.Client.StartTransfer(TransferPriority.Completion);
        await using var first = await BlobOf(scene.OpenLayerAsync(running));
        var third = scene.Client.StartTransfer(TransferPriority.Completion);
        var secondOpening = scene.OpenLayerAsync(scene.Client.StartTransfer(TransferPriority.Completion));
        var thirdOpening = scene.OpenLayerAsync(third);

        third.Priority = TransferPriority.Client;
        await using var promoted = await BlobOf(thirdOpening);
        Assert.False(secondOpening.IsCompleted);

        // What holds the only place of the others gives it free.
        running.Priority = TransferPriority.Client;
        await using var next = await BlobOf(secondOpening);
    }

    [Fact]
    public async Task Who_gives_up_waiting_or_fails_leaves_no_connection_behind()
    {
        await using var scene = await StartAsync(connections: 1);
        using var cancellation = new CancellationTokenSource();
        var running = await BlobOf(scene.OpenLayerAsync());

        var waiting = scene.OpenLayerAsync(scene.Client.StartTransfer(TransferPriority.Client), cancellationToken: cancellation.Token);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        await running.DisposeAsync();
        await running.DisposeAsync();

        var gate = new Gate();
        scene.Registry.On(HttpMethod.Get, scene.Image.Layer.Digest).Times(1).Do(Behaviour.Status(404));
        scene.Registry.On(HttpMethod.Get, scene.Image.Layer.Digest).Times(1).Do(Behaviour.Stall(gate));
        RemoteScene.FailureOf(await scene.OpenLayerAsync());
        using var other = new CancellationTokenSource();
        var asking = scene.OpenLayerAsync(scene.Client.StartTransfer(TransferPriority.Client), cancellationToken: other.Token);
        await gate.Arrived();
        await other.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);

        Assert.False(scene.Client.IsFull);
        await (await BlobOf(scene.OpenLayerAsync())).DisposeAsync();
    }

    [Fact]
    public async Task All_transfers_together_receive_no_more_than_the_bandwidth()
    {
        await using var scene = await StartAsync(bandwidth: 500);
        await ReadAsync(scene, TransferPriority.Client);

        // The first thousand took what there was for one second, and another half of it.
        var (second, third) = (ReadAsync(scene, TransferPriority.Client), ReadAsync(scene, TransferPriority.Client));
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(1));
        Assert.False(second.IsCompleted || third.IsCompleted);
        scene.Time.Advance(TimeSpan.FromSeconds(1));
        await Task.WhenAny(second, third);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(2));
        Assert.False(second.IsCompleted && third.IsCompleted);
        scene.Time.Advance(TimeSpan.FromSeconds(2));

        await Task.WhenAll(second, third);
    }

    [Fact]
    public async Task Others_than_clients_have_the_bandwidth_that_clients_leave()
    {
        await using var scene = await StartAsync(bandwidth: 1000);
        await ReadAsync(scene, TransferPriority.Client);

        var completion = ReadAsync(scene, TransferPriority.Completion);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(0.5));
        await ReadAsync(scene, TransferPriority.Client);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(1.5));

        Assert.False(completion.IsCompleted);
        scene.Time.Advance(TimeSpan.FromSeconds(1.5));
        await completion;
    }

    [Fact]
    public async Task What_a_client_comes_to_has_bandwidth_like_a_clients()
    {
        await using var scene = await StartAsync(bandwidth: 1000);
        await ReadAsync(scene, TransferPriority.Client);
        var transfer = scene.Client.StartTransfer(TransferPriority.Completion);

        var reading = ReadAsync(scene, transfer);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(0.5));
        transfer.Priority = TransferPriority.Client;

        await reading;
    }

    [Fact]
    public async Task Who_gives_up_waiting_for_bandwidth_holds_nobody_up()
    {
        await using var scene = await StartAsync(bandwidth: 500);
        await ReadAsync(scene, TransferPriority.Client);
        using var cancellation = new CancellationTokenSource();
        var leaving = ReadAsync(scene, scene.Client.StartTransfer(TransferPriority.Client), cancellation.Token);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(1));

        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => leaving);
        var next = ReadAsync(scene, TransferPriority.Client);
        await scene.Time.TimerArmed(TimeSpan.FromSeconds(1));
        scene.Time.Advance(TimeSpan.FromSeconds(1));

        await next;
    }

    private static async Task<RemoteScene> StartAsync(int connections = 64, long? bandwidth = null)
    {
        var scene = await RemoteScene.StartAsync(options => options with { MaxConnections = connections, Bandwidth = bandwidth });
        scene.Time.ShortWait = TimeSpan.Zero;
        return scene;
    }

    private static Task ReadAsync(RemoteScene scene, TransferPriority priority) => ReadAsync(scene, scene.Client.StartTransfer(priority));

    private static async Task ReadAsync(RemoteScene scene, Transfer transfer, CancellationToken cancellationToken = default)
    {
        await using var blob = await BlobOf(scene.OpenLayerAsync(transfer, cancellationToken: cancellationToken));
        var buffer = new byte[2000];
        var length = 0;
        while (await blob.Body.ReadAsync(buffer.AsMemory(length)) is > 0 and var read)
        {
            length += read;
        }

        Assert.Equal(scene.Image.Layer.Content.ToArray(), buffer[..length]);
    }

    private static async Task<RemoteBlob> BlobOf(Task<RemoteAnswer<RemoteBlob>> opening) =>
        Assert.IsType<RemoteAnswer<RemoteBlob>.Found>(await opening).Content;
}
