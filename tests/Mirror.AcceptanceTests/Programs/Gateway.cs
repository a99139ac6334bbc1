using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Mirror.Oci;
using Mirror.Testing;

namespace Mirror.AcceptanceTests.Programs;

/// <summary>A request that came to a gateway.</summary>
/// <param name="Number">Counts from 1 in the order of arrival.</param>
/// <param name="Method">GET, PUT and so on.</param>
/// <param name="Target">Path and query, as they were sent.</param>
internal sealed record PassingRequest(int Number, string Method, string Target)
{
    public bool IsFor(Digest digest) => Target.EndsWith($"/blobs/{digest}", StringComparison.Ordinal);
}

/// <summary>What a gateway does to a request, or to its answer.</summary>
internal sealed record Trouble
{
    /// <summary>It gets this answer and goes nowhere.</summary>
    public (int Status, string Body)? Answer { get; init; }

    /// <summary>A header of the answer.</summary>
    public (string Name, string Value)? Header { get; init; }

    /// <summary>Its connection is reset when so many bytes of its body have gone on.</summary>
    public long? DropsAfter { get; init; }

    /// <summary>The byte of the answer's body that is changed on the way.</summary>
    public long? FlipsByte { get; init; }

    /// <summary>Nothing of the answer comes before this.</summary>
    public Task? Holds { get; init; }

    /// <summary>It goes on without its query.</summary>
    public bool LosesQuery { get; init; }
}

/// <summary>A reverse proxy before a registry. It counts what goes through, and lets a test do harm to some of it.</summary>
internal sealed class Gateway : IAsyncDisposable
{
    /// <summary>Of one connection, and of the answer's form: they are not passed on.</summary>
    private static readonly HashSet<string> Own = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Transfer-Encoding", "Upgrade", "Expect", "Host",
    };

    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseProxy = false, UseCookies = false })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private readonly Lock _lock = new();
    private readonly List<PassingRequest> _requests = [];
    private readonly WebApplication _application;
    private readonly Uri _registry;
    private (long Bytes, TaskCompletionSource Reached) _mark = (long.MaxValue, new TaskCompletionSource());
    private long _bytesUp;
    private long _bytesDown;

    private Gateway(Uri registry)
    {
        _registry = registry;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.Zero);
        builder.WebHost.UseKestrelCore();
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MinResponseDataRate = null;
            options.Limits.MinRequestBodyDataRate = null;
            options.Limits.MaxRequestBodySize = null;
            options.Listen(IPAddress.Loopback, 0);
        });
        _application = builder.Build();
        _application.Run(HandleAsync);
    }

    public Uri Url => new(_application.Urls.Single());

    /// <summary>Null for a request that has none.</summary>
    public Func<PassingRequest, Trouble?> Trouble { get; set; } = _ => null;

    /// <summary>In the order of arrival.</summary>
    public IReadOnlyList<PassingRequest> Requests
    {
        get
        {
            lock (_lock)
            {
                return [.. _requests];
            }
        }
    }

    /// <summary>What has come of requests' bodies.</summary>
    public long BytesUp => Interlocked.Read(ref _bytesUp);

    /// <summary>What has come of answers' bodies.</summary>
    public long BytesDown => Interlocked.Read(ref _bytesDown);

    public static async Task<Gateway> StartAsync(Uri registry)
    {
        var gateway = new Gateway(registry);
        await gateway._application.StartAsync();
        return gateway;
    }

    /// <summary>Completes when so many bytes of requests' bodies have come. One at a time may wait for this.</summary>
    public Task WhenBytesUp(long bytes)
    {
        lock (_lock)
        {
            _mark = (bytes, new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
            CheckMark();
            return _mark.Reached.Task;
        }
    }

    public Task ReceivedAsync(Func<PassingRequest, bool> matches) =>
        Poll.UntilAsync(() => Requests.Any(matches), $"no such request came to {Url}");

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _application.StopAsync(new CancellationToken(canceled: true));
        }
        catch (OperationCanceledException)
        {
            // No time was given for an orderly end.
        }

        await _application.DisposeAsync();
        _http.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        PassingRequest request;
        lock (_lock)
        {
            request = new PassingRequest(_requests.Count + 1, context.Request.Method, target);
            _requests.Add(request);
        }

        var trouble = Trouble(request) ?? new Trouble();
        try
        {
            await (trouble.Answer is { } answer ? AnswerAsync(context, answer, trouble) : PassOnAsync(context, target, trouble));
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or HttpRequestException)
        {
            // One of the two has gone, or is to believe so.
            context.Abort();
        }
    }

    private static async Task AnswerAsync(HttpContext context, (int Status, string Body) answer, Trouble trouble)
    {
        context.Response.StatusCode = answer.Status;
        context.Response.ContentType = MediaTypes.Json;
        if (trouble.Header is var (name, value))
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.WriteAsync(answer.Body, context.RequestAborted);
    }

    private async Task PassOnAsync(HttpContext context, string target, Trouble trouble)
    {
        using var request = new HttpRequestMessage(
            new HttpMethod(context.Request.Method), new Uri(_registry, trouble.LosesQuery ? target.Split('?')[0] : target));
        if (context.Features.GetRequiredFeature<IHttpRequestBodyDetectionFeature>().CanHaveBody)
        {
            request.Content = new StreamContent(new CountedBody(this, context.Request.Body, trouble.DropsAfter ?? long.MaxValue));
        }

        foreach (var (name, values) in context.Request.Headers.Where(header => !Own.Contains(header.Key)))
        {
            if (!request.Headers.TryAddWithoutValidation(name, values.ToArray()))
            {
                request.Content?.Headers.TryAddWithoutValidation(name, values.ToArray());
            }
        }

        // Where an answer leads on, it leads here again.
        request.Headers.Host = context.Request.Host.Value;
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted);
        await (trouble.Holds ?? Task.CompletedTask).WaitAsync(context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        var headers = answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated);
        foreach (var (name, values) in headers.Where(header => !Own.Contains(header.Key)))
        {
            context.Response.Headers[name] = values.ToArray();
        }

        await PassBackAsync(await answer.Content.ReadAsStreamAsync(context.RequestAborted), context, trouble.FlipsByte ?? -1);
    }

    private async Task PassBackAsync(Stream body, HttpContext context, long flipped)
    {
        var buffer = new byte[64 * 1024];
        var position = 0L;
        while (await body.ReadAsync(buffer, context.RequestAborted) is var read and > 0)
        {
            if (flipped >= position && flipped < position + read)
            {
                buffer[flipped - position] ^= 0xFF;
            }

            position += read;
            Interlocked.Add(ref _bytesDown, read);
            await context.Response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted);
        }
    }

    private void CountUp(int bytes)
    {
        lock (_lock)
        {
            _bytesUp += bytes;
            CheckMark();
        }
    }

    private void CheckMark()
    {
        if (_bytesUp >= _mark.Bytes)
        {
            _mark.Reached.TrySetResult();
        }
    }

    /// <summary>A request's body on its way, which may end by force.</summary>
    private sealed class CountedBody(Gateway gateway, Stream body, long limit) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => _read;
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_read >= limit)
            {
                throw new IOException("The test wants the connection to end here.");
            }

            var read = await body.ReadAsync(buffer[..(int)Math.Min(buffer.Length, limit - _read)], cancellationToken);
            _read += read;
            gateway.CountUp(read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
