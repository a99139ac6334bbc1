using System.Net.Http.Json;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace Mirror.Administration;

/// <summary>Speaks the internal API over a socket.</summary>
public sealed class AdministrationClient : IDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly HttpClient _http;

    private readonly string _socketPath;

    internal AdministrationClient(string socketPath)
    {
        _socketPath = socketPath;
        _http = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            ConnectCallback = async (_, cancellationToken) => await AdministrationSocket.ConnectAsync(socketPath, cancellationToken),
        })
        {
            BaseAddress = new Uri("http://mirror/"),
            Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Whether this process answers itself, as no server runs.</summary>
    public bool IsOwn { get; internal set; }

    /// <summary>The data directory that is asked about.</summary>
    public string DataPath => Path.GetDirectoryName(_socketPath)!;

    /// <summary>Whether somebody answers there at all.</summary>
    /// <exception cref="AdministrationException">Somebody may, but not to us, or not in time.</exception>
    public async Task<bool> IsAnsweredAsync(CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(Patience, TimeProvider.System);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, cancellationToken);
        try
        {
            using var answer = await _http.GetAsync(new Uri("", UriKind.Relative), both.Token);
            return true;
        }
        catch (HttpRequestException e) when (
            e.InnerException is UnauthorizedAccessException or SocketException { SocketErrorCode: SocketError.AccessDenied })
        {
            throw new AdministrationException(
                $"the socket {_socketPath} is not this user's: run the command as the user who runs the server, or as root");
        }
        catch (HttpRequestException)
        {
            return false;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new AdministrationException($"the running server did not answer within {Patience.TotalSeconds} s");
        }
    }

    /// <summary>Progress and results, as they come.</summary>
    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<WarmLine> WarmAsync(WarmRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("warm", request, Messages.Json.WarmRequest), Messages.Json.WarmLine, cancellationToken);

    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<RefreshedImage> RefreshAsync(RefreshRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("refresh", request, Messages.Json.RefreshRequest), Messages.Json.RefreshedImage, cancellationToken);

    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<RemovedImage> RemoveAsync(RemoveRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("remove", request, Messages.Json.RemoveRequest), Messages.Json.RemovedImage, cancellationToken);

    /// <summary>What is done and left out, as it comes, and at the end what came of it all.</summary>
    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<AdoptLine> AdoptAsync(AdoptRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("adopt", request, Messages.Json.AdoptRequest), Messages.Json.AdoptLine, cancellationToken);

    /// <param name="pattern">A glob over full names, or null for all.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<ListedImage> ImagesAsync(string? pattern, CancellationToken cancellationToken) =>
        LinesAsync(Get($"images?pattern={Uri.EscapeDataString(pattern ?? "")}"), Messages.Json.ListedImage, cancellationToken);

    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public async Task<StoreUsage> GetUsageAsync(CancellationToken cancellationToken)
    {
        await foreach (var usage in LinesAsync(Get("usage"), Messages.Json.StoreUsage, cancellationToken))
        {
            return usage;
        }

        throw new AdministrationException("the server sent an empty answer");
    }

    /// <summary>The configured jobs, and how it stands with each.</summary>
    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<SyncJobStatus> SyncJobsAsync(CancellationToken cancellationToken) =>
        LinesAsync(Get("sync/jobs"), Messages.Json.SyncJobStatus, cancellationToken);

    /// <summary>The last runs, the newest first.</summary>
    /// <param name="job">Of this job; null for all.</param>
    /// <param name="count">At most so many.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<SyncRunEntry> SyncHistoryAsync(string? job, int count, CancellationToken cancellationToken) =>
        LinesAsync(Get($"sync/history?job={Uri.EscapeDataString(job ?? "")}&count={count}"), Messages.Json.SyncRunEntry, cancellationToken);

    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<SyncPlanLine> SyncPlanAsync(SyncPlanRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("sync/plan", request, Messages.Json.SyncPlanRequest), Messages.Json.SyncPlanLine, cancellationToken);

    /// <summary>Progress and results, as they come. The runs go on where this ends early, as long as the server does.</summary>
    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<SyncRunLine> SyncRunAsync(SyncRunRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("sync/run", request, Messages.Json.SyncRunRequest), Messages.Json.SyncRunLine, cancellationToken);

    /// <exception cref="AdministrationException">The server refused, or broke off.</exception>
    public IAsyncEnumerable<SyncStopped> SyncStopAsync(SyncStopRequest request, CancellationToken cancellationToken) =>
        LinesAsync(Post("sync/stop", request, Messages.Json.SyncStopRequest), Messages.Json.SyncStopped, cancellationToken);

    public void Dispose() => _http.Dispose();

    private static HttpRequestMessage Get(string path) => new(HttpMethod.Get, new Uri(path, UriKind.Relative));

    private static HttpRequestMessage Post<T>(string path, T body, JsonTypeInfo<T> type) =>
        new(HttpMethod.Post, new Uri(path, UriKind.Relative)) { Content = JsonContent.Create(body, type) };

    private async IAsyncEnumerable<T> LinesAsync<T>(
        HttpRequestMessage request, JsonTypeInfo<T> type, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using (request)
        {
            using var answer = await SendAsync(request, cancellationToken);
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(cancellationToken), Encoding.UTF8);
            while (await ReadLineAsync(reader, cancellationToken) is { } line)
            {
                yield return Parse(line, type);
            }
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        HttpResponseMessage answer;
        try
        {
            answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        }
        catch (HttpRequestException e)
        {
            throw new ServerGoneException(e);
        }

        if (answer.IsSuccessStatusCode)
        {
            return answer;
        }

        using (answer)
        {
            var refusal = Parse(await answer.Content.ReadAsStringAsync(cancellationToken), Messages.Json.Refusal);
            throw new AdministrationException(refusal.Error);
        }
    }

    private static async Task<string?> ReadLineAsync(StreamReader reader, CancellationToken cancellationToken)
    {
        try
        {
            return await reader.ReadLineAsync(cancellationToken);
        }
        catch (Exception e) when (e is IOException or HttpRequestException)
        {
            throw new AdministrationException("the server broke off before it had answered all: its log may say why");
        }
    }

    private static T Parse<T>(string line, JsonTypeInfo<T> type)
    {
        try
        {
            return JsonSerializer.Deserialize(line, type) ?? throw new JsonException();
        }
        catch (JsonException)
        {
            throw new AdministrationException("the server sent an answer that this program does not understand: is it of another version?");
        }
    }
}

/// <summary>What was asked for was not done; the message says why, for the user.</summary>
public class AdministrationException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The server had ended before it took the request: another may be there, or can be.</summary>
public sealed class ServerGoneException(Exception inner) : AdministrationException("the server has gone", inner);
