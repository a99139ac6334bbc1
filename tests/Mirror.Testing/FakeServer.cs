using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Mirror.Oci;

namespace Mirror.Testing;

/// <summary>
/// A real HTTP server on a port of its own that remembers its requests, can be told to misbehave, and can be down for a while. What it
/// answers when it behaves is the derived class's.
/// </summary>
public abstract class FakeServer : IAsyncDisposable
{
    private readonly RequestLog _log = new();
    private readonly Script _script = new();
    private readonly SemaphoreSlim _lifecycle = new(1);
    private CancellationTokenSource _stopping = new();
    private WebApplication? _application;
    private Socket? _reservation;
    private Socket? _inQueue;
    private int _port;

    private protected FakeServer()
    {
    }

    /// <summary><c>http://127.0.0.1:port</c>, the same after a restart.</summary>
    public Uri Url => new($"{(Certificate is null ? "http" : "https")}://{Host}");

    /// <summary><c>127.0.0.1:port</c>.</summary>
    public string Host => $"127.0.0.1:{_port}";

    /// <summary>The requests so far, in the order of arrival, running ones among them.</summary>
    public IReadOnlyList<RecordedRequest> Requests => _log.Snapshot();

    public void ClearRequests() => _log.Clear();

    public IReadOnlyList<RecordedRequest> RequestsFor(Digest digest) => [.. Requests.Where(request => request.AsksFor(digest))];

    public IReadOnlyList<RecordedRequest> RequestsFor(RepositoryName repository, string tag) =>
        [.. Requests.Where(request => request.AsksFor(repository, tag))];

    /// <summary>How often it was asked for this manifest or blob, whatever it answered.</summary>
    public int Count(HttpMethod method, Digest digest) => RequestsFor(digest).Count(request => request.Method == method);

    public int Count(HttpMethod method, RepositoryName repository, string tag) =>
        RequestsFor(repository, tag).Count(request => request.Method == method);

    /// <summary>The <paramref name="count"/>th such request, as soon as it is there; finished or not.</summary>
    public Task<RecordedRequest> Received(Func<RecordedRequest, bool> matches, int count = 1) => _log.Received(matches, count);

    public Task<RecordedRequest> Received(HttpMethod method, Digest digest, int count = 1) =>
        Received(request => request.Method == method && request.AsksFor(digest), count);

    public Task<RecordedRequest> Received(HttpMethod method, RepositoryName repository, string tag, int count = 1) =>
        Received(request => request.Method == method && request.AsksFor(repository, tag), count);

    /// <summary>Requests to answer in another way. Those that lack credentials are challenged before that.</summary>
    public MatchingRequests On(Func<RecordedRequest, bool> matches) => new(_script, matches);

    public MatchingRequests On(HttpMethod method) => On(request => request.Method == method);

    public MatchingRequests On(HttpMethod method, Digest digest) => On(request => request.Method == method && request.AsksFor(digest));

    public MatchingRequests On(HttpMethod method, RepositoryName repository, string tag) =>
        On(request => request.Method == method && request.AsksFor(repository, tag));

    /// <summary>Forgets what <see cref="On(HttpMethod)"/> and its like have asked for.</summary>
    public void Behave() => _script.Clear();

    /// <summary>Cuts all connections and refuses new ones until <see cref="RestartAsync"/>.</summary>
    public async Task StopAsync()
    {
        await _lifecycle.WaitAsync();
        try
        {
            await StopListeningAsync();
            // Bound but not listening: connections are refused, and nobody else is given the port meanwhile.
            _reservation ??= Bind(_port);
        }
        finally
        {
            _lifecycle.Release();
        }
    }

