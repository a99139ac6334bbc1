using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Mirror.Configuration;
using Mirror.Oci;

namespace Mirror.Replication;

/// <summary>
/// <c>POST /api/v1/events</c>: other registries tell what was pushed to them, in the envelope of CNCF Distribution's notifications. What they say starts
/// jobs and is believed no further: these ask the registry itself.
/// </summary>
internal sealed partial class EventsEndpoint(EventOptions options, PushedImages pushed, ILogger<EventsEndpoint> logger)
{
    public const string Path = "/api/v1/events";

    private const int MaxBody = 1024 * 1024;

    private const string Bearer = "Bearer ";

    private const string Push = "push";

    public async Task HandleAsync(HttpContext http)
    {
        if (options.Secret is not { } secret)
        {
            await AnswerAsync(http, StatusCodes.Status404NotFound, new EventsAnswer(Error: "sync.events.secret is not set: nobody may tell of pushes"));
            return;
        }

        if (!HttpMethods.IsPost(http.Request.Method))
        {
            http.Response.Headers.Allow = HttpMethods.Post;
            await AnswerAsync(http, StatusCodes.Status405MethodNotAllowed, new EventsAnswer(Error: "events are told by POST"));
            return;
        }

        if (!Knows(http.Request.Headers.Authorization.ToString(), secret.Reveal()))
        {
            LogRefused(http.Connection.RemoteIpAddress);
            http.Response.Headers.WWWAuthenticate = "Bearer realm=\"events\"";
            await AnswerAsync(
                http, StatusCodes.Status401Unauthorized, new EventsAnswer(Error: "say Authorization: Bearer and the secret of sync.events"));
            return;
        }

        var registry = http.Request.Query["registry"].ToString();
        if (registry.Length > 0 && !pushed.IsSource(registry))
        {
            var error = $"no job copies from a registry '{registry}': name one as sync.jobs does";
            await AnswerAsync(http, StatusCodes.Status400BadRequest, new EventsAnswer(Error: error));
            return;
        }

        var events = await FindEventsAsync(http);
        await (events is null
            ? AnswerAsync(http, StatusCodes.Status400BadRequest, new EventsAnswer(Error: "this is no envelope of events, {\"events\": […]}, of at most 1 MiB"))
            : AnswerAsync(http, StatusCodes.Status202Accepted, new EventsAnswer(Start(events, registry))));
    }

    /// <returns>Null where it is not what is expected here.</returns>
    private static async Task<IReadOnlyList<PushEvent?>?> FindEventsAsync(HttpContext http)
    {
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = MaxBody;
        try
        {
            return (await JsonSerializer.DeserializeAsync(http.Request.Body, EventsJson.Default.EventEnvelope, http.RequestAborted))?.Events;
        }
        catch (Exception e) when (e is JsonException or BadHttpRequestException)
        {
            return null;
        }
    }

    /// <returns>The jobs.</returns>
    private List<string> Start(IReadOnlyList<PushEvent?> events, string registry)
    {
        var pushes = new Dictionary<RepositoryName, HashSet<Tag>>();
        foreach (var told in events)
        {
            if (told is { Action: Push, Target: { } target }
                && RepositoryName.TryParse(target.Repository ?? "", out var repository) && Tag.TryParse(target.Tag ?? "", out var tag))
            {
                (pushes.TryGetValue(repository, out var tags) ? tags : pushes[repository] = []).Add(tag);
            }
        }

        return [.. pushes.SelectMany(push => pushed.Pushed(registry.Length > 0 ? registry : null, push.Key, push.Value)).Distinct()];
    }

    private static bool Knows(string authorization, string secret)
    {
        var told = authorization.StartsWith(Bearer, StringComparison.OrdinalIgnoreCase) ? authorization[Bearer.Length..].Trim() : authorization;
        return CryptographicOperations.FixedTimeEquals(
            SHA256.HashData(Encoding.UTF8.GetBytes(told)), SHA256.HashData(Encoding.UTF8.GetBytes(secret)));
    }

    private static async Task AnswerAsync(HttpContext http, int status, EventsAnswer answer)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = MediaTypes.Json;
        await http.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(answer, EventsJson.Default.EventsAnswer), http.RequestAborted);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "{Client} told of events without the right secret (sync.events.secret)")]
    private partial void LogRefused(System.Net.IPAddress? client);
}

/// <summary>Of CNCF Distribution's notifications, what is looked at.</summary>
internal sealed record EventEnvelope(IReadOnlyList<PushEvent?>? Events);

internal sealed record PushEvent(string? Action, EventTarget? Target);

/// <param name="Repository">Its full name at the registry that tells.</param>
/// <param name="Tag">Null where a manifest was pushed by its digest, and for blobs.</param>
internal sealed record EventTarget(string? Repository, string? Tag);

/// <param name="Jobs">Which are started.</param>
/// <param name="Error">Why none is.</param>
internal sealed record EventsAnswer(IReadOnlyList<string>? Jobs = null, string? Error = null);

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
[JsonSerializable(typeof(EventEnvelope))]
[JsonSerializable(typeof(EventsAnswer))]
internal sealed partial class EventsJson : JsonSerializerContext;
