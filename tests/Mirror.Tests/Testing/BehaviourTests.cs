using System.Net;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.Tests.Testing;

public sealed class BehaviourTests : IAsyncLifetime
{
    private const int Size = 200_000;
    private static readonly RepositoryName Repository = RepositoryName.Parse("team/app");
    private static readonly TestBlob Blob = TestBlob.Create(Size);

    private readonly HttpClient _client = new();
    private FakeRegistry _upstream = null!;

    public async Task InitializeAsync()
    {
        _upstream = await FakeRegistry.StartAsync();
        _upstream.AddBlob(Repository, Blob);
    }

    public async Task DisposeAsync()
    {
        _client.Dispose();
        await _upstream.DisposeAsync();
    }

    [Fact]
    public async Task A_behaviour_ends_after_its_times()
    {
        OnBlob().Times(2).Do(Behaviour.Status(503, headers: ("Retry-After", "7")));
        OnBlob().Times(1).Do(Behaviour.HangUp);

        Assert.Equal(503, (await GetAsync()).Status);
        Assert.Equal("7", (await GetAsync()).Head.Headers["Retry-After"]);
        Assert.Equal(0, (await GetAsync()).Status);
        var good = await GetAsync();

        Assert.True(good.IsComplete);
        Assert.Equal(Blob.Content.ToArray(), good.Body);
        Assert.Equal([503, 503, null, 200], _upstream.Requests.Select(request => request.Status));
    }

    [Fact]
    public async Task A_gate_lets_through_what_is_released_and_no_more()
    {
        var gate = new Gate();
        OnBlob().Do(Behaviour.Drip(10_000, gate));
        using var connection = await RawHttp.ConnectAsync(_upstream.Url);
        await connection.SendAsync(BlobRequest());
        var head = await connection.ReadHeadAsync();
        Assert.Equal(0, gate.Sent);

        gate.ReleaseBytes(25_000);
        await gate.Reached(25_000);
        Assert.Equal(25_000, gate.Sent);
        Assert.Equal(25_000, _upstream.Requests.Single().BytesSent);
        Assert.Equal(Blob.Content[..25_000].ToArray(), await connection.ReadBodyAsync(25_000));

        gate.Open();
        var rest = await connection.ReadRestAsync(head);
        Assert.True(rest.IsComplete);
        Assert.Equal(Blob.Content[25_000..].ToArray(), rest.Body);
    }

    [Fact]
    public async Task A_stalled_request_ends_when_its_client_leaves()
    {
        var gate = new Gate();
        OnBlob().Do(Behaviour.Stall(gate));
        using (var connection = await RawHttp.ConnectAsync(_upstream.Url))
        {
            await connection.SendAsync(BlobRequest());
            await gate.Arrived();
        }

        var request = _upstream.Requests.Single();
        await request.Ended;
        Assert.Null(request.Status);
    }

    [Fact]
    public async Task A_body_stalls_and_goes_on_where_it_is_told()
    {
        var (first, second) = (new Gate(), new Gate());
        OnBlob().Do(Behaviour.StallAfter(100, first), Behaviour.StallAfter(70_000, second));
        var response = GetAsync();

        await first.Reached(100);
        Assert.Equal(100, first.Sent);
        first.Open();
        await second.Reached(70_000);
        Assert.Equal(70_000, second.Sent);
        second.Open();

        Assert.Equal(Blob.Content.ToArray(), (await response).Body);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(150_001)]
    public async Task A_cut_body_arrives_up_to_the_cut(int at)
    {
        OnBlob().Times(2).Do(Behaviour.CutAfter(at));
        var response = await GetAsync();

        Assert.Equal(200, response.Status);
        Assert.False(response.IsComplete);
        Assert.Equal(Blob.Content[..at].ToArray(), response.Body);
        var error = await Assert.ThrowsAsync<HttpIOException>(GetWholeWithHttpClientAsync);
        Assert.Equal(HttpRequestError.ResponseEnded, error.HttpRequestError);
    }

