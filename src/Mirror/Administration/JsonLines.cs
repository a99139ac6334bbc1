using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Mirror.Administration;

/// <summary>How the internal API reads and writes: a request is one JSON document, an answer one a line, each sent when it is known.</summary>
internal static class JsonLines
{
    /// <summary>The longest names of the most images fit.</summary>
    private const int MaxBody = 8 * 1024 * 1024;

    /// <exception cref="RefusedException">It is something else.</exception>
    public static async Task<T> ReadAsync<T>(HttpContext http, JsonTypeInfo<T> type)
    {
        http.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = MaxBody;
        try
        {
            return await JsonSerializer.DeserializeAsync(http.Request.Body, type, http.RequestAborted)
                ?? throw new RefusedException("the request is empty");
        }
        catch (JsonException)
        {
            throw new RefusedException("the request is not the JSON that is expected here");
        }
    }

    public static async Task WriteAsync<T>(HttpContext http, T document, JsonTypeInfo<T> type)
    {
        if (!http.Response.HasStarted)
        {
            http.Response.ContentType = "application/jsonl";
        }

        http.Response.BodyWriter.Write(JsonSerializer.SerializeToUtf8Bytes(document, type));
        http.Response.BodyWriter.Write("\n"u8);
        await http.Response.BodyWriter.FlushAsync(http.RequestAborted);
    }
}

/// <summary>What was asked for makes no sense; the message says why.</summary>
internal sealed class RefusedException(string message) : Exception(message);