    /// <summary>
    /// Cuts all connections, and neither accepts nor refuses new ones until <see cref="RestartAsync"/>: the one place in the queue is taken, and the
    /// kernel drops what comes after that.
    /// </summary>
    public async Task BlackHoleAsync()
    {
        await StopAsync();
        _reservation!.Listen(0);
        _inQueue = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await _inQueue.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _port));
    }

    /// <summary>Listens again on the same port, with the same content.</summary>
    public async Task RestartAsync()
    {
        await StopAsync();
        await ListenAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await StopListeningAsync();
        _reservation?.Dispose();
        _inQueue?.Dispose();
        _stopping.Dispose();
        _lifecycle.Dispose();
        GC.SuppressFinalize(this);
    }

    internal async Task ListenAsync()
    {
        await _lifecycle.WaitAsync();
        try
        {
            _stopping.Dispose();
            _stopping = new CancellationTokenSource();
            var stopping = _stopping.Token;
            _application = Build();
            _application.Run(context => HandleAsync(context, stopping));
            _inQueue?.Dispose();
            _reservation?.Dispose();
            _reservation = null;
            await _application.StartAsync();
            _port = new Uri(_application.Urls.Single()).Port;
        }
        finally
        {
            _lifecycle.Release();
        }
    }

    /// <summary>With it the server speaks https, and takes any client certificate.</summary>
    private protected X509Certificate2? Certificate { get; init; }

    /// <summary>The refusal of a request that lacks credentials; null if it may pass.</summary>
    private protected virtual Answer? Challenge(RecordedRequest request) => null;

    private protected abstract Answer AnswerTo(RecordedRequest request);

    private WebApplication Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = TimeSpan.Zero);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        // Without a buffer a flush returns when the kernel has the bytes. (0 would mean "without a limit".)
        builder.WebHost.UseSockets(options => options.MaxWriteBufferSize = 1);
        builder.WebHost.ConfigureKestrel(options =>
        {
            options.AddServerHeader = false;
            options.Limits.MinResponseDataRate = null;
            options.Limits.MinRequestBodyDataRate = null;
            options.Limits.MaxRequestBodySize = null;
            options.Limits.MaxRequestHeadersTotalSize = 1024 * 1024;
            options.Limits.KeepAliveTimeout = TimeSpan.FromDays(1);
            options.Listen(IPAddress.Loopback, _port, listen =>
            {
                if (Certificate is not null)
                {
                    listen.UseHttps(https =>
                    {
                        https.ServerCertificate = Certificate;
                        https.ClientCertificateMode = ClientCertificateMode.AllowCertificate;
                        https.AllowAnyClientCertificate();
                    });
                }
            });
        });
        return builder.Build();
    }

    private async Task HandleAsync(HttpContext context, CancellationToken stopping)
    {
        var request = await RecordAsync(context);
        using var gone = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, stopping);
        try
        {
            var answer = Challenge(request) ?? await AnswerAsync(context, request, gone.Token);
            if (answer is null)
            {
                context.Abort();
                return;
            }

            await new AnswerWriter(context, answer, gone.Token).WriteAsync();
        }
        catch (Exception) when (gone.IsCancellationRequested || context.Response.HasStarted)
        {
            context.Abort();
        }
        catch (Exception e)
        {
            context.Response.StatusCode = 500;
            await context.Response.WriteAsync($"The fake server itself failed: {e}", gone.Token);
        }
        finally
        {
            request.End();
        }
    }

    /// <summary>Null where the connection is to end instead.</summary>
    private async Task<Answer?> AnswerAsync(HttpContext context, RecordedRequest request, CancellationToken gone)
    {
        var behaviours = _script.Take(request);
        var intake = new Intake();
        foreach (var behaviour in behaviours)
        {
            behaviour.Apply(intake);
        }

        if (intake.Refusal is { } refusal)
        {
            var refused = new Answer(request);
            refusal.Apply(refused);
            return refused;
        }

        if (HttpMethods.IsPut(context.Request.Method) || HttpMethods.IsPatch(context.Request.Method))
        {
            await ReceiveAsync(context.Request.Body, request, intake.DropAt ?? long.MaxValue, gone);
        }

        var answer = AnswerTo(request);
        foreach (var behaviour in behaviours)
        {
            behaviour.Apply(answer);
        }

        return request.IsReceivedWhole ? answer : null;
    }

    /// <summary>What has come before the connection ended, or was ended by us, is there all the same.</summary>
    private static async Task ReceiveAsync(Stream body, RecordedRequest request, long limit, CancellationToken gone)
    {
        using var received = new MemoryStream();
        var buffer = new byte[16 * 1024];
        try
        {
            while (received.Length < limit)
            {
                var read = await body.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, limit - received.Length)), gone);
                if (read == 0)
                {
                    request.Receive(received.ToArray(), isWhole: true);
                    return;
                }

                received.Write(buffer, 0, read);
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The client has gone.
        }

        request.Receive(received.ToArray(), isWhole: false);
    }

    private async Task<RecordedRequest> RecordAsync(HttpContext context)
    {
        var body = "";
        if (HttpMethods.IsPost(context.Request.Method))
        {
            using var reader = new StreamReader(context.Request.Body);
            body = await reader.ReadToEndAsync();
        }

        var headers = context.Request.Headers.ToDictionary(
            header => header.Key, header => string.Join(", ", header.Value.ToArray()), StringComparer.OrdinalIgnoreCase);
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        return _log.Add(number => new RecordedRequest(number, new HttpMethod(context.Request.Method), target, headers, body)
        {
            ClientCertificate = context.Connection.ClientCertificate?.Subject,
        });
    }

    private async Task StopListeningAsync()
    {
        if (_application is not { } application)
        {
            return;
        }

        _application = null;
        await _stopping.CancelAsync();
        try
        {
            await application.StopAsync(new CancellationToken(canceled: true));
        }
        catch (OperationCanceledException)
        {
            // No time was given for an orderly end.
        }

        await application.DisposeAsync();
    }

    private static Socket Bind(int port)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, optionValue: true);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, port));
        return socket;
    }
}