    [Theory]
    [InlineData(5, LengthHeader.Matching, "200005", true, 200_005)]
    [InlineData(5, LengthHeader.Absent, null, true, 200_005)]
    [InlineData(5, LengthHeader.Lying, "200000", true, 200_000)]
    [InlineData(-5, LengthHeader.Matching, "199995", true, 199_995)]
    [InlineData(-5, LengthHeader.Absent, null, true, 199_995)]
    [InlineData(-5, LengthHeader.Lying, "200000", false, 199_995)]
    public async Task A_wrong_length_is_told_honestly_or_not(int excess, LengthHeader length, string? header, bool complete, int received)
    {
        OnBlob().Do(excess > 0 ? Behaviour.TooMany(excess, length) : Behaviour.TooFew(-excess, length));
        var response = await GetAsync();

        Assert.Equal(header, response.Head.Headers.GetValueOrDefault("Content-Length"));
        Assert.Equal((complete, received), (response.IsComplete, response.Body.Length));
    }

    [Fact]
    public async Task Bytes_behind_the_promised_end_arrive_before_the_next_answer()
    {
        OnBlob().Times(1).Do(Behaviour.TooMany(3, LengthHeader.Lying));
        using var connection = await RawHttp.ConnectAsync(_upstream.Url);
        await connection.SendAsync(BlobRequest() + BlobRequest());

        Assert.Equal(Blob.Content.ToArray(), (await connection.ReadResponseAsync()).Body);
        Assert.Equal("\0\0\0HTTP/1.1 200 OK", (await connection.ReadHeadAsync()).StatusLine);
    }

    [Fact]
    public async Task Behaviours_compose()
    {
        OnBlob().Do(Behaviour.WrongBytes(150_000), Behaviour.NoContentLength, Behaviour.NoDigestHeader, Behaviour.LargeHeaders(100_000));
        var response = await RawHttp.GetAsync(_upstream.Url, Path, "Range: bytes=150000-150009");

        Assert.Equal(206, response.Status);
        Assert.DoesNotContain("Content-Length", response.Head.Headers.Keys);
        Assert.DoesNotContain("Docker-Content-Digest", response.Head.Headers.Keys);
        Assert.True(response.Head.Headers.Values.Sum(value => value.Length) > 100_000);
        Assert.Equal(Blob.Content.Span[150_000] ^ 0xFF, response.Body[0]);
        Assert.Equal(Blob.Content[150_001..150_010].ToArray(), response.Body[1..]);
    }

    [Fact]
    public async Task A_redirect_leads_to_another_server()
    {
        await using var storage = await FakeRegistry.StartAsync();
        storage.AddBlob(Repository, Blob);
        OnBlob().Do(Behaviour.RedirectTo(storage.BlobUrl(Repository, Blob.Digest)));

        Assert.Equal(Blob.Content.ToArray(), await GetWholeWithHttpClientAsync());
        Assert.Equal((1, 1), (_upstream.Count(HttpMethod.Get, Blob.Digest), storage.Count(HttpMethod.Get, Blob.Digest)));
    }

    [Fact]
    public async Task Head_can_be_missing()
    {
        _upstream.On(request => request.Path == Path).Do(Behaviour.NoHead);
        using var head = new HttpRequestMessage(HttpMethod.Head, _upstream.BlobUrl(Repository, Blob.Digest));

        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await _client.SendAsync(head)).StatusCode);
        Assert.Equal(200, (await GetAsync()).Status);
    }

    private static string Path => $"/v2/team/app/blobs/{Blob.Digest}";

    private string BlobRequest() => RawHttp.Request(_upstream.Url, "GET", Path);

    private MatchingRequests OnBlob() => _upstream.On(HttpMethod.Get, Blob.Digest);

    private Task<RawResponse> GetAsync() => RawHttp.GetAsync(_upstream.Url, Path);

    private async Task<byte[]> GetWholeWithHttpClientAsync()
    {
        using var response = await _client.GetAsync(_upstream.BlobUrl(Repository, Blob.Digest), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        using var whole = new MemoryStream();
        await body.CopyToAsync(whole);
        return whole.ToArray();
    }
}
