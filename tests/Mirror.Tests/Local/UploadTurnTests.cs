using System.IO.Pipelines;
using Mirror.Local;
using Mirror.Oci;
using Mirror.Storage;
using Mirror.Testing;

namespace Mirror.Tests.Local;

/// <summary>Requests that meet at one upload: only one of them writes its file at a time.</summary>
public sealed class UploadTurnTests : IDisposable
{
    private const string Client = "192.0.2.1";

    private static readonly RepositoryName Repository = RepositoryName.Parse("team/app");

    private readonly TemporaryDirectory _folder = new();
    private readonly ManualTime _time = new();
    private readonly Uploads _uploads;

    public UploadTurnTests()
    {
        var layout = new StoreLayout(_folder.Path);
        layout.Create();
        _uploads = new Uploads(new BlobStore(layout, _time), _time);
    }

    public void Dispose()
    {
        _uploads.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Who_had_found_an_upload_just_before_its_file_was_closed_finds_it_again_and_there_is_one_from_then_on()
    {
        var found = Begin();
        _time.Advance(TimeSpan.FromMinutes(11));
        _uploads.LetRest();

        using (var turn = await found.TakeTurnAsync(CancellationToken.None))
        {
            Assert.True(turn.IsOver);
        }

        var again = _uploads.Find(found.Key, Client);
        Assert.NotNull(again);
        Assert.NotSame(found, again);
        Assert.False(found.TryRest(_time.GetUtcNow()));
        _uploads.Forget(found);
        Assert.Same(again, _uploads.Find(found.Key, Client));
    }

    [Fact]
    public async Task An_upload_that_was_used_meanwhile_does_not_rest()
    {
        var upload = Begin();
        _time.Advance(TimeSpan.FromMinutes(11));
        var unusedSince = _time.GetUtcNow() - TimeSpan.FromMinutes(10);
        (await upload.TakeTurnAsync(CancellationToken.None)).Dispose();

        Assert.False(upload.TryRest(unusedSince));
        Assert.Same(upload, _uploads.Find(upload.Key, Client));
    }

    [Fact]
    public async Task A_connection_that_never_pauses_does_not_keep_its_turn_from_who_comes_back()
    {
        var upload = Begin();
        var turn = await upload.TakeTurnAsync(CancellationToken.None);
        var connection = new Pipe();
        var pieces = 0;
        Task<UploadTurn>? next = null;

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => turn.AppendAsync(connection.Reader, limit: 300, ReadAsync));
        turn.Dispose();

        Assert.Equal((2, 6), (pieces, upload.Length));
        (await next!).Dispose();

        async ValueTask<ReadResult> ReadAsync(PipeReader body, CancellationToken ended)
        {
            next = pieces == 1 ? upload.TakeTurnAsync(CancellationToken.None) : next;
            pieces++;
            await connection.Writer.WriteAsync(new byte[] { 1, 2, 3 }, CancellationToken.None);
            return await body.ReadAsync(CancellationToken.None);
        }
    }

    private Upload Begin() => _uploads.Begin(Repository, DigestAlgorithm.Sha256, user: null, Client)!;
}
